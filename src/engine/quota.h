/* engine/quota.h - limits that several processes keep together: in Redis where one is
 * configured, else in the store, inside the turn's transaction.
 *
 * A turn asks before it claims; what it was granted counts as if it started at
 * the end of its lease, until the turn after the start says when it did. When
 * Redis does not answer, `redis.on_failure` decides. fail_local: each process
 * keeps to its part of what the store says is left, so that all together stay
 * within the limit without asking one another; they do so for one more window
 * after Redis is back, because it has not heard of what was sent meanwhile.
 * Parts only grow while that lasts: a process that went may have sent.
 * On a store of its own a process has nothing to ask. Private to the loop's own
 * files.
 */
#ifndef ENGINE_QUOTA_H
#define ENGINE_QUOTA_H

#include "base/err.h"
#include "base/str.h"

struct loop;
struct turn;
struct limit_started;

struct quota {
    struct limit_started *started; /* taken through the store and left: to be written by the next turn */
    size_t started_count, started_room;
    bool failing, apart;    /* the last call to Redis failed; each process keeps to its part */
    size_t parts;           /* 1 = alone */
    int64_t apart_until_us; /* from when Redis alone is enough again */
    uint64_t losses;        /* of share_losses, those that are taught */
};

/* What a turn took from one limit. */
struct quota_take {
    struct str limit;
    int64_t id; /* in the store; 0 = in Redis */
    size_t granted, started;
};

/* In the turn's transaction: before it asks, and instead of *budget what the desk may claim. */
MUST_USE enum err quota_begin(struct turn *turn);
MUST_USE enum err quota_ask(struct turn *turn, size_t desk, size_t *budget);
/* A send of this desk left, after the commit. */
void quota_left(struct turn *turn, size_t desk);
/* After all that may leave has left, or after the turn was dropped: what was not used goes back. */
void quota_end(struct turn *turn, bool committed);
/* Something is to be written that no other turn may come for. */
bool quota_waits(const struct loop *loop);
/* What is left is told to whoever looks at Redis; now and then. */
void quota_refresh(struct turn *turn);
void quota_close(struct loop *loop);
/* "redis", "store", "none"; whether asking works. */
const char *quota_way(const struct loop *loop, bool *ret_up);

#endif
