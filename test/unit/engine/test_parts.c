/* What the database refuses costs the one input that it is about; all others of the turn are taken. */
#include "house_acts.h"

static enum err refusal; /* what a statement with BAD in it comes to; NONE = it is carried out */

static enum err run_unless_bad(void *self, const struct sql_batch *batch, struct arena *arena,
                               struct sql_result *result) {
    for (size_t i = 0; i < batch->columns * batch->rows && refusal; i++) {
        const struct sql_value *value = &batch->params[i];
        if (value->kind == SQL_TEXT && memmem(value->text.p, value->text.n, "BAD", 3)) return refusal;
    }
    return run_batch(self, batch, arena, result);
}

static void open_strict(struct house *house, enum err err) {
    house_open(house, HOUSE_PLAIN);
    house->driver.run = run_unless_bad;
    refusal = err;
}

/* All in one turn; the bad one is the third. */
static void ask_five(struct house *house) {
    static const char *const keys[] = {"a", "b", "BAD", "d", "e"};
    for (size_t i = 0; i < 5; i++)
        house_ask(house, "POST", "/v1/events",
                  str_fmt(&house->arena,
                          "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"%s\",\"payload\":{\"k\":\"%s\"}}",
                          keys[i], keys[i])
                      .p);
    house_turn(house);
}

static void check_five(struct house *house, int status, const char *code) {
    assert_int_equal(house->reply_count, 5);
    for (size_t i = 0; i < 5; i++) assert_int_equal(house->replies[i].status, i == 2 ? status : 200);
    assert_has(house->replies[2].body, code);
    house_turn(house); /* what the parts stored is routed now */
    assert_int_equal(house->call_count, 4);
}

/* ---- constraints that are deferred, of which only the commit is told ---- */

static enum err owed; /* what the next of these comes to */

static enum err run_and_owe(void *self, const struct sql_batch *batch, struct arena *arena, struct sql_result *result) {
    enum err err = run_unless_bad(self, batch, arena, result);
    if (!err) return ERR_NONE;
    owed = err;
    return run_batch(self, batch, arena, result);
}

static enum err commit_unless_owed(void *self) {
    return owed ? owed : commit_turn(self);
}

static void rollback_owed(void *self) {
    owed = ERR_NONE;
    roll_back(self);
}

static void open_deferred(struct house *house) {
    open_strict(house, ERR_NONE);
    owed = ERR_NONE;
    house->driver.run = run_and_owe;
    house->driver.commit = commit_unless_owed;
    house->driver.rollback = rollback_owed;
}

/* A request comes in the same turn, and what it is routed to is stored before the commit says that something is wrong.
 */
static void an_answer_that_is_refused_at_the_commit_is_no_request_to_blame(void **state) {
    struct house *house = *state;
    open_deferred(house);
    refusal = ERR_STORE_REFUSED;
    house_post(house, "a");
    house_answer(house, 0, 200, "BAD");
    assert_int_equal(house_post(house, "b").status, 200);
    for (int i = 0; i < 5; i++) house_turn(house);
    assert_int_equal(house->call_count, 2);
    struct str held = house_get(house, "GET", "/v1/deliveries?status=HELD&since=2000-01-01T00:00:00Z", "").body;
    assert_has(held, "the database refused what it came to");
    struct str failed = house_get(house, "GET", "/v1/events?status=FAILED&since=2000-01-01T00:00:00Z", "").body;
    assert_has(failed, "\"items\":[]");
}

static void one_request_of_five_is_refused(void **state) {
    struct house *house = *state;
    open_strict(house, ERR_STORE_REFUSED);
    ask_five(house);
    check_five(house, 422, "E0131");
}

static void one_request_of_five_meets_a_lock(void **state) {
    struct house *house = *state;
    open_strict(house, ERR_STORE_HELD);
    ask_five(house);
    check_five(house, 503, "E0132");
    refusal = ERR_NONE;
    assert_int_equal(house_post(house, "BAD").status, 200);
}

static void an_answer_that_is_refused_is_held(void **state) {
    struct house *house = *state;
    open_strict(house, ERR_STORE_REFUSED);
    house_post(house, "a");
    house_post(house, "b");
    house_answer(house, 0, 200, "fine");
    house_answer(house, 1, 200, "BAD");
    house_turn(house);
    assert_status(house, HELD); /* the newest */
    assert_int_equal(house->released, 2);
    assert_int_equal(loop_view(house->loop).open_deliveries, 0);
    assert_int_equal(loop_in_flight(house->loop), 0);
}

static void an_answer_that_meets_a_lock_is_settled_when_it_is_gone(void **state) {
    struct house *house = *state;
    open_strict(house, ERR_STORE_HELD);
    house_post(house, "a");
    house_post(house, "b");
    house_answer(house, 0, 200, "fine");
    house_answer(house, 1, 200, "BAD");
    house_turn(house);
    assert_status(house, PROCESSING);
    assert_int_equal(house->released, 1);
    refusal = ERR_NONE;
    house_turn(house);
    assert_int_equal(house->released, 1); /* it is looked at again in a second */
    loop_wait(house->loop, WHEN_NEVER);
    assert_true(house->waited_until_us <= house->now_us + US_PER_S);
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_status(house, COMPLETED);
    assert_int_equal(house->released, 2);
}

