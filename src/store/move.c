/* store/move.c - see move.h. */
#include "store/move.h"

#include "base/str.h"
#include "base/when.h"
#include "store/row.h"
#include "store/shared.h"

#include <string.h>

#define BATCH_ROWS  ((size_t)1000)
#define BATCH_BYTES ((size_t)8 << 20)
#define READ_ROWS   ((size_t)100)   /* at a time: a batch ends soon after it has its bytes */
#define SERVER_US   (30 * US_PER_S) /* a server that was seen so lately may still run */

/* How far a table was copied: the seq of its last row; that and the row's number under it; how many rows. */
enum reach_kind { REACH_SEQ, REACH_PAIR, REACH_COUNT };
struct reach {
    int64_t after, within; /* within: of REACH_PAIR */
};

/* An event is there before its deliveries. MOVE_COUNTS has the same order. */
static const struct part {
    const char *table;
    enum sql_statement read, write;
    enum reach_kind kind;
} parts[] = {
    {"marketing_events", SQL_MOVE_EVENTS, SQL_MOVED_EVENTS, REACH_SEQ},
    {"deliveries", SQL_MOVE_DELIVERIES, SQL_MOVED_DELIVERIES, REACH_SEQ},
    {"attempts", SQL_MOVE_ATTEMPTS, SQL_MOVED_ATTEMPTS, REACH_PAIR},
    {"destinations", SQL_MOVE_DESTINATIONS, SQL_MOVED_DESTINATIONS, REACH_COUNT},
    {"routes", SQL_MOVE_ROUTES, SQL_MOVED_ROUTES, REACH_COUNT},
    {"api_keys", SQL_MOVE_KEYS, SQL_MOVED_KEYS, REACH_COUNT},
    {"audit", SQL_MOVE_AUDIT, SQL_MOVED_AUDIT, REACH_SEQ},
};
#define PARTS (sizeof parts / sizeof *parts)
enum { EVENTS, DELIVERIES, ATTEMPTS, AUDIT = PARTS - 1 };

struct move {
    struct store *from, *to;
    struct arena *arena; /* the caller's, for texts */
    struct arena batch;
    struct str source; /* MOVE_SOURCE */
    struct reach reached[PARTS];
    struct move_table tables[PARTS];
    size_t part; /* the one that is copied now */
    bool begun, finished;
};

/* ---- looking ---- */

static enum err read_counts(struct store *store, const struct reach *upto, struct arena *arena,
                            int64_t ret_counts[PARTS]) {
    const struct sql_value params[] = {sql_int(upto[EVENTS].after), sql_int(upto[DELIVERIES].after),
                                       sql_int(upto[ATTEMPTS].after), sql_int(upto[AUDIT].after)};
    struct sql_result result;
    TRY(store_run(store, SQL_MOVE_COUNTS, params, 1, arena, &result));
    for (size_t i = 0; i < PARTS; i++) ret_counts[i] = result.rows[0].values[i].number;
    return ERR_NONE;
}

static enum err read_all_counts(struct store *store, struct arena *arena, int64_t ret_counts[PARTS]) {
    struct reach all[PARTS];
    for (size_t i = 0; i < PARTS; i++) all[i] = (struct reach){.after = INT64_MAX};
    return read_counts(store, all, arena, ret_counts);
}

static enum err read_source(struct move *move) {
    int64_t rows[PARTS];
    struct sql_result result;
    TRY(store_run(move->from, SQL_MOVE_SOURCE, NULL, 1, move->arena, &result));
    TRY(read_all_counts(move->from, &move->batch, rows));
    move->source = result.rows[0].values[0].text;
    for (size_t i = 0; i < PARTS; i++) move->tables[i] = (struct move_table){parts[i].table, rows[i], 0};
    return ERR_NONE;
}

static void take_reach(struct move *move, struct str table, int64_t after) {
    for (size_t i = 0; i < PARTS; i++)
        if (str_eq(str_from(parts[i].table), table)) move->reached[i] = (struct reach){after, 0};
}

