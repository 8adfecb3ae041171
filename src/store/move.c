/* store/move.c - see move.h.
 *
 * WHAT. Copies an embedded store into one on PostgreSQL, table by table, in batches.
 * PROMISE. A move that is killed at any moment and run again ends with exactly the rows of the source, each once. No
 * server works on a target that is not complete, and rows of two stores never mix in one target.
 * WHY IT HOLDS.
 * 1. A batch and the note of how far it came (SQL_MOVE_SAVE) are one transaction of the target. What memory knows of it
 *    (`reached`) moves on only after the commit. A commit without an answer may have happened: then the batch is
 * written again, and rows that are there already are left alone.
 * 2. The source cannot change meanwhile: it is open for writing, which keeps servers away. Between two runs it could,
 * so every note carries a stamp of the source. A source with another stamp is refused, as another store is.
 * 3. A target must be empty when its move begins. That is looked at under a lock (SQL_MOVE_LOCK): of two moves that
 *    begin at once the second waits for the first one's commit and then sees its note.
 * 4. A server that starts shows itself first and looks for moves then (move_check). A move is noted first and looks for
 *    servers then. So at least one of the two sees the other and steps back.
 * 5. Tables are copied in the order of tables.def, parents first, and each by a growing number, so a place in a table
 *    says everything about what was copied. Sequences are set before the first row, so rows that other programs add
 *    meanwhile get later numbers and do not count.
 * 6. What alerts told is one row, which is written with the note that the move is finished.
 * 7. Before servers may start, the rows of each table are counted on both sides (move_compare).
 * WHAT BREAKS IT. Programs that write into the source by SQL past SQLite's locks. A target in which somebody deletes
 * rows during the move: the counts then differ, and nothing is finished.
 * HOW TO SEE IT. `drumbeat migrate --to DSN` shows each table's progress, with --dry-run what there is to do.
 * TESTED BY. test/e2e/test_migrate.py, which kills it at every place and starts servers beside it.
 */
#include "store/move.h"

#include "base/str.h"
#include "base/when.h"
#include "model/chore.h"
#include "store/chore.h"
#include "store/row.h"
#include "store/shared.h"
#include "store/table.h"

#include <string.h>

#define BATCH_ROWS  ((size_t)1000)
#define BATCH_BYTES ((size_t)8 << 20)
#define READ_ROWS   ((size_t)100)   /* read at a time, so that a batch ends soon after it has its bytes */
#define SERVER_US   (30 * US_PER_S) /* a server that was seen so lately may still run */

/* How far a table was copied. `after` is the number of the last row, or for MOVED_WHOLE how many rows there were;
 * `within` is the second number of MOVED_BY_PAIR. */
struct reach {
    int64_t after, within;
};

struct move {
    struct store *from, *to;
    struct arena *arena; /* the caller's, for texts */
    struct arena batch;
    struct str source;                   /* which store this is, and how it stands */
    struct reach reached[TABLE_COUNT];   /* in the order of tables.def, which has an event before its deliveries */
    struct move_table told[TABLE_COUNT]; /* the tables that are moved, one behind the other */
    size_t moved[TABLE_COUNT];           /* their places in tables.def */
    size_t count;
    size_t part; /* the table that is copied now */
    bool begun, finished;
};

/* ---- looking ---- */

static enum err read_number(struct store *store, enum sql_statement statement, int64_t param, struct arena *arena,
                            int64_t *ret_number) {
    const struct sql_value value = sql_int(param);
    struct sql_result result;
    TRY(store_run(store, statement, &value, 1, arena, &result));
    *ret_number = result.rows[0].values[0].number;
    return ERR_NONE;
}

/* Counts the rows up to a number, or all rows of a table that has no number to go by. */
static enum err count_rows(struct move *move, struct store *store, size_t part, int64_t upto, int64_t *ret_rows) {
    return read_number(store, tables[move->moved[part]].count, upto, &move->batch, ret_rows);
}

static enum err read_stamp(struct move *move, enum sql_statement statement, struct buf *stamp) {
    struct sql_result result;
    TRY(store_run(move->from, statement, NULL, 1, &move->batch, &result));
    buf_fmt(stamp, "%s%.*s", stamp->n ? " " : "", STR_ARG(result.rows[0].values[0].text));
    return ERR_NONE;
}

