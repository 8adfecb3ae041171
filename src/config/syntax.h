/* config/syntax.h - what a YAML library says, in words that help: its place
 * moved to where the mistake is and its text to what to do. Private to this
 * room; knows no library. */
#ifndef CONFIG_SYNTAX_H
#define CONFIG_SYNTAX_H

#include "base/tree.h"

struct syntax_problem {
    struct tree_mark mark;
    struct str text;
};

/* text: the whole document; mark and message as the library gave them. */
struct syntax_problem syntax_explain(struct arena *arena, struct str text, struct tree_mark mark, struct str message);

/* Whether the comment that follows an unquoted text cuts something off that looks like a part of it: `lead #1 ${.n}`.
 * value: the text as written; rest: what follows it in the document. */
bool syntax_comment_cuts(struct str value, struct str rest);

#endif
