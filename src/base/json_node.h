/* base/json_node.h - what a node is: for json.c, which makes and walks them,
 * json_read.c, which reads them from text, and json_slice.c.
 *
 * A document that was read is one arena: its root, the text's own copy, the
 * nodes, and their lists. A node that was built is an allocation of its own and
 * owns its children.
 */
#ifndef BASE_JSON_NODE_H
#define BASE_JSON_NODE_H

#include "base/arena.h"
#include "base/json.h"

/* Up to this size an object's members are looked through one by one, and keep no index. */
#define JSON_FEW 16

enum json_home { HOME_DOCUMENT, HOME_ROOT, HOME_BUILT }; /* inside an arena, the arena's first node, by itself */

struct json {
    struct json *next; /* while its list is being read */
    struct str name;   /* of a member; ends in NUL */
    union {
        struct str text; /* ends in NUL */
        struct {
            double number;
            const char *digits; /* NULL, or an integer as it was written, of which the double has lost some */
        };
        struct {
            struct json **all; /* in their order; `sorted`: behind them once more, in the order of name_cmp */
            size_t room;       /* 0 = not grown, so not its own */
        } children;
    };
    uint32_t size; /* of children */
    uint8_t type, home;
    bool sorted;
};

struct json_document {
    struct json root;
    struct arena arena; /* that holds this very struct */
};

/* By length, then by bytes: any order will do that is cheap and total. */
int json_name_cmp(struct str a, struct str b);

#endif
