/* deliver/deliver.h - desks: what each destination may send now. Pure.
 *
 * A desk holds a destination's limiter (shared by account name), breaker, pause, count in flight and next due moment.
 * The turn asks for a budget, takes it, and commits or rolls back with the store: memory follows disk. For fairness,
 * desks are asked in rotating order, none may hold more than its concurrency of the common pool of `slots`, and none
 * gets the last places of others: half of the pool is reserved in even shares.
 *
 * A desk keeps its number for good. A configuration that drops a destination closes its desk (budget 0; what is in
 * flight still ends there), one that names it again opens it with its state, and new destinations come last. */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "deliver/breaker.h"
#include "deliver/limiter.h"

struct deliver;
struct desk_view;

struct deliver *deliver_new(size_t slots, size_t meters_max); /* sends in flight in all; meters of one account */
void deliver_free(struct deliver *deliver);
/* Between turns. settings must outlive the next configure. A desk that opens is due at once. */
void deliver_configure(struct deliver *deliver, const struct settings *settings);
size_t deliver_desks(const struct deliver *deliver);                 /* closed ones too */
size_t deliver_desk(const struct deliver *deliver, struct str name); /* also closed; SIZE_MAX when there is none */
/* The destination as configured now; NULL when the desk is closed. */
const struct destination_settings *deliver_settings(const struct deliver *deliver, size_t desk);
/* The desk to ask in place i of this turn's order. */
size_t deliver_order(const struct deliver *deliver, size_t i);
void deliver_next_turn(struct deliver *deliver);

/* From here to deliver_asked, and deliver_changed: staged until deliver_commit, undone by deliver_rollback. */
/* How many may be claimed now: limiter, breaker, pause, concurrency, slots. */
size_t deliver_budget(struct deliver *deliver, size_t desk, int64_t now_us, size_t want);
void deliver_take(struct deliver *deliver, size_t desk, size_t sends, int64_t now_us); /* at most the budget */
/* Learning from outcomes. */
void deliver_record(struct deliver *deliver, size_t desk, int64_t now_us, bool good);
void deliver_blame(struct deliver *deliver, size_t desk, struct str trouble); /* why the last was not good; copied */
void deliver_quiet(struct deliver *deliver, size_t desk, int64_t until_us, int64_t now_us);
/* until_us 0 = until resumed. The last word holds. The reason is copied. */
void deliver_pause(struct deliver *deliver, size_t desk, int64_t until_us, struct str reason);
/* The account was refused: the desk pauses for PAUSE_PROBE_US, and then sends one at a time until one is accepted. */
void deliver_refuse(struct deliver *deliver, size_t desk, int64_t now_us, struct str reason);
/* Takes in a refusal that may be the delivery's own fault. True when another one (its seq, or 0) was refused before it
 * and none was accepted in between: then it is the account. */
bool deliver_suspect(struct deliver *deliver, size_t desk, int64_t delivery_seq, int64_t *ret_other);
void deliver_accept(struct deliver *deliver, size_t desk); /* an answer that refuses no account */
/* Also closes the breaker and ends the account's quiet spell. */
void deliver_resume(struct deliver *deliver, size_t desk);
/* The earliest due moment known: plans and settles lower it, a claim that found less than it asked for sets it anew. */
void deliver_due(struct deliver *deliver, size_t desk, int64_t due_us);
void deliver_set_due(struct deliver *deliver, size_t desk, int64_t due_us);
/* Sets it after a claim that found fewer than it asked for. True when it found none although the store has some that
 * are due; the desk then waits for longer each time (backoff_barren_us). */
bool deliver_asked(struct deliver *deliver, size_t desk, size_t found, int64_t due_us, int64_t now_us);

