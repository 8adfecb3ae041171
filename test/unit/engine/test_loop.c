/* The loop itself: sleeping and waking, stopping, a change of configuration. */
#include "house_acts.h"

#define HOUSE_TWO_DESKS                                                                                                \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm: {type: http, url: \"https://crm.example.com/in\"}\n"             \
    "  mail: {type: http, url: \"https://mail.example.com/in\"}\nroutes:\n  lead:\n    from: LEAD\n"                   \
    "    to: [crm, mail]\n"
#define HOUSE_CONNECTORLESS                                                                                            \
    "version: 1\nstore: ./x.db\ndestinations:\n  other:\n    type: http\n    url: https://other.example.com/in\n"      \
    "routes:\n  lead:\n    from: LEAD\n    to: [other]\n"
#define HOUSE_SLACK                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  slack:\n    url: https://hooks.slack.com/services/${X}\n"             \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - slack.message:\n          text: hi\n"

/* Nothing to do: no turn, and a sleep until the next chore. */
static void an_idle_loop_sleeps(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    uint64_t turns = loop_turns(house->loop);
    house_turn(house);
    assert_int_equal(loop_turns(house->loop), turns);
    house_sleep(house);
    assert_true(house->now_us >= T0 + US_PER_MIN);
}

/* Its own bound, not the caller's: nobody calls again when more was left than a turn takes. */
static void what_a_turn_could_not_take_is_taken_next(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_ask(house, "GET", "/v1/nothing", "");
    house->endless = true;
    house_turn(house);
    loop_wait(house->loop, WHEN_NEVER);
    assert_true(house->waited_until_us <= house->now_us);
    house->endless = false;
}

static void a_stopping_loop_takes_nothing_and_settles_what_flies(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    loop_stop(house->loop);
    assert_int_equal(house_post(house, "b").status, 503);
    assert_int_equal(loop_in_flight(house->loop), 1);
    house_answer(house, 0, 200, "");
    house_turn(house);
    assert_status(house, COMPLETED);
    assert_int_equal(loop_in_flight(house->loop), 0);
}

static void what_is_cancelled_is_in_doubt(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    loop_stop(house->loop);
    loop_cancel(house->loop);
    house_turn(house);
    assert_int_equal(loop_in_flight(house->loop), 0);
    assert_true(house_delivery(house).in_doubt);
}

/* The answer is read by the rules of the configuration that made the call, though another is in force. */
static void an_answer_is_read_by_the_setup_that_made_the_call(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_SLACK);
    house_post(house, "a");
    assert_int_equal(house->call_count, 1);
    house_configure(house, HOUSE_CONNECTORLESS);
    assert_true(loop_uses(house->loop, house->old_setup->settings));
    house->evaluator = (struct evaluator){0}; /* the new one cannot read it */
    house_answer(house, 0, 200, "ok");
    house_turn(house);
    assert_status(house, COMPLETED);
    assert_false(loop_uses(house->loop, house->old_setup->settings));
}

static void a_delivery_waits_while_its_destination_is_gone_and_comes_back(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    house_answer(house, 0, 503, "");
    house_turn(house);
    house_configure(house, HOUSE_CONNECTORLESS);
    house_pass(house, US_PER_HOUR);
    house_turn(house);
    assert_status(house, HELD);
    assert_int_equal(house->call_count, 1);
    assert_has(house_get(house, "GET", "/v1/deliveries?status=HELD", "").body, "no such destination");
    house_back(house);
    house_turn(house); /* it is free again */
    house_turn(house);
    assert_int_equal(house->call_count, 2);
}

static void a_fatal_store_ends_the_loop(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house->commit_fails = ERR_STORE_FAILED;
    house_ask(house, "GET", "/v1/status", "");
    assert_int_equal(loop_turn(house->loop), ERR_STORE_FAILED);
    assert_int_equal(house->replies[house->reply_count - 1].status, 503);
}

static void keys_are_read_again_after_a_dropped_turn(void **state) {
    struct house *house = *state;
    house->exposed = true;
    house_open(house, HOUSE_PLAIN);
    house->trusted = true;
    house->commit_fails = ERR_STORE_FULL;
    assert_int_equal(house_get(house, "POST", "/v1/keys", "{\"role\":\"read\"}").status, 503);
    house->commit_fails = ERR_NONE;
    assert_has(house_get(house, "GET", "/v1/keys", "").body, "\"items\":[]");
    assert_has(house_get(house, "GET", "/v1/status", "").body, "\"keys\":0");
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
/* A change of configuration while the store is away must not forget that a destination is paused. */
static void what_a_reload_could_not_read_is_read_by_the_next_turn(void **state) {
    struct house *house = *state;
    house->trusted = true;
    house_open(house, HOUSE_TWO_DESKS);
    assert_int_equal(house_get(house, "POST", "/v1/destinations/mail/pause", "{}").status, 200);
    house_configure(house, HOUSE_PLAIN);
    house_crash(house); /* another process, to which mail is new */
    house_turn(house);
    house->begin_fails = ERR_STORE_BUSY;
    house_back(house);
    house->begin_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_post(house, "a");
    assert_int_equal(house->call_count, 1); /* to crm alone */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_a_reload_could_not_read_is_read_by_the_next_turn),
        T(an_idle_loop_sleeps),
        T(what_a_turn_could_not_take_is_taken_next),
        T(a_stopping_loop_takes_nothing_and_settles_what_flies),
        T(what_is_cancelled_is_in_doubt),
        T(an_answer_is_read_by_the_setup_that_made_the_call),
        T(a_delivery_waits_while_its_destination_is_gone_and_comes_back),
        T(a_fatal_store_ends_the_loop),
        T(keys_are_read_again_after_a_dropped_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
