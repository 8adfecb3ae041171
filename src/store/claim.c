/* store/claim.c - deliveries that may leave are leased to this process; leases that ran out are found. */
#include "store/row.h"

#include "base/when.h"

#include <string.h>

/* What a claim takes: the due rows, then the rest of each frozen set that one of them belongs to. */
struct taken {
    struct delivery *rows;
    size_t count;
};

static bool holds(const struct taken *taken, int64_t seq) {
    for (size_t i = 0; i < taken->count; i++)
        if (taken->rows[i].seq == seq) return true;
    return false;
}

/* The batch ids of the due rows, each once. */
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

/* A frozen set leaves whole: the provider keeps one key for all of it. */
static enum err complete_sets(struct store *store, struct arena *arena, struct taken *taken) {
    struct sql_value *params;
    struct sql_result result;
    size_t sets = frozen_sets(taken, arena, &params);
    if (!sets) return ERR_NONE;
    TRY(store_run(store, SQL_DELIVERY_OF_BATCH, params, sets, arena, &result));
    struct delivery *rest = arena_array(arena, struct delivery, result.count);
    struct taken all = {arena_array(arena, struct delivery, taken->count + result.count), taken->count};
    TRY(row_claims(&result, arena, rest));
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
        delivery->status = DELIVERY_PROCESSING;
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
    TRY(row_claims(&result, arena, taken.rows));
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
    TRY(row_claims(&result, arena, deliveries));
    *ret_deliveries = deliveries;
    *ret_count = result.count;
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
