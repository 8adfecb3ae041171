/* store/plan.c - deliveries that an event owes are stored, some of them already claimed. Those that could not be made
 * are made later, in their place. */
#include "store/memory.h"
#include "store/row.h"

#include <assert.h>

#define PLAN_COLUMNS 21

static void write_delivery(struct sql_value *params, const struct delivery *delivery, struct str owner) {
    bool leaves = delivery->status == DELIVERY_PROCESSING;
    const struct sql_value row[PLAN_COLUMNS] = {
        sql_uuid(&delivery->id),
        sql_uuid(&delivery->event_id),
        sql_str(delivery->destination),
        sql_str(delivery->action),
        sql_str(delivery->route),
        sql_str(delivery->step),
        sql_int(delivery->run),
        sql_str(str_from(delivery_status_text(delivery->status))),
        sql_int(delivery->retry_count),
        sql_int(delivery->due_us),
        sql_int(delivery->first_due_us),
        sql_int(delivery->late_us),
        sql_int(delivery->first_sent_us),
        sql_int(leaves ? delivery->lease_until_us : 0),
        leaves ? sql_str(owner) : sql_str_or_null(STR_NONE),
        sql_int(delivery->lease_epoch),
        delivery->unmade ? sql_str(STR("")) : sql_str_or_null(delivery->params), /* no content is an empty text */
        sql_str_or_null(delivery->order_key),
        sql_str_or_null(delivery->last_error),
        sql_int(delivery->created_us),
        sql_int(delivery->updated_us),
    };
    for (size_t i = 0; i < PLAN_COLUMNS; i++) params[i] = row[i];
}

/* In order of seq, so that one of this batch waits for an earlier one of this batch too. */
static enum err block_followers(struct store *store, struct delivery *deliveries, size_t count, struct arena *arena,
                                bool *blocked) {
    size_t ordered = 0, *inputs = arena_array(arena, size_t, count);
    struct sql_value *params = arena_array(arena, struct sql_value, count * 3);
    for (size_t i = 0; i < count; i++) {
        if (!deliveries[i].order_key.n || delivery_is_final(deliveries[i].status)) continue;
        params[ordered * 3] = sql_int(deliveries[i].seq);
        params[ordered * 3 + 1] = sql_str(deliveries[i].destination);
        params[ordered * 3 + 2] = sql_str(deliveries[i].order_key);
        inputs[ordered++] = i;
    }
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_BLOCK, params, ordered, arena, &result));
    for (size_t i = 0; i < result.count; i++) {
        struct delivery *delivery = &deliveries[inputs[result.rows[i].input]];
        blocked[inputs[result.rows[i].input]] = true;
        delivery->lease_until_us = 0;
        if (delivery->status == DELIVERY_PROCESSING) delivery->status = DELIVERY_PENDING;
    }
    return ERR_NONE;
}

/* Before they get their seqs: an order is kept in the order of seqs. */
static enum err lock_orders(struct store *store, const struct delivery *deliveries, size_t count, struct arena *arena) {
    size_t ordered = 0;
    struct sql_value *params = arena_array(arena, struct sql_value, count * 2);
    for (size_t i = 0; i < count; i++) {
        if (!deliveries[i].order_key.n) continue;
        params[ordered * 2] = sql_str(deliveries[i].destination);
        params[ordered++ * 2 + 1] = sql_str(deliveries[i].order_key);
    }
    return store_run(store, SQL_ORDER_LOCK, params, ordered, arena, NULL);
}

enum err store_plan(struct store *store, struct delivery *deliveries, size_t count, struct arena *arena,
                    bool *ret_blocked) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * PLAN_COLUMNS);
    bool *blocked = arena_array(arena, bool, count);
    struct sql_result result;
    for (size_t i = 0; i < count; i++) {
        if (deliveries[i].status == DELIVERY_PROCESSING && !deliveries[i].lease_epoch) deliveries[i].lease_epoch = 1;
        write_delivery(params + i * PLAN_COLUMNS, &deliveries[i], store->owner);
    }
    TRY(lock_orders(store, deliveries, count, arena));
    TRY(store_run(store, SQL_DELIVERY_PLAN, params, count, arena, &result));
    assert(result.count == count);
    for (size_t i = 0; i < count; i++) deliveries[i].seq = result.rows[i].values[0].number;
    TRY(block_followers(store, deliveries, count, arena, blocked));
    for (size_t i = 0; i < count; i++) ret_blocked[i] = blocked[i];
    return ERR_NONE;
}

/* ---- what is unmade ---- */

enum err store_unmade(struct store *store, int64_t after_seq, size_t limit, struct arena *arena,
                      struct delivery **ret_deliveries, size_t *ret_count) {
    const struct sql_value params[] = {sql_int(after_seq), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_UNMADE, params, 1, arena, &result));
    struct delivery *deliveries = arena_array(arena, struct delivery, result.count);
    TRY(row_claims(&result, arena, deliveries));
    *ret_deliveries = deliveries;
    *ret_count = result.count;
    return ERR_NONE;
}

#define MADE_COLUMNS 12

static void write_made(struct sql_value *params, const struct delivery *delivery) {
    const struct sql_value row[MADE_COLUMNS] = {
        sql_int(delivery->seq),
        sql_uuid(&delivery->id),
        sql_str(delivery->action),
        sql_str(delivery->step),
        sql_str(str_from(delivery_status_text(delivery->status))),
        sql_int(delivery->due_us),
        sql_int(delivery->first_due_us),
        sql_int(delivery->late_us),
        delivery->unmade ? sql_str(STR("")) : sql_str_or_null(delivery->params),
        sql_str_or_null(delivery->order_key),
        sql_str_or_null(delivery->last_error),
        sql_int(delivery->updated_us),
    };
    for (size_t i = 0; i < MADE_COLUMNS; i++) params[i] = row[i];
}

enum err store_make(struct store *store, struct delivery *made, size_t count, int64_t now_us, struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * MADE_COLUMNS);
    struct ending *endings = arena_array(arena, struct ending, count);
    bool *blocked = arena_array(arena, bool, count);
    size_t ended = 0;
    for (size_t i = 0; i < count; i++) {
        write_made(params + i * MADE_COLUMNS, &made[i]);
        if (delivery_is_final(made[i].status))
            endings[ended++] = (struct ending){made[i].event_id, made[i].destination, made[i].order_key};
    }
    TRY(lock_orders(store, made, count, arena));
    TRY(store_run(store, SQL_DELIVERY_MAKE, params, count, arena, NULL));
    TRY(block_followers(store, made, count, arena, blocked));
    return store_ended(store, endings, ended, now_us, arena);
}
