/* connect/structured.h - lists and dictionaries of structured fields (RFC 8941),
 * as rate limit headers use them. Pure; texts are slices of the field. */
#ifndef CONNECT_STRUCTURED_H
#define CONNECT_STRUCTURED_H

#include "base/str.h"

#define SF_PARAMS_MAX 8 /* more are read and not kept */

struct sf_param {
    struct str name;
    double number;   /* a bare number, else 0 */
    struct str text; /* the value as written, strings without their quotes; "" = a name alone */
};
struct sf_member {
    struct str key; /* of a dictionary; of a list the string (escapes in place) or token; "" = a number */
    double value;   /* a bare number, else 0 */
    struct sf_param params[SF_PARAMS_MAX];
    size_t param_count;
};
/* Takes one member off the front of *rest: `"name";r=0;t=30` or `remaining=0`. False at the end and at the first error.
 * An inner list counts as an error, because no limit uses one. */
bool sf_next(struct str *rest, struct sf_member *ret_member);
const struct sf_param *sf_param(const struct sf_member *member, struct str name); /* NULL when absent */

#endif
