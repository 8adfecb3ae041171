/* connect/value.h - what a reference gives, and the transforms behind its bars.
 * Private to this room. */
#ifndef CONNECT_VALUE_H
#define CONNECT_VALUE_H

#include "connect/text.h"

enum value_kind {
    VALUE_NONE = 1, /* missing */
    VALUE_TEXT = 2,
    VALUE_NUMBER = 4,
    VALUE_TIME = 8,
    VALUE_ID = 16,
    VALUE_JSON = 32, /* a number, truth value, list or object of the parameters */
    VALUE_RAW = 64,  /* JSON text */
    VALUE_ANY = 127
};
struct value {
    enum value_kind kind;
    struct str text; /* TEXT, RAW; in the arena */
    int64_t number;  /* NUMBER; TIME in microseconds */
    struct uuid id;  /* ID */
    const struct json *json;
    struct str name; /* what the next transform is given as a name */
};
MUST_USE enum err value_of(struct fill *fill, const struct ref *ref, struct value *ret_value);
/* Gives the value as text. BAD_FIELD for a list or an object. */
MUST_USE enum err value_text(struct fill *fill, const struct ref *ref, const struct value *value, struct str *ret_text);
/* Appends it as JSON. */
void value_json(struct buf *buf, const struct value *value);
/* Reads a transform such as `hex` or `first 24`; NULL, or what is wrong with it. *kinds says what kinds of value come
 * in, and then what kinds come out. */
const char *transform_read(struct str text, unsigned *kinds, struct ref_step *ret_step);
MUST_USE enum err transform_run(struct fill *fill, const struct ref *ref, const struct ref_step *step,
                                struct value *value);
/* The kinds a reference can give. */
unsigned value_kinds(enum ref_kind kind);

#endif
