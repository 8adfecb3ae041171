#include "peers.h"

#include "store/migrate.h"
#include "store/takeover.h"

/* ---- one schema for all ---- */

static enum err open_driver(struct fixture *f, struct sql_driver *driver, struct str *ret_problem) {
    struct store *store;
    TRY(store_open(driver, T0, &f->arena, &store, ret_problem));
    store_close(store);
    return ERR_NONE;
}

/* A database as it stood before any store was there. */
static struct sql_driver start_over(struct fixture *f, const char *sql) {
    struct sql_driver driver;
    fixture_sql(f, "DROP SCHEMA store CASCADE; CREATE SCHEMA store");
    fixture_sql(f, sql);
    f->kind->open(f, &driver);
    return driver;
}

static void a_newer_schema_is_left_alone(void **state) {
    struct fixture *f = *state;
    struct sql_driver driver;
    struct str problem = STR_NONE;
    struct take_over counts;
    fixture_sql(f, "INSERT INTO schema_steps(step, taken_at) VALUES (99, 1)");
    f->kind->open(f, &driver);
    assert_int_equal(open_driver(f, &driver, &problem), ERR_STORE_NEWER);
    assert_text(problem, "the store has schema 99, this program (" DRUMBEAT_VERSION ") knows up to 11: start the newer "
                         "drumbeat again, or go back to the copy that was made before the upgrade");
    assert_int_equal(migrate_take_over(&driver, T0, &f->arena, &counts, &problem), ERR_STORE_NEWER);
    driver.close(driver.self);
}

#define KEYS_BY_BYTES                                                                                                  \
    "SELECT count(*) FROM pg_attribute WHERE attrelid = 'marketing_events'::regclass AND attname = 'idempotency_key'"  \
    " AND attcollation = '\"C\"'::regcollation"

/* The step that makes keys compare by bytes, on a store that was made before it. */
static void keys_compare_by_bytes_unless_somebodys_view_is_in_the_way(void **state) {
    struct fixture *f = *state;
    struct str problem = STR_NONE;
    assert_int_equal(fixture_number(f, KEYS_BY_BYTES), 1);
    fixture_sql(f, "DELETE FROM schema_steps WHERE step = 11;"
                   "ALTER TABLE marketing_events ALTER COLUMN idempotency_key TYPE VARCHAR(255) COLLATE \"default\"");
    struct sql_driver driver;
    f->kind->open(f, &driver);
    OK(open_driver(f, &driver, &problem));
    driver.close(driver.self);
    assert_int_equal(fixture_number(f, KEYS_BY_BYTES), 1);

    fixture_sql(f, "DELETE FROM schema_steps WHERE step = 11;"
                   "ALTER TABLE marketing_events ALTER COLUMN idempotency_key TYPE VARCHAR(255) COLLATE \"default\";"
                   "CREATE VIEW keys_of_mine AS SELECT idempotency_key FROM marketing_events");
    f->kind->open(f, &driver);
    OK(open_driver(f, &driver, &problem));
    driver.close(driver.self);
    assert_int_equal(fixture_number(f, KEYS_BY_BYTES), 0);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM schema_steps"), SCHEMA_POSTGRES_STEPS);
    fixture_sql(f, "DROP VIEW keys_of_mine");
}

struct opening {
    struct sql_driver driver;
    pthread_t thread;
    enum err err;
    struct str problem;
    struct arena arena;
};

static void *open_at_once(void *self) {
    struct opening *it = self;
    struct store *store;
    it->err = store_open(&it->driver, T0, &it->arena, &store, &it->problem);
    if (!it->err) store_close(store);
    return NULL;
}

static void ten_processes_may_start_at_once(void **state) {
    struct fixture *f = *state;
    struct opening openings[10] = {0};
    struct sql_driver driver = start_over(f, "SELECT 1");
    driver.close(driver.self);
    for (size_t i = 0; i < 10; i++) f->kind->open(f, &openings[i].driver);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(pthread_create(&openings[i].thread, NULL, open_at_once, &openings[i]), 0);
    for (size_t i = 0; i < 10; i++) pthread_join(openings[i].thread, NULL);
    for (size_t i = 0; i < 10; i++) {
        if (openings[i].err) fail_msg("%.*s", STR_ARG(openings[i].problem));
        openings[i].driver.close(openings[i].driver.self);
        arena_free(&openings[i].arena);
    }
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM schema_steps"), SCHEMA_POSTGRES_STEPS);
}

