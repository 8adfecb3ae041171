#include "deliver/heir.h"
#include "world.h"

static void desks_keep_their_number(void **state) {
    (void)state;
    struct world one, two;
    two_desks(&one);
    struct deliver *deliver = opened(&one);
    two_desks(&two);
    two.destinations[0] = destination("c", "c");
    deliver_configure(deliver, &two.settings); /* c and b: a is gone */
    memset(&one, 0xee, sizeof one);            /* nothing of the old one is looked at */
    assert_int_equal(deliver_desks(deliver), 3);
    assert_int_equal(deliver_desk(deliver, STR("a")), 0);
    assert_int_equal(deliver_desk(deliver, STR("b")), 1);
    assert_int_equal(deliver_desk(deliver, STR("c")), 2);
    assert_true(deliver_desk(deliver, STR("d")) == SIZE_MAX);
    assert_null(deliver_settings(deliver, 0));
    assert_ptr_equal(deliver_settings(deliver, 1), &two.destinations[1]);
    assert_ptr_equal(deliver_settings(deliver, 2), &two.destinations[0]);
    assert_true(deliver_view(deliver, 0, T0).closed);
    assert_true(str_eq(deliver_view(deliver, 0, T0).name, STR("a")));
    assert_false(deliver_view(deliver, 1, T0).closed);
    deliver_free(deliver);
}

static void a_closed_desk_sends_nothing_and_its_flights_still_end(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.destinations[0].concurrency = 95;
    struct deliver *deliver = opened(&world);
    send(deliver, 0, 92, T0);
    world.destinations[1].concurrency = 20;
    deliver_set_due(deliver, 0, WHEN_NEVER);
    deliver_commit(deliver);
    struct settings second = {.destinations = &world.destinations[1], .destination_count = 1};
    deliver_configure(deliver, &second);
    assert_int_equal(deliver_budget(deliver, 0, T0, 8), 0);
    deliver_due(deliver, 0, T0);
    assert_false(deliver_is_due(deliver, 0, T0));
    deliver_rollback(deliver);
    assert_int_equal(deliver_budget(deliver, 1, T0, 20), 8); /* its slots are still in use */
    deliver_set_due(deliver, 1, WHEN_NEVER);
    assert_us(deliver_next(deliver, T0), WHEN_NEVER);
    fail_often(deliver, 0, T0);
    deliver_pause(deliver, 0, 0, STR("401"));
    deliver_commit(deliver);
    for (int i = 0; i < 92; i++) deliver_ended(deliver, 0);
    assert_int_equal(deliver_budget(deliver, 1, T0, 20), 20);
    deliver_configure(deliver, &world.settings); /* it is back */
    assert_true(deliver_view(deliver, 0, T0).paused);
    assert_int_equal(deliver_view(deliver, 0, T0).breaker.state, BREAKER_CLOSED);
    assert_true(deliver_is_due(deliver, 0, T0));
    deliver_free(deliver);
}

static void state_is_kept_by_name(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 5, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    send(deliver, 0, 4, T0);
    fail_often(deliver, 0, T0);
    deliver_set_due(deliver, 0, T0 + 9);
    deliver_pause(deliver, 1, 0, STR("by hand"));
    deliver_commit(deliver);
    struct world again;
    two_desks(&again);
    again.destinations[0] = destination("b", "b");
    again.destinations[1] = destination("a", "a");
    limit(&again.destinations[1], 6, US_PER_MIN);
    deliver_configure(deliver, &again.settings);
    struct desk_view a = deliver_view(deliver, 0, T0), b = deliver_view(deliver, 1, T0);
    assert_int_equal(a.breaker.state, BREAKER_OPEN);
    assert_int_equal(a.in_flight, 4);
    assert_int_equal(a.remaining, 2);
    assert_us(a.next_due_us, T0 + 9);
    assert_true(b.paused);
    deliver_free(deliver);
}

static void an_account_that_nobody_uses_keeps_its_rules(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 5, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    send(deliver, 0, 4, T0);
    struct settings second = {.destinations = &world.destinations[1], .destination_count = 1};
    deliver_configure(deliver, &second);
    assert_int_equal(deliver_view(deliver, 0, T0).remaining, 1);
    assert_us(deliver_longest_window(deliver), KEPT_MIN);
    deliver_free(deliver);
}

