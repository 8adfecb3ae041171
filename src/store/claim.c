/* store/claim.c - deliveries that may leave are leased to this process; leases that ran out are found.
 *
 * WHAT. A claim takes due deliveries of one destination, oldest first, marks them PROCESSING under a lease that
 * ends at a given moment, and raises their epoch.
 * PROMISE. At no moment do two processes hold the lease of one delivery; what is claimed and not settled is found
 * again when its lease has run out; a set of deliveries that once left in one call only leaves as a whole again.
 * WHY IT HOLDS.
 * 1. delivery_due reads only what is PENDING or UNKNOWN, not blocked, and due. delivery_claim, in
 * the same transaction, makes it PROCESSING. So after the commit no other claim sees it.
 * 2. Between the two, other processes are kept away: an embedded store has no others; in PostgreSQL delivery_due
 *    locks the rows (FOR UPDATE) and skips those that somebody else has locked.
 * 3. A frozen set is completed by delivery_of_batch. Only the process that got the set's advisory lock sees a row
 *    of it as due, so two processes never each take a part of one set.
 * 4. The epoch that delivery_claim raises is the fence: settle.c changes a row only for the epoch it was claimed
 *    under.
 * 5. The lease is in the row before anything is sent, because the claim commits first. A process that dies leaves
 *    a row whose lease runs out, and delivery_expired finds it. The schema refuses a row in PROCESSING without a
 *    lease.
 * WHAT BREAKS IT. Sending before the commit. A lease that is shorter than the longest attempt: the delivery is
 * settled as unknown while it still runs. A clock that differs between processes, which is why the server's is
 * used (store_clock).
 * HOW TO SEE IT. `drumbeat deliveries list --status PROCESSING` shows what is held; `drumbeat verify` (rule I6)
 * tells of a lease that does not fit its delivery's status.
 * TESTED BY. test/conformance/test_claim.c, test_fleet_leases.c, test_fleet_races.c, test_rules.c; the planted
 * bugs leases-never-end and lookup-skipped. */
#include "store/row.h"

#include "base/when.h"

#include <string.h>

#define FILL_LOOKS 4 /* so many calls' worth of what waits for one moment is looked at */

/* What a claim takes: the due rows, and then the rest of each frozen set that one of them belongs to. */
struct taken {
    struct delivery *rows;
    size_t count;
};

static bool holds(const struct taken *taken, int64_t seq) {
    for (size_t i = 0; i < taken->count; i++)
        if (taken->rows[i].seq == seq) return true;
    return false;
}

/* The batch ids of the due rows, each of them once. */
static size_t frozen_sets(const struct taken *taken, struct arena *arena, struct sql_value **ret_params) {
    struct sql_value *params = arena_array(arena, struct sql_value, taken->count);
    size_t sets = 0;
    for (size_t i = 0; i < taken->count; i++) {
        const struct uuid *batch = &taken->rows[i].batch;
        bool known = uuid_is_zero(*batch);
        for (size_t j = 0; j < sets && !known; j++) known = !memcmp(params[j].text.p, batch->b, sizeof batch->b);
        if (!known) params[sets++] = sql_uuid(batch);
    }
    *ret_params = params;
    return sets;
}

/* A frozen set leaves as a whole, because the provider knows all of it by one key. */
static enum err complete_sets(struct store *store, struct arena *arena, struct taken *taken) {
    struct sql_value *params;
    struct sql_result result;
    size_t sets = frozen_sets(taken, arena, &params);
    if (!sets) return ERR_NONE;
    TRY(store_run(store, SQL_DELIVERY_OF_BATCH, params, sets, arena, &result));
    struct delivery *rest = arena_array(arena, struct delivery, result.count);
    struct taken all = {arena_array(arena, struct delivery, taken->count + result.count), taken->count};
    TRY(row_claims(store, &result, arena, rest));
    memcpy(all.rows, taken->rows, taken->count * sizeof *all.rows);
    for (size_t i = 0; i < result.count; i++)
        if (!holds(taken, rest[i].seq)) all.rows[all.count++] = rest[i];
    *taken = all;
    return ERR_NONE;
}

