/* connect/codes.c - see codes.h. */
#include "connect/codes.h"

#include "connect/connect.h"

static const struct code_row {
    const char *code, *explanation;
} rows[CONNECT_CODE_COUNT] = {
#define X(name, code, explanation) {code, explanation},
#include "connect/codes.def"
#undef X
};

const char *connect_code_text(enum connect_code code) {
    return rows[code].code;
}

struct str connectors_explain(struct str code) {
    for (size_t i = 0; i < CONNECT_CODE_COUNT; i++)
        if (str_eq_nocase(str_from(rows[i].code), code)) return str_from(rows[i].explanation);
    return STR_NONE;
}