/* Sends that were taken under the old account start under the limits of the new one. */
static void a_desk_may_change_its_account(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 3, US_PER_MIN);
    limit(&world.destinations[1], 5, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    take_and_commit(deliver, 0, 2, T0);
    world.destinations[0].account = STR("b");
    world.destinations[0].limit_count = 0;
    deliver_configure(deliver, &world.settings);
    assert_int_equal(deliver_budget(deliver, 1, T0, 8), 3);
    deliver_started(deliver, 0, 2, T0 + 7);
    assert_int_equal(deliver_budget(deliver, 1, T0 + KEPT_MIN + 6, 8), 3);
    assert_int_equal(deliver_budget(deliver, 1, T0 + KEPT_MIN + 7, 8), 5);
    world.destinations[0].account = STR("a");
    limit(&world.destinations[0], 3, US_PER_MIN);
    deliver_configure(deliver, &world.settings);
    assert_int_equal(deliver_view(deliver, 0, T0).remaining, 3); /* the old account counts nothing of it */
    deliver_free(deliver);
}

/* What is told to the store, and what comes back from it. */

static void changes_are_told_once(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    struct desk_change changed[2] = {{9, 0}, {9, 0}};
    assert_int_equal(deliver_changed(deliver, changed, 2), 0);
    deliver_record(deliver, 0, T0, true); /* nothing that is kept */
    deliver_due(deliver, 0, T0);
    take_and_commit(deliver, 0, 1, T0);
    assert_int_equal(deliver_changed(deliver, changed, 2), 0);
    deliver_record(deliver, 1, T0, false);
    assert_int_equal(deliver_changed(deliver, changed, 2), 1);
    assert_int_equal(changed[0].desk, 1);
    assert_int_equal(deliver_changed(deliver, changed, 2), 0);
    deliver_pause(deliver, 0, 0, STR("a"));
    deliver_pause(deliver, 1, 0, STR("b"));
    assert_int_equal(deliver_changed(deliver, changed, 1), 1);
    assert_int_equal(changed[0].desk, 0);
    assert_int_equal(deliver_changed(deliver, changed, 1), 1);
    assert_int_equal(changed[0].desk, 1);
    deliver_pause(deliver, 1, 0, STR("b")); /* the same again */
    assert_int_equal(deliver_changed(deliver, changed, 2), 0);
    deliver_pause(deliver, 1, 0, STR("c"));
    assert_int_equal(deliver_changed(deliver, changed, 2), 1);
    deliver_free(deliver);
}

/* The store rolled back with it: what was told then was not kept. */
static void a_rollback_untells(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    struct desk_change changed[2];
    deliver_pause(deliver, 0, 0, STR("first"));
    deliver_commit(deliver);
    assert_int_equal(deliver_changed(deliver, changed, 2), 1);
    deliver_rollback(deliver);
    assert_int_equal(deliver_changed(deliver, changed, 2), 1);
    deliver_commit(deliver);
    deliver_pause(deliver, 0, 0, STR("second"));
    assert_int_equal(deliver_changed(deliver, changed, 2), 1);
    deliver_rollback(deliver);
    assert_int_equal(deliver_changed(deliver, changed, 2), 0);
    deliver_pause(deliver, 0, 0, STR("third"));
    assert_int_equal(deliver_changed(deliver, changed, 2), 1);
    deliver_free(deliver);
}

static void a_probe_is_a_change(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    struct desk_change changed[2];
    fail_often(deliver, 0, T0);
    deliver_changed(deliver, changed, 2);
    deliver_budget(deliver, 0, T0 + 30 * US_PER_S, 1);
    assert_int_equal(deliver_changed(deliver, changed, 2), 1);
    deliver_free(deliver);
}