/* Attempts are numbered from 1, so (seq, 0) is before the last delivery's: they are copied once more. */
static enum err read_copied(struct move *move) {
    struct reach upto[PARTS];
    int64_t copied[PARTS];
    memcpy(upto, move->reached, sizeof upto);
    if (upto[ATTEMPTS].after) upto[ATTEMPTS].after--;
    TRY(read_counts(move->from, upto, &move->batch, copied));
    for (size_t i = 0; i < PARTS; i++)
        move->tables[i].copied = parts[i].kind == REACH_COUNT ? move->reached[i].after : copied[i];
    return ERR_NONE;
}

static enum err refuse_source(bool done, struct str *ret_problem) {
    *ret_problem = done ? STR("another store, or this one before it changed, was moved into this database: nothing is "
                              "mixed, so it needs an empty one")
                        : STR("a move of another store, or of this one before it changed, began in this database and "
                              "is not finished: begin again in an empty one");
    return ERR_NOT_NOW;
}

static enum err read_state(struct move *move, struct str *ret_problem) {
    struct sql_result state;
    move->begun = move->finished = false;
    TRY(store_run(move->to, SQL_MOVE_STATE, NULL, 1, &move->batch, &state));
    for (size_t i = 0; i < state.count; i++) {
        const struct sql_value *row = state.rows[i].values; /* source, part, last seq, done */
        if (!str_eq(row[0].text, move->source)) return refuse_source(row[3].number, ret_problem);
        take_reach(move, row[1].text, row[2].number);
        move->begun = true;
        move->finished = row[3].number != 0;
    }
    return ERR_NONE;
}

static enum err check_empty(struct move *move, struct str *ret_problem) {
    int64_t rows[PARTS];
    struct buf list = {.arena = move->arena};
    TRY(read_all_counts(move->to, &move->batch, rows));
    for (size_t i = 0; i < PARTS; i++)
        if (rows[i]) buf_fmt(&list, "%s%lld in %s", list.n ? ", " : "", (long long)rows[i], parts[i].table);
    if (!list.n) return ERR_NONE;
    struct str listed = buf_str(&list);
    *ret_problem = str_fmt(move->arena,
                           "the database has rows of its own (%.*s): nothing is mixed, so it needs an "
                           "empty one",
                           STR_ARG(listed));
    return ERR_NOT_NOW;
}

static enum err look_at_both(struct move *move, struct str *ret_problem) {
    TRY(read_source(move));
    if (!move->to) return ERR_NONE;
    TRY(read_state(move, ret_problem));
    return move->begun ? read_copied(move) : check_empty(move, ret_problem);
}

enum err move_open(struct store *from, struct store *to, struct arena *arena, struct move **ret_move,
                   struct str *ret_problem) {
    struct move *move = arena_new(arena, struct move);
    *move = (struct move){.from = from, .to = to, .arena = arena};
    TRY(store_begin(from));
    enum err err = to ? store_begin(to) : ERR_NONE;
    if (!err) err = look_at_both(move, ret_problem);
    if (to) store_rollback(to);
    store_rollback(from);
    arena_reset(&move->batch);
    if (err)
        arena_free(&move->batch);
    else
        *ret_move = move;
    return err;
}

void move_close(struct move *move) {
    arena_free(&move->batch);
}

bool move_was_begun(const struct move *move) {
    return move->begun;
}

bool move_was_finished(const struct move *move) {
    return move->finished;
}

const struct move_table *move_tables(const struct move *move, size_t *ret_count) {
    *ret_count = PARTS;
    return move->tables;
}

enum err move_check(struct store *store, struct arena *arena, struct str *ret_problem) {
    struct sql_result state;
    bool open = false;
    TRY(store_begin(store));
    enum err err = store_run(store, SQL_MOVE_STATE, NULL, 1, arena, &state);
    for (size_t i = 0; !err && i < state.count; i++) open = open || !state.rows[i].values[3].number;
    store_rollback(store);
    if (err || !open) return err;
    *ret_problem = STR("a move into this database is not finished: run `drumbeat migrate --to` again");
    return ERR_NOT_NOW;
}

