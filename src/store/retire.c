/* store/retire.c - what is over and old goes, in small steps between the turns' work. */
#include "store/chore.h"
#include "store/row.h"
#include "store/table.h"

/* A call looks at no more than this many events for each that it may remove. */
#define LOOK_FACTOR ((size_t)8)
#define LOOK_ROWS   ((size_t)256)

/* One window of events in order of seq. */
struct look {
    struct sql_value *gone; /* ids of what is old and over */
    size_t gone_count, seen;
    bool any_old;
    int64_t last_seq;
};

static enum err look_at(struct store *store, int64_t before_us, int64_t after_seq, size_t room, struct look *ret_look) {
    const struct sql_value params[] = {sql_int(after_seq), sql_int((int64_t)LOOK_ROWS)};
    struct look look = {.gone = arena_array(&store->scratch, struct sql_value, LOOK_ROWS), .last_seq = after_seq};
    struct sql_result result;
    TRY(store_run(store, SQL_RETIRE_LOOK, params, 1, &store->scratch, &result));
    for (size_t i = 0; i < result.count && look.gone_count < room; i++) {
        const struct sql_value *row = result.rows[i].values; /* seq, id, created, over */
        bool old = row[2].number < before_us;
        if (old && row[3].number) look.gone[look.gone_count++] = row[1];
        look.any_old = look.any_old || old;
        look.last_seq = row[0].number;
        look.seen++;
    }
    *ret_look = look;
    return ERR_NONE;
}

/* Removes events and what belongs to them. Children must go before their parents, and tables.def has parents first, so
 * it is gone through from its end. */
static enum err remove_events(struct store *store, const struct look *look) {
    for (size_t i = TABLE_COUNT; i-- > 0;)
        if (tables[i].retire != SQL_NONE)
            TRY(store_run(store, tables[i].retire, look->gone, look->gone_count, &store->scratch, NULL));
    return ERR_NONE;
}

/* Seqs follow the time of creation closely but not exactly, so the walk only ends after a whole window without an old
 * event. The next walk begins at the front again, where old events that were still open may have ended since. */
enum err store_retire(struct store *store, int64_t before_us, size_t limit, int64_t after_seq,
                      struct retirement *ret_retirement) {
    struct retirement done = {.last_seq = after_seq, .more = true};
    size_t seen = 0;
    enum err err = ERR_NONE;
    while (!err && done.more && done.removed < limit && seen < limit * LOOK_FACTOR + LOOK_ROWS) {
        struct look look;
        err = look_at(store, before_us, done.last_seq, limit - done.removed, &look);
        if (err) break;
        done.last_seq = look.last_seq;
        err = remove_events(store, &look);
        if (err) break;
        done.removed += look.gone_count;
        seen += look.seen;
        done.more = look.any_old;
        arena_reset(&store->scratch);
    }
    arena_reset(&store->scratch);
    *ret_retirement = done;
    return err;
}
