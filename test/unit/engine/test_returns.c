/* Finished sends become settlements, and the past is settled: whole turns. */
#include "house_acts.h"

#define HOUSE_RETRY                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    on_unknown: retry\n    give_up: 0s\n    retry: {max: 1, base: 1s, cap: 1s}\n    breaker: off\n"               \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm]\n"
#define HOUSE_HOLD                                                                                                     \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    on_unknown: hold\nroutes:\n  lead:\n    from: LEAD\n    to: [crm]\n"

#define HOUSE_LIMIT                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    limit: 1/1s\nroutes:\n  lead:\n    from: LEAD\n    to: [crm]\n"

/* A connection is made before a request leaves, and the receiver counts requests. */
static void a_limit_counts_from_when_a_request_began_to_leave(void **state) {
    struct house *house = *state;
    house->tells_starts = true;
    house_open(house, HOUSE_LIMIT);
    house_post(house, "a");
    house_post(house, "b");
    assert_true(house->calls[0].outgoing->tell_start);
    house_pass(house, 3 * US_PER_S); /* it may leave at any moment: nothing else may */
    house_turn(house);
    loop_wait(house->loop, WHEN_NEVER);
    assert_int_equal(house->call_count, 1);
    int64_t began_us = house->now_us;
    house_begin(house, 0);
    house_turn(house);
    house_sleep(house);
    assert_int_equal(house->call_count, 2);
    assert_true(house->now_us == began_us + US_PER_S + 10 * US_PER_MS);
    house_pass(house, 60 * US_PER_MS);
    house_post(house, "c");
    house_answer(house, 1, 200, ""); /* the answer says it too, where nothing else did */
    began_us = house->now_us;
    house_turn(house);
    house_sleep(house);
    assert_int_equal(house->call_count, 3);
    assert_true(house->now_us == began_us + US_PER_S + 10 * US_PER_MS);
}

static void an_answer_settles_and_frees_its_slot(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    house_answer(house, 0, 200, "fine");
    house_turn(house);
    assert_status(house, COMPLETED);
    assert_int_equal(house->released, 1);
    assert_int_equal(loop_in_flight(house->loop), 0);
    assert_int_equal(loop_view(house->loop).open_deliveries, 0);
}

static void a_retry_leaves_when_it_is_due_under_the_same_key(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_RETRY);
    house_post(house, "a");
    struct uuid id = house_delivery(house).id;
    house_answer(house, 0, 503, "");
    house_turn(house);
    assert_status(house, PENDING);
    assert_int_equal(house->call_count, 1);
    int64_t due_us = house_delivery(house).due_us;
    house_sleep(house);
    assert_true(house->now_us == due_us);
    assert_int_equal(house->call_count, 2);
    assert_true(uuid_eq(house_delivery(house).id, id));
}

static void an_answer_is_offered_again_when_the_commit_failed(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    house_answer(house, 0, 200, "");
    house->commit_fails = ERR_STORE_FULL;
    house_turn(house);
    assert_status(house, PROCESSING);
    assert_int_equal(house->released, 0);
    loop_wait(house->loop, WHEN_NEVER); /* not at once: the store needs time */
    assert_true(house->waited_until_us == house->now_us + US_PER_S);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_status(house, COMPLETED);
    assert_int_equal(house->released, 1);
    assert_int_equal(loop_view(house->loop).open_deliveries, 0);
}

static void doubt_then_refusals_end_with_a_person(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_RETRY);
    house_post(house, "a");
    house_cut(house, 0);
    house_turn(house);
    assert_status(house, PENDING);
    assert_true(house_delivery(house).in_doubt);
    house_pass(house, 10 * US_PER_S);
    house_turn(house);
    house_answer(house, 1, 503, "");
    house_turn(house);
    assert_status(house, HELD);
    assert_has(house_delivery(house).last_error, "an earlier attempt may have had its effect");
}

static void refusals_alone_end_as_failed(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_RETRY);
    house_post(house, "a");
    house_answer(house, 0, 503, "");
    house_turn(house);
    house_pass(house, 10 * US_PER_S);
    house_turn(house);
    house_answer(house, 1, 503, "");
    house_turn(house);
    assert_status(house, FAILED);
}

/* The provider may know the key since the claim, however long the process was gone. */
static void a_claim_of_a_process_that_died_is_doubt_since_the_claim(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_HOLD);
    house_post(house, "a");
    house_crash(house);
    house_pass(house, 3 * US_PER_DAY);
    house_turn(house);
    assert_status(house, HELD);
    assert_true(house_delivery(house).first_sent_us == T0);
    assert_true(house_delivery(house).in_doubt);
    assert_has(house_delivery(house).last_error, "to its request of 2025-11-24T16:00:00Z was read");
}

/* What the dropped turn had settled is not settled: the lease, which is not over yet, must be found again. */
static void recovery_goes_on_after_a_dropped_turn(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_HOLD);
    house_post(house, "a");
    house_crash(house);
    house->commit_fails = ERR_STORE_FULL;
    house_turn(house);
    assert_true(loop_view(house->loop).recovering);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_status(house, HELD);
    assert_false(loop_view(house->loop).recovering);
}

/* The process was stopped for an hour: its own sends still fly and will answer. */
static void a_send_of_ones_own_is_not_lost_when_its_lease_is_over(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_HOLD);
    house_post(house, "a");
    house_pass(house, US_PER_HOUR);
    house_turn(house);
    assert_status(house, PROCESSING);
    house_answer(house, 0, 200, "");
    house_turn(house);
    assert_status(house, COMPLETED);
}

/* The machine stood still between the commit of a claim and its send. */
static void what_never_left_is_given_back_without_doubt(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_HOLD);
    house->commit_takes_us = US_PER_HOUR;
    house_post(house, "a");
    assert_int_equal(house->call_count, 0);
    house->commit_takes_us = 0;
    house_turn(house);
    assert_status(house, PENDING);
    assert_false(house_delivery(house).in_doubt);
    assert_int_equal(house->released, 0);
    house_pass(house, 10 * US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 1);
    house_answer(house, 0, 200, "");
    house_turn(house);
    assert_status(house, COMPLETED);
}

static void a_refused_account_pauses_its_destination(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    house_answer(house, 0, 401, "no");
    house_turn(house);
    assert_status(house, PENDING);
    house_post(house, "b");
    assert_int_equal(house->call_count, 1);
    house_crash(house); /* the pause is kept */
    house_turn(house);
    house_turn(house);
    assert_int_equal(house->call_count, 0 + 1);
    house_get(house, "POST", "/v1/destinations/crm/resume", "");
    assert_int_equal(house->call_count, 3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_limit_counts_from_when_a_request_began_to_leave),
        T(an_answer_settles_and_frees_its_slot),
        T(a_retry_leaves_when_it_is_due_under_the_same_key),
        T(an_answer_is_offered_again_when_the_commit_failed),
        T(doubt_then_refusals_end_with_a_person),
        T(refusals_alone_end_as_failed),
        T(a_claim_of_a_process_that_died_is_doubt_since_the_claim),
        T(recovery_goes_on_after_a_dropped_turn),
        T(a_send_of_ones_own_is_not_lost_when_its_lease_is_over),
        T(what_never_left_is_given_back_without_doubt),
        T(a_refused_account_pauses_its_destination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
