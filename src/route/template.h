/* route/template.h - what a delivery shall hold, from the configuration's tree
 * to JSON or to one jq expression. Private to this room.
 *
 * A scalar that is ${EXPRESSION} alone gives the expression's first output, of
 * any kind, null when there is none. Inside more text a value stands as it is
 * read: nothing for null, a text without quotes, anything else as JSON. `$${`
 * is `${`. Other scalars are texts; but what is written without quotes and is
 * exactly a JSON number, true, false or null is that value.
 */
#ifndef ROUTE_TEMPLATE_H
#define ROUTE_TEMPLATE_H

#include "route/expression.h"

struct template {
    bool is_jq;
    struct str text; /* JSON, or a term of jq with exactly one output */
};

struct template_input {
    struct expressions *expressions; /* takes the expressions that are met */
    struct findings *findings;
    struct str where; /* "crm in route 'new-lead'" */
};
/* Trouble becomes findings; the template is of use only when there are none. */
struct template template_make(const struct template_input *input, const struct tree *tree);

#endif