static void a_role_without_rights_is_told_in_the_servers_words(void **state) {
    struct fixture *f = *state;
    struct str problem = STR_NONE;
    struct sql_driver driver = start_over(f, "DROP ROLE IF EXISTS drumbeat_guest; CREATE ROLE drumbeat_guest;"
                                             "GRANT USAGE ON SCHEMA store TO drumbeat_guest");
    OK(driver.script(driver.self, STR("SET ROLE drumbeat_guest"), &f->arena, NULL));
    assert_int_equal(open_driver(f, &driver, &problem), ERR_STORE_UNFIT);
    assert_text(problem, "the schema cannot be brought up to date: permission denied for schema store");
    driver.close(driver.self);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM pg_class WHERE relnamespace = 'store'::regnamespace"), 0);
    fixture_sql(f, "DROP OWNED BY drumbeat_guest; DROP ROLE drumbeat_guest");
}

static void a_table_of_another_program_is_left_alone(void **state) {
    struct fixture *f = *state;
    static const char *const tables[] = {
        "CREATE TABLE marketing_events(id INT)",
        "CREATE VIEW marketing_events AS SELECT 1 AS id",
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct str problem = STR_NONE;
        struct take_over counts;
        struct sql_driver driver = start_over(f, tables[i]);
        assert_int_equal(open_driver(f, &driver, &problem), ERR_STORE_FOREIGN);
        assert_text(problem, "this database holds a table marketing_events of another program");
        assert_int_equal(migrate_take_over(&driver, T0, &f->arena, &counts, &problem), ERR_STORE_FOREIGN);
        driver.close(driver.self);
        assert_int_equal(fixture_number(f, "SELECT count(*) FROM pg_class WHERE relname = 'deliveries'"), 0);
    }
}

/* ---- the seed's table ---- */

static const char seed[] =
    "CREATE TABLE IF NOT EXISTS marketing_events ("
    " id UUID PRIMARY KEY DEFAULT gen_random_uuid(),"
    " idempotency_key VARCHAR(64) UNIQUE NOT NULL,"
    " type VARCHAR(32) NOT NULL CHECK (type IN ('LEAD_CAPTURE', 'CONTENT_PUBLISH', 'CAMPAIGN_TRIGGER')),"
    " payload JSONB NOT NULL DEFAULT '{}',"
    " source VARCHAR(64) NOT NULL,"
    " fingerprint VARCHAR(16),"
    " status VARCHAR(16) NOT NULL DEFAULT 'PENDING'"
    " CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')),"
    " retry_count INT DEFAULT 0,"
    " last_error TEXT,"
    " scheduled_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),"
    " created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),"
    " updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW());"
    "CREATE INDEX idx_events_status_scheduled ON marketing_events(status, scheduled_at);"
    "CREATE INDEX idx_events_idempotency ON marketing_events(idempotency_key);"
    "INSERT INTO marketing_events(idempotency_key, type, source, status, payload, fingerprint, retry_count, last_error,"
    " created_at, updated_at) SELECT 'old-' || i, 'LEAD_CAPTURE', 'api',"
    " (ARRAY['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED'])[1 + i % 4], jsonb_build_object('n', i),"
    " CASE WHEN i % 2 = 0 THEN '0123456789abcdef' END, i % 3, CASE WHEN i % 4 = 3 THEN '500' END,"
    " '2024-01-01'::timestamptz - i * interval '1 day', '2024-02-01' FROM generate_series(0, 19) i;";
/* What must stay as it is. */
#define DIGEST                                                                                                         \
    "SELECT md5(string_agg(concat_ws('|', id, idempotency_key, type, payload, source, fingerprint, status,"            \
    " retry_count, last_error, extract(epoch FROM scheduled_at), extract(epoch FROM created_at),"                      \
    " extract(epoch FROM updated_at)), ',' ORDER BY id)) FROM marketing_events WHERE %s"

static struct str digest(struct fixture *f, const char *which) {
    struct sql_result result = fixture_sql(f, str_fmt(&f->arena, DIGEST, which).p);
    return result.rows[0].values[0].text;
}

