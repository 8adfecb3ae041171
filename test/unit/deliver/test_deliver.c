#include "deliver/backoff.h"
#include "deliver/reason.h"
#include "world.h"

static void the_budget_is_the_least_of_all_bounds(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[1], 3, US_PER_S);
    world.destinations[1].concurrency = 200;
    struct deliver *deliver = opened(&world);
    assert_int_equal(deliver_budget(deliver, 0, T0, 5), 5);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 8); /* concurrency */
    assert_int_equal(deliver_budget(deliver, 1, T0, 50), 3); /* limit */
    send(deliver, 0, 6, T0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 2); /* concurrency minus in flight */
    deliver_ended(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 3);
    assert_int_equal(deliver_budget(deliver, 0, T0, 0), 0);
    deliver_free(deliver);
    deliver_free(NULL);
}

static void slots_are_common(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.destinations[0].concurrency = world.destinations[1].concurrency = 98;
    struct deliver *deliver = opened(&world);
    send(deliver, 0, 75, T0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 0); /* 25 of the 100 are the other's */
    assert_int_equal(deliver_budget(deliver, 1, T0, 50), 25);
    deliver_ended(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 1);
    assert_int_equal(deliver_budget(deliver, 1, T0, 50), 26);
    deliver_free(deliver);
}

/* Whoever answers slowly, and as many of them as there are, leaves every other desk its reserve; a turn that was
 * dropped, and a desk that is closed, give back what they held. */
static void nobody_gets_the_last_places_of_others(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.destinations[0].concurrency = 1000;
    struct deliver *deliver = opened(&world);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1000), 92); /* the other may have 8 at a time: no more are kept */
    deliver_take(deliver, 0, 92, T0);
    assert_int_equal(deliver_budget(deliver, 1, T0, 50), 8);
    deliver_rollback(deliver);
    send(deliver, 1, 3, T0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1000), 92); /* 5 are still kept */
    send(deliver, 0, 92, T0);
    assert_int_equal(deliver_budget(deliver, 1, T0, 50), 5);
    deliver_ended(deliver, 1);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1000), 0);
    assert_us(deliver_next(deliver, T0), T0);
    world.settings.destination_count = 1;
    deliver_configure(deliver, &world.settings);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1000), 6);
    deliver_free(deliver);
}

static void a_lower_concurrency_waits_for_what_is_in_flight(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    send(deliver, 0, 8, T0);
    world.destinations[0].concurrency = 3;
    deliver_configure(deliver, &world.settings);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 0);
    assert_us(deliver_next(deliver, T0), T0); /* desk b */
    for (int i = 0; i < 6; i++) deliver_ended(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 1);
    deliver_free(deliver);
}

static void an_account_is_bound_by_the_rules_of_all_its_destinations(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.destinations[1].account = STR("a");
    limit(&world.destinations[0], 5, US_PER_S);
    limit(&world.destinations[1], 6, US_PER_S);
    limit(&world.destinations[1], 7, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    assert_us(deliver_longest_window(deliver), KEPT_MIN);
    send(deliver, 0, 4, T0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 50), 1);
    assert_int_equal(deliver_budget(deliver, 1, T0, 50), 1);
    assert_int_equal(deliver_budget(deliver, 1, T0 + 1010 * US_PER_MS, 50), 3);
    assert_int_equal(deliver_view(deliver, 1, T0 + 1010 * US_PER_MS).remaining, 3);
    deliver_free(deliver);
}

static void a_quiet_spell_is_the_accounts(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.destinations[1].account = STR("a");
    struct deliver *deliver = opened(&world);
    struct desk_change changed[4];
    deliver_quiet(deliver, 0, T0 + US_PER_MIN, T0);
    assert_int_equal(deliver_budget(deliver, 1, T0, 1), 0);
    assert_int_equal(deliver_changed(deliver, changed, 4), 2);
    deliver_quiet(deliver, 1, T0 + US_PER_S, T0); /* shorter: nothing new */
    assert_int_equal(deliver_changed(deliver, changed, 4), 0);
    assert_us(deliver_view(deliver, 1, T0).quiet_until_us, T0 + US_PER_MIN);
    assert_us(deliver_next(deliver, T0), T0 + US_PER_MIN);
    deliver_resume(deliver, 1);
    assert_int_equal(deliver_changed(deliver, changed, 4), 2);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1), 1);
    deliver_free(deliver);
}

