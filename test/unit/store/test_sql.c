#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "store/migrate.h"
#include "store/sql.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Those that look at all there is of something, and why that may be. */
static const enum sql_statement scans[] = {
    SQL_DELIVERY_LEFT,            /* what is on its way, at start */
    SQL_DELIVERY_FLYING,          /* what is on its way, at start */
    SQL_DELIVERY_FLYING_OF,       /* what is on its way, at start */
    SQL_DELIVERY_LIST_PROCESSING, /* what is on its way */
    SQL_ADOPT_FLYING,             /* what is on its way */
    SQL_DELIVERY_OLDEST,          /* the destinations found so far */
    SQL_DELIVERY_NEXT_ALL,        /* the destinations found so far */
    SQL_DESTINATION_LIST,         /* a handful */
    SQL_ROUTE_STOPS,              /* a handful */
    SQL_TOKEN_LIST,               /* a handful */
    SQL_KEY_LIST,                 /* a handful */
    SQL_AHEAD_DESTINATIONS,       /* a handful */
    SQL_AHEAD_ROUTES,             /* a handful */
    SQL_AHEAD_NEWEST,             /* one row that holds no table */
    SQL_AUDIT_LIST,               /* ends at its limit */
    SQL_DELIVERY_JOINING,         /* the same: its inner statement does */
    SQL_EVENT_BETWEEN,            /* the same */
    SQL_COUNT_CLAIMABLE,          /* open rows, in an index that has all of it */
    SQL_COUNT_DUE,                /* the same */
    SQL_COUNT_DOUBT,              /* the same */
    SQL_COUNT_PROCESSING,         /* what is on its way */
    SQL_COUNT_FINAL,              /* asked for by name */
    SQL_VERIFY_ATTEMPTS,          /* the window's groups, a window's worth */
    SQL_VERIFY_PAYLOADS,          /* the seqs found so far */
    SQL_REPLAY_PAYLOADS,          /* the same */
    SQL_REPLAY_OLDEST,            /* two rows that hold no table */
    SQL_TODO_HELD,                /* the newest, up to a bound; it sorts them too */
    SQL_TODO_FAILED,              /* the same */
    SQL_TODO_EVENTS,              /* the same */
    SQL_VERIFY_INTEGRITY,         /* asked for by name, while no server runs */
};

/* Those that sort: few rows, or a person waits. */
static const enum sql_statement sorts[] = {
    SQL_DELIVERY_LIST_PROCESSING,
    SQL_DELIVERY_LIST_EVENT,
    SQL_DELIVERY_WAITING,
    SQL_DELIVERY_STRANDED,
    SQL_DELIVERY_SUCCESSOR,
    SQL_KEY_LIST,
    SQL_COUNT_PROCESSING,
    SQL_COUNT_HELD,
    SQL_COUNT_FAILED,
    SQL_COUNT_FINAL,
    SQL_REPLAY_DELIVERIES, /* those of an event, by their run */
    SQL_DELIVERY_DONE,     /* what an event had for one destination */
    SQL_REPORT_OWED,       /* a window's destinations */
    SQL_REPORT_DELIVERIES, /* the same */
    SQL_EVENT_FINISH,
};

static bool is_among(enum sql_statement statement, const enum sql_statement *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (list[i] == statement) return true;
    return false;
}
#define AMONG(statement, list) is_among((statement), (list), sizeof(list) / sizeof *(list))

struct plans {
    struct arena arena;
    struct sql_driver driver;
    char folder[64], path[80];
};