static enum err lease(struct store *store, const struct claim *claim, struct arena *arena, struct taken *taken) {
    struct sql_value *params = arena_array(arena, struct sql_value, taken->count * 4);
    for (size_t i = 0; i < taken->count; i++) {
        struct delivery *delivery = &taken->rows[i];
        params[i * 4] = sql_int(delivery->seq);
        params[i * 4 + 1] = sql_int(claim->lease_until_us);
        params[i * 4 + 2] = sql_str(claim->owner);
        params[i * 4 + 3] = sql_int(claim->now_us);
        delivery->looking_up = delivery->status == DELIVERY_UNKNOWN;
        delivery->status = delivery_move(delivery->status, DELIVERY_PROCESSING);
        delivery->lease_until_us = claim->lease_until_us;
        delivery->lease_epoch++;
        delivery->updated_us = claim->now_us;
    }
    return store_run(store, SQL_DELIVERY_CLAIM, params, taken->count, arena, NULL);
}

enum err store_claim(struct store *store, const struct claim *claim, struct arena *arena,
                     struct delivery **ret_deliveries, size_t *ret_count) {
    const struct sql_value params[] = {sql_str(claim->destination), sql_int(claim->now_us),
                                       sql_int((int64_t)claim->limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_DUE, params, 1, arena, &result));
    struct taken taken = {arena_array(arena, struct delivery, result.count), result.count};
    TRY(row_claims(store, &result, arena, taken.rows));
    TRY(complete_sets(store, arena, &taken));
    TRY(lease(store, claim, arena, &taken));
    *ret_deliveries = taken.rows;
    *ret_count = taken.count;
    return ERR_NONE;
}

enum err store_next_due(struct store *store, struct str destination, int64_t *ret_due_us) {
    const struct sql_value param = sql_str(destination);
    return store_ask(store, SQL_DELIVERY_NEXT, &param, WHEN_NEVER, ret_due_us);
}

enum err store_expired(struct store *store, int64_t now_us, struct str owner, bool others_too, size_t limit,
                       struct arena *arena, struct delivery **ret_deliveries, size_t *ret_count) {
    const struct sql_value expired[] = {sql_int(now_us), sql_int((int64_t)limit)};
    const struct sql_value left[] = {sql_int(now_us), sql_str(owner), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, others_too ? SQL_DELIVERY_LEFT : SQL_DELIVERY_EXPIRED, others_too ? left : expired, 1, arena,
                  &result));
    struct delivery *deliveries = arena_array(arena, struct delivery, result.count);
    TRY(row_claims(store, &result, arena, deliveries));
    *ret_deliveries = deliveries;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_fill_calls(struct store *store, const struct delivery *like, size_t max, int64_t now_us,
                          struct arena *arena, size_t *ret_full) {
    const struct sql_value params[] = {sql_str(like->destination), sql_int(like->due_us),
                                       sql_int((int64_t)max * FILL_LOOKS)};
    struct sql_result result;
    size_t count = 0;
    TRY(store_run(store, SQL_DELIVERY_JOINING, params, 1, arena, &result));
    struct sql_value *due = arena_array(arena, struct sql_value, result.count * 2);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *row = result.rows[i].values; /* seq, action, first due */
        if (!str_eq(row[1].text, like->action) || row[2].number > now_us) continue;
        due[count * 2] = sql_int(row[0].number);
        due[count++ * 2 + 1] = sql_int(now_us);
    }
    *ret_full = count / max;
    return *ret_full ? store_run(store, SQL_DELIVERY_HASTEN, due, *ret_full * max, arena, NULL) : ERR_NONE;
}

enum err store_batch_away(struct store *store, struct uuid batch, size_t here, size_t *ret_away) {
    const struct sql_value param = sql_uuid(&batch);
    int64_t all;
    TRY(store_ask(store, SQL_DELIVERY_AWAY, &param, 0, &all));
    *ret_away = all > (int64_t)here ? (size_t)all - here : 0;
    return ERR_NONE;
}

enum err store_freeze_batch(struct store *store, const int64_t *seqs, size_t count, struct uuid batch) {
    struct sql_value *params = arena_array(&store->scratch, struct sql_value, count * 2);
    for (size_t i = 0; i < count; i++) {
        params[i * 2] = sql_int(seqs[i]);
        params[i * 2 + 1] = sql_uuid(&batch);
    }
    enum err err = store_run(store, SQL_DELIVERY_FREEZE, params, count, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}