static void a_pause_holds_until_its_moment_or_a_resume(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.settings.destination_count = 1;
    struct deliver *deliver = opened(&world);
    char reason[] = "401 Unauthorized";
    deliver_pause(deliver, 0, T0 + US_PER_MIN, str_from(reason));
    memset(reason, 'x', sizeof reason - 1); /* it was copied */
    assert_int_equal(deliver_budget(deliver, 0, T0, 1), 0);
    assert_us(deliver_next(deliver, T0), T0 + US_PER_MIN);
    struct desk_view view = deliver_view(deliver, 0, T0 + US_PER_MIN - 1);
    assert_true(view.paused && str_eq(view.pause_reason, STR("401 Unauthorized")));
    assert_us(view.paused_until_us, T0 + US_PER_MIN);
    view = deliver_view(deliver, 0, T0 + US_PER_MIN);
    assert_true(!view.paused && !view.pause_reason.n && !view.paused_until_us);
    assert_int_equal(deliver_budget(deliver, 0, T0 + US_PER_MIN, 1), 1);

    deliver_pause(deliver, 0, 0, STR("by hand"));
    assert_int_equal(deliver_budget(deliver, 0, T0 + US_PER_DAY, 1), 0);
    assert_us(deliver_next(deliver, T0), WHEN_NEVER);
    deliver_resume(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1), 1);
    deliver_free(deliver);
}

static void a_refused_account_is_probed_by_one_until_it_accepts(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.settings.destination_count = 1;
    struct deliver *deliver = opened(&world);
    const int64_t probe_us = T0 + PAUSE_PROBE_US;
    deliver_refuse(deliver, 0, T0, STR("answered 401"));
    assert_int_equal(deliver_budget(deliver, 0, probe_us - 1, 2), 0);
    assert_int_equal(deliver_budget(deliver, 0, probe_us, 2), 1);
    deliver_accept(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, probe_us, 2), 2);
    deliver_refuse(deliver, 0, probe_us, STR("answered 401"));
    deliver_resume(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, probe_us, 2), 2);
    deliver_free(deliver);
}

static void two_different_refusals_are_the_accounts(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    int64_t other;
    assert_false(deliver_suspect(deliver, 0, 7, &other));
    assert_false(deliver_suspect(deliver, 0, 7, &other)); /* the same one again */
    deliver_accept(deliver, 0);
    assert_false(deliver_suspect(deliver, 0, 8, &other));
    assert_false(deliver_suspect(deliver, 1, 9, &other)); /* each desk for itself */
    deliver_commit(deliver);
    assert_true(deliver_suspect(deliver, 0, 9, &other));
    assert_int_equal(other, 8);
    deliver_rollback(deliver);
    assert_false(deliver_suspect(deliver, 0, 8, &other)); /* a dropped turn learned nothing */
    deliver_refuse(deliver, 1, T0, STR("answered 401"));
    deliver_resume(deliver, 1);
    assert_false(deliver_suspect(deliver, 1, 10, &other)); /* a person has looked */
    deliver_free(deliver);
}

static void a_long_reason_is_cut_between_characters(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    char reason[DELIVER_REASON_MAX + 2];
    memset(reason, 'x', DELIVER_REASON_MAX - 1);
    memcpy(reason + DELIVER_REASON_MAX - 1, "\xc3\xa4!", 3);
    deliver_pause(deliver, 0, 0, (struct str){reason, DELIVER_REASON_MAX + 2});
    assert_int_equal(deliver_view(deliver, 0, T0).pause_reason.n, DELIVER_REASON_MAX - 1);
    memset(reason, 'y', DELIVER_REASON_MAX);
    deliver_pause(deliver, 0, 0, (struct str){reason, DELIVER_REASON_MAX});
    assert_int_equal(deliver_view(deliver, 0, T0).pause_reason.n, DELIVER_REASON_MAX);
    deliver_free(deliver);
}

