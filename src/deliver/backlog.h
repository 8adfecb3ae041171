/* deliver/backlog.h - how many deliveries wait at each desk, and whether one more has room. Pure.
 *
 * What waits is PENDING, PROCESSING or UNKNOWN (delivery_waits). A desk takes at most its destination's `queue`, so
 * that one that is not served leaves the common queue to the others; what is made beyond that is held, and goes on once
 * there is room. The numbers are counted along and read from the store now and then: several processes know of one
 * another's work only from there. */
#ifndef DELIVER_BACKLOG_H
#define DELIVER_BACKLOG_H

#include "deliver/deliver.h"

/* Staged until deliver_commit. A desk that is not there (SIZE_MAX) counts nothing. */
void backlog_change(struct deliver *deliver, size_t desk, int64_t change);
/* Staged: deliveries are held because too many wait. */
void backlog_overflow(struct deliver *deliver, size_t desk);
/* Staged: a look over all that is held. Which desks still overflow is what it met, and known when it ends. */
void backlog_look_begin(struct deliver *deliver);
void backlog_look_meets(struct deliver *deliver, size_t desk);
bool backlog_look_asks(struct deliver *deliver, size_t desk); /* once in a look; false: it did before */
void backlog_look_end(struct deliver *deliver);
/* Not staged: what the store counted. The other desks have none. */
void backlog_forget(struct deliver *deliver);
void backlog_read(struct deliver *deliver, size_t desk, int64_t waiting);
void backlog_read_overflow(struct deliver *deliver, size_t desk);
/* Whether the next one is held. While older ones are, it always is: it would take their places, and where an order is
 * kept it would wait for them there, so that neither could ever go. */
bool backlog_is_full(const struct deliver *deliver, size_t desk);
/* How many of those that are held may wait again: none before a quarter of the bound is free, so that a desk at its
 * bound is not asked for each delivery that ends. */
size_t backlog_room(const struct deliver *deliver, size_t desk);
/* How many deliveries that are not urgent may be added, so that those that come meanwhile find their way free: half of
 * each limit and half of the places at the desk stay theirs, and what waits goes first. 0 while it is closed, paused,
 * or its breaker is not closed. */
size_t backlog_spare(const struct deliver *deliver, size_t desk, int64_t now_us);
struct backlog {
    int64_t waiting, most; /* 0 = no bound */
    bool overflows;
};
struct backlog backlog_of(const struct deliver *deliver, size_t desk);
int64_t backlog_total(const struct deliver *deliver);

#endif
