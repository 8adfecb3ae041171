/* tables.def against the tables, and the rules across the columns of a delivery. */
#include "work.h"

#include "store/migrate.h"
#include "store/table.h"

/* ---- tables.def ---- */

/* Rows of table, column, type. */
static struct sql_result all_columns(struct fixture *f) {
    return fixture_sql_of(f,
                          "SELECT t.name, c.name, c.type FROM sqlite_schema t JOIN pragma_table_info(t.name) c"
                          " WHERE t.type = 'table'",
                          "SELECT relname, attname, format_type(atttypid, NULL) FROM pg_attribute JOIN pg_class c"
                          " ON c.oid = attrelid WHERE relkind = 'r' AND relnamespace = 'store'::regnamespace"
                          " AND attnum > 0 AND NOT attisdropped");
}

/* The kind of a column's type; a UUID is a BLOB in SQLite, and a moment of any table a number. */
static bool is_kind(struct str type, char kind) {
    static const struct {
        char kind;
        const char *type;
    } types[] = {
        {'i', "INTEGER"},
        {'w', "INTEGER"},
        {'t', "TEXT"},
        {'b', "BLOB"},
        {'i', "bigint"},
        {'i', "integer"},
        {'t', "text"},
        {'t', "character varying"},
        {'t', "jsonb"},
        {'b', "uuid"},
        {'w', "timestamp with time zone"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].kind == kind && str_eq(type, str_from(types[i].type))) return true;
    return false;
}

static int place_of(const char *columns, struct str name) {
    int place = 0;
    for (const char *at = columns; at; at = strchr(at, ' '), at = at ? at + 1 : NULL, place++)
        if (str_eq((struct str){at, strcspn(at, " ")}, name)) return place;
    return -1;
}

static const struct table *table_of(struct str name) {
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (str_eq(name, str_from(tables[i].name))) return &tables[i];
    return NULL;
}

static void tables_are_as_their_rows_say(void **state) {
    struct fixture *f = *state;
    struct sql_result found = all_columns(f);
    size_t wanted = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        wanted += fixture_on_postgres(f) ? strlen(tables[i].kinds) : (size_t)tables[i].embedded_count;
    assert_int_equal(found.count, wanted);
    for (size_t i = 0; i < found.count; i++) {
        const struct sql_value *row = found.rows[i].values;
        const struct table *table = table_of(row[0].text);
        int place = table ? place_of(table->columns, row[1].text) : -1;
        if (place < 0 || !is_kind(row[2].text, table->kinds[place]))
            fail_msg("tables.def has no %.*s.%.*s %.*s", STR_ARG(row[0].text), STR_ARG(row[1].text),
                     STR_ARG(row[2].text));
    }
}

/* ---- rules ---- */

static const char *const breaches[] = {
    "UPDATE deliveries SET lease_until = 0 WHERE status = 'PROCESSING'",
    "UPDATE deliveries SET status = 'PENDING' WHERE status = 'PROCESSING'",
    "UPDATE deliveries SET lease_until = 7 WHERE status = 'COMPLETED'",
    "UPDATE deliveries SET status = 'PROCESSING' WHERE status = 'COMPLETED'",
    "UPDATE deliveries SET blocked = 1 WHERE status = 'COMPLETED'",
    "UPDATE deliveries SET blocked = 1 WHERE status = 'PROCESSING'",
    "UPDATE deliveries SET order_key = NULL WHERE blocked = 1",
    "UPDATE deliveries SET status = 'COMPLETED' WHERE blocked = 1",
};

static void fill(struct fixture *f) {
    fixture_begin(f);
    struct delivery done = fixture_deliver(f, "done", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &done, DELIVERY_COMPLETED, "done");
    fixture_deliver(f, "flying", "crm", DELIVERY_PROCESSING);
    for (int i = 0; i < 2; i++) {
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, i ? "second" : "first", T0);
        struct delivery delivery = fixture_delivery(f, event, "mail", DELIVERY_PENDING);
        delivery.order_key = STR("ada");
        fixture_plan_one(f, &delivery);
        fixture_routed(f, event, EVENT_PROCESSING, "");
    }
    fixture_commit(f);
}

static void a_write_that_breaks_a_rule_is_refused(void **state) {
    struct fixture *f = *state;
    fill(f);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE blocked = 1"), 1);
    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
        struct sql_result result;
        if (!f->driver.script(f->driver.self, str_from(breaches[i]), &f->arena, &result))
            fail_msg("it was done: %s", breaches[i]);
        assert_non_null(strstr(f->driver.trouble(f->driver.self), "deliveries_"));
    }
}

