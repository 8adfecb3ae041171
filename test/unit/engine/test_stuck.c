/* Events that the database does not let be routed: the others go around them, but for those that must not overtake. */
#include "house_acts.h"

#include "sql_statements.h"

#define HOUSE_ORDERED                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm: {order_by: .who, body: '${.n}'}\n"
#define HOUSE_RENAMED                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm2:\n    type: http\n    was: crm\n"                                \
    "    url: https://crm.example.com/in\n"                                                                            \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm2: {order_by: .who, body: '${.n}'}\n"
#define HOUSE_MADE                                                                                                     \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm: {body: '${.k + \"\"}'}\n"

static enum err refusal; /* what storing BAD deliveries comes to; NONE = it works */
static bool cannot_fail; /* nor may their events be given up */
static const char *bad_word;

static bool says(const struct sql_batch *batch, const char *word) {
    for (size_t i = 0; i < batch->columns * batch->rows; i++) {
        const struct sql_value *value = &batch->params[i];
        if (value->kind == SQL_TEXT && memmem(value->text.p, value->text.n, word, strlen(word))) return true;
    }
    return false;
}

static enum err run_unless_bad(void *self, const struct sql_batch *batch, struct arena *arena,
                               struct sql_result *result) {
    bool makes = batch->statement == SQL_DELIVERY_PLAN || batch->statement == SQL_DELIVERY_MAKE;
    if (refusal && makes && says(batch, bad_word)) return refusal;
    if (refusal && cannot_fail && batch->statement == SQL_EVENT_ROUTED && says(batch, "FAILED")) return refusal;
    return run_batch(self, batch, arena, result);
}

static void open_with(struct house *house, const char *config, enum err err) {
    house_open(house, config);
    house->driver.run = run_unless_bad;
    refusal = err;
    cannot_fail = false;
    bad_word = "BAD";
}

static void post(struct house *house, const char *who, const char *n) {
    struct str body = str_fmt(&house->arena,
                              "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"%s\",\"payload\":{\"who\":"
                              "\"%s\",\"n\":\"%s\"}}",
                              n, who, n);
    assert_int_equal(house_get(house, "POST", "/v1/events", body.p).status, 200);
}

static void until_calls(struct house *house, size_t expected) {
    for (int i = 0; i < 60 && house->call_count < expected; i++) house_sleep(house);
    assert_int_equal(house->call_count, expected);
}

static bool is_told(struct house *house) {
    struct str todo = house_get(house, "GET", "/v1/todo", "").body;
    return strstr(str_dup(&house->arena, todo).p, "\"cause\":\"routing\",\"kind\":\"event\"");
}

static void check_goes_around(struct house *house) {
    post(house, "ann", "BAD");
    post(house, "ann", "later");
    post(house, "bob", "1");
    post(house, "eve", "2");
    until_calls(house, 2);
    for (int i = 0; i < 10; i++) house_sleep(house); /* it is tried again meanwhile, and nobody overtakes */
    assert_int_equal(house->call_count, 2);
    assert_true(is_told(house));
    post(house, "bob", "3");
    house_answer(house, 0, 200, "");
    house_answer(house, 1, 200, "");
    until_calls(house, 3);
    assert_has(house->calls[2].outgoing->body, "3");
    refusal = ERR_NONE;
    until_calls(house, 4);
    assert_has(house->calls[3].outgoing->body, "BAD");
    house_answer(house, 3, 200, "");
    until_calls(house, 5);
    assert_has(house->calls[4].outgoing->body, "later");
    assert_false(is_told(house));
}

static void one_that_a_lock_keeps_out_is_passed_over(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_ORDERED, ERR_STORE_HELD);
    check_goes_around(house);
}

static void so_it_is_where_others_route_too(void **state) {
    struct house *house = *state;
    house->beside = true;
    open_with(house, HOUSE_ORDERED, ERR_STORE_HELD);
    check_goes_around(house);
}

static void one_that_cannot_even_fail_is_passed_over(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_ORDERED, ERR_STORE_REFUSED);
    cannot_fail = true;
    check_goes_around(house);
}

/* Each has one that waits behind it. */
static void many_that_cannot_even_fail_are_passed_over(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_ORDERED, ERR_STORE_REFUSED);
    cannot_fail = true;
    for (int i = 0; i < 6; i++) {
        struct str who = str_fmt(&house->arena, "who-%d", i);
        post(house, who.p, str_fmt(&house->arena, "BAD-%d", i).p);
        post(house, who.p, str_fmt(&house->arena, "later-%d", i).p);
    }
    post(house, "bob", "1");
    until_calls(house, 1);
    refusal = ERR_NONE;
    until_calls(house, 7);
    for (size_t i = 1; i < 7; i++) assert_has(house->calls[i].outgoing->body, "BAD");
    for (size_t i = 1; i < 7; i++) house_answer(house, i, 200, "");
    until_calls(house, 13);
}