static enum err read_source(struct move *move) {
    struct buf stamp = {.arena = move->arena};
    TRY(read_stamp(move, SQL_MOVE_MADE, &stamp));
    for (size_t i = 0; i < move->count; i++) {
        const struct table *table = &tables[move->moved[i]];
        move->told[i].name = table->name;
        TRY(count_rows(move, move->from, i, INT64_MAX, &move->told[i].rows));
        if (table->stamp != SQL_NONE) TRY(read_stamp(move, table->stamp, &stamp));
    }
    move->source = buf_str(&stamp);
    return ERR_NONE;
}

static void take_reach(struct move *move, struct str name, int64_t after) {
    for (size_t i = 0; i < move->count; i++)
        if (str_eq(str_from(move->told[i].name), name)) move->reached[i] = (struct reach){after, 0};
}

/* Counts what an earlier run copied: everything, if it finished. The second number of a pair counts from 1, so
 * (number, 0) lies before all rows of that number: these are copied once more, and do not count as copied. */
static enum err read_copied(struct move *move) {
    for (size_t i = 0; i < move->count; i++) {
        enum table_move how = tables[move->moved[i]].moved;
        if (move->finished) {
            move->told[i].copied = move->told[i].rows;
            continue;
        }
        int64_t upto = move->reached[i].after;
        move->told[i].copied = upto;
        if (how == MOVED_BY_PAIR && upto) upto--;
        if (how != MOVED_WHOLE) TRY(count_rows(move, move->from, i, upto, &move->told[i].copied));
    }
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
    struct buf list = {.arena = move->arena};
    for (size_t i = 0; i < move->count; i++) {
        int64_t rows;
        TRY(count_rows(move, move->to, i, INT64_MAX, &rows));
        if (rows) buf_fmt(&list, "%s%lld in %s", list.n ? ", " : "", (long long)rows, move->told[i].name);
    }
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
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (tables[i].moved) move->moved[move->count++] = i;
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
    *ret_count = move->count;
    return move->told;
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

/* Sets the sequences, so that what other programs write from now on comes behind what is copied. */
static enum err set_sequences(struct move *move) {
    for (size_t i = 0; i < move->count; i++) {
        const struct table *table = &tables[move->moved[i]];
        int64_t last;
        if (table->sequence == SQL_NONE) continue;
        TRY(read_number(move->from, table->last, 0, &move->batch, &last));
        TRY(read_number(move->to, table->sequence, last, &move->batch, &last));
    }
    return ERR_NONE;
}

/* Notes that this move began. Of two moves that begin at once, the second waits at the lock for the first one's commit
 * and then sees it. */
static enum err note_begin(struct move *move, struct str *ret_problem) {
    struct sql_value params[TABLE_COUNT * 3];
    TRY(store_run(move->to, SQL_MOVE_LOCK, NULL, 1, &move->batch, NULL));
    TRY(read_state(move, ret_problem));
    if (move->begun) return ERR_NONE;
    TRY(check_empty(move, ret_problem));
    TRY(set_sequences(move));
    for (size_t i = 0; i < move->count; i++) {
        params[i * 3] = sql_str(move->source);
        params[i * 3 + 1] = sql_str(str_from(move->told[i].name));
        params[i * 3 + 2] = sql_int(0);
    }
    return store_run(move->to, SQL_MOVE_SAVE, params, move->count, &move->batch, NULL);
}

/* A server that starts shows itself first and then looks for moves. This move is noted first and then looks for
 * servers. So one of the two sees the other; if it is this one, it takes back what it has just noted. */
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
    for (size_t i = 0; i < move->count; i++) fresh = fresh && !move->reached[i].after;
    TRY(store_begin(move->to));
    enum err found = look_for_servers(move, fresh, ret_problem);
    TRY(end_turn(move, found == ERR_NOT_NOW ? ERR_NONE : found));
    return found;
}

/* ---- copying ---- */

struct load {
    struct sql_value *params; /* row after row */
    size_t columns, rows, bytes;
    struct reach reached; /* behind its last row */
};

static void advance(const struct table *table, const struct sql_result *read, struct reach *reached) {
    const struct sql_value *last = read->count ? read->rows[read->count - 1].values : NULL;
    if (table->moved == MOVED_WHOLE)
        reached->after += (int64_t)read->count;
    else if (last)
        *reached = (struct reach){last[0].number, table->moved == MOVED_BY_PAIR ? last[1].number : 0};
}

