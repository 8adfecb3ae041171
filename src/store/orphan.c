/* store/orphan.c - deliveries whose event somebody deleted by SQL.
 *
 * They can never be claimed, because a claim reads the event too, and so they would stay due for ever, count as work
 * that waits, and hold back what stands behind them in their order. One that a process had which is gone may have been
 * sent: it keeps an attempt, so that limits count it after a restart, too. */
#include "store/chore.h"
#include "store/row.h"

#include "base/when.h"

#include <string.h>

enum err store_last_delivery(struct store *store, int64_t *ret_seq) {
    return store_ask(store, SQL_DELIVERY_LAST, NULL, 0, ret_seq);
}

/* When it left nobody knows any more. */
static void write_lost(struct sql_value params[ATTEMPT_COLUMNS], struct sql_value seq, int64_t now_us) {
    const struct sql_value row[ATTEMPT_COLUMNS] = {seq,
                                                   sql_int(0),
                                                   sql_int(now_us),
                                                   sql_int(now_us),
                                                   sql_str(STR("unknown")),
                                                   sql_int(0),
                                                   sql_str(STR("the process ended, and its event was deleted"))};
    memcpy(params, row, sizeof row);
}

/* Ends those that are open, which frees the next of their order keys. */
static enum err end_open(struct store *store, const struct sql_result *orphans, int64_t now_us, struct arena *arena,
                         struct swept *swept) {
    struct sql_value *ends = arena_array(arena, struct sql_value, orphans->count * 3);
    struct sql_value *orders = arena_array(arena, struct sql_value, orphans->count * 2);
    struct sql_value *lost = arena_array(arena, struct sql_value, orphans->count * ATTEMPT_COLUMNS);
    size_t ordered = 0, lost_count = 0;
    swept->destinations = arena_array(arena, struct str, orphans->count);
    for (size_t i = 0; i < orphans->count; i++) {
        const struct sql_value *row = orphans->rows[i].values; /* seq, destination, order key, open, lost */
        if (!row[3].number) continue;
        ends[swept->open * 3] = row[0];
        ends[swept->open * 3 + 1] = sql_int(now_us);
        ends[swept->open * 3 + 2] = row[4];
        if (row[4].number) write_lost(lost + ATTEMPT_COLUMNS * lost_count++, row[0], now_us);
        swept->destinations[swept->open++] = row[1].text;
        if (row[2].kind == SQL_NULL) continue;
        orders[ordered * 2] = row[1];
        orders[ordered++ * 2 + 1] = row[2];
    }
    TRY(store_run(store, SQL_ORDER_LOCK, orders, ordered, arena, NULL));
    TRY(store_run(store, SQL_ORPHAN_SKIP, ends, swept->open, arena, NULL));
    TRY(store_run(store, SQL_ATTEMPT_ADD, lost, lost_count, arena, NULL));
    return store_run(store, SQL_DELIVERY_UNBLOCK, orders, ordered, arena, NULL);
}

static enum err remove_old(struct store *store, const struct sql_result *orphans, int64_t counted_us,
                           struct arena *arena) {
    struct sql_value *attempts = arena_array(arena, struct sql_value, orphans->count * 2);
    struct sql_value *seqs = arena_array(arena, struct sql_value, orphans->count);
    for (size_t i = 0; i < orphans->count; i++) {
        seqs[i] = attempts[i * 2] = orphans->rows[i].values[0];
        attempts[i * 2 + 1] = sql_int(counted_us);
    }
    TRY(store_run(store, SQL_ORPHAN_ATTEMPTS, attempts, orphans->count, arena, NULL));
    return store_run(store, SQL_ORPHAN_DELETE, seqs, orphans->count, arena, NULL);
}

enum err store_sweep(struct store *store, const struct sweep *sweep, struct arena *arena, struct swept *ret_swept) {
    const struct sql_value window[] = {sql_int(sweep->after_seq), sql_int(sweep->upto_seq),
                                       sql_int((int64_t)sweep->limit)};
    struct sql_result seqs, orphans;
    struct swept swept = {.last_seq = sweep->upto_seq};
    TRY(store_run(store, SQL_VERIFY_WINDOW_DELIVERIES, window, 1, arena, &seqs));
    swept.more = seqs.count == sweep->limit;
    if (swept.more) swept.last_seq = seqs.rows[seqs.count - 1].values[0].number;
    const struct sql_value look[] = {sql_int(sweep->after_seq), sql_int(swept.last_seq), sql_int(sweep->now_us)};
    TRY(store_run(store, SQL_ORPHAN_LOOK, look, 1, arena, &orphans));
    swept.orphans = orphans.count;
    if (orphans.count) {
        TRY(end_open(store, &orphans, sweep->now_us, arena, &swept));
        TRY(remove_old(store, &orphans, sweep->counted_us, arena));
    }
    *ret_swept = swept;
    return ERR_NONE;
}
