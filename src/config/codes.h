/* config/codes.h - the codes of findings, from codes.def. Private to this room. */
#ifndef CONFIG_CODES_H
#define CONFIG_CODES_H

#include "base/str.h"

#define X(name, code, explanation) CODE_##name,
enum code {
#include "config/codes.def"
    CODE_COUNT
};
#undef X

const char *code_text(enum code code); /* "E0204" */
/* What the code means and what helps; STR_NONE when the text is no code of this room. */
struct str code_explain(struct str code);

#endif