static void a_breaker_holds_its_own_desk_only(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    fail_often(deliver, 0, T0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 8), 0);
    assert_int_equal(deliver_budget(deliver, 1, T0, 8), 8);
    deliver_set_due(deliver, 1, WHEN_NEVER);
    assert_us(deliver_next(deliver, T0), T0 + 30 * US_PER_S);
    int64_t probe_us = T0 + 30 * US_PER_S;
    send(deliver, 0, 1, probe_us);
    assert_int_equal(deliver_budget(deliver, 0, probe_us, 8), 0);
    assert_us(deliver_next(deliver, probe_us), WHEN_NEVER); /* the probe's end wakes the loop */
    deliver_record(deliver, 0, probe_us, true);
    deliver_commit(deliver);
    deliver_ended(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, probe_us, 8), 1);
    deliver_record(deliver, 0, probe_us, true);
    assert_int_equal(deliver_budget(deliver, 0, probe_us, 8), 2);
    deliver_free(deliver);
}

static void a_resume_closes_the_breaker(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    fail_often(deliver, 0, T0);
    deliver_resume(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 8), 8);
    deliver_free(deliver);
}

/* The limiter is asked first: a breaker does not go half-open for a send that may not leave. */
static void an_open_breaker_says_what_it_counted_last(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    deliver_blame(deliver, 0, STR("answered 503"));
    assert_int_equal(deliver_view(deliver, 0, T0).breaker_reason.n, 0); /* it is closed */
    fail_often(deliver, 0, T0);
    deliver_commit(deliver);
    assert_true(str_eq(deliver_view(deliver, 0, T0).breaker_reason, STR("answered 503")));
    deliver_blame(deliver, 0, STR("no answer in time"));
    deliver_rollback(deliver);
    assert_true(str_eq(deliver_view(deliver, 0, T0).breaker_reason, STR("answered 503")));
    deliver_resume(deliver, 0);
    assert_int_equal(deliver_view(deliver, 0, T0).breaker_reason.n, 0);
    deliver_free(deliver);
}

static void no_probe_without_room(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    fail_often(deliver, 0, T0);
    deliver_quiet(deliver, 0, T0 + US_PER_HOUR, T0);
    assert_int_equal(deliver_budget(deliver, 0, T0 + US_PER_MIN, 8), 0);
    assert_int_equal(deliver_view(deliver, 0, T0).breaker.state, BREAKER_OPEN);
    assert_int_equal(deliver_budget(deliver, 0, T0 + US_PER_HOUR, 8), 1);
    assert_int_equal(deliver_view(deliver, 0, T0).breaker.state, BREAKER_HALF_OPEN);
    deliver_free(deliver);
}

static void an_unsent_send_gives_all_back(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 2, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    take_and_commit(deliver, 0, 2, T0);
    assert_int_equal(deliver_view(deliver, 0, T0).in_flight, 2);
    deliver_unsent(deliver, 0);
    assert_int_equal(deliver_view(deliver, 0, T0).in_flight, 1);
    assert_int_equal(deliver_budget(deliver, 0, T0, 8), 1);
    deliver_started(deliver, 0, 1, T0 + 5);
    deliver_ended(deliver, 0);
    assert_int_equal(deliver_view(deliver, 0, T0 + 5).in_flight, 0);
    assert_int_equal(deliver_budget(deliver, 0, T0 + KEPT_MIN + 4, 8), 1);
    assert_int_equal(deliver_budget(deliver, 0, T0 + KEPT_MIN + 5, 8), 2);
    deliver_free(deliver);
}

