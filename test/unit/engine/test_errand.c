/* What goes out and is no delivery: it starts with its turn, ends in a turn, and takes nothing from deliveries. */
#include "house_acts.h"

#include "fetch.h"

#define DEADLINE_US (T0 + US_PER_MIN)

/* As many sends at a time as there are slots. */
#define HOUSE_WIDE                                                                                                     \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    concurrency: 64\nroutes:\n  lead:\n    from: LEAD\n    to: [crm]\n"

static void what_it_learns_is_durable_with_its_turn(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch_start(&fetch, DEADLINE_US);
    assert_int_equal(house->call_count, 1);
    assert_true(str_eq(house->calls[0].outgoing->url, fetch.url));
    assert_true(house->calls[0].outgoing->timeout_us == US_PER_MIN);
    assert_int_equal(loop_in_flight(house->loop), 1);
    house_answer(house, 0, 200, "t-1");
    house_turn(house);
    assert_true(str_eq(fetch.answer.body, STR("t-1")));
    assert_int_equal(fetch.settles, 1);
    assert_int_equal(fetch.learned, 1);
    assert_int_equal(fetch_tokens(house), 1);
    assert_int_equal(house->released, 1);
    assert_int_equal(loop_in_flight(house->loop), 0);
    assert_null(errand_find(house->loop->errands, fetch.tag));
}

/* Its owner has one at a time, and the one whose answer is being read does not count. */
static void one_that_failed_is_followed_by_another(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch.asks_again = true;
    fetch_start(&fetch, DEADLINE_US);
    house_answer(house, 0, 500, "no");
    house_turn(house);
    assert_int_equal(house->call_count, 2);
    assert_int_equal(loop_in_flight(house->loop), 1);
    house_cut(house, 1);
    house_turn(house);
    assert_int_equal(fetch.answer.end, EXCHANGE_CUT);
    assert_int_equal(house->call_count, 3);
    house_answer(house, 2, 200, "t-3");
    house_turn(house);
    assert_int_equal(fetch.settles, 3);
    assert_int_equal(fetch.learned, 1);
    assert_int_equal(fetch_tokens(house), 1);
}

static void a_deadline_ends_it_as_timed_out(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch_start(&fetch, T0 + 10 * US_PER_MS);
    loop_wait(house->loop, WHEN_NEVER);
    assert_true(house->waited_until_us == T0 + 10 * US_PER_MS);
    house_turn(house);
    assert_int_equal(house->done_count, 0); /* not before its time */
    house_pass(house, 10 * US_PER_MS);
    house_turn(house);
    house_turn(house);
    house_turn(house);
    assert_int_equal(fetch.settles, 1);
    assert_int_equal(fetch.answer.end, EXCHANGE_TIMED_OUT);
    assert_int_equal(fetch_tokens(house), 0);
    assert_int_equal(loop_in_flight(house->loop), 0);
}

static void no_deadline_keeps_a_slot_for_ever(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    struct turn turn = fetch_turn(house);
    assert_null(errand_start(&turn, &fetch_owner, T0));
    fetch_start(&fetch, WHEN_NEVER);
    assert_true(errand_find(house->loop->errands, fetch.tag)->deadline_us == T0 + ERRAND_LONGEST_US);
}

/* The answer was read, and the store did not take it until the deadline was over: it is still the answer. */
static void an_answer_in_hand_is_not_overdue(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch_start(&fetch, T0 + US_PER_S);
    house_answer(house, 0, 200, "t-1");
    house->commit_fails = ERR_STORE_FULL;
    house_turn(house);
    house_pass(house, US_PER_MIN);
    house_turn(house);
    assert_int_equal(house->done_count, 0);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(fetch.answer.end, EXCHANGE_ANSWERED);
    assert_int_equal(fetch.learned, 1);
    assert_int_equal(house->released, 1);
}

static void a_stop_cancels_it_and_lets_no_other_start(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch.asks_again = true;
    fetch_start(&fetch, DEADLINE_US);
    loop_stop(house->loop);
    house_turn(house);
    assert_int_equal(loop_in_flight(house->loop), 1);
    loop_cancel(house->loop);
    house_turn(house);
    assert_int_equal(fetch.settles, 1);
    assert_int_equal(fetch.answer.end, EXCHANGE_CANCELLED);
    assert_int_equal(fetch.refused, 1);
    assert_int_equal(loop_in_flight(house->loop), 0);
}

static void a_dropped_turn_offers_the_answer_again(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch_start(&fetch, DEADLINE_US);
    house_answer(house, 0, 200, "t-1");
    house->commit_fails = ERR_STORE_FULL;
    house_turn(house);
    assert_int_equal(fetch.settles, 1);
    assert_int_equal(fetch.learned, 0);
    assert_int_equal(fetch_tokens(house), 0);
    assert_int_equal(house->released, 0);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(fetch.settles, 2);
    assert_int_equal(fetch.learned, 1);
    assert_int_equal(fetch_tokens(house), 1);
    assert_int_equal(house->released, 1);
}

/* Also when the turn is tried several times, as one is that another process raced. */
static void a_dropped_turn_starts_nothing(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch.asks_again = true;
    fetch_start(&fetch, DEADLINE_US);
    house_answer(house, 0, 500, "no");
    house->commit_fails = ERR_STORE_RACED;
    house_turn(house);
    assert_true(fetch.settles > 1);
    assert_int_equal(fetch.refused, 0);
    assert_int_equal(house->call_count, 1);
    assert_int_equal(loop_in_flight(house->loop), 1);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 2);
    assert_int_equal(loop_in_flight(house->loop), 1);
}

