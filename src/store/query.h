/* store/query.h - what the API and the CLI read: lists, single rows, counts.
 * Every list is bounded, in rows, in bytes and in how many rows it looks at,
 * and goes on from an opaque cursor (store_next_cursor). Same rules as
 * store/store.h. */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include "store/store.h"

#define QUERY_LIMIT_MAX 1000

enum event_with { EVENT_WITH_ANY, EVENT_WITH_HELD, EVENT_WITH_FAILED };
struct event_query {
    int status;                 /* enum event_status, or -1 for any */
    enum event_with with;       /* only those with such a delivery among the ones that speak for it */
    struct str type, source;    /* exact, or STR_NONE for any */
    struct str key;             /* likewise */
    int64_t since_us, until_us; /* created_at in [since, until); 0 = open */
    size_t limit;
    int64_t cursor; /* rows with a smaller seq only; 0 = from the newest */
};
/* Newest first; with `with` by those deliveries, whose seq then stands for the event's. Fewer than limit does not mean
 * that this was all: ask store_next_cursor. */
MUST_USE enum err store_event_list(struct store *store, const struct event_query *query, struct arena *arena,
                                   struct event **ret_events, size_t *ret_count);
MUST_USE enum err store_event_get(struct store *store, struct uuid id, struct arena *arena,
                                  struct event *ret_event); /* NOT_FOUND */
/* An id from a unique prefix of at least 6 characters; NOT_FOUND, or LIMIT when several fit. */
MUST_USE enum err store_event_by_prefix(struct store *store, struct str prefix, struct arena *arena,
                                        struct uuid *ret_id);

/* Where the last event or delivery list stopped; 0 when it came to the end. A selective filter over a long history may
 * stop before it found limit rows, or any. */
int64_t store_next_cursor(const struct store *store);

struct delivery_query {
    int status; /* enum delivery_status, or -1 */
    struct str destination;
    struct uuid event_id; /* zero = any */
    bool resent;          /* only those sent again while nobody knew what came of an earlier try */
    int64_t since_us, until_us;
    size_t limit;
    int64_t cursor;
};
/* Fills superseded_by and superseded_run of those that are FAILED and that a later run has replaced. */
MUST_USE enum err store_superseded(struct store *store, struct delivery *deliveries, size_t count, struct arena *arena);
MUST_USE enum err store_delivery_list(struct store *store, const struct delivery_query *query, struct arena *arena,
                                      struct delivery **ret_deliveries, size_t *ret_count);
MUST_USE enum err store_delivery_get(struct store *store, struct uuid id, struct arena *arena,
                                     struct delivery *ret_delivery);
MUST_USE enum err store_delivery_by_prefix(struct store *store, struct str prefix, struct arena *arena,
                                           struct uuid *ret_id);
/* By the key that the provider sees: among the deliveries of an event or, where event_id is zero, among the newest
 * 10,000. NOT_FOUND. */
MUST_USE enum err store_delivery_by_key(struct store *store, struct uuid key, struct uuid event_id, int64_t now_us,
                                        struct arena *arena, struct delivery *ret_delivery);
MUST_USE enum err store_attempts(struct store *store, int64_t delivery_seq, struct arena *arena,
                                 struct attempt **ret_attempts, size_t *ret_count);

/* All attempts of an event's deliveries in one question, in order of delivery_seq and number. */
struct event_attempt {
    int64_t delivery_seq;
    struct attempt attempt;
};
MUST_USE enum err store_event_attempts(struct store *store, struct uuid event_id, struct arena *arena,
                                       struct event_attempt **ret_attempts, size_t *ret_count);

struct destination_counts {
    struct str destination;
    int64_t by_status[DELIVERY_STATUS_COUNT]; /* open and final alike; exact */
    int64_t blocked;                          /* of the open ones: behind another of their order key */
};
/* Open work per destination (PENDING PROCESSING UNKNOWN HELD) and what FAILED, from the partial indexes, cheap at any
 * history of done work; COMPLETED and SKIPPED are filled only when all is set (a scan). */
MUST_USE enum err store_counts(struct store *store, bool all, struct arena *arena,
                               struct destination_counts **ret_counts, size_t *ret_count);
/* How many deliveries wait for each destination: due by now_us, due later, and blocked behind another of their order
 * key. A destination that nothing waits for is left out. As cheap as store_counts. */
struct destination_waiting {
    struct str destination;
    int64_t due, later, blocked;
    int64_t oldest_us; /* the first due time of what is not blocked; WHEN_NEVER = there is none */
};
MUST_USE enum err store_waiting(struct store *store, int64_t now_us, struct arena *arena,
                                struct destination_waiting **ret_waiting, size_t *ret_count);
/* Deliveries that wait for a person, by cause: what is held, what failed, and events of which nothing could be stored
 * (place is their type). Two errors that differ in their digits
 * alone are one, unless the answers had other statuses. The newest are looked at, up to a bound,
 * and the largest groups are given. */
enum todo_kind { TODO_HELD, TODO_FAILED, TODO_EVENTS, TODO_KINDS };
struct todo_group {
    struct str place;  /* the destination */
    struct str unmade; /* the route that has not made them, or could not; "" = they are made */
    bool in_doubt;
    int32_t last_status; /* of the last attempt of each, 0 = none */
    struct str error;    /* of one of them, at most 200 characters */
    int64_t count, oldest_us;
};
MUST_USE enum err store_todo(struct store *store, enum todo_kind kind, struct arena *arena,
                             struct todo_group **ret_groups, size_t *ret_count);
/* The earliest due among open, claimable deliveries of every destination, or WHEN_NEVER: event_processing_lag. */
MUST_USE enum err store_due_until(struct store *store, struct str destination, int64_t until_us, int64_t *ret_count);
MUST_USE enum err store_oldest_due(struct store *store, int64_t *ret_due_us);
/* When that delivery of status UNKNOWN was first sent which was sent first, or WHEN_NEVER. As cheap as store_counts. */
MUST_USE enum err store_oldest_doubt(struct store *store, int64_t *ret_sent_us);

/* The delivery of the same order key for which this one waits; its id is zero where there is none. */
struct delivery_ahead {
    struct uuid id, event_id;
    enum delivery_status status;
    bool in_doubt;
};
MUST_USE enum err store_delivery_ahead(struct store *store, const struct delivery *delivery, struct arena *arena,
                                       struct delivery_ahead *ret_ahead);
/* How many events came in from since_us on and before until_us, of wall time, drumbeat's own left out; at most `most`.
 */
MUST_USE enum err store_events_between(struct store *store, int64_t since_us, int64_t until_us, int64_t most,
                                       int64_t *ret_count);

#endif
