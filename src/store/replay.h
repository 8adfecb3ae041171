/* store/replay.h - plans to send again, as they are stored. A plan looks at the events of a span once, in the order
 * in which they came, and keeps an item for each delivery that they owe: what would become of it. Applying goes through
 * the items of each destination in order, and leaves alone what has moved since. How far that is stands in the row of
 * the destination, in the transaction that made the run. Same rules as store/store.h. */
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include "store/admin.h"

#define REPLAY_STATUS_LIST(X) X(PLANNING) X(PLANNED) X(APPLYING) X(PAUSED) X(DONE) X(CANCELLED)
enum replay_status {
#define X(name) REPLAY_##name,
    REPLAY_STATUS_LIST(X)
#undef X
        REPLAY_STATUS_COUNT
};
const char *replay_status_text(enum replay_status status);

/* X(NAME, text): what a plan says of a delivery. OFFER: nothing was made of this step yet, or it was skipped; its route
 * decides. MOVING: it changed as the plan was made. */
#define REPLAY_VERDICT_LIST(X)                                                                                         \
    X(SEND, "send")                                                                                                    \
    X(OFFER, "offer")                                                                                                  \
    X(DONE, "done")                                                                                                    \
    X(SKIPPED, "skipped")                                                                                              \
    X(OPEN, "open")                                                                                                    \
    X(HELD, "held")                                                                                                    \
    X(UNKNOWN, "unknown")                                                                                              \
    X(GONE, "gone")                                                                                                    \
    X(MOVING, "moving")
enum replay_verdict {
#define X(name, text) VERDICT_##name,
    REPLAY_VERDICT_LIST(X)
#undef X
        REPLAY_VERDICTS
};
const char *replay_verdict_text(enum replay_verdict verdict);
bool replay_acts(enum replay_verdict verdict); /* SEND, OFFER and UNKNOWN: applying does something */

struct replay {
    int64_t seq; /* what people call it by */
    enum replay_status status;
    struct str reason, actor; /* reason: why it is paused; "" = it is not */
    bool original;            /* with the content of old; else their routes make them, by the configuration in force */
    bool again;               /* also what is done */
    int64_t since_us, until_us; /* events made in [since, until); until WHEN_NEVER = open */
    struct str type, source, route, destination, delivery_status, error; /* "" = any; error: a part of it */
    struct str digest;                                                   /* of the configuration that it was made by */
    int64_t created_us, expires_us, updated_us, applied_us,
        finished_us;                      /* 0 = not yet; nothing changed since created */
    int64_t first_seq, last_seq, end_seq; /* events behind first, up to last of end are looked at */
    int64_t events;                       /* that the plan is about */
    struct str jq;                        /* asked of each event; "" = none is */
    int64_t failed, runaways;             /* events on which it failed, which are not in the plan; of those, ran away */
};
MUST_USE enum err store_replay_add(struct store *store, struct replay *replay); /* sets seq, first_seq, end_seq */
MUST_USE enum err store_replay_get(struct store *store, int64_t seq, struct arena *arena, struct replay *ret_replay);
/* The first behind after_seq that is PLANNING or APPLYING; NOT_FOUND. */
MUST_USE enum err store_replay_next(struct store *store, int64_t after_seq, struct arena *arena,
                                    struct replay *ret_replay);
/* Newest first, below a seq (0 = from the newest). */
MUST_USE enum err store_replay_list(struct store *store, int64_t below, size_t limit, struct arena *arena,
                                    struct replay **ret_replays, size_t *ret_count);
MUST_USE enum err store_replay_set(struct store *store, const struct replay *replay);

/* What a plan comes to for a destination. */
struct replay_part {
    struct str destination;
    int64_t counts[REPLAY_VERDICTS];
    int64_t items, place; /* how many there are, and how many were gone through */
    int64_t made, moved;  /* of those */
};
MUST_USE enum err store_replay_parts(struct store *store, int64_t replay, struct arena *arena,
                                     struct replay_part **ret_parts, size_t *ret_count);
MUST_USE enum err store_replay_part_set(struct store *store, int64_t replay, const struct replay_part *parts,
                                        size_t count, struct arena *arena);
struct replay_item {
    struct str destination, route, step;
    int64_t n; /* from 1, for each destination */
    struct uuid event_id;
    int64_t delivery; /* the seq of the one it is about; 0 = there was none */
    enum replay_verdict verdict;
    int64_t result; /* the seq of the delivery that was made; 0 = nothing yet, -1 = it had moved */
};
#define REPLAY_MOVED ((int64_t)-1)
MUST_USE enum err store_replay_items_add(struct store *store, int64_t replay, const struct replay_item *items,
                                         size_t count, struct arena *arena);
MUST_USE enum err store_replay_items(struct store *store, int64_t replay, struct str destination, int64_t after,
                                     size_t limit, struct arena *arena, struct replay_item **ret_items,
                                     size_t *ret_count);
MUST_USE enum err store_replay_results(struct store *store, int64_t replay, const struct replay_item *items,
                                       size_t count, struct arena *arena);

/* The first of the events on which the jq failed, with its words. */
#define REPLAY_FAILURES_KEPT 1000
struct replay_failure {
    int64_t n; /* from 1 */
    struct uuid event_id;
    struct str words;
};
MUST_USE enum err store_replay_failures_add(struct store *store, int64_t replay, const struct replay_failure *failures,
                                            size_t count, struct arena *arena);
MUST_USE enum err store_replay_failures(struct store *store, int64_t replay, int64_t after, size_t limit,
                                        struct arena *arena, struct replay_failure **ret_failures, size_t *ret_count);

/* Carries out one item: a new run of the delivery it is about, or of the step that was never made (owed). NOT_NOW when
 * it has moved since, NOT_FOUND when it is gone. *ret_delivery is what was made. */
struct replay_act {
    const struct replay_item *item;
    bool original, again;
    const struct delivery *owed; /* of an OFFER; its event's id and step are set */
    int64_t now_us;
};
MUST_USE enum err store_replay_apply(struct store *store, const struct replay_act *act, struct hasher *hasher,
                                     struct arena *arena, struct delivery *ret_delivery);
/* Removes up to limit items of plans that were over before a moment. */
MUST_USE enum err store_replay_forget(struct store *store, int64_t before_us, size_t limit, struct arena *arena,
                                      size_t *ret_count);

#endif
