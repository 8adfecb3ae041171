/* route/codes.h - the codes of findings, from codes.def. Private to this room. */
#ifndef ROUTE_CODES_H
#define ROUTE_CODES_H

#define X(name, code, explanation) ROUTE_##name,
enum route_code {
#include "route/codes.def"
    ROUTE_CODE_COUNT
};
#undef X

const char *route_code_text(enum route_code code); /* "E0420" */

#endif
