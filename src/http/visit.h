/* http/visit.h - one request's stay, from its head to its reply.
 *
 * A visit owns copies of all its texts, because a connection that waited too
 * long goes on without it. It belongs to the listener's thread, except between
 * mailbox_post and mailbox_reply, when its request belongs to the loop's.
 */
#ifndef HTTP_VISIT_H
#define HTTP_VISIT_H

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

struct visit {
    struct request request; /* first: the loop's request is the visit */
    struct visit *next;     /* in the list that has it */
    struct peer *peer;      /* who waits for the reply; NULL when nobody does. The listener's thread only. */
    bool left;              /* the same for the loop's thread, under the mailbox's lock */
    char *body;
    size_t body_room;
    struct parcel *parcel;
};

/* The head must have passed framing_trouble. */
struct visit *visit_new(const struct framing *head, struct str address, int64_t now_us);
/* Adds to the body; expected_bytes is its whole length, 0 when that is not known. */
void visit_add(struct visit *visit, const char *bytes, size_t count, size_t expected_bytes);
void visit_free(struct visit *visit); /* NULL is fine */

struct parcel *parcel_new(const struct reply *reply);
void parcel_free(void *parcel); /* NULL is fine */

struct visits {
    struct visit *first, **last;
    size_t count;
};
void visits_add(struct visits *visits, struct visit *visit);
struct visits visits_all(struct visits *visits);          /* takes them out; follow first and next */
void visits_join(struct visits *to, struct visits *from); /* takes them out of from */

#endif
