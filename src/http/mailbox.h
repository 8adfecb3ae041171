/* http/mailbox.h - one request's stay, from its head to its reply, and how stays pass between the listener's thread
 * and the loop's.
 *
 * A stay owns copies of all its texts, because a connection that waited too long goes on without it. It belongs to the
 * listener's thread, except between mailbox_post and mailbox_reply, when its request belongs to the loop's. Each side
 * takes the lock once for many stays, and wakes the other only when there was nothing for it before.
 */
#ifndef HTTP_MAILBOX_H
#define HTTP_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/framing.h"
#include "http/wake.h"
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
    bool stranger;          /* whoever sent it had no key to show */
    char *body;
    size_t body_room;
    struct parcel *parcel;
};

/* The head must have passed framing_trouble. */
struct stay *stay_new(const struct framing *head, struct str address, struct str request_id, int64_t now_us);
/* Adds to the body; expected_bytes is its whole length, 0 when that is not known. */
void stay_add(struct stay *stay, const char *bytes, size_t count, size_t expected_bytes);
void stay_free(struct stay *stay); /* NULL is fine */

void parcel_free(void *parcel); /* NULL is fine */

struct stays {
    struct stay *first, **last;
    size_t count;
};
void stays_add(struct stays *stays, struct stay *stay);

/* ---- the way between the threads ---- */

struct mailbox {
    pthread_mutex_t lock;
    struct stays waiting; /* for the loop */
    struct stays replied; /* for the listener */
    atomic_size_t waiting_count;
    struct wake *wake; /* wakes the loop */
    int kick_fd;       /* an eventfd that wakes the listener */
};
MUST_USE enum err mailbox_open(struct mailbox *mailbox, struct wake *wake);
void mailbox_close(struct mailbox *mailbox); /* frees what is in it */
void mailbox_kick(struct mailbox *mailbox);

/* The listener's thread. */
void mailbox_hush(struct mailbox *mailbox); /* the kicks so far are noticed */
void mailbox_post(struct mailbox *mailbox, struct stays *stays);
struct stays mailbox_replies(struct mailbox *mailbox);
/* Nobody waits for this stay's reply any more: it is no longer collected, and comes back among the replies. */
void mailbox_leave(struct mailbox *mailbox, struct stay *stay);

/* The loop's thread. */
size_t mailbox_collect(struct mailbox *mailbox, struct request **ret_requests, size_t max);
void mailbox_reply(struct mailbox *mailbox, struct request *request, const struct reply *reply);

#endif
