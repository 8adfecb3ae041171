/* ingest/form.h - a body of application/x-www-form-urlencoded, and as the JSON object that it becomes. Pure; private to
 * this room. Source: the URL standard, 5.1. */
#ifndef INGEST_FORM_H
#define INGEST_FORM_H

#include "base/arena.h"
#include "base/str.h"

#define FORM_MEMBERS_MAX 1000

struct form_member {
    struct str name, value; /* decoded */
};
struct form {
    struct form_member *members; /* in the order in which they came */
    size_t count;
};

/* False, with a sentence, when there are too many members or a text is not UTF-8. */
bool form_read(struct str body, struct arena *arena, struct form *ret_form, struct str *ret_problem);
struct str form_value(const struct form *form,
                      struct str name); /* of the first of that name; STR_NONE when there is none */
/* The values of a name as JSON, of which the first member is at this place: a text, or a list of several. */
void form_write_values(struct buf *buf, const struct form *form, size_t at);
/* {"name":"value",…}; a name that came several times has a list of its values. */
struct str form_json(const struct form *form, struct arena *arena);
/* Adds a text as a name or a value of such a body. */
void form_encode(struct buf *body, struct str text);

#endif
