/* model/code.c - see code.h. */
#include "model/code.h"

static const struct code_row {
    const char *code, *explanation;
} code_rows[CODE_COUNT] = {
#define X(name, code, explanation) {code, explanation},
#include "model/codes.def"
#undef X
};

const char *code_text(enum code code) {
    return code_rows[code].code;
}

struct str code_explain(struct str code) {
    for (size_t i = 0; i < CODE_COUNT; i++)
        if (str_eq_nocase(str_from(code_rows[i].code), code)) return str_from(code_rows[i].explanation);
    return STR_NONE;
}
