/* store/memory.h - what the loop remembers and a restart must find again:
 * recent sends, desks' states, stopped routes. Same rules as store/store.h.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/store.h"

struct sent {
    struct str destination;
    int64_t started_us;
};
/* All that was asked for so far is answered, also by what is deferred to the commit. Before that, an error may be of
 * something asked for earlier. */
MUST_USE enum err store_hear(struct store *store);
/* Starts of attempts after since_us, oldest first. A claim that is still open counts as started at now_us, the latest
 * moment at which it can have started. */
MUST_USE enum err store_sends_since(struct store *store, int64_t since_us, int64_t now_us, struct arena *arena,
                                    struct sent **ret_sent, size_t *ret_count);
/* The same of one destination, each with its action and parameters: the oldest `most` of its attempts, and apart from
 * them what is under way. */
struct metered_send {
    int64_t started_us;
    struct str action, params; /* params: the payload where the route gave none */
};
MUST_USE enum err store_sends_of(struct store *store, struct str destination, int64_t since_us, size_t most,
                                 struct arena *arena, struct metered_send **ret_sends, size_t *ret_count);
MUST_USE enum err store_flying_of(struct store *store, struct str destination, int64_t now_us, struct arena *arena,
                                  struct metered_send **ret_sends, size_t *ret_count);
struct destination_state {
    struct str name;
    bool paused;
    int64_t paused_until_us; /* 0 = until resumed */
    struct str pause_reason;
    int32_t breaker_state; /* enum breaker_state */
    int64_t breaker_until_us;
    int32_t breaker_failures, breaker_ramp;
    int64_t quiet_until_us;
    int64_t suspect_seq; /* the delivery that was refused last, nothing accepted since; 0 = none */
    bool probing;        /* paused for a refusal, and tried one by one since */
    unsigned aspects;    /* to save: what of it is new (enum state_aspect) */
};
MUST_USE enum err store_destination_states(struct store *store, struct arena *arena,
                                           struct destination_state **ret_states, size_t *ret_count);
/* Which aspects of a state are new and are written. The others stay, because another process may have written them
 * since.
 */
enum state_aspect { STATE_PAUSE = 1, STATE_BREAKER = 2, STATE_QUIET = 4, STATE_SUSPICION = 16, STATE_ALL = 23 };
MUST_USE enum err store_save_destination(struct store *store, const struct destination_state *states, size_t count,
                                         int64_t now_us);
/* A route whose program ran away again and again, by what the program was. */
struct stopped_route {
    struct str route, program_hash, reason;
    int64_t until_us; /* when one event may try it again */
};
MUST_USE enum err store_route_stops(struct store *store, struct arena *arena, struct stopped_route **ret_stops,
                                    size_t *ret_count);
MUST_USE enum err store_route_stop(struct store *store, const struct stopped_route *stop);
MUST_USE enum err store_route_heal(struct store *store, struct str route, struct str program_hash);
/* Deliveries that are HELD because their route has not made them, by seq, behind after_seq; each with its event. */
MUST_USE enum err store_unmade(struct store *store, int64_t after_seq, size_t limit, struct arena *arena,
                               struct delivery **ret_deliveries, size_t *ret_count);
/* How the same step stands by its last run before each one's. A run whose step got its key only now may meet one that
 * is not over. */
enum run_before { BEFORE_FAILED, BEFORE_DONE, BEFORE_OPEN, BEFORE_CANCELLED }; /* FAILED: or there is none */
MUST_USE enum err store_run_before(struct store *store, const struct delivery *deliveries, size_t count,
                                   struct arena *arena, enum run_before *ret_before);
/* Writes what became of them, each in its place (by seq). When one is final, its event may be over. */
MUST_USE enum err store_make(struct store *store, struct delivery *made, size_t count, int64_t now_us,
                             struct arena *arena);

/* ---- schedules and folders: how far each has come ---- */
/* A mark is written in the transaction that appends the events that it speaks of, and outlives them. */
struct mark {
    struct str source;
    int64_t position; /* the nominal time that it has come to; of a folder, when the store met it */
    struct str said;  /* how it is written; of a folder, its path */
    int64_t at_us;    /* when it was written; of a folder, when the last missed file came that was told */
};
/* *ret_found false: there is none. */
MUST_USE enum err store_mark(struct store *store, struct str source, struct arena *arena, struct mark *ret_mark,
                             bool *ret_found);
MUST_USE enum err store_set_mark(struct store *store, const struct mark *mark);

#endif
