/* store/plan.c - deliveries that an event owes are stored, some of them already claimed. Those that could not be made
 * are made later, in their place.
 *
 * WHAT. Stores planned deliveries, and blocks each one that stands behind an open one of its order key.
 * PROMISE. Of the deliveries of one destination and order key only the first open one can be claimed. None is
 * overtaken by a later one, and none stays blocked when the one before it has ended.
 * WHY IT HOLDS.
 * 1. An order is kept in the order of seqs. Before seqs are drawn the order key is locked until the commit
 *    (lock_orders), so two processes cannot draw them in one order and commit in another.
 * 2. delivery_block looks for an earlier open delivery after all of the batch are stored, in the order of seqs. So one
 *    of this batch also waits for an earlier one of this batch.
 * 3. settle.c takes the same lock before it frees the next one. A delivery that is made and one that ends therefore see
 *    each other, whichever comes first.
 * 4. A blocked delivery loses its lease, and the caller is told (ret_blocked), so it must not send it.
 * 5. Without an order key nothing is locked and nothing is looked for. Only ordered deliveries pay for order.
 * 6. An unmade delivery is HELD and has its place already. store_make fills that place instead of adding a row, so what
 *    stands behind it in its order waited for it all the time; when it comes to nothing, store_ended frees the next,
 *    and when it leaves that order, store_make does.
 * WHAT BREAKS IT. Deliveries that somebody inserts by SQL without the lock. An order key that is changed in a row that
 * is open.
 * HOW TO SEE IT. The hop store_plan; `drumbeat verify`: I14 tells of a delivery that waits for nothing, I5 of an event
 * that does not have what its last run made.
 * TESTED BY. test/conformance/test_claim.c, test_unmade.c, test_settle.c, test_fleet_races.c; the scenarios order*,
 * route-stopped, retry-loses-its-order; test/e2e/test_processes.py (order over processes); the planted bugs
 * order-not-kept and order-never-freed.
 */
#include "store/memory.h"
#include "store/row.h"

#include <assert.h>

#define PLAN_COLUMNS 22

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
        sql_str_or_null(delivery->place),
    };
    for (size_t i = 0; i < PLAN_COLUMNS; i++) params[i] = row[i];
}

/* Blocks each delivery that stands behind an open one of its order key. They are looked at in order of seq, so that one
 * of this batch also waits for an earlier one of this batch. */
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

/* Locks the order keys until the commit. This comes before seqs are drawn, because an order is kept in their order. */
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
    TRY(row_claims(store, &result, arena, deliveries));
    *ret_deliveries = deliveries;
    *ret_count = result.count;
    return ERR_NONE;
}

#define MADE_COLUMNS 13

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
        sql_str_or_null(delivery->place),
    };
    for (size_t i = 0; i < MADE_COLUMNS; i++) params[i] = row[i];
}

/* Locks the orders in which the deliveries stand until now (*ret_left, *ret_count: destination and order key of each)
 * together with those in which they will stand. */
static enum err lock_both_orders(struct store *store, const struct delivery *made, size_t count, struct arena *arena,
                                 struct sql_value **ret_left, size_t *ret_count) {
    struct delivery *both = arena_array(arena, struct delivery, count * 2);
    struct sql_value *params = arena_array(arena, struct sql_value, count * 2);
    struct sql_result left;
    for (size_t i = 0; i < count; i++) {
        both[i] = made[i];
        params[i] = sql_int(made[i].seq);
    }
    TRY(store_run(store, SQL_DELIVERY_ORDER, params, count, arena, &left));
    for (size_t i = 0; i < left.count; i++) {
        params[i * 2] = left.rows[i].values[0];
        params[i * 2 + 1] = left.rows[i].values[1];
        both[count + i] = (struct delivery){.destination = params[i * 2].text, .order_key = params[i * 2 + 1].text};
    }
    *ret_left = params;
    *ret_count = left.count;
    return lock_orders(store, both, count + left.count, arena);
}

/* A delivery that a person sent again has an order before it is made, and may be made without it or in another one.
 * Then nothing stands behind it any more in the order that it left, and the next of that may go. */
enum err store_make(struct store *store, struct delivery *made, size_t count, int64_t now_us, struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * MADE_COLUMNS), *left;
    struct ending *endings = arena_array(arena, struct ending, count);
    bool *blocked = arena_array(arena, bool, count);
    size_t ended = 0, left_count;
    for (size_t i = 0; i < count; i++) {
        write_made(params + i * MADE_COLUMNS, &made[i]);
        if (delivery_is_final(made[i].status))
            endings[ended++] = (struct ending){made[i].event_id, made[i].destination, made[i].order_key};
    }
    TRY(lock_both_orders(store, made, count, arena, &left, &left_count));
    TRY(store_run(store, SQL_DELIVERY_MAKE, params, count, arena, NULL));
    TRY(block_followers(store, made, count, arena, blocked));
    TRY(store_run(store, SQL_DELIVERY_UNBLOCK, left, left_count, arena, NULL));
    return store_ended(store, endings, ended, now_us, arena);
}
