/* Chores: what is done now and then, in whole turns. */
#include "house_acts.h"

#include "base/json.h"
#include "store/chore.h"

#define HOUSE_ORDER                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm:\n          order_by: '\"one\"'\n"

static int64_t number(struct house *house, const char *sql) {
    struct sql_result result;
    OK(house->real.script(house->real.self, str_from(sql), &house->arena, &result));
    return result.count ? result.rows[0].values[0].number : 0;
}

static struct json *asked(struct house *house, const char *method, const char *path, int status) {
    struct house_reply reply = house_get(house, method, path, "");
    struct json *json;
    assert_int_equal(reply.status, status);
    OK(json_parse(reply.body, 8, &json, NULL));
    return json;
}

static bool runs(struct house *house) {
    struct json *json = asked(house, "GET", "/v1/verify", 200);
    bool running = json_true(json_get(json, STR("running")));
    json_free(json);
    return running;
}

/* Rows that are settled and clean, more than the steps of one turn look at. */
#define FILL(count)                                                                                                    \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " count                                  \
    ") INSERT INTO marketing_events("                                                                                  \
    "id, idempotency_key, type, source, status, scheduled_at, created_at, updated_at, fingerprint, payload) SELECT"    \
    " randomblob(16), 'k' || i, 'LEAD', 't', 'COMPLETED', 0, 1764000000000000, 0, '', '{}' FROM n"

static void fill(struct house *house, const char *sql) {
    OK(house->real.script(house->real.self, str_from(sql), &house->arena, NULL));
}

static void a_store_with_nothing_to_do_is_not_written(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_pass(house, US_PER_HOUR);
    house_turn(house);
    house_pass(house, 2 * US_PER_DAY);
    house_turn(house);
    assert_int_equal(number(house, "SELECT count(*) FROM chores"), 0);
    loop_wait(house->loop, WHEN_NEVER);
    house_pass(house, 2 * US_PER_S); /* the log is emptied */
    house_turn(house);
    loop_wait(house->loop, WHEN_NEVER);
    assert_true(house->waited_until_us >= house->now_us + US_PER_HOUR - 10 * US_PER_S);
}

static void verify_goes_in_steps_and_says_how_far_it_is(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    fill(house, FILL("5000"));
    struct json *begun = asked(house, "POST", "/v1/verify", 202);
    assert_true(json_true(json_get(begun, STR("running"))));
    json_free(begun);
    assert_true(runs(house)); /* the first turn did a part */
    struct json *chores = asked(house, "GET", "/v1/chores", 200);
    double share = json_number(json_point(chores, STR("/items/4/progress")), -1);
    assert_true(share > 0 && share < 1);
    json_free(chores);
    for (int i = 0; i < 20 && runs(house); i++) house_sleep(house);
    struct json *found = asked(house, "GET", "/v1/verify", 200);
    assert_false(json_true(json_get(found, STR("running"))));
    assert_int_equal(json_integer(json_get(found, STR("events")), 0), 5000);
    assert_int_equal(json_integer(json_get(found, STR("violation_count")), -1), 0);
    json_free(found);
}

static void a_deeper_round_does_not_join_a_shallow_one(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    fill(house, FILL("5000"));
    json_free(asked(house, "POST", "/v1/verify", 202));
    json_free(asked(house, "POST", "/v1/verify", 202));
    json_free(asked(house, "POST", "/v1/verify?deep=true", 409));
}

/* The row of the round and its steps are of one transaction. */
static void a_round_goes_on_after_a_crash(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    fill(house, FILL("5000"));
    json_free(asked(house, "POST", "/v1/verify", 202));
    int64_t reached = number(house, "SELECT last_seq FROM chores WHERE name = 'verify'");
    assert_true(reached > 0 && reached < 5000);
    house_pass(house, US_PER_S);
    house->commit_fails = ERR_STORE_FULL; /* steps that were not committed were not done */
    house_turn(house);
    house_crash(house);
    assert_int_equal(number(house, "SELECT last_seq FROM chores WHERE name = 'verify'"), reached);
    for (int i = 0; i < 20 && runs(house); i++) house_sleep(house);
    assert_int_equal(number(house, "SELECT finished > 0 FROM chores WHERE name = 'verify'"), 1);
    struct json *found = asked(house, "GET", "/v1/verify", 200);
    assert_int_equal(json_integer(json_get(found, STR("events")), 0), 5000);
    json_free(found);
}