#define HOUSE_SINGLE                                                                                                   \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    concurrency: 1\nroutes:\n  lead:\n    from: LEAD\n    to: [crm]\n"

static void an_answer_that_waits_for_a_lock_keeps_no_place(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_SINGLE);
    house->driver.run = run_unless_bad;
    refusal = ERR_STORE_HELD;
    house_post(house, "a");
    house_answer(house, 0, 200, "BAD");
    house_turn(house);
    assert_int_equal(house->released, 0);
    assert_int_equal(house_post(house, "b").status, 200);
    assert_int_equal(house->call_count, 2);
    house_answer(house, 1, 200, "fine");
    house_turn(house);
    assert_int_equal(house->released, 1);
    refusal = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->released, 2);
    assert_int_equal(loop_in_flight(house->loop), 0);
    house_post(house, "c");
    house_post(house, "d");
    assert_int_equal(house->call_count, 3); /* one at a time, as before */
}

#define HOUSE_SLOTS 16 /* house_start.h */
#define HOUSE_WIDE                                                                                                     \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    concurrency: 16\nroutes:\n  lead:\n    from: LEAD\n    to: [crm]\n"

static void answers_that_wait_leave_room_for_as_many_sends_as_before(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_WIDE);
    house->driver.run = run_unless_bad;
    refusal = ERR_STORE_HELD;
    for (size_t i = 0; i < 3; i++) {
        house_post(house, str_fmt(&house->arena, "first-%zu", i).p);
        house_answer(house, i, 200, "BAD");
        house_turn(house);
    }
    for (int i = 0; i < HOUSE_SLOTS + 4; i++) house_post(house, str_fmt(&house->arena, "k%d", i).p);
    assert_int_equal(house->call_count, 3 + HOUSE_SLOTS);
}

/* Each statement about it takes longer than all parts of a turn may take together. */
static enum err run_slowly_if_bad(void *self, const struct sql_batch *batch, struct arena *arena,
                                  struct sql_result *result) {
    enum err err = run_unless_bad(self, batch, arena, result);
    if (err) ((struct house *)self)->now_us += 3 * US_PER_S;
    return err;
}

static void a_refusal_that_takes_long_is_found_in_the_end(void **state) {
    struct house *house = *state;
    open_strict(house, ERR_STORE_REFUSED);
    house->driver.run = run_slowly_if_bad;
    for (int i = 0; i < 5; i++) house_post(house, str_fmt(&house->arena, "k%d", i).p);
    for (size_t i = 0; i < 5; i++) house_answer(house, i, 200, i == 3 ? "BAD" : "fine");
    for (int i = 0; i < 12; i++) house_sleep(house);
    assert_int_equal(house->released, 5);
    struct str held = house_get(house, "GET", "/v1/deliveries?status=HELD&since=2000-01-01T00:00:00Z", "").body;
    assert_has(held, "the database refused what it came to");
    assert_int_equal(loop_view(house->loop).open_deliveries, 0);
}

#define HOUSE_MADE                                                                                                     \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm: {body: '${.k + \"\"}'}\n"

/* What a route could not make while it was stopped is made when it heals, all but the one that the database refuses. */
static void one_that_was_unmade_is_refused(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_MADE);
    house->driver.run = run_unless_bad;
    refusal = ERR_NONE;
    for (int i = 1; i <= 3; i++) house_post(house, str_fmt(&house->arena, "RUNAWAY-%d", i).p);
    static const char *const keys[] = {"a", "b", "BAD", "d", "e"};
    for (size_t i = 0; i < 5; i++) house_post(house, keys[i]);
    assert_int_equal(house->call_count, 0);
    refusal = ERR_STORE_REFUSED;
    while (house->now_us < T0 + US_PER_MIN) house_sleep(house);
    for (int i = 0; i < 20 && house->call_count < 4; i++) house_sleep(house);
    assert_int_equal(house->call_count, 4);
    house_sleep(house);
    struct str failed = house_get(house, "GET", "/v1/deliveries?status=FAILED&since=2000-01-01T00:00:00Z", "").body;
    assert_has(failed, "the database refused it: ");
    assert_int_equal(house_post(house, "f").status, 200);
    assert_int_equal(house->call_count, 5);
}

#define T(test) cmocka_unit_test_setup_teardown(test, house_setup, house_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(one_request_of_five_is_refused),
        T(one_request_of_five_meets_a_lock),
        T(an_answer_that_is_refused_is_held),
        T(an_answer_that_meets_a_lock_is_settled_when_it_is_gone),
        T(one_that_was_unmade_is_refused),
        T(an_answer_that_is_refused_at_the_commit_is_no_request_to_blame),
        T(an_answer_that_waits_for_a_lock_keeps_no_place),
        T(a_refusal_that_takes_long_is_found_in_the_end),
        T(answers_that_wait_leave_room_for_as_many_sends_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
