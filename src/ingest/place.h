/* ingest/place.h - values of a request by their places (model/scheme.h says what a place is). Pure; private to this
 * room. */
#ifndef INGEST_PLACE_H
#define INGEST_PLACE_H

#include "model/request.h"
#include "model/scheme.h"

#define PLACE_STEP_MAX 2000 /* bytes: no place in a configuration is longer */

/* A step of a pointer without its escapes (RFC 6901): ~1 is '/', ~0 is '~'. A longer step stays as it is. The room
 * holds the result where there were any. */
struct str place_step(struct str step, char room[PLACE_STEP_MAX]);
/* A value of a JSON text as it stands there, with its quotes; STR_NONE when it is not there. The text need not be
 * valid. A step into a text leads into the JSON that the text holds, as the messages of Amazon SNS do. */
struct str place_json(struct str json, struct str pointer, struct arena *arena);
/* A JSON value's text: a string without its quotes and escapes, a number by its digits; STR_NONE for anything else. */
struct str place_text_of(struct str json, struct arena *arena);
/* The text of the value at a place. json: the body, or one item of it. */
struct str place_text(const struct scheme *scheme, const struct request *request, struct str json, const char *place,
                      struct arena *arena);
/* The members of the scheme's list with this name, at most max. */
size_t place_list(const struct scheme *scheme, const struct request *request, struct str header, struct str name,
                  struct str *ret_values, size_t max);

#endif
