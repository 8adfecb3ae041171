/* store/admin.h - acts of an operator and the keys that allow them. Each act
 * writes its audit row in the same transaction. Same rules as store/store.h. */
#ifndef STORE_ADMIN_H
#define STORE_ADMIN_H

#include "store/store.h"

/* ---- acts on deliveries and events ---- */
enum delivery_act {
    ACT_RETRY,
    ACT_RETRY_AS_SENT,
    ACT_CANCEL,
    ACT_RESOLVE_DELIVERED,
    ACT_RESOLVE_NOT_DELIVERED,
    ACT_RESOLVE_RETRY
};
/* RETRY: PENDING, HELD, UNKNOWN -> PENDING due now; FAILED, and SKIPPED by a person -> a new run, HELD until its
 * route has made it from the configuration in force (AS_SENT: PENDING, with the content of the one before). CANCEL:
 * open -> SKIPPED; FAILED -> a new run that is SKIPPED. RESOLVE_*: HELD, UNKNOWN -> COMPLETED, FAILED, PENDING.
 * NOT_FOUND; NOT_NOW when the status does not allow it (PROCESSING never does), or a later run has taken its place
 * (store_superseded). *ret_after is the delivery as it stands (the new run's of a FAILED one). */
MUST_USE enum err store_delivery_act(struct store *store, struct uuid id, enum delivery_act act, struct str actor,
                                     struct str note, int64_t now_us, struct hasher *hasher, struct arena *arena,
                                     struct delivery *ret_after);
/* What store_delivery_act would say to this, without doing it. */
MUST_USE enum err store_delivery_may(struct store *store, struct uuid id, enum delivery_act act, struct arena *arena);
/* A new run of an event that is over, of what is owed for it now (route_owed); each becomes HELD until its route makes
 * it. What is done, and what a person cancelled, is left out; with all, the whole event is PENDING again instead. It is
 * wanted now: a scheduled_at that lies ahead is brought forward.
 * *ret_made is how many are made, 0 with all. NOT_FOUND; NOT_NOW while it is open; LIMIT when nothing is left to make,
 * with all: when nothing is owed, because then no route takes it.
 */
struct event_retry {
    struct uuid id;
    bool all;
    bool dry; /* only says what would come of it */
    struct delivery *owed;
    size_t owed_count;
    struct str actor;
    int64_t now_us, wall_us;
};
MUST_USE enum err store_event_retry(struct store *store, const struct event_retry *retry, struct hasher *hasher,
                                    struct arena *arena, size_t *ret_made);
/* Cancels an event that is not yet due, and every open delivery of one that is (not those in flight). NOT_NOW when
 * nothing was open. */
MUST_USE enum err store_event_cancel(struct store *store, struct uuid id, struct str actor, int64_t now_us,
                                     struct arena *arena, size_t *ret_cancelled);
/* What a destination refused and what is due again by until_us is due now: somebody says that it takes it. */
MUST_USE enum err store_let_go(struct store *store, struct str destination, int64_t now_us, int64_t until_us,
                               struct arena *arena);
MUST_USE enum err store_audit(struct store *store, struct str actor, struct str act, struct str subject,
                              struct str detail, int64_t now_us);
struct audit_row {
    int64_t seq, at_us;
    struct str actor, act, subject, detail;
};
/* What was done to each of several subjects, for each the newest AUDIT_OF_MAX, newest first. */
#define AUDIT_OF_MAX 20
MUST_USE enum err store_audit_of(struct store *store, const struct str *subjects, size_t subject_count,
                                 struct arena *arena, struct audit_row **ret_rows, size_t *ret_count);
/* Newest first, those with a smaller seq than the cursor only; 0 = from the newest. */
MUST_USE enum err store_audit_list(struct store *store, int64_t cursor, size_t limit, struct arena *arena,
                                   struct audit_row **ret_rows, size_t *ret_count);

/* ---- API keys: only a hash is stored ---- */
enum key_role { KEY_INGEST, KEY_READ, KEY_OPERATE, KEY_OWNER, KEY_ROLE_COUNT };
struct api_key {
    struct str id; /* public handle, in the key's own text */
    struct str name;
    enum key_role role;
    struct str hash;                /* SHA-256 hex of the whole key text */
    int64_t created_us, revoked_us; /* 0 = valid */
};
MUST_USE enum err store_key_add(struct store *store, const struct api_key *key, struct str actor);
MUST_USE enum err store_key_list(struct store *store, struct arena *arena, struct api_key **ret_keys,
                                 size_t *ret_count);
MUST_USE enum err store_key_revoke(struct store *store, struct str id, struct str actor,
                                   int64_t now_us); /* NOT_FOUND */
const char *key_role_text(enum key_role role);
bool key_role_parse(struct str text, enum key_role *ret_role);

#endif
