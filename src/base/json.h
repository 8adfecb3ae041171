/* base/json.h - JSON documents.
 *
 * Parsing refuses duplicate names, invalid UTF-8, NUL in names, anything after
 * the value, numbers no double can hold, and depth past the limit. An escape for
 * half a surrogate pair is read as U+FFFD. A number is a double; an integer of
 * which the double loses digits keeps them beside it, and is written and
 * compared by them. The stored payload is the text as received. The locale is C
 * (setlocale is not called anywhere).
 * Ownership: json_parse keeps nothing of the text; it gives a root that
 * json_free ends, and nodes are borrowed from their root. Builders
 * (json_object...) make roots too, and what they made may grow: json_set and
 * json_push take over the child, of either kind. NULL children are JSON null.
 * Sources: RFC 8259, RFC 8785 (canonical form), RFC 6901 (pointer).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/err.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 64

struct json; /* a node */
enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_error {
    char text[160];              /* "unexpected token near '}'" */
    size_t line, column, offset; /* of the byte that cannot stand there; line and column from 1 */
};

/* Any value at top level. depth is the largest nesting allowed: 0 scalars alone, 1 flat lists and objects.
 * *error (may be NULL) is set on failure: ERR_BAD_JSON. */
MUST_USE enum err json_parse(struct str text, size_t depth, struct json **ret_root, struct json_error *error);
void json_free(struct json *root); /* NULL is fine */

enum json_type json_type(const struct json *node);                       /* NULL is JSON_NULL */
const struct json *json_get(const struct json *object, struct str name); /* NULL when absent or not an object */
const struct json *json_at(const struct json *array, size_t index);
size_t json_size(const struct json *node);     /* members or items */
struct str json_text(const struct json *node); /* string value, else STR_NONE; ends in NUL */
double json_number(const struct json *node, double otherwise);
/* The digits of an integer that its double does not give back ("820982911946154508"), else STR_NONE. */
struct str json_digits(const struct json *node);
int64_t json_integer(const struct json *node, int64_t otherwise); /* toward zero; otherwise when past int64 */
bool json_true(const struct json *node);
/* RFC 6901; "" is the root. NULL when it points nowhere. */
const struct json *json_point(const struct json *root, struct str pointer);
/* Walk an object in its own order: start with cursor NULL. */
const struct json *json_next(const struct json *object, void **cursor, struct str *ret_name);

struct json *json_object(void);
struct json *json_array(void);
struct json *json_str(struct str text); /* invalid UTF-8 bytes become U+FFFD */
struct json *json_num(double value);    /* NaN and infinity become null */
struct json *json_int(int64_t value);
struct json *json_bool(bool value);
struct json *json_copy(const struct json *node); /* deep */
void json_set(struct json *object, struct str name, struct json *child);
void json_push(struct json *array, struct json *child);
#define json_set_str(object, name, text)  json_set((object), STR(name), json_str(text))
#define json_set_int(object, name, value) json_set((object), STR(name), json_int(value))

/* Compact text in insertion order; ends in NUL. */
struct str json_dump(struct arena *arena, const struct json *node);
struct str json_dump_pretty(struct arena *arena, const struct json *node);
/* Appends "text" with its quotes, escaped; for writers that build by hand. Invalid UTF-8 bytes become U+FFFD. */
void json_quote(struct buf *buf, struct str text);
/* Appends the number in its shortest ES6 form. The value is finite. */
void json_write_number(struct buf *buf, double value);
/* RFC 8785: names by UTF-16 units, ES6 numbers, minimal escapes; but an integer keeps digits that a double would lose.
 */
void json_canonical(struct buf *buf, const struct json *node);
/* RFC 8785 to the letter, where such digits are lost: the form of fingerprints that were stored before. */
void json_canonical_doubles(struct buf *buf, const struct json *node);
/* Makes a pointer longer by one member, its name escaped. */
void json_point_add(struct buf *pointer, struct str name);
/* RFC 6901 pointer to the first place (in a's order) where two documents differ; "" = the roots, p NULL = equal. */
struct str json_first_difference(struct arena *arena, const struct json *a, const struct json *b);
/* The value at a top-level member of an object, as a slice of the object's own text (bytes as received).
 * text must have parsed as an object. */
bool json_slice(struct str text, struct str name, struct str *ret_slice);
/* Likewise the items of an array text, in order: start with *cursor 0. */
bool json_slice_item(struct str text, size_t *cursor, struct str *ret_slice);
/* The escape whose backslash is raw.p[*at] as UTF-8; moves *at behind it; 0 when it is not valid, and then *at is of no
 * use. A half of a pair of surrogates alone is U+FFFD: many senders cut texts in the middle of an emoji. */
size_t json_unescape(struct str raw, size_t *at, char ret_bytes[4]);
/* How many items json_slice_item gives. False when the text, which need not have parsed, is no array whose items can
 * be told apart. */
bool json_slice_count(struct str text, size_t *ret_count);

#endif