static void a_database_of_the_seed_is_not_used_as_it_is(void **state) {
    struct fixture *f = *state;
    struct str problem = STR_NONE;
    struct sql_driver driver = start_over(f, seed);
    struct str before = digest(f, "TRUE");
    assert_int_equal(open_driver(f, &driver, &problem), ERR_STORE_FOREIGN);
    assert_text(problem, "this database holds the seed's marketing_events table: run `drumbeat migrate` once, with the"
                         " seed's worker stopped; it keeps every row");
    driver.close(driver.self);
    assert_true(str_eq(digest(f, "TRUE"), before));
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM pg_class WHERE relname = 'deliveries'"), 0);
}

static struct take_over take_over(struct fixture *f, struct sql_driver *driver) {
    struct take_over counts = {0};
    struct str problem = STR_NONE;
    if (migrate_take_over(driver, T0, &f->arena, &counts, &problem)) fail_msg("%.*s", STR_ARG(problem));
    return counts;
}

static void a_takeover_keeps_every_row(void **state) {
    struct fixture *f = *state;
    struct sql_driver driver = start_over(f, seed);
    struct str before = digest(f, "status <> 'PROCESSING'");
    struct take_over counts = take_over(f, &driver);
    assert_int_equal(counts.before, 20);
    assert_int_equal(counts.after, 20);
    assert_int_equal(counts.doubtful, 5);
    assert_true(str_eq(digest(f, "last_error IS NULL OR last_error NOT LIKE 'taken over%'"), before));
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events WHERE status = 'FAILED' AND last_error ="
                                       " 'taken over while it was PROCESSING: the seed''s worker may or may not have"
                                       " acted (outcome unknown); set it to PENDING to run it again'"),
                     5);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM (SELECT seq, row_number() OVER (ORDER BY created_at) AS n"
                                       " FROM marketing_events) e WHERE seq = n"),
                     20);
    /* Once more, nothing is left to do. */
    counts = take_over(f, &driver);
    assert_int_equal(counts.before, 20);
    assert_int_equal(counts.doubtful, 0);
    driver.close(driver.self);
    fixture_stop(f);
    fixture_start(f);
    struct verification found;
    OK(store_verify(f->store, true, f->hasher, &f->arena, &found));
    if (found.violation_count) fail_msg("%.*s", STR_ARG(found.violations->text));
    assert_int_equal(found.events, 20);
}

/* Columns, constraints, indexes: the same from nothing and from the seed, but for the order of columns and names that
 * people gave. */
static struct str shape(struct fixture *f) {
    struct sql_result result = fixture_sql(
        f,
        "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (SELECT concat_ws(' ', table_name, column_name, data_type,"
        " character_maximum_length, is_nullable, column_default, is_identity, collation_name) AS line"
        " FROM information_schema.columns WHERE table_schema = 'store'"
        " UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'store'::regnamespace"
        " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'store' AND indexname <> "
        "'idx_events_idempotency'"
        " UNION ALL SELECT relname || ' ' || array_to_string(reloptions, ',') FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'store'::regnamespace AND reloptions IS NOT NULL) lines");
    return result.rows[0].values[0].text;
}

static void a_table_taken_over_is_as_a_new_one(void **state) {
    struct fixture *f = *state;
    struct str fresh = shape(f);
    struct sql_driver driver = start_over(f, seed);
    take_over(f, &driver);
    driver.close(driver.self);
    struct str taken = shape(f);
    if (!str_eq(fresh, taken)) fail_msg("new:\n%.*s\ntaken over:\n%.*s", STR_ARG(fresh), STR_ARG(taken));
}

static void an_empty_database_is_taken_over_too(void **state) {
    struct fixture *f = *state;
    struct str fresh = shape(f);
    struct sql_driver driver = start_over(f, "SELECT 1");
    struct take_over counts = take_over(f, &driver);
    driver.close(driver.self);
    assert_int_equal(counts.before, 0);
    assert_int_equal(counts.after, 0);
    assert_true(str_eq(shape(f), fresh));
}

