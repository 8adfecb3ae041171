/* http/refusal.h - answers that the listener gives by itself, without the
 * loop: problem+json (RFC 9457), as the API's own. */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

#include "base/err.h"
#include "base/str.h"

struct framing;
struct listener_options;

struct refusal {
    enum err err;       /* ERR_NONE = no refusal */
    const char *detail; /* a sentence that needs no escapes */
    bool close;         /* the connection ends with it */
    size_t most_bytes;  /* the bound that was passed, 0 = none */
};
#define REFUSAL_ROOM 1024

/* Whether a head is taken. */
struct refusal refusal_of_head(const struct listener_options *options, const struct framing *head);
/* Whether a body may grow to so many bytes while all bodies in memory together come to held_bytes. */
struct refusal refusal_of_body(const struct listener_options *options, size_t body_bytes, size_t held_bytes);
/* Why a whole request gets no reply from the loop: FULL, STORE_BUSY or STOPPING. */
struct refusal refusal_of_wait(enum err err);

/* The body. */
struct str refusal_body(const struct refusal *refusal, char ret_text[REFUSAL_ROOM]);
/* The whole answer as it goes over the wire, for when nothing else can be sent any more; it ends the connection. */
struct str refusal_message(const struct refusal *refusal, char ret_text[REFUSAL_ROOM]);

#endif