static void a_restart_goes_on(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 5, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    fail_often(deliver, 0, T0);
    deliver_pause(deliver, 1, T0 + US_PER_HOUR, STR("by hand"));
    deliver_quiet(deliver, 0, T0 + 90 * US_PER_S, T0);
    struct desk_view a = deliver_view(deliver, 0, T0), b = deliver_view(deliver, 1, T0);

    struct deliver *next = opened(&world);
    a.breaker = breaker_restored(&world.destinations[0].breaker, (int32_t)a.breaker.state, a.breaker.until_us,
                                 breaker_failures(&a.breaker), a.breaker.ramp, T0);
    deliver_restore(next, 0, &a, T0);
    deliver_restore(next, 1, &b, T0);
    for (int64_t i = 0; i < 3; i++) deliver_restore_send(next, 0, T0 - i * US_PER_S, T0);
    deliver_free(deliver);
    struct desk_change changed[2];
    assert_int_equal(deliver_changed(next, changed, 2), 0); /* the store knows */
    deliver_rollback(next);
    assert_int_equal(deliver_budget(next, 0, T0 + 30 * US_PER_S, 1), 0); /* quiet */
    assert_int_equal(deliver_view(next, 0, T0).remaining, 2);
    assert_us(deliver_view(next, 0, T0).breaker.until_us, T0 + 30 * US_PER_S);
    assert_us(deliver_next(next, T0), T0 + 90 * US_PER_S);
    assert_true(str_eq(deliver_view(next, 1, T0).pause_reason, STR("by hand")));
    deliver_free(next);
}

/* A quiet spell or a send of the far future (a clock set back) ends soon. */
static void what_is_restored_is_bounded(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 1, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    struct desk_view view = {.quiet_until_us = T0 + 1000 * US_PER_DAY};
    deliver_restore(deliver, 0, &view, T0);
    deliver_restore_send(deliver, 0, T0 + 1000 * US_PER_DAY, T0);
    assert_us(deliver_view(deliver, 0, T0).quiet_until_us, T0 + US_PER_DAY);
    assert_int_equal(deliver_view(deliver, 0, T0 + KEPT_MIN).remaining, 1);
    deliver_free(deliver);
}

/* Until what the old name owed has come over, nothing leaves under the new one; that is known once for each `was`. */
static void a_desk_with_an_earlier_name_waits_for_what_that_owed(void **state) {
    (void)state;
    struct world world, two;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    two_desks(&two);
    two.destinations[0] = destination("c", "c");
    struct str earlier[] = {STR("a"), STR("x")};
    two.destinations[0].was = (struct str_list){earlier, 2};
    deliver_configure(deliver, &two.settings);
    assert_int_equal(deliver_known(deliver, STR("a")), 2);
    assert_int_equal(deliver_known(deliver, STR("x")), 2);
    assert_int_equal(deliver_known(deliver, STR("b")), 1);
    assert_true(deliver_known(deliver, STR("d")) == SIZE_MAX);
    assert_true(deliver_inherits(deliver, 2));
    assert_false(deliver_inherits(deliver, 1));
    deliver_due(deliver, 2, T0);
    assert_int_equal(deliver_budget(deliver, 2, T0, 8), 0);
    assert_int_equal(deliver_budget(deliver, 1, T0, 8), 8);
    deliver_set_due(deliver, 1, WHEN_NEVER);
    assert_us(deliver_next(deliver, T0), WHEN_NEVER);
    deliver_inherited(deliver, 2, T0);
    deliver_rollback(deliver);
    assert_int_equal(deliver_budget(deliver, 2, T0, 8), 0); /* a turn that was dropped let nothing go */
    deliver_inherited(deliver, 2, T0);
    deliver_commit(deliver);
    assert_int_equal(deliver_budget(deliver, 2, T0, 8), 8);
    deliver_rollback(deliver);
    deliver_configure(deliver, &two.settings);
    assert_false(deliver_inherits(deliver, 2));
    deliver_free(deliver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(desks_keep_their_number),
        cmocka_unit_test(a_closed_desk_sends_nothing_and_its_flights_still_end),
        cmocka_unit_test(state_is_kept_by_name),
        cmocka_unit_test(an_account_that_nobody_uses_keeps_its_rules),
        cmocka_unit_test(a_desk_may_change_its_account),
        cmocka_unit_test(changes_are_told_once),
        cmocka_unit_test(a_rollback_untells),
        cmocka_unit_test(a_probe_is_a_change),
        cmocka_unit_test(a_restart_goes_on),
        cmocka_unit_test(what_is_restored_is_bounded),
        cmocka_unit_test(a_desk_with_an_earlier_name_waits_for_what_that_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
