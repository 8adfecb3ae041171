/* model/code.h - the codes that findings about a configuration carry, from the one list in codes.def. */
#ifndef MODEL_CODE_H
#define MODEL_CODE_H

#include "base/str.h"

#define X(name, code, explanation) CODE_##name,
enum code {
#include "model/codes.def"
    CODE_COUNT
};
#undef X

const char *code_text(enum code code); /* "E0204" */
/* What a code means and what helps, in any case of letters; STR_NONE when there is no such code. */
struct str code_explain(struct str code);

#endif
