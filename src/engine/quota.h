/* engine/quota.h - limits that several processes keep together: in Redis where one is
 * configured (the seam `limits` of world.h), else in the store, inside the
 * turn's transaction.
 *
 * Redis is asked before the transaction begins, once for all desks that have
 * something due; the store is asked when a desk claims. What was granted and
 * not used goes back after the commit, or when the turn is dropped.
 * On a store of its own a process has nothing to ask. Private to the loop's own
 * files.
 */
#ifndef ENGINE_QUOTA_H
#define ENGINE_QUOTA_H

#include "base/err.h"
#include "base/str.h"
#include "model/sharing.h"

struct limit_started;
struct loop;
struct turn;

/* Places that were taken for sends of which some did not yet begin to leave. */
struct quota_open {
    int64_t id; /* in the store; below 0: ours, of what Redis granted under the ticket */
    struct limit_ticket ticket;
    size_t started, starting;
};

struct quota {
    struct quota_open *open;
    size_t open_count, open_room;
    int64_t tickets;               /* of Redis, so far */
    struct limit_started *started; /* taken through the store and left: to be written by the next turn */
    size_t started_count, started_room;
    bool failing, apart;    /* the last call to Redis failed; each process keeps to its part */
    size_t parts;           /* 1 = alone */
    int64_t apart_until_us; /* from when Redis alone is enough again */
    int64_t failing_us;     /* when the failing began that the log tells of; 0 = none is */
    int64_t failed_us;      /* when a call failed last */
    uint64_t losses;        /* times that Redis was found without what it had been told */
    int64_t sweep_us;       /* when limits per value are swept next */
    bool untaught;          /* and has not been told anew since the last of them */
};

#define QUOTA_STEADY_US (2 * (int64_t)1000000)
static inline bool quota_is_steady(const struct quota *quota, int64_t now_us) {
    return !quota->failed_us || now_us - quota->failed_us >= QUOTA_STEADY_US; /* no question failed for so long */
}

/* What a turn took from one limit. */
struct quota_take {
    struct str limit;
    int64_t id;    /* in the store; below 0: in Redis; 0: nothing was granted */
    bool by_store; /* asked within the transaction, so that a rollback undoes it */
    struct limit_ticket ticket;
    size_t want; /* 0 = only looked at */
    size_t granted, claimed, started, starting;
    int64_t wait_us, quiet_us;
    bool failed; /* no answer, or Redis had forgotten: redis.on_failure decides */
};
/* What the store knows was started under one limit, for a Redis that forgot. */
struct quota_lesson {
    size_t desk;
    int64_t *ages_us;
    size_t count;
};
/* A quiet spell that the others are told of after the commit. */
struct quota_spell {
    struct str limit;
    int64_t for_us;
};

/* Before the transaction: asks Redis for all that the turn may start. Waits for it no longer than redis.timeout. */
void quota_ask(struct turn *turn);
/* In the transaction, first: what is left to write of earlier turns, and whether this process keeps to its part. */
MUST_USE enum err quota_begin(struct turn *turn);
/* In the transaction: replaces *budget by what the desk may claim. The next one takes in how much of that it did claim.
 */
MUST_USE enum err quota_budget(struct turn *turn, size_t desk, size_t *budget);
void quota_claimed(struct turn *turn, size_t desk, size_t sends);
/* In the transaction, for a limit per value (engine/metering.h): takes one place of it, and asks the store for as many
 * as `want` at the first time. With *ret_ours false there is none before *ret_wait_us have passed. On a store of its
 * own a process has nothing to ask. */
MUST_USE enum err quota_meter(struct turn *turn, size_t desk, struct str value, size_t want, bool *ret_ours,
                              int64_t *ret_wait_us);
/* The provider wants nothing for so long (0 = again): the others hear it if the turn commits. */
void quota_quiet(struct turn *turn, struct str limit, int64_t for_us);
/* The turn is tried again from its beginning: what the store granted was undone, and what Redis granted still stands.
 */
void quota_again(struct turn *turn);
/* A send of this desk left, after the commit. With `starting` its request is still to begin to leave. Gives what
 * quota_began wants to hear then; 0 = nothing. quota_meter_left says the same of a place that quota_meter took. */
int64_t quota_left(struct turn *turn, size_t desk, bool starting);
int64_t quota_meter_left(struct turn *turn, size_t desk, struct str value, bool starting);
void quota_began(struct loop *loop, int64_t id);
/* After all that may leave has left, or after the turn was dropped: what was not used goes back. */
void quota_end(struct turn *turn, bool committed);
/* Whether sends of this desk must be asked for. */
bool quota_is_shared(const struct loop *loop, size_t desk);
/* Whether something must still be written, for which the loop has to make a turn of its own. */
bool quota_waits(const struct loop *loop);
/* Call it between turns, when another configuration came into force: accounts that are new in it get their part like
 * all others. */
void quota_reconfigured(struct loop *loop);
void quota_close(struct loop *loop);
/* "redis", "store", "none"; whether asking works. */
const char *quota_way(const struct loop *loop, bool *ret_up);

#endif