static void a_crash_ends_it_and_what_is_durable_decides(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch_start(&fetch, DEADLINE_US);
    house_answer(house, 0, 200, "t-1");
    house_crash(house); /* before a turn read the answer */
    house_turn(house);
    assert_int_equal(loop_in_flight(house->loop), 0);
    assert_int_equal(fetch.settles, 0);
    assert_int_equal(fetch_tokens(house), 0); /* so its owner starts it again */
    fetch_start(&fetch, DEADLINE_US);
    house_answer(house, 1, 200, "t-2");
    house_turn(house);
    house_crash(house);
    assert_int_equal(fetch.learned, 1);
    assert_int_equal(fetch_tokens(house), 1);
}

static void one_that_is_staged_can_be_cancelled(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    struct turn turn = fetch_turn(house);
    assert_non_null(fetch_stage(&turn, &fetch, &fetch_owner, DEADLINE_US));
    errand_cancel(&turn, fetch.tag);
    errands_commit(&turn);
    house_turn(house);
    assert_int_equal(house->call_count, 0);
    assert_int_equal(fetch.settles, 0);
    assert_int_equal(loop_in_flight(house->loop), 0);
    errand_cancel(&turn, fetch.tag); /* there is no such errand any more */
}

static void one_under_way_is_cancelled_by_a_turn_that_commits(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    struct turn turn = fetch_turn(house);
    fetch_start(&fetch, DEADLINE_US);
    errand_cancel(&turn, fetch.tag);
    errands_rollback(&turn);
    errands_commit(&turn);
    assert_int_equal(house->done_count, 0);
    errand_cancel(&turn, fetch.tag);
    errands_commit(&turn);
    errands_commit(&turn);
    house_turn(house);
    assert_int_equal(fetch.settles, 1);
    assert_int_equal(fetch.answer.end, EXCHANGE_CANCELLED);
    assert_int_equal(loop_in_flight(house->loop), 0);
}

static void a_full_reserve_takes_no_slot_from_deliveries(void **state) {
    const struct errand_owner crowd = {"crowd", ERRAND_RESERVE, SIZE_MAX, fetch_settle, NULL};
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_WIDE);
    struct turn turn = fetch_turn(house);
    for (size_t i = 0; i < ERRAND_RESERVE_SLOTS; i++) assert_non_null(fetch_stage(&turn, &fetch, &crowd, DEADLINE_US));
    assert_null(fetch_stage(&turn, &fetch, &crowd, DEADLINE_US));
    errands_commit(&turn);
    assert_int_equal(house->call_count, ERRAND_RESERVE_SLOTS);
    size_t slots = house->loop->options.slots;
    for (size_t i = 0; i < slots + 1; i++) house_post(house, str_fmt(&house->arena, "e%zu", i).p);
    assert_int_equal(house->call_count, ERRAND_RESERVE_SLOTS + slots);
    for (size_t i = 0; i < house->call_count; i++) house_answer(house, i, 200, "");
    house_turn(house);
    house_turn(house); /* the slots are free again after the commit */
    assert_int_equal(fetch_tokens(house), ERRAND_RESERVE_SLOTS);
    assert_int_equal(loop_in_flight(house->loop), 1); /* the delivery that found no slot */
    house_answer(house, ERRAND_RESERVE_SLOTS + slots, 200, "");
    house_turn(house);
    assert_status(house, COMPLETED);
}

static void an_owner_has_no_more_than_it_may(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN), other = fetch;
    const struct errand_owner neighbour = {"neighbour", ERRAND_RESERVE, 1, fetch_settle, NULL};
    struct turn turn = fetch_turn(house);
    assert_non_null(fetch_stage(&turn, &fetch, &fetch_owner, DEADLINE_US));
    assert_null(fetch_stage(&turn, &fetch, &fetch_owner, DEADLINE_US));
    assert_non_null(fetch_stage(&turn, &other, &neighbour, DEADLINE_US));
}

static void the_configuration_it_was_made_with_is_kept(void **state) {
    struct house *house = *state;
    struct fetch fetch = fetch_open(house, HOUSE_PLAIN);
    fetch_start(&fetch, DEADLINE_US);
    house_configure(house, HOUSE_WIDE);
    assert_true(loop_uses(house->loop, house->old_setup->settings));
    house_answer(house, 0, 200, "t-1");
    house_turn(house);
    assert_false(loop_uses(house->loop, house->old_setup->settings));
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_it_learns_is_durable_with_its_turn),
        T(one_that_failed_is_followed_by_another),
        T(a_deadline_ends_it_as_timed_out),
        T(no_deadline_keeps_a_slot_for_ever),
        T(an_answer_in_hand_is_not_overdue),
        T(a_stop_cancels_it_and_lets_no_other_start),
        T(a_dropped_turn_offers_the_answer_again),
        T(a_dropped_turn_starts_nothing),
        T(a_crash_ends_it_and_what_is_durable_decides),
        T(one_that_is_staged_can_be_cancelled),
        T(one_under_way_is_cancelled_by_a_turn_that_commits),
        T(a_full_reserve_takes_no_slot_from_deliveries),
        T(an_owner_has_no_more_than_it_may),
        T(the_configuration_it_was_made_with_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
