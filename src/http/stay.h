/* http/stay.h - one request's stay, from its head to its reply.
 *
 * A stay owns copies of all its texts, because a connection that waited too
 * long goes on without it. It belongs to the listener's thread, except between
 * mailbox_post and mailbox_reply, when its request belongs to the loop's.
 */
#ifndef HTTP_STAY_H
#define HTTP_STAY_H

#include "http/framing.h"
#include "model/request.h"

struct peer;

/* A reply, copied: one block, its texts end in NUL. */
struct parcel {
    int status;
    bool close;
    size_t header_count;
    struct header headers[REPLY_HEADERS_MAX + 1]; /* Content-Type too */
    struct str body;
};

struct stay {
    struct request request; /* first: the loop's request is the stay */
    struct stay *next;      /* in the list that has it */
    struct peer *peer;      /* who waits for the reply; NULL when nobody does. The listener's thread only. */
    bool left;              /* the same for the loop's thread, under the mailbox's lock */
    char *body;
    size_t body_room;
    struct parcel *parcel;
};

/* The head must have passed framing_trouble. */
struct stay *stay_new(const struct framing *head, struct str address, int64_t now_us);
/* Adds to the body; expected_bytes is its whole length, 0 when that is not known. */
void stay_add(struct stay *stay, const char *bytes, size_t count, size_t expected_bytes);
void stay_free(struct stay *stay); /* NULL is fine */

struct parcel *parcel_new(const struct reply *reply);
void parcel_free(void *parcel); /* NULL is fine */

struct stays {
    struct stay *first, **last;
    size_t count;
};
void stays_add(struct stays *stays, struct stay *stay);
struct stays stays_all(struct stays *stays);           /* takes them out; follow first and next */
void stays_join(struct stays *to, struct stays *from); /* takes them out of from */

#endif
