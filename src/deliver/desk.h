/* deliver/desk.h - a desk from inside. Private to deliver.c and deliver_shared.c. */
#ifndef DELIVER_DESK_H
#define DELIVER_DESK_H

#include "base/arena.h"
#include "base/when.h"
#include "deliver/hold.h"
#include "deliver/meter.h"
#include "deliver/pool.h"

#include <assert.h>

/* What a turn may change of a desk. */
struct desk_state {
    bool paused;
    int64_t paused_until_us;
    struct reason reason; /* of the pause */
    struct breaker breaker;
    struct reason trouble; /* what the breaker counted last; nothing after a start */
    bool probing;          /* the last pause was for a refusal, and nothing was accepted since */
    int64_t suspect_seq;   /* the delivery that was refused last, nothing accepted since; 0 = none */
    size_t in_flight;
    int64_t next_due_us;
    int64_t barren_us;   /* the last wait of a claim that came back empty; 0 = it did not */
    bool inherits;       /* deliveries of its earlier name come over: until then nothing leaves */
    int64_t wait_us;     /* limits that processes share let nothing leave before this */
    int64_t waiting;     /* deliveries that are to leave, on their way, or looked up */
    bool overflows;      /* some are held because too many wait, as far as is known */
    bool overflow_met;   /* the look under way met one that has no room */
    bool overflow_asked; /* ... and asked whether the desk stands still */
    unsigned untold;     /* what of the lasting state changed and was not given out (enum desk_aspect) */
};

#define DESK_PASTS 4 /* of more than so many changes within a window the first are forgotten */

/* An account that the desk was in before. */
struct desk_past {
    struct limiter *limiter;
    struct meters *meters;
    int64_t until_us; /* WHEN_NEVER = it has only just left, and nobody said when */
};

struct desk {
    size_t number;
    struct str name;
    const struct destination_settings *settings; /* NULL = closed */
    const struct destination_settings *before;   /* the configure that is under way; NULL = closed then */
    struct limiter *limiter;                     /* the account's */
    struct meters *meters;                       /* the account's */
    struct desk_past pasts[DESK_PASTS];          /* in order */
    size_t past_count;
    struct desk_state now, committed;
    bool touched;      /* the two may differ */
    size_t unstarted;  /* committed sends that have neither started nor stayed unsent */
    int64_t queue_max; /* how many may wait; 0 = no bound */
    size_t reserve;    /* places of the pool that no other desk may take; 0 while closed */
};

struct deliver {
    struct arena arena;            /* names and desks: never forgotten */
    struct map desks;              /* name -> desk; its place is its number */
    struct map limiters;           /* account -> limiter */
    struct map meters;             /* account -> meters, in the same places */
    size_t meters_max;             /* values that an account counts at a time */
    bool limiters_stale;           /* by the last configure a limiter counts what it was never told */
    bool meters_stale;             /* the same of meters */
    struct pool pool;              /* of sends in flight */
    size_t first;                  /* the desk to ask first in this turn */
    struct hold hold, held_before; /* as it is said in this turn; as it was committed */
};

static inline struct desk *desk_at(const struct deliver *deliver, size_t desk) {
    assert(desk < deliver->desks.count);
    return deliver->desks.slots[desk].value;
}

static inline struct limiter *limiter_at(const struct deliver *deliver, size_t account) {
    return deliver->limiters.slots[account].value;
}

static inline struct meters *meters_at(const struct deliver *deliver, size_t account) {
    return deliver->meters.slots[account].value;
}

static inline struct desk_state *desk_stage(struct desk *desk) {
    desk->touched = true;
    return &desk->now;
}

static inline void desk_changed(struct desk *desk, unsigned aspects) {
    desk_stage(desk)->untold |= aspects;
}

static inline int64_t later(int64_t a_us, int64_t b_us) {
    return a_us > b_us ? a_us : b_us;
}

/* When the desk could send what is due at that moment. Each bound, once met, stays met until something is sent: the
 * latest of them is the moment. */
int64_t desk_next(const struct deliver *deliver, const struct desk *desk, int64_t now_us, int64_t due_us);
void desk_pause(struct desk_state *state, int64_t until_us, struct str reason);

#endif
