/* route/codes.c - see codes.h. */
#include "route/codes.h"

#include "route/route.h"

static const struct code_row {
    const char *code, *explanation;
} rows[ROUTE_CODE_COUNT] = {
#define X(name, code, explanation) {code, explanation},
#include "route/codes.def"
#undef X
};

const char *route_code_text(enum route_code code) {
    return rows[code].code;
}

struct str routes_explain(struct str code) {
    for (size_t i = 0; i < ROUTE_CODE_COUNT; i++)
        if (str_eq_nocase(str_from(rows[i].code), code)) return str_from(rows[i].explanation);
    return STR_NONE;
}
