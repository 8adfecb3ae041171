/* route/expression.h - every piece of jq that the routes hold, with its place,
 * so that one that does not compile can be named. Private to this room. */
#ifndef ROUTE_EXPRESSION_H
#define ROUTE_EXPRESSION_H

#include "base/tree.h"

struct expression {
    struct str text;
    struct tree_mark mark;
    struct str where; /* "'when' of route 'new-lead'" */
};
struct expressions {
    struct arena *arena;
    struct str file;
    struct expression *items;
    size_t count, room;
};

/* Adds an expression that is lexically sound; any other becomes a finding and gives false. */
bool expression_add(struct expressions *expressions, struct expression expression, struct findings *findings);
/* Compiles each alone, in this process; a finding for each that does not. */
void expressions_blame(const struct expressions *expressions, struct findings *findings);
/* Whether an expression from index `from` on may look at more than the payload. It may say yes without need. */
bool expressions_want_event(const struct expressions *expressions, size_t from);

#endif