/* Something in the database that takes rows away. */
static void a_takeover_that_would_lose_a_row_is_undone(void **state) {
    struct fixture *f = *state;
    struct str problem = STR_NONE;
    struct take_over counts;
    struct sql_driver driver = start_over(f, seed);
    fixture_sql(f, "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM marketing_events"
                   " WHERE idempotency_key = 'old-0'; RETURN NULL; END $$;"
                   "CREATE TRIGGER lose AFTER UPDATE ON marketing_events EXECUTE FUNCTION lose()");
    struct str before = digest(f, "TRUE");
    assert_int_equal(migrate_take_over(&driver, T0, &f->arena, &counts, &problem), ERR_INTERNAL);
    assert_text(problem, "20 events were there and 19 would be left: nothing was changed");
    driver.close(driver.self);
    assert_true(str_eq(digest(f, "TRUE"), before));
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM pg_class WHERE relname = 'deliveries'"), 0);
}

/* ---- rows that programs of the seed write ---- */

#define INSERT "INSERT INTO marketing_events(idempotency_key, type, payload, source, fingerprint) VALUES "

static void rows_of_other_programs_are_events(void **state) {
    struct fixture *f = *state;
    struct event *due;
    size_t count;
    fixture_sql(f, INSERT "('a', 'LEAD_CAPTURE', '{\"b\": 1, \"a\": [1.50]}', 'site', NULL)");
    fixture_sql(
        f, "INSERT INTO marketing_events(idempotency_key, type, source, retry_count) VALUES ('b', 'T', 's', NULL)");
    fixture_begin(f);
    OK(store_due_events(f->store, INT64_MAX / 2, ROOM, &f->arena, &due, &count));
    fixture_commit(f);
    assert_int_equal(count, 2);
    assert_text(due[0].payload, "{\"a\": [1.50], \"b\": 1}");
    assert_int_equal(due[0].fingerprint.n, 0);
    assert_int_equal(due[0].run, 0);
    assert_text(due[1].payload, "{}");
    assert_int_equal(due[1].retry_count, 0);
}

static enum append_verdict post(struct fixture *f, const char *key, const char *payload) {
    struct event event = fixture_event(f, key, T0);
    struct append_result result;
    event.type = STR("T");
    event.source = STR("s");
    event.payload = str_from(payload);
    event.fingerprint = fixture_fingerprint(f, event.payload);
    fixture_begin(f);
    OK(store_append(f->store, &event, 1, &f->arena, &result));
    fixture_commit(f);
    return result.verdict;
}

static void their_fingerprints_do_not_speak_for_them(void **state) {
    struct fixture *f = *state;
    fixture_sql(f, INSERT "('none', 'T', '{\"a\": 1, \"b\": 2}', 's', NULL)");
    fixture_sql(f, INSERT "('short', 'T', '{\"a\": 1, \"b\": 2}', 's', '0123456789abcdef')");
    assert_int_equal(post(f, "none", "{\"b\":2.0,\"a\":1}"), APPEND_DUPLICATE);
    assert_int_equal(post(f, "none", "{\"b\":3,\"a\":1}"), APPEND_CONFLICT);
    assert_int_equal(post(f, "short", "{\"b\":2,\"a\":1}"), APPEND_DUPLICATE);
    assert_int_equal(post(f, "short", "{}"), APPEND_CONFLICT);
}

/* And whoever reads the column payload sees what of it can be shown, or why nothing can. */
static void what_jsonb_cannot_hold_is_kept_as_it_came(void **state) {
    struct fixture *f = *state;
    static const char *const payloads[] = {
        "{\"a\":\"x\\u0000y\",\"n\":1}", "{\"a\":\"\\u0000\\u0000\"}", "{\"a\":\"\\\\u0000\"}",
        "{\"a\":\"\\\\\\u0000\"}",       "{\"a\":1e200000}",           "{\"a\":1E-20000}"};
    static const char *const shown[] = {"{\"a\": \"x\xef\xbf\xbdy\", \"n\": 1}",
                                        "{\"a\": \"\xef\xbf\xbd\xef\xbf\xbd\"}",
                                        "{\"a\": \"\\\\u0000\"}",
                                        "{\"a\": \"\\\\\xef\xbf\xbd\"}",
                                        "{\"drumbeat\": \"only the column received can hold this payload: ",
                                        "{\"drumbeat\": \"only the column received can hold this payload: "};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct event event = fixture_event(f, str_fmt(&f->arena, "k%zu", i).p, T0);
        struct append_result result;
        event.payload = str_from(payloads[i]);
        fixture_begin(f);
        OK(store_append(f->store, &event, 1, &f->arena, &result));
        fixture_commit(f);
        assert_text(fixture_get_event(f, event.id).payload, payloads[i]);
        struct sql_result read = fixture_sql(f, "SELECT payload::text FROM marketing_events ORDER BY seq DESC LIMIT 1");
        if (!str_starts(read.rows[0].values[0].text, str_from(shown[i])))
            fail_msg("%s is shown as %.*s", payloads[i], STR_ARG(read.rows[0].values[0].text));
    }
}