/* One goes through, and the one that waited behind it is the next that does not. */
static void what_waited_behind_it_is_passed_over_in_its_turn(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_ORDERED, ERR_STORE_HELD);
    bad_word = "BAD-1";
    post(house, "ann", "BAD-1");
    post(house, "ann", "BAD-2");
    post(house, "ann", "later");
    for (int i = 0; i < 5; i++) house_sleep(house);
    assert_int_equal(house->call_count, 0);
    bad_word = "BAD-2";
    until_calls(house, 1);
    assert_has(house->calls[0].outgoing->body, "BAD-1");
    house_answer(house, 0, 200, "");
    post(house, "bob", "1");
    post(house, "eve", "2");
    until_calls(house, 3);
    assert_true(is_told(house));
    refusal = ERR_NONE;
    until_calls(house, 4);
    assert_has(house->calls[3].outgoing->body, "BAD-2");
    house_answer(house, 3, 200, "");
    until_calls(house, 5);
}

/* After a refusal fewer are routed at a time for a while. None of a request is forgotten over it. */
static void many_in_one_request_after_a_refusal_all_go(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_PLAIN, ERR_STORE_REFUSED);
    bad_word = "lead";
    house_post(house, "x");
    for (int i = 0; i < 5; i++) house_sleep(house);
    assert_int_equal(house->call_count, 0);
    refusal = ERR_NONE;
    struct buf body = {.arena = &house->arena};
    int64_t began_us = house->now_us;
    for (int i = 0; i < 7; i++)
        buf_fmt(&body, "%s{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"m%d\",\"payload\":{}}",
                i ? "," : "[", i);
    buf_add(&body, STR("]"));
    assert_int_equal(house_get(house, "POST", "/v1/events", str_dup(&house->arena, buf_str(&body)).p).status, 200);
    until_calls(house, 7);
    assert_true(house->now_us < began_us + US_PER_S); /* by themselves, at once */
}

/* The name that its order is kept under changes meanwhile. */
static void a_reload_does_not_let_others_overtake(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_ORDERED, ERR_STORE_HELD);
    post(house, "ann", "BAD");
    house_configure(house, HOUSE_RENAMED);
    post(house, "ann", "later");
    post(house, "bob", "1");
    until_calls(house, 1);
    for (int i = 0; i < 10; i++) house_sleep(house);
    assert_int_equal(house->call_count, 1);
    refusal = ERR_NONE;
    until_calls(house, 2);
    assert_has(house->calls[1].outgoing->body, "BAD");
}

/* What it is refused for may be over when it is tried again; then it fails no more. */
static void one_that_is_refused_fails_at_once(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_ORDERED, ERR_STORE_REFUSED);
    post(house, "ann", "BAD");
    post(house, "bob", "1");
    until_calls(house, 1);
    struct str failed = house_get(house, "GET", "/v1/events?status=FAILED&since=2000-01-01T00:00:00Z", "").body;
    assert_has(failed, "the database refused it: ");
    assert_false(is_told(house));
}

/* What a route could not make while it was stopped is made when it heals, all but the one behind the lock. */
static void one_that_is_made_late_is_passed_over(void **state) {
    struct house *house = *state;
    open_with(house, HOUSE_MADE, ERR_NONE);
    for (int i = 1; i <= 3; i++) house_post(house, str_fmt(&house->arena, "RUNAWAY-%d", i).p);
    static const char *const keys[] = {"a", "b", "BAD", "d", "e"};
    for (size_t i = 0; i < 5; i++) house_post(house, keys[i]);
    assert_int_equal(house->call_count, 0);
    refusal = ERR_STORE_HELD;
    while (house->now_us < T0 + US_PER_MIN) house_sleep(house);
    until_calls(house, 4);
    assert_int_equal(house_post(house, "f").status, 200);
    until_calls(house, 5);
    assert_true(is_told(house));
    refusal = ERR_NONE;
    until_calls(house, 6);
    assert_has(house->calls[5].outgoing->body, "BAD");
}

#define T(test) cmocka_unit_test_setup_teardown(test, house_setup, house_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(one_that_a_lock_keeps_out_is_passed_over),
        T(so_it_is_where_others_route_too),
        T(one_that_cannot_even_fail_is_passed_over),
        T(one_that_is_refused_fails_at_once),
        T(one_that_is_made_late_is_passed_over),
        T(many_that_cannot_even_fail_are_passed_over),
        T(what_waited_behind_it_is_passed_over_in_its_turn),
        T(a_reload_does_not_let_others_overtake),
        T(many_in_one_request_after_a_refusal_all_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
