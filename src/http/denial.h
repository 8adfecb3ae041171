/* http/denial.h - answers that the listener gives by itself, without the
 * loop: problem+json (RFC 9457), as the API's own. Pure.
 */
#ifndef HTTP_DENIAL_H
#define HTTP_DENIAL_H

#include "base/err.h"
#include "model/exchange.h"

struct framing;
struct listener_options;

struct denial {
    enum err err;       /* ERR_NONE = no denial */
    const char *detail; /* a sentence that needs no escapes */
    bool close;         /* the connection ends with it */
    size_t most_bytes;  /* the bound that was passed, 0 = none */
};
#define DENIAL_ROOM        1664
#define DENIAL_HEADERS_MAX 4

/* What is in memory of bodies that are not small; whole requests that wait for the loop count too. */
struct held {
    size_t all_bytes;     /* of everybody */
    size_t address_bytes; /* of the address that asks */
    bool stranger;        /* who asks needs no key, because a signature behind the body will tell who it is */
    size_t strangers_bytes;
};

/* Whether a head is taken. */
struct denial denial_of_head(const struct listener_options *options, const struct framing *head);
/* Whether a body may grow to body_bytes, where `held` says what is in memory beside it. A small one always may, so that
 * a few senders of large bodies cannot shut the door to everybody; the number of connections bounds the small ones. */
struct denial denial_of_body(const struct listener_options *options, size_t body_bytes, const struct held *held);
/* How far a body is a small one. */
size_t denial_small_bytes(const struct listener_options *options);
/* Why a whole request gets no reply from the loop: FULL, STORE_BUSY or STOPPING. */
struct denial denial_of_wait(enum err err);

/* The headers that its status asks for, beside those of length and connection. */
size_t denial_headers(const struct denial *denial, struct header ret_headers[DENIAL_HEADERS_MAX]);
#define DENIAL_REQUEST_ID "X-Request-Id" /* answered with every reply, denial or not */
/* The body. request_id: printable, needs no escapes. */
struct str denial_body(const struct denial *denial, const char *request_id, char ret_text[DENIAL_ROOM]);
/* The whole answer as it goes over the wire, for when nothing else can be sent any more; it ends the connection. */
struct str denial_message(const struct denial *denial, const char *request_id, char ret_text[DENIAL_ROOM]);

#endif