/* A store as it was before the rules, with rows that break them: nobody kept a person's SQL from that. */
static struct sql_driver old_store(struct fixture *f) {
    const char *first = fixture_on_postgres(f) ? schema_postgres_steps[0] : schema_sqlite_steps[0];
    struct sql_driver driver;
    fixture_stop(f);
    f->kind->drop(f);
    f->kind->make(f);
    f->kind->open(f, &driver);
    OK(driver.begin(driver.self));
    OK(driver.script(driver.self, str_from(first), &f->arena, NULL));
    OK(driver.script(driver.self, STR("INSERT INTO schema_steps(step, taken_at) VALUES (1, 1)"), &f->arena, NULL));
    if (driver.dialect == SQL_SQLITE)
        OK(driver.script(
            driver.self,
            str_fmt(&f->arena, "PRAGMA application_id = %d; PRAGMA user_version = 1;", STORE_APPLICATION_ID), &f->arena,
            NULL));
    OK(driver.commit(driver.self));
    return driver;
}

#define ROW(id, step, run, status, lease, blocked)                                                                     \
    "INSERT INTO deliveries(id, event_id, destination, step, run, action, route, status, due, first_due, lease_until," \
    " blocked, created_at, updated_at) VALUES (" id ", " id ", 'crm', '" step "', " run ", '', 'r', '" status          \
    "', 1, 1, " lease ", " blocked ", 1, 1);"
#define BROKEN_ROWS(id)                                                                                                \
    ROW(id, "r", "1", "PROCESSING", "0", "0")                                                                          \
    ROW(id, "r:ada", "2", "COMPLETED", "9", "0")                                                                       \
    ROW(id, "r", "3", "PENDING", "0", "1") ROW(id, "r.2", "4", "PROCESSING", "7", "0")

static void a_store_without_the_rules_gets_them(void **state) {
    struct fixture *f = *state;
    struct sql_driver driver = old_store(f);
    const char *rows = fixture_on_postgres(f) ? BROKEN_ROWS("gen_random_uuid()") : BROKEN_ROWS("randomblob(16)");
    OK(driver.script(driver.self, str_from(rows), &f->arena, NULL));
    driver.close(driver.self);
    fixture_start(f);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE status = 'PROCESSING' AND"
                                       " lease_until = 1 AND run = 1"),
                     1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE lease_until = 0 AND run IN (2, 3)"), 2);
    assert_int_equal(fixture_number(f, "SELECT sum(blocked) FROM deliveries"), 0);
    assert_int_equal(fixture_number(f, "SELECT lease_until FROM deliveries WHERE run = 4"), 7);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE place = 'r' AND step = 'r:ada'"), 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE place IS NULL"), 3);
    fixture_sql(f, "DELETE FROM deliveries");
    a_write_that_breaks_a_rule_is_refused(state);
    fixture_stop(f);
    fixture_start(f); /* an embedded store of this size is checked page by page, and rule by rule */
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries"), 4);
}

static void who_only_reads_is_told_how_an_old_store_comes_up_to_date(void **state) {
    struct fixture *f = *state;
    struct sql_driver driver = old_store(f);
    struct store *store;
    struct str problem = STR_NONE;
    driver.read_only = true;
    assert_int_equal(store_open(&driver, T0, &f->arena, &store, &problem), ERR_NOT_NOW);
    const char *told = fixture_on_postgres(f) ? "the store has schema 1, this program needs 11: run `drumbeat migrate` "
                                                "once, or start the server, which brings it up to date"
                                              : "the store has schema 1, this program needs 10: run `drumbeat migrate` "
                                                "once, or start the server, which brings it up to date";
    assert_text(problem, told);
    driver.close(driver.self);
    fixture_start(f);
    assert_int_equal(fixture_number(f, "SELECT max(step) FROM schema_steps"), fixture_on_postgres(f) ? 11 : 10);
    f->driver.read_only = true; /* a store that is up to date is read */
    store_close(f->store);
    OK(store_open(&f->driver, T0, &f->arena, &f->store, &problem));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(tables_are_as_their_rows_say),
        ON_EVERY_DRIVER(a_write_that_breaks_a_rule_is_refused),
        ON_EVERY_DRIVER(a_store_without_the_rules_gets_them),
        ON_EVERY_DRIVER(who_only_reads_is_told_how_an_old_store_comes_up_to_date),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