/* ---- beginning ---- */

static enum err end_turn(struct move *move, enum err err) {
    if (!err) err = store_commit(move->to);
    if (err) store_rollback(move->to);
    arena_reset(&move->batch);
    return err;
}

/* Of two that begin at once the second waits here for the first one's commit, and sees it. What other programs write
 * from now on comes behind what is copied. */
static enum err note_begin(struct move *move, struct str *ret_problem) {
    struct sql_value params[PARTS * 3], lasts[3];
    struct sql_result result;
    TRY(store_run(move->to, SQL_MOVE_LOCK, NULL, 1, &move->batch, NULL));
    TRY(read_state(move, ret_problem));
    if (move->begun) return ERR_NONE;
    TRY(check_empty(move, ret_problem));
    TRY(store_run(move->from, SQL_MOVE_LAST, NULL, 1, &move->batch, &result));
    for (size_t i = 0; i < 3; i++) lasts[i] = result.rows[0].values[i];
    TRY(store_run(move->to, SQL_MOVE_SEQUENCES, lasts, 1, &move->batch, NULL));
    for (size_t i = 0; i < PARTS; i++) {
        params[i * 3] = sql_str(move->source);
        params[i * 3 + 1] = sql_str(str_from(parts[i].table));
        params[i * 3 + 2] = sql_int(0);
    }
    return store_run(move->to, SQL_MOVE_SAVE, params, PARTS, &move->batch, NULL);
}

/* A server that starts is seen first and looks for moves then; we are noted first and look for servers then. So one of
 * the two sees the other, and what was noted just now is taken back. */
static enum err look_for_servers(struct move *move, bool forget, struct str *ret_problem) {
    struct instance *instances;
    size_t count;
    const struct sql_value source = sql_str(move->source);
    TRY(store_instances(move->to, SERVER_US, &move->batch, &instances, &count));
    if (!count) return ERR_NONE;
    *ret_problem = str_fmt(move->arena,
                           "a server works on this database, on host %.*s: stop it first (one that was killed is "
                           "forgotten after 30 s)",
                           STR_ARG(instances[0].host));
    if (forget) TRY(store_run(move->to, SQL_MOVE_FORGET, &source, 1, &move->batch, NULL));
    return ERR_NOT_NOW;
}

enum err move_begin(struct move *move, struct str *ret_problem) {
    bool fresh = true;
    TRY(store_begin(move->to));
    TRY(end_turn(move, note_begin(move, ret_problem)));
    for (size_t i = 0; i < PARTS; i++) fresh = fresh && !move->reached[i].after;
    TRY(store_begin(move->to));
    enum err found = look_for_servers(move, fresh, ret_problem);
    TRY(end_turn(move, found == ERR_NOT_NOW ? ERR_NONE : found));
    return found;
}

/* ---- copying ---- */

struct batch {
    struct sql_value *params; /* row after row */
    size_t columns, rows, bytes;
    struct reach reached; /* behind its last row */
};

static void advance(const struct part *part, const struct sql_result *read, struct reach *reached) {
    const struct sql_value *last = read->count ? read->rows[read->count - 1].values : NULL;
    if (part->kind == REACH_COUNT)
        reached->after += (int64_t)read->count;
    else if (last)
        *reached = (struct reach){last[0].number, part->kind == REACH_PAIR ? last[1].number : 0};
}

static void add_rows(struct batch *batch, const struct sql_result *read) {
    for (size_t i = 0; i < read->count; i++) {
        struct sql_value *row = batch->params + (batch->rows + i) * batch->columns;
        memcpy(row, read->rows[i].values, batch->columns * sizeof *row);
        for (size_t j = 0; j < batch->columns; j++) batch->bytes += row[j].text.n;
    }
    batch->rows += read->count;
}