static int setup(void **state) {
    struct plans *plans = calloc(1, sizeof *plans);
    struct str problem = STR_NONE;
    snprintf(plans->folder, sizeof plans->folder, "%s/drumbeat-sql-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(plans->folder));
    snprintf(plans->path, sizeof plans->path, "%s/s.db", plans->folder);
    const struct sqlite_options options = {.path = str_from(plans->path)};
    assert_int_equal(sqlite_open(&options, &plans->arena, &plans->driver, &problem), ERR_NONE);
    assert_int_equal(migrate_run(&plans->driver, 1, &plans->arena, &problem), ERR_NONE);
    *state = plans;
    return 0;
}

static int teardown(void **state) {
    struct plans *plans = *state;
    plans->driver.close(plans->driver.self);
    unlink(plans->path);
    unlink(str_fmt(&plans->arena, "%s.lock", plans->path).p);
    rmdir(plans->folder);
    arena_free(&plans->arena);
    free(plans);
    return 0;
}

/* A history must cost a turn nothing: no statement but those above walks a table, an index or a sort. */
static void every_statement_finds_its_rows_by_an_index(void **state) {
    struct plans *plans = *state;
    for (int i = 0; i < SQL_STATEMENT_COUNT; i++) {
        const struct sql_text *text = sql_text((enum sql_statement)i);
        struct str explain = str_fmt(&plans->arena, "EXPLAIN QUERY PLAN %s", text->sqlite);
        struct sql_result result;
        if (!*text->sqlite || !strncmp(text->name, "move", 4)) continue; /* a move is of all there is */
        assert_int_equal(plans->driver.script(plans->driver.self, explain, &plans->arena, &result), ERR_NONE);
        for (size_t j = 0; j < result.count; j++) {
            struct str step = result.rows[j].values[3].text;
            if (str_starts(step, STR("SCAN")) && !AMONG((enum sql_statement)i, scans))
                fail_msg("%s: %.*s", text->name, STR_ARG(step));
            if (str_starts(step, STR("USE TEMP B-TREE")) && !AMONG((enum sql_statement)i, sorts) &&
                !AMONG((enum sql_statement)i, scans))
                fail_msg("%s: %.*s", text->name, STR_ARG(step));
        }
    }
}

/* What an open row costs is bounded too: only these may look at rows of a partial index one by one. */
static void claims_use_the_index_made_for_them(void **state) {
    struct plans *plans = *state;
    static const struct {
        enum sql_statement statement;
        const char *index;
    } expected[] = {
        {SQL_DELIVERY_DUE, "deliveries_due (destination=? AND blocked=? AND due<?)"},
        {SQL_DELIVERY_NEXT, "COVERING INDEX deliveries_due"},
        {SQL_COUNT_CLAIMABLE, "COVERING INDEX deliveries_due"},
        {SQL_COUNT_DUE, "COVERING INDEX deliveries_due"},
        {SQL_COUNT_DOUBT, "INDEX deliveries_due"},
        {SQL_DELIVERY_EXPIRED, "deliveries_lease (lease_until<?)"},
        {SQL_DELIVERY_OF_BATCH, "deliveries_batch (batch=?)"},
        {SQL_DELIVERY_UNBLOCK, "deliveries_order (destination=? AND order_key=?)"},
        {SQL_DELIVERY_BLOCK, "deliveries_order (destination=? AND order_key=?"},
        {SQL_EVENT_DUE, "marketing_events_scheduled (scheduled_at<?)"},
        {SQL_ATTEMPT_SENDS, "attempts_started (started>?)"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct str explain = str_fmt(&plans->arena, "EXPLAIN QUERY PLAN %s", sql_text(expected[i].statement)->sqlite);
        struct sql_result result;
        bool found = false;
        assert_int_equal(plans->driver.script(plans->driver.self, explain, &plans->arena, &result), ERR_NONE);
        for (size_t j = 0; j < result.count; j++)
            found = found || strstr(str_dup(&plans->arena, result.rows[j].values[3].text).p, expected[i].index);
        if (!found) fail_msg("%s does not use %s", sql_text(expected[i].statement)->name, expected[i].index);
    }
}

static void no_statement_asks_for_time_or_chance(void **state) {
    (void)state;
    static const char *const words[] = {"'now'", "now(",      "random",   "date(",
                                        "time(", "julianday", "strftime", "CURRENT_"};
    for (int i = 0; i < SQL_STATEMENT_COUNT; i++)
        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            assert_null(strstr(sql_text((enum sql_statement)i)->sqlite, words[j]));
    for (int i = 0; i < SQL_STATEMENT_COUNT; i++) { /* it would tell two moments in one statement */
        const char *postgres = sql_text((enum sql_statement)i)->postgres;
        assert_true(!postgres || !strstr(postgres, "clock_timestamp"));
    }
}

static void values_go_in_and_out(void **state) {
    (void)state;
    const struct uuid id = {{1, 2, 3}}, zero = {0};
    struct sql_value value = sql_uuid(&id);
    assert_int_equal(value.kind, SQL_BLOB);
    assert_true(uuid_eq(sql_to_uuid(&value), id));
    assert_int_equal(sql_uuid_or_null(&zero).kind, SQL_NULL);
    assert_int_equal(sql_uuid_or_null(&id).kind, SQL_BLOB);
    assert_int_equal(sql_str(STR_NONE).kind, SQL_TEXT);
    assert_int_equal(sql_str_or_null(STR("")).kind, SQL_NULL);
    assert_int_equal(sql_str_or_null(STR("a")).kind, SQL_TEXT);
    value = (struct sql_value){.kind = SQL_NULL};
    assert_true(uuid_is_zero(sql_to_uuid(&value)));
    value = sql_int(INT64_MAX);
    assert_int_equal(sql_to_i32(&value), INT32_MAX);
    value = sql_int(INT64_MIN);
    assert_int_equal(sql_to_i32(&value), INT32_MIN);
    value = sql_int(-5);
    assert_int_equal(sql_to_i32(&value), -5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_statement_finds_its_rows_by_an_index, setup, teardown),
        cmocka_unit_test_setup_teardown(claims_use_the_index_made_for_them, setup, teardown),
        cmocka_unit_test(no_statement_asks_for_time_or_chance),
        cmocka_unit_test(values_go_in_and_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