/* Sends end and start at any time, also while a turn is staged; its rollback does not bring them back. */
static void ends_and_starts_are_not_staged(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 4, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    take_and_commit(deliver, 0, 3, T0);
    deliver_take(deliver, 0, 1, T0);
    deliver_started(deliver, 0, 2, T0);
    deliver_ended(deliver, 0);
    deliver_unsent(deliver, 0);
    deliver_rollback(deliver);
    assert_int_equal(deliver_view(deliver, 0, T0).in_flight, 1);
    assert_int_equal(deliver_budget(deliver, 0, T0, 8), 2);
    assert_int_equal(deliver_budget(deliver, 1, T0, 200), 8);
    deliver_free(deliver);
}

static void due_is_lowered_and_set(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    assert_true(deliver_is_due(deliver, 0, T0)); /* nobody knows yet: only a claim does */
    deliver_set_due(deliver, 0, WHEN_NEVER);
    deliver_set_due(deliver, 1, WHEN_NEVER);
    assert_false(deliver_is_due(deliver, 0, T0));
    assert_us(deliver_next(deliver, T0), WHEN_NEVER);
    deliver_due(deliver, 1, T0 + 20);
    deliver_due(deliver, 1, T0 + 30);
    deliver_due(deliver, 0, T0 + 25);
    assert_us(deliver_next(deliver, T0), T0 + 20);
    assert_us(deliver_next(deliver, T0 + 100), T0 + 100);
    assert_false(deliver_is_due(deliver, 1, T0 + 19));
    assert_true(deliver_is_due(deliver, 1, T0 + 20));
    assert_us(deliver_view(deliver, 1, T0).next_due_us, T0 + 20);
    deliver_free(deliver);
}

static void next_is_never_while_slots_are_missing(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.destinations[0].concurrency = world.destinations[1].concurrency = 100;
    struct deliver *deliver = opened(&world);
    send(deliver, 0, 75, T0);
    send(deliver, 1, 25, T0);
    assert_true(deliver_is_due(deliver, 0, T0) && deliver_is_due(deliver, 1, T0));
    assert_us(deliver_next(deliver, T0), WHEN_NEVER);
    deliver_ended(deliver, 0);
    assert_us(deliver_next(deliver, T0), T0);
    deliver_free(deliver);
}

static void the_order_rotates(void **state) {
    (void)state;
    struct deliver *none = deliver_new(1, METERS_MAX);
    deliver_next_turn(none);
    assert_int_equal(deliver_desks(none), 0);
    deliver_free(none);

    struct world world;
    two_desks(&world);
    world.destinations[2] = destination("c", "c");
    world.settings.destination_count = 3;
    struct deliver *deliver = opened(&world);
    for (size_t turn = 0; turn < 7; turn++) {
        for (size_t i = 0; i < 3; i++) assert_int_equal(deliver_order(deliver, i), (turn + i) % 3);
        deliver_next_turn(deliver);
    }
    deliver_free(deliver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_budget_is_the_least_of_all_bounds),
        cmocka_unit_test(slots_are_common),
        cmocka_unit_test(nobody_gets_the_last_places_of_others),
        cmocka_unit_test(a_lower_concurrency_waits_for_what_is_in_flight),
        cmocka_unit_test(an_account_is_bound_by_the_rules_of_all_its_destinations),
        cmocka_unit_test(a_quiet_spell_is_the_accounts),
        cmocka_unit_test(a_pause_holds_until_its_moment_or_a_resume),
        cmocka_unit_test(a_refused_account_is_probed_by_one_until_it_accepts),
        cmocka_unit_test(two_different_refusals_are_the_accounts),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
        cmocka_unit_test(a_breaker_holds_its_own_desk_only),
        cmocka_unit_test(a_resume_closes_the_breaker),
        cmocka_unit_test(an_open_breaker_says_what_it_counted_last),
        cmocka_unit_test(no_probe_without_room),
        cmocka_unit_test(an_unsent_send_gives_all_back),
        cmocka_unit_test(ends_and_starts_are_not_staged),
        cmocka_unit_test(due_is_lowered_and_set),
        cmocka_unit_test(next_is_never_while_slots_are_missing),
        cmocka_unit_test(the_order_rotates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
