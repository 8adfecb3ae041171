/* Limits that processes share through the store: taken in the turn that claims, and written down by the next one. */
#include "house_acts.h"
#include "sql_statements.h"

#define LIMITED                                                                                                        \
    "version: 1\nstore: ./x.db\ndestinations:\n"                                                                       \
    "  crm: {type: http, url: \"https://crm.example.com/in\", limit: 6/1h, concurrency: 4}\n"                          \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm]\n"
#define CHATS                                                                                                          \
    "version: 1\nstore: ./x.db\ndestinations:\n  telegram:\n    token: ${TOKEN}\n    limit: [30/s, 3/s per chat]\n"    \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - telegram.message: {chat: \"a\", text: \"${.k}\"}\n"

/* What the store was asked, and what it says. */
static struct {
    size_t takes, value_takes, sweeps, written;
    int64_t used, value_used, wait_us; /* by others: of an account's limit, of a value's */
    char name[32];                     /* of the last take */
    int64_t count, hold_us;
    int64_t id, started, starting; /* the last that was written */
} shelf;

static enum err one_number(struct arena *arena, int64_t first, int64_t second, struct sql_result *ret_result) {
    struct sql_value *values = arena_array(arena, struct sql_value, 2);
    struct sql_row *row = arena_array(arena, struct sql_row, 1);
    values[0] = (struct sql_value){.kind = SQL_INT, .number = first};
    values[1] = (struct sql_value){.kind = SQL_INT, .number = second};
    *row = (struct sql_row){0, values};
    *ret_result = (struct sql_result){.rows = row, .count = 1, .columns = 2};
    return ERR_NONE;
}

static enum err note_take(const struct sql_batch *batch, struct arena *arena, struct sql_result *ret_result) {
    snprintf(shelf.name, sizeof shelf.name, "%.*s", STR_ARG(batch->params[0].text));
    shelf.count = batch->params[1].number;
    shelf.hold_us = batch->params[2].number;
    shelf.value_takes += strchr(shelf.name, '/') != NULL;
    return one_number(arena, (int64_t)++shelf.takes, 0, ret_result);
}

static enum err run_on_shelf(void *self, const struct sql_batch *batch, struct arena *arena,
                             struct sql_result *ret_result) {
    const struct sql_value *params = batch->params;
    switch (batch->statement) {
    case SQL_LIMIT_TRY:
        return one_number(arena, 1, 0, ret_result);
    case SQL_LIMIT_USED: {
        bool of_value = memchr(params[0].text.p, '/', params[0].text.n);
        return one_number(arena, of_value ? shelf.value_used : shelf.used, shelf.wait_us, ret_result);
    }
    case SQL_LIMIT_TAKE:
        return note_take(batch, arena, ret_result);
    case SQL_LIMIT_STARTED:
        shelf.written += batch->rows;
        params += (batch->rows - 1) * batch->columns;
        shelf.id = params[0].number;
        shelf.started = params[1].number;
        shelf.starting = params[2].number;
        break;
    case SQL_LIMIT_SWEEP_ALL:
        shelf.sweeps++;
        break;
    case SQL_LIMIT_SWEEP:
        break;
    default:
        return run_batch(self, batch, arena, ret_result);
    }
    if (ret_result) *ret_result = (struct sql_result){0};
    return ERR_NONE;
}

static void shelf_open(struct house *house, const char *config, bool beside) {
    memset(&shelf, 0, sizeof shelf);
    house->beside = beside;
    load(house, config);
    start(house);
    house->driver.run = run_on_shelf;
    for (int i = 0; i < 2; i++) house_turn(house);
    house_pass(house, US_PER_S);
    house_turn(house);
    memset(&shelf, 0, sizeof shelf);
}

static void assert_written(int64_t id, int64_t started, bool starting) {
    assert_int_equal(shelf.id, id);
    assert_int_equal(shelf.started, started);
    assert_int_equal(shelf.starting, starting);
}

static void what_was_taken_and_left_is_written_once_by_the_next_turn(void **state) {
    struct house *house = *state;
    shelf_open(house, LIMITED, true);
    house_post(house, "a");
    assert_int_equal(house->call_count, 1);
    assert_int_equal(shelf.takes, 1);
    assert_string_equal(shelf.name, "crm");
    assert_int_equal(shelf.count, 4); /* as many as it could claim */
    assert_true(shelf.hold_us > US_PER_S);
    assert_int_equal(shelf.written, 0);
    loop_wait(house->loop, WHEN_NEVER);
    assert_true(house->waited_until_us <= house->now_us); /* nobody else could use the rest of it */
    house->commit_fails = ERR_STORE_BUSY;
    house_turn(house);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    shelf.written = 0;
    house_turn(house);
    assert_int_equal(shelf.written, 1);
    assert_written(1, 1, false);
    for (int i = 0; i < 3; i++, house_pass(house, US_PER_S)) house_turn(house);
    assert_int_equal(shelf.written, 2);
    assert_written(2, 0, false); /* taken in vain, because a turn that was dropped may have missed something */
}

static void a_turn_that_is_tried_again_takes_again(void **state) {
    struct house *house = *state;
    shelf_open(house, LIMITED, true);
    house->commit_races = 1;
    house_post(house, "a");
    assert_int_equal(shelf.takes, 2); /* the first take was undone with its transaction */
    assert_int_equal(house->call_count, 1);
    house_turn(house);
    assert_int_equal(shelf.written, 1);
    assert_written(2, 1, false);
}

static void a_turn_that_is_dropped_writes_nothing(void **state) {
    struct house *house = *state;
    shelf_open(house, LIMITED, true);
    shelf.used = 6;
    house_post(house, "a");
    assert_int_equal(shelf.takes, 0);
    shelf.used = 0;
    house_pass(house, US_PER_S);
    house->commit_fails = ERR_STORE_BUSY;
    house_turn(house);
    house->commit_fails = ERR_NONE;
    shelf.used = 6;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(shelf.takes, 1);
    assert_int_equal(shelf.written, 0);
    assert_int_equal(house->call_count, 0);
}

/* Until then it counts as at the end of its lease; what is known last is what is written. */
static void the_store_hears_when_the_request_began_to_leave(void **state) {
    struct house *house = *state;
    house->tells_starts = true;
    shelf_open(house, LIMITED, true);
    house_post(house, "a");
    house_turn(house);
    assert_written(1, 1, true);
    house_begin(house, 0);
    house_turn(house);
    house_turn(house);
    assert_written(1, 1, false);
    assert_int_equal(shelf.written, 2);
    house_post(house, "b");
    house_begin(house, 1);
    house->begin_fails = ERR_STORE_BUSY;
    house_turn(house);
    house->begin_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_written(2, 1, false);
    assert_int_equal(shelf.written, 3);
}

static void a_value_takes_for_all_that_wait_at_once(void **state) {
    struct house *house = *state;
    house->tells_starts = true;
    shelf_open(house, CHATS, true);
    shelf.value_used = 1; /* another process sent one */
    shelf.wait_us = 200 * US_PER_MS;
    shelf.used = 30;
    static const char *const keys[] = {"x", "y", "z"};
    for (size_t i = 0; i < 3; i++) house_post(house, keys[i]);
    assert_int_equal(house->call_count, 0);
    shelf.used = 0;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 2);
    assert_int_equal(shelf.value_takes, 1);
    assert_string_equal(shelf.name, "telegram/a");
    assert_int_equal(shelf.count, 2);
    assert_int_equal(house_delivery(house).due_us, house->now_us + 200 * US_PER_MS);
    house_turn(house);
    assert_int_equal(shelf.written, 2); /* the account's and the value's */
    assert_written(2, 2, true);
    for (size_t call = 0; call < 2; call++) house_begin(house, call);
    for (int i = 0; i < 2; i++) house_turn(house);
    assert_int_equal(shelf.written, 4);
    assert_int_equal(shelf.starting, false);
}

