/* store/adopt.c - deliveries of a destination that goes on under another name.
 *
 * WHAT. Rows of the old name become rows of the new one, in steps, and keep the key that the provider knows.
 * PROMISE. A delivery is moved once or not at all, never while it is being sent, and never out of its order.
 * WHY IT HOLDS. 1. adopt_take refuses a row in PROCESSING: its settlement finds it under the name it was claimed with,
 * and the next step takes it. 2. keyed_as keeps the name that the key was made with; a second renaming keeps the first.
 * 3. After each step exactly the first open delivery of an order key may go, under either name. What waits behind one
 * that is being sent stays with it. The new name itself sends nothing before all of this is over (deliver_inherit).
 * 4. Two deliveries that would be one by their event, destination, step and run are not made one: the older name's
 * stays, and is held as one without a destination.
 * WHAT BREAKS IT. A process that still has the old configuration and goes on to make deliveries of the old name: they
 * come over as soon as somebody looks, but what the new name has sent by then went before them.
 * HOW TO SEE IT. The log's deliveries_adopted; `drumbeat apply -n` counts what would come over.
 * TESTED BY. test/conformance/test_adopt.c; the scenarios was-*; the planted bugs adopted-under-new-key and
 * adopted-out-of-order. */
#include "store/adopt.h"
#include "store/row.h"

#include <string.h>

/* What a step found under the old name: seqs and order keys. */
struct adoptees {
    const struct sql_value **rows;
    size_t count;
};

static enum err take(struct store *store, const struct adoption *adoption, const struct adoptees *found,
                     struct arena *arena, size_t *ret_moved) {
    struct sql_value *rows = arena_array(arena, struct sql_value, found->count * 3);
    struct sql_value *orders = arena_array(arena, struct sql_value, found->count * 4);
    struct sql_result moved;
    size_t ordered = 0;
    for (size_t i = 0; i < found->count; i++) {
        rows[i * 3] = found->rows[i][0];
        rows[i * 3 + 1] = sql_str(adoption->to);
        rows[i * 3 + 2] = sql_int(adoption->now_us);
        if (found->rows[i][1].kind == SQL_NULL) continue;
        orders[ordered * 2] = sql_str(adoption->from);
        orders[ordered++ * 2 + 1] = found->rows[i][1];
        orders[ordered * 2] = sql_str(adoption->to);
        orders[ordered++ * 2 + 1] = found->rows[i][1];
    }
    TRY(store_run(store, SQL_ORDER_LOCK, orders, ordered, arena, NULL));
    TRY(store_run(store, SQL_ADOPT_TAKE, rows, found->count, arena, &moved));
    TRY(store_run(store, SQL_ADOPT_ORDER, orders, ordered, arena, NULL));
    *ret_moved = (size_t)moved.changes;
    return ERR_NONE;
}

enum err store_adopt(struct store *store, const struct adoption *adoption, struct arena *arena, size_t *ret_moved) {
    const struct sql_value params[] = {sql_str(adoption->from), sql_str(adoption->to),
                                       sql_int((int64_t)adoption->limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_ADOPT_WAITING, params, 1, arena, &result));
    if (!result.count) TRY(store_run(store, SQL_ADOPT_BLOCKED, params, 1, arena, &result));
    struct adoptees found = {arena_array(arena, const struct sql_value *, result.count), result.count};
    for (size_t i = 0; i < result.count; i++) found.rows[i] = result.rows[i].values;
    return take(store, adoption, &found, arena, ret_moved);
}

enum err store_adopt_stopped(struct store *store, const struct adoption *adoption, enum delivery_status status,
                             struct arena *arena, struct adopted *ret_adopted) {
    const struct sql_value params[] = {sql_int(adoption->after_seq), sql_int((int64_t)adoption->limit)};
    struct adopted adopted = {.last_seq = adoption->after_seq};
    struct sql_result result;
    enum sql_statement statement = status == DELIVERY_HELD ? SQL_ADOPT_HELD : SQL_ADOPT_FAILED;
    TRY(store_run(store, statement, params, 1, arena, &result));
    struct adoptees found = {arena_array(arena, const struct sql_value *, result.count), 0};
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *row = result.rows[i].values; /* seq, order key, destination */
        adopted.last_seq = row[0].number;
        if (str_eq(row[2].text, adoption->from)) found.rows[found.count++] = row;
    }
    adopted.more = result.count == adoption->limit;
    TRY(take(store, adoption, &found, arena, &adopted.moved));
    *ret_adopted = adopted;
    return ERR_NONE;
}

enum err store_adopt_state(struct store *store, struct str from, struct str to) {
    const struct sql_value names[] = {sql_str(from), sql_str(to)};
    TRY(store_run(store, SQL_ADOPT_STATE, names, 1, &store->scratch, NULL));
    return store_run(store, SQL_ADOPT_FORGET, names, 1, &store->scratch, NULL);
}

enum err store_flying(struct store *store, struct str destination, struct arena *arena, int64_t *ret_count,
                      int64_t *ret_ordered) {
    const struct sql_value name = sql_str(destination);
    struct sql_result result;
    TRY(store_run(store, SQL_ADOPT_FLYING, &name, 1, arena, &result));
    *ret_count = result.rows[0].values[0].number;
    *ret_ordered = result.rows[0].values[1].number;
    return ERR_NONE;
}
