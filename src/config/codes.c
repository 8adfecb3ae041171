/* config/codes.c - see codes.h. */
#include "config/codes.h"

static const struct {
    const char *code, *explanation;
} codes[] = {
#define X(name, code, explanation) {code, explanation},
#include "config/codes.def"
#undef X
};

const char *code_text(enum code code) {
    return codes[code].code;
}

struct str code_explain(struct str code) {
    for (size_t i = 0; i < CODE_COUNT; i++)
        if (str_eq(code, str_from(codes[i].code))) return str_from(codes[i].explanation);
    return STR_NONE;
}
