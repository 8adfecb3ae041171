/* store/store.h - the verbs of the store, written once for every driver.
 *
 * Owns the tables marketing_events, deliveries, attempts, destinations, tokens, routes, api_keys, audit, chores. Every
 * verb of a turn runs between store_begin and store_commit, takes a batch, and costs one driver call per statement.
 * Only statement text (store/sql) differs per dialect. Nothing here reads a clock. Results are in the arena given.
 * Errors: RETRY class (STORE_FULL, STORE_BUSY) leaves the store usable after store_rollback; after FATAL
 * nothing in memory is trusted: exit, recover at start. Lists, keys, chores: query.h, admin.h, chore.h. Thread: one.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "model/delivery.h"
#include "world.h"

struct gauge_set;
struct store;

/* Brings the schema up to date (numbered migrations) and prepares the store. The driver stays the caller's.
 * STORE_NEWER, STORE_FOREIGN, STORE_CORRUPT refuse with a sentence in *ret_problem. */
MUST_USE enum err store_open(struct sql_driver *driver, int64_t wall_us, struct arena *arena, struct store **ret_store,
                             struct str *ret_problem);
/* For reading alone, of a replica: the schema is taken as it is. */
struct store *store_attach(struct sql_driver *driver, struct arena *arena);
void store_close(struct store *store);
const char *store_trouble(const struct store *store);
/* The instance token on leases that store_plan takes; kept, not copied. Unset, they are nobody's. */
void store_set_owner(struct store *store, struct str owner);

MUST_USE enum err store_begin(struct store *store);
MUST_USE enum err store_commit(struct store *store);
void store_rollback(struct store *store);

/* ---- append: facts ---- */
enum append_verdict { APPEND_FRESH, APPEND_DUPLICATE, APPEND_CONFLICT };
struct append_result {
    enum append_verdict verdict;
    struct uuid event_id; /* the first one's, unless FRESH */
    int64_t seq;          /* FRESH */
    struct str payload;   /* CONFLICT: the first one's payload; STR_NONE where it is the same */
    /* The first one's, unless FRESH. Another type or source is a CONFLICT, another moment is not. */
    struct str type, source;
    int64_t scheduled_us;
};
/* Stores events in order. Two equal keys in one batch are judged against each other too. */
MUST_USE enum err store_append(struct store *store, const struct event *events, size_t count, struct arena *arena,
                               struct append_result *ret_results);

/* ---- route: due events and their plans ---- */
/* PENDING events scheduled at or before wall_us, oldest first, whole; event.run is the run to make. */
MUST_USE enum err store_due_events(struct store *store, int64_t wall_us, size_t limit, struct arena *arena,
                                   struct event **ret_events, size_t *ret_count);
/* The earliest scheduled_at of a PENDING event, or WHEN_NEVER. */
MUST_USE enum err store_next_scheduled(struct store *store, int64_t *ret_wall_us);
/* Stores planned deliveries (status PENDING, SKIPPED, HELD, or PROCESSING with its lease when it leaves now) and gives
 * each its seq. One with an order key whose predecessor is open is stored blocked: then *status becomes PENDING and the
 * caller must not send it (blocked[i] says so). */
MUST_USE enum err store_plan(struct store *store, struct delivery *deliveries, size_t count, struct arena *arena,
                             bool *ret_blocked);
/* What routing made of each event: its status and last_error. */
struct routed {
    int64_t event_seq;
    enum event_status status;
    struct str last_error;
};
MUST_USE enum err store_routed(struct store *store, const struct routed *routed, size_t count, int64_t now_us);

/* ---- claim and settle: deliveries ---- */
struct claim {
    struct str destination;
    size_t limit;
    int64_t now_us, lease_until_us;
    struct str owner; /* this process's instance token */
};
/* Takes up to limit deliveries that are due (PENDING, or UNKNOWN for a lookup), oldest due first, not blocked by order;
 * raises lease_epoch; delivery.event is filled. A row of a frozen batch brings the rest of its set, also past limit. */
MUST_USE enum err store_claim(struct store *store, const struct claim *claim, struct arena *arena,
                              struct delivery **ret_deliveries, size_t *ret_count);
/* The earliest due of a claimable delivery of the destination, or WHEN_NEVER. */
MUST_USE enum err store_next_due(struct store *store, struct str destination, int64_t *ret_due_us);
/* PROCESSING deliveries whose lease ran out at now_us or, with others_too, that belong to another owner (an exclusive
 * store's own past). They keep their epoch: settle them as unknown. */
MUST_USE enum err store_expired(struct store *store, int64_t now_us, struct str owner, bool others_too, size_t limit,
                                struct arena *arena, struct delivery **ret_deliveries, size_t *ret_count);

struct settlement {
    int64_t seq;
    struct uuid event_id;
    int64_t lease_epoch; /* fence: must be the row's */
    struct str destination, order_key;
    enum delivery_status status;   /* never PROCESSING */
    int64_t due_us, first_sent_us; /* first_sent 0: under its key the provider knows nothing of it */
    int32_t retry_count, last_status;
    struct str last_error, remote_id;
    bool in_doubt;          /* an earlier attempt, or this one, may have had its effect */
    struct uuid batch;      /* zero, or the frozen set that it is sent in from now on */
    bool has_attempt;       /* false: a lease handed back, nothing was tried */
    struct attempt attempt; /* number 0 = the next one */
};
/* Applies each where the fence holds, appends its attempt, unblocks the next of its order key, and brings the event's
 * status up to date. ret_applied[i] is false for a late worker's settle, which changed nothing. */
MUST_USE enum err store_settle(struct store *store, const struct settlement *settlements, size_t count, int64_t now_us,
                               struct arena *arena, bool *ret_applied);
/* Of a HELD delivery: other words for what its error says. */
MUST_USE enum err store_reword(struct store *store, int64_t seq, struct str words, struct str others, int64_t now_us);
/* Of what waits only to be joined with this one, whole calls of max become due now: *ret_full, the oldest first. */
MUST_USE enum err store_fill_calls(struct store *store, const struct delivery *like, size_t max, int64_t now_us,
                                   struct arena *arena, size_t *ret_full);
/* How many of a frozen set are away, beside those that were claimed here, and come back. */
MUST_USE enum err store_batch_away(struct store *store, struct uuid batch, size_t here, size_t *ret_away);
MUST_USE enum err store_freeze_batch(struct store *store, const int64_t *seqs, size_t count, struct uuid batch);
/* ---- housekeeping ---- */
/* The disk was full: what is left is for deliveries and operators, and new events wait until so much is free. */
#define STORE_ROOM_MIB 16
bool store_is_tight(const struct store *store);
struct gauge_set store_gauges(const struct store *store);
/* Between turns: checkpoints when idle or when the log passed its bound. */
MUST_USE enum err store_tidy(struct store *store, bool idle);

#endif