/* A row that would wait for ever is refused to whoever writes it. */
static void a_moment_must_be_one(void **state) {
    struct fixture *f = *state;
    static const char *const never[] = {
        "INSERT INTO marketing_events(idempotency_key, type, source, scheduled_at) VALUES ('k', 'T', 's', 'infinity')",
        "INSERT INTO marketing_events(idempotency_key, type, source, scheduled_at) VALUES ('k', 'T', 's', '-infinity')",
        "INSERT INTO marketing_events(idempotency_key, type, source, created_at) VALUES ('k', 'T', 's', 'infinity')",
        "INSERT INTO marketing_events(idempotency_key, type, source, updated_at) VALUES ('k', 'T', 's', 'infinity')"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        struct sql_result result;
        assert_int_not_equal(f->driver.script(f->driver.self, str_from(never[i]), &f->arena, &result), ERR_NONE);
        assert_non_null(strstr(f->driver.trouble(f->driver.self), "marketing_events_moments_are_finite"));
    }
}

static void what_waits_for_ever_in_an_older_store_is_failed_with_a_word(void **state) {
    struct fixture *f = *state;
    struct str problem = STR_NONE;
    struct event *failed;
    size_t count;
    struct sql_driver driver = start_over(f, "SELECT 1");
    for (int step = 0; step < 3; step++)
        OK(driver.script(driver.self, str_from(schema_postgres_steps[step]), &f->arena, NULL));
    OK(driver.script(driver.self,
                     STR("INSERT INTO schema_steps(step, taken_at) SELECT i, 1 FROM generate_series(1, 3) i"),
                     &f->arena, NULL));
    OK(driver.script(driver.self, STR(INSERT "('nul', 'T', '{}', 's', NULL), ('never', 'T', '{}', 's', NULL)"),
                     &f->arena, NULL));
    OK(driver.script(driver.self,
                     STR("UPDATE marketing_events SET scheduled_at = CASE idempotency_key WHEN 'never' THEN"
                         " 'infinity' ELSE scheduled_at END, received = CASE idempotency_key WHEN 'nul' THEN"
                         " '{\"a\":\"\\u0000\"}' END"),
                     &f->arena, NULL));
    OK(open_driver(f, &driver, &problem));
    driver.close(driver.self);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events WHERE idempotency_key = 'nul' AND payload"
                                       " = jsonb_build_object('a', chr(65533)) AND status = 'PENDING'"),
                     1);
    fixture_begin(f);
    OK(store_due_events(f->store, WHEN_NEVER - 1, 10, &f->arena, &failed, &count));
    fixture_commit(f);
    assert_int_equal(count, 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events WHERE status = 'FAILED' AND last_error ="
                                       " 'scheduled_at was infinity: it was never due' AND isfinite(scheduled_at)"),
                     1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_POSTGRES(a_newer_schema_is_left_alone),
        ON_POSTGRES(keys_compare_by_bytes_unless_somebodys_view_is_in_the_way),
        ON_POSTGRES(ten_processes_may_start_at_once),
        ON_POSTGRES(a_role_without_rights_is_told_in_the_servers_words),
        ON_POSTGRES(a_table_of_another_program_is_left_alone),
        ON_POSTGRES(a_database_of_the_seed_is_not_used_as_it_is),
        ON_POSTGRES(a_takeover_keeps_every_row),
        ON_POSTGRES(a_table_taken_over_is_as_a_new_one),
        ON_POSTGRES(an_empty_database_is_taken_over_too),
        ON_POSTGRES(a_takeover_that_would_lose_a_row_is_undone),
        ON_POSTGRES(rows_of_other_programs_are_events),
        ON_POSTGRES(their_fingerprints_do_not_speak_for_them),
        ON_POSTGRES(what_jsonb_cannot_hold_is_kept_as_it_came),
        ON_POSTGRES(a_moment_must_be_one),
        ON_POSTGRES(what_waits_for_ever_in_an_older_store_is_failed_with_a_word),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
