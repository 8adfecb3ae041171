#include "model/outcome.h"

static const char *const class_texts[OUTCOME_COUNT] = {
#define OUTCOME_TEXT(name, text) text,
    OUTCOME_LIST(OUTCOME_TEXT)
#undef OUTCOME_TEXT
};

const char *outcome_text(enum outcome_class class) {
    return class_texts[class];
}