/* Somebody deleted events: what is due and cannot be claimed must not keep the loop turning. */
static void a_desk_whose_events_are_gone_is_swept_and_lets_the_next_go(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_ORDER);
    house_get(house, "POST", "/v1/destinations/crm/pause", "");
    house_post(house, "a");
    house_post(house, "b");
    OK(house->real.script(house->real.self, STR("DELETE FROM marketing_events WHERE idempotency_key = 'a'"),
                          &house->arena, NULL));
    house_get(house, "POST", "/v1/destinations/crm/resume", "");
    for (int i = 0; i < 3 && !house->call_count; i++) house_sleep(house);
    assert_int_equal(house->call_count, 1);
    assert_has(house->calls[0].outgoing->body, "\"b\"");
    assert_int_equal(number(house, "SELECT count(*) FROM deliveries"), 1);
    assert_int_equal(loop_view(house->loop).open_deliveries, 1);
}

static void lose_event(struct house *house, const char *key) {
    house_get(house, "POST", "/v1/destinations/crm/pause", "");
    house_post(house, key);
    OK(house->real.script(house->real.self, STR("DELETE FROM marketing_events"), &house->arena, NULL));
    house_get(house, "POST", "/v1/destinations/crm/resume", "");
}

/* A second loss soon after the first is not swept at once: until then what is due and does not come costs little. */
static void what_is_due_and_does_not_come_is_asked_for_less_and_less(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    lose_event(house, "a");
    for (int i = 0; i < 3 && number(house, "SELECT count(*) FROM deliveries"); i++) house_sleep(house);
    assert_int_equal(number(house, "SELECT count(*) FROM deliveries"), 0);
    lose_event(house, "b");
    int64_t start_us = house->now_us;
    int wakes = 0;
    for (; wakes < 100 && number(house, "SELECT count(*) FROM deliveries"); wakes++) house_sleep(house);
    assert_int_equal(number(house, "SELECT count(*) FROM deliveries"), 0);
    assert_true(house->now_us - start_us > 20 * US_PER_S);
    assert_true(wakes < 50);
}

/* The round is swept daily; one that a clock that was ahead ended is not waited for until the clock is there again. */
static void a_round_that_ended_in_the_future_is_over(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    fill(house, "INSERT INTO chores(name, mode, started, finished, part, last_seq, part_end, done, total, steps, found)"
                " VALUES ('orphans', 0, 1, 4000000000000000, 0, 0, 0, 0, 0, 1, 0)");
    house_get(house, "POST", "/v1/destinations/crm/pause", "");
    house_post(house, "a");
    fill(house, "DELETE FROM marketing_events");
    assert_int_equal(number(house, "SELECT count(*) FROM deliveries"), 1);
    house_pass(house, 2 * US_PER_HOUR);
    for (int i = 0; i < 10 && number(house, "SELECT count(*) FROM deliveries"); i++) house_sleep(house);
    assert_int_equal(number(house, "SELECT count(*) FROM deliveries"), 0);
}

static void old_events_go_and_the_round_is_kept(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    fill(house, FILL("2000"));
    house_pass(house, 400 * US_PER_DAY);
    for (int i = 0; i < 30; i++) house_sleep(house);
    assert_int_equal(number(house, "SELECT count(*) FROM marketing_events"), 0);
    assert_int_equal(number(house, "SELECT found FROM chores WHERE name = 'retirement'"), 2000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_store_with_nothing_to_do_is_not_written),
        T(verify_goes_in_steps_and_says_how_far_it_is),
        T(a_deeper_round_does_not_join_a_shallow_one),
        T(a_round_goes_on_after_a_crash),
        T(a_desk_whose_events_are_gone_is_swept_and_lets_the_next_go),
        T(what_is_due_and_does_not_come_is_asked_for_less_and_less),
        T(a_round_that_ended_in_the_future_is_over),
        T(old_events_go_and_the_round_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
