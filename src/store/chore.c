/* store/chore.c - see chore.h: the rows of rounds. */
#include "store/chore.h"

#include "store/row.h"

#define CHORE_VALUES 12

static struct chore_round round_of(const struct sql_value *v) {
    return (struct chore_round){.name = v[0].text,
                                .mode = v[1].number,
                                .started_us = v[2].number,
                                .finished_us = v[3].number,
                                .part = v[4].number,
                                .last_seq = v[5].number,
                                .part_end = v[6].number,
                                .done = v[7].number,
                                .total = v[8].number,
                                .steps = v[9].number,
                                .found = v[10].number,
                                .result = v[11].text};
}

enum err store_chore_get(struct store *store, struct str name, struct arena *arena, struct chore_round *ret_round) {
    const struct sql_value param = sql_str(name);
    struct sql_result result;
    TRY(store_run(store, SQL_CHORE_GET, &param, 1, arena, &result));
    *ret_round = result.count ? round_of(result.rows[0].values) : (struct chore_round){.name = name};
    return ERR_NONE;
}

enum err store_chore_set(struct store *store, const struct chore_round *round) {
    const struct sql_value params[CHORE_VALUES] = {
        sql_str(round->name),  sql_int(round->mode),     sql_int(round->started_us), sql_int(round->finished_us),
        sql_int(round->part),  sql_int(round->last_seq), sql_int(round->part_end),   sql_int(round->done),
        sql_int(round->total), sql_int(round->steps),    sql_int(round->found),      sql_str_or_null(round->result),
    };
    enum err err = store_run(store, SQL_CHORE_SET, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

bool chore_is_open(const struct chore_round *round) {
    return round->started_us && !round->finished_us;
}

/* The share is at most 1: rows that came since the round began lie beyond its total. */
double chore_share(const struct chore_round *round) {
    if (round->started_us && !chore_is_open(round)) return 1;
    int64_t done = round->done + round->last_seq;
    if (round->total <= 0 || done <= 0) return 0;
    return done < round->total ? (double)done / (double)round->total : 1;
}

/* ---- strays ---- */

enum err store_strand(struct store *store, struct str destination, int64_t now_us, size_t limit, struct arena *arena,
                      size_t *ret_held) {
    const struct sql_value params[] = {sql_str(destination), sql_str(STR(STRAY_ERROR)), sql_int(now_us),
                                       sql_int((int64_t)limit), sql_str(STR(STRAY_DOUBT))};
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_STRAND, params, 1, arena, &result));
    *ret_held = (size_t)result.changes;
    return ERR_NONE;
}

static enum err held_for(struct store *store, struct str reason, struct str other, struct arena *arena,
                         struct str **ret_names, size_t *ret_count) {
    const struct sql_value errors[] = {sql_str(reason), sql_str(other)};
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_STRANDED, errors, 1, arena, &result));
    struct str *names = arena_array(arena, struct str, result.count);
    for (size_t i = 0; i < result.count; i++) names[i] = result.rows[i].values[0].text;
    *ret_names = names;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_stranded(struct store *store, struct arena *arena, struct str **ret_names, size_t *ret_count) {
    return held_for(store, STR(STRAY_ERROR), STR(STRAY_DOUBT), arena, ret_names, ret_count);
}

enum err store_overflowed(struct store *store, struct arena *arena, struct str **ret_names, size_t *ret_count) {
    return held_for(store, STR(OVERFLOW_ERROR), STR(OVERFLOW_ERROR), arena, ret_names, ret_count);
}

enum err store_unstrand(struct store *store, struct str destination, int64_t now_us, size_t limit, struct arena *arena,
                        size_t *ret_freed) {
    const struct sql_value params[] = {sql_str(destination), sql_str(STR(STRAY_ERROR)), sql_int(now_us),
                                       sql_int((int64_t)limit), sql_str(STR(STRAY_DOUBT))};
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_UNSTRAND, params, 1, arena, &result));
    *ret_freed = (size_t)result.changes;
    return ERR_NONE;
}

/* ---- overflow ---- */

enum err store_held(struct store *store, int64_t after_seq, size_t limit, struct arena *arena,
                    struct held_row **ret_held, size_t *ret_count) {
    const struct sql_value params[] = {sql_int(after_seq), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_HELD, params, 1, arena, &result));
    struct held_row *held = arena_array(arena, struct held_row, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *row = result.rows[i].values;
        held[i] = (struct held_row){row[0].number, row[1].text, row[2].text, row[3].number != 0};
    }
    *ret_held = held;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_stands_still(struct store *store, struct str destination, struct arena *arena, bool *ret_still) {
    const struct sql_value params[] = {sql_str(destination)};
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_MOVING, params, 1, arena, &result));
    *ret_still = result.count == 0;
    return ERR_NONE;
}

enum err store_release(struct store *store, const int64_t *seqs, size_t count, int64_t now_us, struct arena *arena,
                       size_t *ret_freed) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * 3);
    struct sql_result result = {0};
    for (size_t i = 0; i < count; i++) {
        params[i * 3] = sql_int(seqs[i]);
        params[i * 3 + 1] = sql_str(STR(OVERFLOW_ERROR));
        params[i * 3 + 2] = sql_int(now_us);
    }
    if (count) TRY(store_run(store, SQL_DELIVERY_RELEASE, params, count, arena, &result));
    *ret_freed = (size_t)result.changes;
    return ERR_NONE;
}
