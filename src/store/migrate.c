/* store/migrate.c - see migrate.h and takeover.h. */
#include "store/migrate.h"

#include "base/str.h"
#include "store/takeover.h"

/* Whose the tables are that were found. */
enum tables { TABLES_OURS, TABLES_SEED, TABLES_FOREIGN };
struct schema_state {
    int64_t version; /* the last step taken; 0 = none */
    enum tables tables;
};
struct schema {
    const char *const *steps;
    int count;
    const char *lock; /* runs first, and keeps other processes out until the end; "" where there are no others */
    enum err (*look)(struct sql_driver *driver, struct arena *arena, struct schema_state *ret_state);
    struct str (*note)(int step, int64_t wall_us, struct arena *arena); /* that a step was taken */
};

/* ---- the embedded store ---- */

static enum err look_sqlite(struct sql_driver *driver, struct arena *arena, struct schema_state *ret_state) {
    struct sql_result result;
    TRY(driver->script(driver->self, STR("PRAGMA user_version;"), arena, &result));
    *ret_state = (struct schema_state){.version = result.count ? result.rows[0].values[0].number : 0};
    return ERR_NONE;
}

static struct str note_sqlite(int step, int64_t wall_us, struct arena *arena) {
    return str_fmt(arena,
                   "INSERT INTO schema_steps(step, taken_at) VALUES (%d, %lld);"
                   "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                   step, (long long)wall_us, STORE_APPLICATION_ID, step);
}

/* ---- PostgreSQL ---- */

/* How many columns the table has that programs of the seed's kind make. */
#define SEED_COLUMNS 12

static enum err look_postgres(struct sql_driver *driver, struct arena *arena, struct schema_state *ret_state) {
    struct schema_state state = {.tables = TABLES_OURS};
    struct sql_result result;
    TRY(driver->script(driver->self, str_from(schema_postgres_standing), arena, &result));
    const struct sql_value *found = result.rows[0].values; /* as the script says */
    if (found[0].number) {
        TRY(driver->script(driver->self, STR("SELECT coalesce(max(step), 0) FROM schema_steps"), arena, &result));
        state.version = result.rows[0].values[0].number;
    } else if (found[2].number) {
        bool is_seed = found[1].number == SEED_COLUMNS && found[3].number == 0;
        state.tables = is_seed ? TABLES_SEED : TABLES_FOREIGN;
    }
    *ret_state = state;
    return ERR_NONE;
}

static struct str note_postgres(int step, int64_t wall_us, struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, STR("INSERT INTO schema_steps(step, taken_at) VALUES ("));
    buf_fmt(&buf, "%d, %lld)", step, (long long)wall_us);
    return buf_str(&buf);
}

/* ---- by steps ---- */

static const struct schema schemas[] = {
    [SQL_SQLITE] = {schema_sqlite_steps, SCHEMA_SQLITE_STEPS, "", look_sqlite, note_sqlite},
    [SQL_POSTGRES] = {schema_postgres_steps, SCHEMA_POSTGRES_STEPS, "SELECT pg_advisory_xact_lock(1685220705)",
                      look_postgres, note_postgres},
};

static const struct schema *schema_of(enum sql_dialect dialect) {
    return &schemas[dialect];
}

struct migration {
    struct sql_driver *driver;
    const struct schema *schema;
    struct arena *arena;
    int64_t wall_us;
    struct str problem; /* STR_NONE: what the database said */
};

static enum err run_script(struct migration *it, struct str text) {
    return it->driver->script(it->driver->self, text, it->arena, NULL);
}

/* Reads where the tables stand, once nobody else can change that any more. */
static enum err look(struct migration *it, struct schema_state *ret_state) {
    struct schema_state state;
    if (*it->schema->lock) TRY(run_script(it, str_from(it->schema->lock)));
    TRY(it->schema->look(it->driver, it->arena, &state));
    if (state.version > it->schema->count) {
        it->problem =
            str_fmt(it->arena,
                    "the store has schema %lld, this program (" DRUMBEAT_VERSION ") knows up to %d: start the "
                    "newer drumbeat again, or go back to the copy that was made before the upgrade",
                    (long long)state.version, it->schema->count);
        return ERR_STORE_NEWER;
    }
    if (state.tables == TABLES_FOREIGN) {
        it->problem = STR("this database holds a table marketing_events of another program");
        return ERR_STORE_FOREIGN;
    }
    *ret_state = state;
    return ERR_NONE;
}

static enum err take_step(struct migration *it, int step, const char *text) {
    TRY(run_script(it, str_from(text)));
    return run_script(it, it->schema->note(step, it->wall_us, it->arena));
}

static enum err take_steps(struct migration *it, int64_t version) {
    for (int step = (int)version + 1; step <= it->schema->count; step++)
        TRY(take_step(it, step, it->schema->steps[step - 1]));
    return ERR_NONE;
}

