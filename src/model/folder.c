#include "model/folder.h"

struct str file_state_text(enum file_state state) {
    static const char *const texts[FILE_STATE_COUNT] = {
#define X(name, text) text,
        FILE_STATE_LIST(X)
#undef X
    };
    return str_from(texts[state]);
}