static void add_rows(struct load *load, const struct sql_result *read) {
    for (size_t i = 0; i < read->count; i++) {
        struct sql_value *row = load->params + (load->rows + i) * load->columns;
        memcpy(row, read->rows[i].values, load->columns * sizeof *row);
        for (size_t j = 0; j < load->columns; j++) load->bytes += row[j].text.n;
    }
    load->rows += read->count;
}

/* Reads the next load. Nothing else writes the source, so this needs no transaction there. */
static enum err read_load(struct move *move, struct load *ret_load) {
    const struct table *table = &tables[move->moved[move->part]];
    struct load load = {.columns = strlen(sql_text(table->write)->params), .reached = move->reached[move->part]};
    load.params = arena_array(&move->batch, struct sql_value, BATCH_ROWS * load.columns);
    for (bool more = true; more && load.rows < BATCH_ROWS && load.bytes < BATCH_BYTES;) {
        const struct sql_value from[] = {sql_int(load.reached.after), sql_int(load.reached.within),
                                         sql_int((int64_t)READ_ROWS)};
        struct sql_result read;
        TRY(store_run(move->from, table->read, from, 1, &move->batch, &read));
        add_rows(&load, &read);
        advance(table, &read, &load.reached);
        more = read.count == READ_ROWS;
    }
    *ret_load = load;
    return ERR_NONE;
}

static enum err write_load(struct move *move, const struct load *load) {
    const struct table *table = &tables[move->moved[move->part]];
    const struct sql_value save[] = {sql_str(move->source), sql_str(str_from(table->name)),
                                     sql_int(load->reached.after)};
    TRY(store_run(move->to, table->write, load->params, load->rows, &move->batch, NULL));
    return store_run(move->to, SQL_MOVE_SAVE, save, 1, &move->batch, NULL);
}

enum err move_step(struct move *move, bool *ret_more) {
    struct load load;
    TRY(store_begin(move->to));
    enum err err = read_load(move, &load);
    if (!err && load.rows) err = write_load(move, &load);
    TRY(end_turn(move, err));
    if (load.rows) {
        move->reached[move->part] = load.reached;
        move->told[move->part].copied += (int64_t)load.rows;
    } else {
        move->part++;
    }
    *ret_more = move->part < move->count;
    return ERR_NONE;
}

/* ---- ending ---- */

/* Compares the rows up to the source's last number. Programs of the seed's kind may write events during the move; those
 * have later numbers and do not count. */
static enum err compare_table(struct move *move, size_t part, struct buf *list) {
    const struct table *table = &tables[move->moved[part]];
    const struct move_table *told = &move->told[part];
    int64_t last = 0, there;
    if (table->last != SQL_NONE) TRY(read_number(move->from, table->last, 0, &move->batch, &last));
    TRY(count_rows(move, move->to, part, last, &there));
    if (there != told->rows)
        buf_fmt(list, "%s%s has %lld rows and should have %lld", list->n ? "; " : "", told->name, (long long)there,
                (long long)told->rows);
    return ERR_NONE;
}

enum err move_compare(struct move *move, struct str *ret_problem) {
    struct buf list = {.arena = move->arena};
    enum err err = ERR_NONE;
    TRY(store_begin(move->to));
    for (size_t i = 0; !err && i < move->count; i++) err = compare_table(move, i, &list);
    store_rollback(move->to);
    arena_reset(&move->batch);
    TRY(err);
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

/* Of the chores only what alerts told, and when the day was last reported, belongs to what is moved: without it people
 * would be told again at once. The rounds of the others begin anew. A server that ran on the target before may have a
 * row of its own there, which this one replaces. */
static enum err carry_alerts(struct move *move) {
    struct chore_round round;
    TRY(store_chore_get(move->from, chore_text(CHORE_ALERTS), &move->batch, &round));
    return round.started_us ? store_chore_set(move->to, &round) : ERR_NONE;
}

enum err move_finish(struct move *move) {
    const struct sql_value source = sql_str(move->source);
    TRY(store_begin(move->to));
    enum err err = carry_alerts(move);
    for (size_t i = 0; !err && i < move->count; i++)
        err = store_run(move->to, tables[move->moved[i]].analyze, NULL, 1, &move->batch, NULL);
    if (!err) err = store_run(move->to, SQL_MOVE_DONE, &source, 1, &move->batch, NULL);
    TRY(end_turn(move, err));
    move->finished = true;
    return ERR_NONE;
}