/* Ends the transaction: all steps are taken together, or none. */
static enum err finish(struct migration *it, enum err err, bool changed, struct str *ret_problem) {
    if (!err && changed) err = it->driver->commit(it->driver->self);
    if (err && !it->problem.n)
        it->problem =
            str_fmt(it->arena, "the schema cannot be brought up to date: %s", it->driver->trouble(it->driver->self));
    if (err || !changed) it->driver->rollback(it->driver->self);
    if (err) *ret_problem = it->problem;
    return err;
}

static enum err bring_up(struct migration *it, bool *ret_changed) {
    struct schema_state state;
    TRY(look(it, &state));
    if (state.tables == TABLES_SEED) {
        it->problem = STR("this database holds the seed's marketing_events table: run `drumbeat migrate` once, with the"
                          " seed's worker stopped; it keeps every row");
        return ERR_STORE_FOREIGN;
    }
    *ret_changed = state.version < it->schema->count;
    if (*ret_changed && it->driver->read_only) {
        it->problem = str_fmt(it->arena,
                              "the store has schema %lld, this program needs %d: run `drumbeat migrate` once, or start"
                              " the server, which brings it up to date",
                              (long long)state.version, it->schema->count);
        return ERR_NOT_NOW;
    }
    return take_steps(it, state.version);
}

enum err migrate_run(struct sql_driver *driver, int64_t wall_us, struct arena *arena, struct str *ret_problem) {
    struct migration it = {driver, schema_of(driver->dialect), arena, wall_us, STR_NONE};
    bool changed = false;
    enum err err = driver->begin(driver->self);
    if (!err) err = bring_up(&it, &changed);
    return finish(&it, err, changed, ret_problem);
}

/* ---- the seed's table ---- */

static enum err ask(struct migration *it, const char *text, int64_t *ret_number) {
    struct sql_result result;
    TRY(it->driver->script(it->driver->self, str_from(text), it->arena, &result));
    *ret_number = result.count ? result.rows[0].values[0].number : 0;
    return ERR_NONE;
}

static enum err count_seed(struct migration *it, int64_t *ret_events, int64_t *ret_doubtful) {
    TRY(ask(it, "SELECT count(*) FROM marketing_events", ret_events));
    return ask(it, "SELECT count(*) FROM marketing_events WHERE status = 'PROCESSING'", ret_doubtful);
}

static enum err adopt(struct migration *it, struct take_over *counts) {
    TRY(run_script(it, STR("LOCK TABLE marketing_events IN ACCESS EXCLUSIVE MODE")));
    TRY(count_seed(it, &counts->before, &counts->doubtful));
    return take_step(it, 1, schema_postgres_adoption);
}

static enum err take_over(struct migration *it, struct take_over *counts) {
    struct schema_state state;
    TRY(look(it, &state));
    if (state.tables == TABLES_SEED) {
        TRY(adopt(it, counts));
        state.version = 1;
    } else if (state.version) {
        TRY(ask(it, "SELECT count(*) FROM marketing_events", &counts->before));
    }
    TRY(take_steps(it, state.version));
    TRY(ask(it, "SELECT count(*) FROM marketing_events", &counts->after));
    if (counts->before == counts->after) return ERR_NONE;
    it->problem = str_fmt(it->arena, "%lld events were there and %lld would be left: nothing was changed",
                          (long long)counts->before, (long long)counts->after);
    return ERR_INTERNAL;
}

enum err migrate_take_over(struct sql_driver *driver, int64_t wall_us, struct arena *arena,
                           struct take_over *ret_counts, struct str *ret_problem) {
    struct migration it = {driver, schema_of(driver->dialect), arena, wall_us, STR_NONE};
    struct take_over counts = {0};
    enum err err = driver->begin(driver->self);
    if (!err) err = take_over(&it, &counts);
    TRY(finish(&it, err, true, ret_problem));
    *ret_counts = counts;
    return ERR_NONE;
}

static enum err plan(struct migration *it, struct migrate_plan *plan) {
    struct schema_state state;
    TRY(look(it, &state));
    plan->version = state.version;
    plan->latest = it->schema->count;
    plan->is_seed = state.tables == TABLES_SEED;
    return plan->is_seed ? count_seed(it, &plan->events, &plan->doubtful) : ERR_NONE;
}

enum err migrate_look(struct sql_driver *driver, struct arena *arena, struct migrate_plan *ret_plan,
                      struct str *ret_problem) {
    struct migration it = {driver, schema_of(driver->dialect), arena, 0, STR_NONE};
    struct migrate_plan found = {.steps = it.schema->steps};
    enum err err = driver->begin(driver->self);
    if (!err) err = plan(&it, &found);
    TRY(finish(&it, err, false, ret_problem));
    *ret_plan = found;
    return ERR_NONE;
}
