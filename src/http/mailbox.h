/* http/mailbox.h - how stays pass between the listener's thread and the
 * loop's. Each side takes the lock once for many stays, and wakes the other
 * only when there was nothing for it before.
 */
#ifndef HTTP_MAILBOX_H
#define HTTP_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/stay.h"
#include "http/wake.h"

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
