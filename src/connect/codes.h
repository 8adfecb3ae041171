/* connect/codes.h - the codes of findings, from codes.def. Private to this room. */
#ifndef CONNECT_CODES_H
#define CONNECT_CODES_H

#define X(name, code, explanation) CONNECT_##name,
enum connect_code {
#include "connect/codes.def"
    CONNECT_CODE_COUNT
};
#undef X

const char *connect_code_text(enum connect_code code); /* "E0331" */

#endif