/* For processes that share the desks' states and limits; staged too. */
/* Nothing leaves before this moment, because the shared limit is spent. The store does not keep it. */
void deliver_wait(struct deliver *deliver, size_t desk, int64_t until_us);
/* Whether a send may leave now and would be the probe of an open breaker, which only one of the processes may send. */
bool deliver_would_probe(const struct deliver *deliver, size_t desk, int64_t now_us);
/* Its breaker is open, or is being probed. */
bool deliver_is_broken(const struct deliver *deliver, size_t desk);
/* Another process probes: the breaker stays open until then, or until that process says what came of it. */
void deliver_put_off(struct deliver *deliver, size_t desk, int64_t until_us);
/* Takes over what another process wrote, except for what this one changed and has not yet told. */
void deliver_adopt(struct deliver *deliver, size_t desk, const struct desk_view *state, int64_t now_us);

void deliver_commit(struct deliver *deliver);
void deliver_rollback(struct deliver *deliver);

/* Not staged. After the commit each send taken either starts or stays unsent, and each that started ends once. */
void deliver_started(struct deliver *deliver, size_t desk, size_t sends, int64_t at_us); /* limits count from at_us */
void deliver_unsent(struct deliver *deliver, size_t desk); /* it will never leave: its slot and its place are free */
void deliver_ended(struct deliver *deliver, size_t desk);  /* it came back: its slot is free */

bool deliver_is_due(const struct deliver *deliver, size_t desk, int64_t now_us);
/* When the loop must look again, over all desks: the earliest moment, now_us or later, at which one is due and has a
 * budget. WHEN_NEVER = only when something comes: a plan, an ended send, a resume. */
int64_t deliver_next(const struct deliver *deliver, int64_t now_us);

struct desk_view {
    struct str name;
    bool closed, paused, probing; /* probing: paused for a refusal last, and nothing was accepted since */
    int64_t paused_until_us;      /* 0 = until resumed */
    struct str pause_reason;      /* "" when not paused; the desk's own, lives until it changes */
    struct breaker breaker;
    struct str breaker_reason;   /* why it is not closed; "" when nobody knows, as after a start; lives as the other */
    int64_t quiet_until_us;      /* the account's; 0 = never was one */
    int64_t suspect_seq;         /* the delivery that was refused last, nothing accepted since; 0 = none */
    size_t in_flight, remaining; /* of the account: limiter_remaining */
    int64_t next_due_us;
};
struct desk_view deliver_view(const struct deliver *deliver, size_t desk, int64_t now_us);
/* Desks whose lasting state changed since the last call, and what of it, staged ones included; up to max. */
enum desk_aspect {
    DESK_PAUSE = 1,
    DESK_BREAKER = 2,
    DESK_QUIET = 4,
    DESK_COUNT = 8,      /* only what a closed breaker counts */
    DESK_SUSPICION = 16, /* which delivery was refused last, and whether the desk is tried one by one */
};
struct desk_change {
    size_t desk;
    unsigned aspects;
};
size_t deliver_changed(struct deliver *deliver, struct desk_change *ret_changes, size_t max);
/* At start: gives an open desk what the store kept of it. The breaker is breaker_restored. */
void deliver_restore(struct deliver *deliver, size_t desk, const struct desk_view *state, int64_t now_us);
void deliver_restore_send(struct deliver *deliver, size_t desk, int64_t started_us, int64_t now_us);
int64_t deliver_longest_window(const struct deliver *deliver); /* but those per value */
bool deliver_limiters_stale(const struct deliver *deliver);    /* as deliver_meters_stale, of the other limits */
int64_t deliver_counted_window(const struct deliver *deliver); /* of all: as long a start counts */
const struct limit_rule *deliver_rules(const struct deliver *deliver, size_t desk, size_t *ret_count); /* account's */
/* From now on each send counts as `parts` sends, so that processes that cannot ask one another keep within the limit
 * together; 1 = alone. With forget, the caller tells anew what was sent; what has not started may count twice. */
void deliver_part(struct deliver *deliver, size_t parts, bool forget);
bool deliver_used(const struct deliver *deliver, size_t desk, int64_t now_us); /* some of the account's limit is used */
double deliver_used_share(const struct deliver *deliver, size_t desk, int64_t now_us); /* how much, from 0 to 1 */

#endif