/* Nothing else writes the source: what is read needs no turn of its own. */
static enum err read_batch(struct move *move, struct batch *ret_batch) {
    const struct part *part = &parts[move->part];
    struct batch batch = {.columns = strlen(sql_text(part->write)->params), .reached = move->reached[move->part]};
    batch.params = arena_array(&move->batch, struct sql_value, BATCH_ROWS * batch.columns);
    for (bool more = true; more && batch.rows < BATCH_ROWS && batch.bytes < BATCH_BYTES;) {
        const struct sql_value from[] = {sql_int(batch.reached.after), sql_int(batch.reached.within),
                                         sql_int((int64_t)READ_ROWS)};
        struct sql_result read;
        TRY(store_run(move->from, part->read, from, 1, &move->batch, &read));
        add_rows(&batch, &read);
        advance(part, &read, &batch.reached);
        more = read.count == READ_ROWS;
    }
    *ret_batch = batch;
    return ERR_NONE;
}

static enum err write_batch(struct move *move, const struct batch *batch) {
    const struct part *part = &parts[move->part];
    const struct sql_value save[] = {sql_str(move->source), sql_str(str_from(part->table)),
                                     sql_int(batch->reached.after)};
    TRY(store_run(move->to, part->write, batch->params, batch->rows, &move->batch, NULL));
    return store_run(move->to, SQL_MOVE_SAVE, save, 1, &move->batch, NULL);
}

enum err move_step(struct move *move, bool *ret_more) {
    struct batch batch;
    TRY(store_begin(move->to));
    enum err err = read_batch(move, &batch);
    if (!err && batch.rows) err = write_batch(move, &batch);
    TRY(end_turn(move, err));
    if (batch.rows) {
        move->reached[move->part] = batch.reached;
        move->tables[move->part].copied += (int64_t)batch.rows;
    } else {
        move->part++;
    }
    *ret_more = move->part < PARTS;
    return ERR_NONE;
}

/* ---- ending ---- */

/* Programs of the seed's kind may write events while they are moved: those have later seqs and do not count. */
static enum err read_target_counts(struct move *move, int64_t ret_counts[PARTS]) {
    struct sql_result result;
    struct reach upto[PARTS] = {0};
    TRY(store_run(move->from, SQL_MOVE_LAST, NULL, 1, &move->batch, &result));
    const struct sql_value *lasts = result.rows[0].values; /* of events, deliveries, audit */
    upto[EVENTS].after = lasts[0].number;
    upto[DELIVERIES].after = upto[ATTEMPTS].after = lasts[1].number;
    upto[AUDIT].after = lasts[2].number;
    return read_counts(move->to, upto, &move->batch, ret_counts);
}

enum err move_compare(struct move *move, struct str *ret_problem) {
    int64_t there[PARTS];
    struct buf list = {.arena = move->arena};
    TRY(store_begin(move->to));
    enum err err = read_target_counts(move, there);
    store_rollback(move->to);
    arena_reset(&move->batch);
    TRY(err);
    for (size_t i = 0; i < PARTS; i++)
        if (there[i] != move->tables[i].rows)
            buf_fmt(&list, "%s%s has %lld rows and should have %lld", list.n ? "; " : "", parts[i].table,
                    (long long)there[i], (long long)move->tables[i].rows);
    if (!list.n) return ERR_NONE;
    *ret_problem = buf_str(&list);
    return ERR_NOT_NOW;
}

enum err move_settle_source(struct move *move) {
    struct sql_driver *driver = move->from->driver;
    struct sql_result result;
    enum err err = driver->script(driver->self, STR("PRAGMA wal_checkpoint(TRUNCATE);"), &move->batch, &result);
    bool busy = !err && result.count && result.rows[0].values[0].number;
    arena_reset(&move->batch);
    return busy ? ERR_STORE_BUSY : err;
}

enum err move_finish(struct move *move) {
    const struct sql_value source = sql_str(move->source);
    TRY(store_begin(move->to));
    enum err err = store_run(move->to, SQL_MOVE_ANALYZE, NULL, 1, &move->batch, NULL);
    if (!err) err = store_run(move->to, SQL_MOVE_DONE, &source, 1, &move->batch, NULL);
    TRY(end_turn(move, err));
    move->finished = true;
    return ERR_NONE;
}