/* What one destination left of a grant is the next one's, and no more than that. */
static void a_grant_is_used_up_by_all_destinations_of_an_account(void **state) {
    struct house *house = *state;
    shelf_open(house,
               "version: 1\nstore: ./x.db\ndestinations:\n"
               "  a: {type: http, url: \"https://a.example.com\", account: all, limit: 6/1h}\n"
               "  b: {type: http, url: \"https://b.example.com\", account: all}\n"
               "  c: {type: http, url: \"https://c.example.com\", account: all}\n"
               "routes:\n  lead:\n    from: LEAD\n    to: [a, b, c]\n",
               true);
    shelf.used = 4;
    shelf.wait_us = US_PER_HOUR;
    house_post(house, "x");
    assert_int_equal(shelf.takes, 1);
    assert_int_equal(house->call_count, 2);
}

static void on_a_store_of_its_own_it_asks_nothing(void **state) {
    struct house *house = *state;
    shelf_open(house, CHATS, false);
    house_post(house, "x");
    house_pass(house, US_PER_MIN);
    assert_has(house_get(house, "GET", "/v1/status", "").body, "\"shared_by\":\"none\"");
    assert_int_equal(house->call_count, 1);
    assert_int_equal(shelf.takes + shelf.written + shelf.sweeps, 0);
}

static void values_that_nobody_counts_are_swept_now_and_then(void **state) {
    struct house *house = *state;
    shelf_open(house, CHATS, true);
    for (int i = 0; i < 40; i++, house_pass(house, US_PER_S)) house_get(house, "GET", "/v1/status", "");
    assert_has(house_get(house, "GET", "/v1/status", "").body, "\"shared_by\":\"store\"");
    assert_int_equal(shelf.sweeps, 4);
}

#define T(test) cmocka_unit_test_setup_teardown(test, house_setup, house_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_was_taken_and_left_is_written_once_by_the_next_turn),
        T(a_turn_that_is_tried_again_takes_again),
        T(a_turn_that_is_dropped_writes_nothing),
        T(the_store_hears_when_the_request_began_to_leave),
        T(a_grant_is_used_up_by_all_destinations_of_an_account),
        T(a_value_takes_for_all_that_wait_at_once),
        T(on_a_store_of_its_own_it_asks_nothing),
        T(values_that_nobody_counts_are_swept_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
