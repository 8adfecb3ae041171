/* connect/node.h - JSON bodies with references. Private to this room.
 *
 * A member or item whose value is missing is left out; so is a map or list in
 * which nothing is left, unless it was written empty. A member named `...`
 * spreads the members of an object; those the map names itself win. A member
 * named `?` is a condition: the map is left out where its value is missing. A
 * name may hold references; a member whose name is missing is left out. */
#ifndef CONNECT_NODE_H
#define CONNECT_NODE_H

#include "connect/text.h"

#define NODE_DEPTH_MAX 32

enum node_kind { NODE_LITERAL, NODE_TEXT, NODE_MAP, NODE_LIST };
struct body_node {
    enum node_kind kind;
    struct str literal; /* JSON text */
    struct text text;
    size_t count;
    struct body_node **items; /* MAP and LIST */
    struct str *names;        /* MAP: as written */
    struct text *name_texts;  /* MAP: NULL = no name holds a reference */
};

/* Outside quotes, numbers, true, false and null are JSON's; all else is text. NULL after a finding. */
struct body_node *node_read(struct document_reader *reader, const struct tree *tree, enum scope scope);
/* A map's member at a JSON pointer, its maps made where they are missing; NULL when the way is blocked or the place is
 * taken. */
struct body_node **node_place(struct arena *arena, struct body_node *root, struct str pointer);
bool node_uses(const struct body_node *node, enum ref_kind kind);
/* Appends JSON. *ret_missing: nothing was appended. */
MUST_USE enum err node_fill(struct fill *fill, const struct body_node *node, struct buf *buf, bool *ret_missing);

#endif
