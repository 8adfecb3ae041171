/* deliver/deliver.h - desks: what each destination may send now. Pure.
 *
 * A desk holds a destination's limiter (shared by account name), breaker,
 * pause, count in flight and next due moment. The turn asks for a budget, takes
 * it, and commits or rolls back with the store: memory follows disk. State is
 * kept by name over a change of configuration. Fairness: desks are asked in
 * rotating order, and no desk may hold more than its concurrency of the common
 * pool of `slots`.
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "deliver/breaker.h"
#include "deliver/limiter.h"

struct deliver;

struct deliver *deliver_new(size_t slots); /* sends in flight in all */
void deliver_free(struct deliver *deliver);
/* Desk i is for settings->destinations[i]; settings must outlive the next configure. */
void deliver_configure(struct deliver *deliver, const struct settings *settings);
size_t deliver_desks(const struct deliver *deliver);
/* The desk to ask in place i of this turn's order. */
size_t deliver_order(const struct deliver *deliver, size_t i);
void deliver_next_turn(struct deliver *deliver);

/* How many may be claimed now: limiter, breaker, pause, concurrency, slots. */
size_t deliver_budget(struct deliver *deliver, size_t desk, int64_t now_us, size_t want);
void deliver_take(struct deliver *deliver, size_t desk, size_t sends, int64_t now_us); /* staged: sends start, slots are used */
void deliver_commit(struct deliver *deliver);
void deliver_rollback(struct deliver *deliver);
void deliver_started(struct deliver *deliver, size_t desk, size_t sends, int64_t at_us); /* after the commit, as each leaves */
void deliver_ended(struct deliver *deliver, size_t desk); /* a send came back: its slot is free */

/* Learning from outcomes is staged too. */
void deliver_record(struct deliver *deliver, size_t desk, int64_t now_us, bool good);
void deliver_quiet(struct deliver *deliver, size_t desk, int64_t until_us, int64_t now_us);
void deliver_pause(struct deliver *deliver, size_t desk, int64_t until_us, struct str reason); /* 0 = until resumed; reason copied */
void deliver_resume(struct deliver *deliver, size_t desk); /* also closes the breaker and ends a quiet spell */

/* The earliest due moment known for a desk; lowered by plans and settles, set anew after a claim found less than asked. */
void deliver_due(struct deliver *deliver, size_t desk, int64_t due_us);
void deliver_set_due(struct deliver *deliver, size_t desk, int64_t due_us);
bool deliver_is_due(const struct deliver *deliver, size_t desk, int64_t now_us);
/* When the loop must look again, over all desks: due and allowed. WHEN_NEVER = only when something comes. */
int64_t deliver_next(const struct deliver *deliver, int64_t now_us);

struct desk_view {
    struct str name;
    bool paused;
    int64_t paused_until_us;
    struct str pause_reason;
    struct breaker breaker;
    int64_t quiet_until_us;
    size_t in_flight, remaining;
    int64_t next_due_us;
};
struct desk_view deliver_view(const struct deliver *deliver, size_t desk, int64_t now_us);
/* Desks whose lasting state (pause, breaker, quiet) changed since the last call, staged ones included; up to max. */
size_t deliver_changed(struct deliver *deliver, size_t *ret_desks, size_t max);
/* From the store, at start. */
void deliver_restore(struct deliver *deliver, size_t desk, const struct desk_view *state);
void deliver_restore_send(struct deliver *deliver, size_t desk, int64_t started_us);
int64_t deliver_longest_window(const struct deliver *deliver);

#endif
