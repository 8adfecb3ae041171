/* route/template.h - what a delivery shall hold, from the configuration's tree
 * to JSON or to one jq expression. Private to this room.
 *
 * A place in the payload (base/path.h) is filled in with the bytes that were
 * received; all other expressions are jq. A scalar that is ${EXPRESSION} alone gives the expression's first output, of
 * any kind, null when there is none. Inside more text a value stands as it is
 * read: nothing for null, a text without quotes, anything else as JSON. `$${`
 * is `${`. Other scalars are texts; but what is written without quotes and is
 * exactly a JSON number, true, false or null is that value.
 */
#ifndef ROUTE_TEMPLATE_H
#define ROUTE_TEMPLATE_H

#include "base/path.h"
#include "route/expression.h"

/* What a template is made of, from its first byte to its last. */
struct segment {
    enum segment_kind { SEGMENT_JSON, SEGMENT_PATH, SEGMENT_JQ } kind; /* JSON as it is, a place, an expression */
    bool inside;     /* a text: the value is a part of it, and stands between quotes that are there already */
    struct str text; /* of JSON or of jq; jq gives exactly one output, which is a text when `inside` */
    struct path path;
};
struct template {
    struct segment *segments;
    size_t count, room;
    size_t jq_count; /* of segments that are jq */
};

struct template_input {
    struct expressions *expressions; /* takes the expressions that are met */
    struct findings *findings;
    struct str where; /* "crm in route 'new-lead'" */
};
/* Trouble becomes findings; the template is of use only when there are none. */
struct template template_make(const struct template_input *input, const struct tree *tree);
/* The expressions as one jq list: "[a, b]". */
void template_write_jq(const struct template *template, struct buf *buf);
/* The delivery's content, as JSON. jq_values is the text of the list that jq made of template_write_jq; without jq
 * segments it is not looked at. False with the problem when a place is not in this payload, or when jq gave something
 * else. */
bool template_render(const struct template *template, struct str payload, struct str jq_values, struct arena *arena,
                     struct str *ret_content, struct str *ret_problem);

#endif
