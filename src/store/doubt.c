/* store/doubt.c - see doubt.h. */
#include "store/doubt.h"

#include "store/row.h"

enum err store_doubtful(struct store *store, int64_t after_seq, size_t limit, struct arena *arena,
                        struct doubtful **ret_held, size_t *ret_count) {
    const struct sql_value params[] = {sql_int(after_seq), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_DOUBT_LIST, params, 1, arena, &result));
    struct doubtful *held = arena_array(arena, struct doubtful, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *row = result.rows[i].values; /* seq, destination, action, first sent, updated, doubt */
        held[i] = (struct doubtful){.seq = row[0].number,
                                    .destination = row[1].text,
                                    .action = row[2].text,
                                    .first_sent_us = row[3].number,
                                    .updated_us = row[4].number,
                                    .in_doubt = row[5].number != 0};
    }
    *ret_held = held;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_look_up(struct store *store, const int64_t *seqs, size_t count, int64_t now_us, struct arena *arena,
                       size_t *ret_count) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * 2);
    struct sql_result result = {0};
    for (size_t i = 0; i < count; i++) {
        params[i * 2] = sql_int(seqs[i]);
        params[i * 2 + 1] = sql_int(now_us);
    }
    if (count) TRY(store_run(store, SQL_DOUBT_LOOK_UP, params, count, arena, &result));
    *ret_count = (size_t)result.changes;
    return ERR_NONE;
}

enum err store_look_now(struct store *store, struct str destination, int64_t now_us, struct arena *arena,
                        size_t *ret_count) {
    const struct sql_value params[] = {sql_str(destination), sql_int(now_us)};
    struct sql_result result;
    TRY(store_run(store, SQL_DOUBT_LOOK_NOW, params, 1, arena, &result));
    *ret_count = (size_t)result.changes;
    return ERR_NONE;
}
