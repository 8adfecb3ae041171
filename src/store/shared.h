/* store/shared.h - verbs that matter when several processes work on one store:
 * who does what alone, who is there, what all have taken from a limit. On an
 * embedded store, which one process has for itself, they cost nothing and say
 * that nobody else is there. Same rules as store/store.h.
 */
#ifndef STORE_SHARED_H
#define STORE_SHARED_H

#include "model/settings.h"
#include "store/store.h"

/* Whether others may write to this store while it is open. */
bool store_is_shared(const struct store *store);
/* What another process, or a program of the seed's kind, said is new since the last call: enum sql_news. */
unsigned store_news(struct store *store);
/* Tells the others what is new, when this turn commits. Once in a turn is enough. */
MUST_USE enum err store_tell(struct store *store, unsigned news);

/* Tasks that one process at a time does, until its commit. *ret_ours is false when somebody else is at it. */
enum store_task {
    TASK_ROUTE = 1,
    TASK_RETIRE,
    TASK_ORPHANS,
    TASK_VERIFY,
    TASK_CLOCK,
    TASK_REPORT,
    TASK_DOUBT,
    TASK_REPLAY,
    TASK_ALERTS,
    TASK_SCHEDULES
};
MUST_USE enum err store_try_task(struct store *store, enum store_task task, bool *ret_ours);

/* store_due_events where an order is kept: also what somebody's transaction has locked. ret_locked is parallel to the
 * events, NULL on an embedded store. */
MUST_USE enum err store_due_in_order(struct store *store, int64_t wall_us, size_t limit, struct arena *arena,
                                     struct event **ret_events, size_t *ret_count, bool **ret_locked);

/* The earliest due of every destination that has something to claim. */
struct next_due {
    struct str destination;
    int64_t due_us;
};
MUST_USE enum err store_next_due_all(struct store *store, struct arena *arena, struct next_due **ret_next,
                                     size_t *ret_count);

/* ---- who is there ---- */
struct instance {
    struct str token, role, host;
    int64_t started_us, seen_us; /* the server's clock */
};
/* This process (store_set_owner) was here just now. */
MUST_USE enum err store_seen(struct store *store, struct str role, struct str host);
MUST_USE enum err store_gone(struct store *store);
MUST_USE enum err store_instances(struct store *store, int64_t within_us, struct arena *arena,
                                  struct instance **ret_instances, size_t *ret_count);
/* The server's clock, or 0 on an embedded store. */
MUST_USE enum err store_clock(struct store *store, int64_t *ret_now_us);

/* Takes the right to probe a destination whose breaker was open until now; others see it half-open until until_us.
 * *ret_ours false: another process has it. Always true on an embedded store. */
MUST_USE enum err store_probe(struct store *store, struct str destination, int64_t now_us, int64_t until_us,
                              bool *ret_ours);

/* ---- limits, as engine/quota.h says ---- */
struct limit_take {
    struct str limit;
    const struct limit_rule *rules;
    size_t rule_count, want;
    int64_t hold_us; /* what is taken counts as if it started so long from now, until store_limit_started */
};
/* Forgets what no window of this length counts any more of the limits called "<account>/…". */
MUST_USE enum err store_limit_sweep(struct store *store, struct str account, int64_t window_us);
struct limit_taken {
    int64_t id; /* 0 = nothing was taken */
    size_t granted, remaining;
    int64_t wait_us; /* until at least one more may be had; 0 when all was granted */
};
MUST_USE enum err store_limit_take(struct store *store, const struct limit_take *take, struct limit_taken *ret_taken);
/* How many sends started of what was taken. They count from now on, or with `starting` as before: not all of them began
 * to leave. Each id once. */
struct limit_started {
    int64_t id;
    size_t started;
    bool starting;
};
MUST_USE enum err store_limit_started(struct store *store, const struct limit_started *started, size_t count);

#endif
