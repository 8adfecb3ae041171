#include "model/chore.h"

struct str chore_text(enum chore_name name) {
    static const char *const texts[CHORE_COUNT] = {
#define X(name, text) text,
        CHORE_LIST(X)
#undef X
    };
    return str_from(texts[name]);
}
