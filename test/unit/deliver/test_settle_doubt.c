#include "given.h"

static void doubt_is_looked_up_where_that_is_the_policy(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.delivery.retry_count = 2;
    struct settled settled = settle_unknown(&g, "lookup");
    assert_unknown(settled, FINISHED + SETTLE_US, 2);
    assert_true(settled.counts_as_trouble);
    assert_us(settled.first_sent_us, g.outcome.started_us);
    g.outcome.finished_us = 0; /* nobody saw it end */
    assert_unknown(settle_unknown(&g, "lookup"), T0 + SETTLE_US, 2);
    g.delivery.late_us = T0 - US_PER_S; /* looking sends nothing */
    assert_unknown(settle_unknown(&g, "lookup"), T0 + SETTLE_US, 2);
    arena_free(&g.arena);
}

static void doubt_is_sent_again_under_a_key_that_is_kept(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    assert_backed_off(settle_unknown(&g, ""), 1, 1);
    assert_backed_off(settle_unknown(&g, "hour-key"), 1, 1);
    g.delivery.retry_count = 9;
    assert_pending(settle_unknown(&g, ""), T0 + US_PER_HOUR, 10); /* the slow lane */
    arena_free(&g.arena);
}

/* The key is counted from the first attempt that may have brought it there. */
static void a_forgotten_key_is_not_used_again(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.outcome.not_before_us = T0 + 10 * US_PER_S;
    g.delivery.first_sent_us = T0 + 10 * US_PER_S - KEY_US + 1;
    assert_pending(settle_unknown(&g, "hour-key"), T0 + 10 * US_PER_S, 1);
    g.delivery.first_sent_us--;
    const char *why = "the provider would no longer know it as the same; 503 Service Unavailable; " HELP;
    assert_held(settle_unknown(&g, "hour-key"), why, 0);
    assert_unknown(settle_unknown(&g, "hour-key-lookup"), FINISHED + SETTLE_US, 0);
    assert_held(settle_unknown(&g, "no-key"), why, 0);
    arena_free(&g.arena);
}

static void a_provider_without_keys_is_sent_to_again_on_the_destinations_word(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.settings.on_unknown = ON_UNKNOWN_RETRY;
    assert_backed_off(settle_unknown(&g, "no-key"), 1, 1);
    assert_backed_off(settle_unknown(&g, "hold"), 1, 1);
    arena_free(&g.arena);
}

/* The attempt that nobody knows the end of is still there when later ones were plainly refused. */
static void doubt_stays_until_a_definite_answer(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    assert_true(settle_unknown(&g, "").in_doubt);
    assert_true(settle_unknown(&g, "lookup").in_doubt);
    arena_free(&g.arena);
    g = given(OUTCOME_RETRY);
    assert_false(settle(&g).in_doubt);
    g.delivery.in_doubt = true;
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_PENDING);
    assert_true(settled.in_doubt);
    g.delivery.retry_count = 28;
    g.delivery.first_due_us = T0 - US_PER_DAY;
    assert_held(settle(&g), "an earlier attempt may have had its effect; 503 Service Unavailable; " HELP, 28);
    assert_true(settle(&g).in_doubt);
    g.outcome.unsent = true;
    assert_true(settle(&g).in_doubt);
    arena_free(&g.arena);
}

static void a_definite_answer_ends_the_doubt(void **state) {
    (void)state;
    struct given g = given(OUTCOME_DONE);
    g.delivery.in_doubt = true;
    assert_false(settle(&g).in_doubt);
    arena_free(&g.arena);
    g = given(OUTCOME_FAILED);
    g.delivery.in_doubt = true;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    assert_false(settle(&g).in_doubt);
    g.outcome.http_status = 0; /* refused here: says nothing of the earlier one */
    assert_held(settle(&g), "an earlier attempt may have had its effect; 503 Service Unavailable; " HELP, 0);
    arena_free(&g.arena);
    g = given_lookup(OUTCOME_ABSENT);
    g.delivery.in_doubt = true;
    assert_int_equal(settle(&g).status, DELIVERY_PENDING);
    assert_false(settle(&g).in_doubt);
    arena_free(&g.arena);
}

/* The effect may exist: not FAILED, which a person would replay. */
static void exhausted_doubt_is_held_or_looked_up(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.delivery.retry_count = 28;
    g.delivery.first_due_us = T0 - US_PER_DAY;
    assert_held(settle_unknown(&g, ""), "gave up after 28 retries; 503 Service Unavailable; " HELP, 28);
    g.delivery.first_sent_us = T0 - US_PER_MIN;
    assert_unknown(settle_unknown(&g, "hour-key-lookup"), FINISHED + SETTLE_US, 28);
    g.settings.retry.max = 0;
    g.settings.give_up_us = 0;
    g.delivery.retry_count = 0;
    assert_held(settle_unknown(&g, ""), "503 Service Unavailable; " HELP, 0);
    arena_free(&g.arena);
}

static void doubt_is_held_where_that_is_the_policy(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.delivery.retry_count = 1;
    assert_held(settle_unknown(&g, "hold"), "503 Service Unavailable; " HELP, 1);
    assert_held(settle_unknown(&g, "no-such-action"), "503 Service Unavailable; " HELP, 1);
    g.settings.on_unknown = ON_UNKNOWN_HOLD;
    assert_held(settle_unknown(&g, "lookup"), "503 Service Unavailable; " HELP, 1);
    arena_free(&g.arena);
}

/* An account that is refused says nothing about a send whose answer was lost. */
static void doubt_is_stronger_than_a_pause(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.outcome.pause = true;
    assert_int_equal(settle_unknown(&g, "hold").status, DELIVERY_HELD);
    arena_free(&g.arena);
}

static void the_policy_is_the_destinations_word_else_the_connectors(void **state) {
    (void)state;
    static const struct {
        enum on_unknown word;
        const char *action;
        enum on_unknown policy;
    } cases[] = {
        {ON_UNKNOWN_DEFAULT, "", ON_UNKNOWN_RETRY},       {ON_UNKNOWN_DEFAULT, "lookup", ON_UNKNOWN_LOOKUP},
        {ON_UNKNOWN_DEFAULT, "hold", ON_UNKNOWN_HOLD},    {ON_UNKNOWN_DEFAULT, "gone", ON_UNKNOWN_HOLD},
        {ON_UNKNOWN_HOLD, "", ON_UNKNOWN_HOLD},           {ON_UNKNOWN_RETRY, "lookup", ON_UNKNOWN_RETRY},
        {ON_UNKNOWN_LOOKUP, "lookup", ON_UNKNOWN_LOOKUP}, {ON_UNKNOWN_LOOKUP, "hour-key-lookup", ON_UNKNOWN_LOOKUP},
        {ON_UNKNOWN_LOOKUP, "", ON_UNKNOWN_RETRY},        {ON_UNKNOWN_LOOKUP, "gone", ON_UNKNOWN_HOLD},
    };
    struct given g = given(OUTCOME_DONE);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        g.settings.on_unknown = cases[i].word;
        assert_int_equal(settle_policy(&g.settings, str_from(cases[i].action)), cases[i].policy);
    }
    g.settings.on_unknown = ON_UNKNOWN_HOLD; /* then a person alone may have it looked up */
    assert_true(settle_can_look_up(&g.settings, STR("lookup"), true));
    assert_false(settle_can_look_up(&g.settings, STR("lookup"), false));
    assert_false(settle_can_look_up(&g.settings, STR("hold"), true));
}

/* Lookups. */

static void a_lookup_that_finds_it_completes(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_DONE);
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_COMPLETED);
    assert_us(settled.first_sent_us, g.delivery.first_sent_us);
    assert_true(settled.counts_as_good);
    arena_free(&g.arena);
}

static void absent_counts_only_after_the_settle_time(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_ABSENT);
    g.delivery.first_sent_us = FINISHED - SETTLE_US + 1;
    assert_unknown(settle(&g), FINISHED + 1, 0);
    g.delivery.first_sent_us--;
    struct settled settled = settle(&g);
    assert_pending(settled, T0, 1);
    assert_error(settled, "not found at the provider: was not delivered");
    assert_us(settled.first_sent_us, g.delivery.first_sent_us);
    assert_true(settled.counts_as_good);
    arena_free(&g.arena);
}

static void absent_spends_the_retries_of_both_lanes_and_then_fails(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_ABSENT);
    g.delivery.retry_count = 5;
    g.delivery.first_due_us = T0 - US_PER_DAY;
    assert_pending(settle(&g), T0, 6);
    g.delivery.first_due_us--;
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_FAILED);
    assert_int_equal(settled.retry_count, 5);
    g.delivery.retry_count = 4;
    g.settings.give_up_us = 0;
    assert_pending(settle(&g), T0, 5);
    g.delivery.retry_count = 5;
    g.delivery.first_due_us = T0;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    arena_free(&g.arena);
}

static void a_lookup_that_says_nothing_is_made_again(void **state) {
    (void)state;
    static const enum outcome_class classes[] = {OUTCOME_RETRY, OUTCOME_FAILED, OUTCOME_UNKNOWN};
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct given g = given_lookup(classes[i]);
        g.delivery.late_us = T0 - US_PER_S;
        g.delivery.retry_count = 1;
        struct settled settled = settle(&g);
        assert_int_equal(settled.status, DELIVERY_UNKNOWN);
        assert_in_range(settled.due_us, T0 + 2 * US_PER_S, T0 + 3 * US_PER_S);
        assert_int_equal(settled.retry_count, 2);
        g.delivery.retry_count = 5;
        assert_unknown(settle(&g), T0 + US_PER_HOUR, 6);
        g.delivery.first_due_us = T0 - US_PER_DAY;
        assert_held(settle(&g), "could not be looked up; 503 Service Unavailable; " HELP, 5);
        arena_free(&g.arena);
    }
}

static void a_lookup_is_paused_and_throttled_like_a_send(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_FAILED);
    g.outcome.pause = true;
    assert_unknown(settle(&g), T0, 0);
    g.outcome.refused = true; /* a second refusal told that it is the account; it is still no send */
    assert_unknown(settle(&g), T0, 0);
    arena_free(&g.arena);
    g = given_lookup(OUTCOME_RETRY);
    g.outcome.throttled = true;
    g.outcome.not_before_us = T0 + 90 * US_PER_S;
    assert_unknown(settle(&g), T0 + 90 * US_PER_S, 0);
    arena_free(&g.arena);
}

/* One that is refused alone says nothing about the send: it is asked again. */
static void a_lookup_that_is_refused_alone_is_made_again(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_FAILED);
    g.outcome.refused = true;
    g.outcome.http_status = 403;
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_UNKNOWN);
    assert_int_equal(settled.retry_count, 1);
    arena_free(&g.arena);
}

/* Behind a breaker that never closes. */
static void what_is_overdue_fails_unless_it_may_have_been_delivered(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    struct settled settled = settle_overdue(&g.delivery, &g.settings, &g.arena);
    assert_int_equal(settled.status, DELIVERY_FAILED);
    assert_error(settled, "gave up after 1d: the destination did not answer; earlier");
    g.delivery.in_doubt = true;
    settled = settle_overdue(&g.delivery, &g.settings, &g.arena);
    assert_held(settled, "gave up after 1d: the destination did not answer; earlier; " HELP, 0);
    assert_true(settled.in_doubt);
    g.delivery.in_doubt = false;
    g.delivery.looking_up = true;
    assert_int_equal(settle_overdue(&g.delivery, &g.settings, &g.arena).status, DELIVERY_HELD);
    arena_free(&g.arena);
}

/* The configuration changed while it was UNKNOWN. */
static void without_a_lookup_any_more_it_is_held(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_FAILED);
    g.delivery.action = STR("hold");
    assert_held(settle(&g), "could not be looked up; 503 Service Unavailable; " HELP, 0);
    g.delivery.action = STR("gone");
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    arena_free(&g.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubt_is_looked_up_where_that_is_the_policy),
        cmocka_unit_test(doubt_stays_until_a_definite_answer),
        cmocka_unit_test(a_definite_answer_ends_the_doubt),
        cmocka_unit_test(doubt_is_sent_again_under_a_key_that_is_kept),
        cmocka_unit_test(a_forgotten_key_is_not_used_again),
        cmocka_unit_test(a_provider_without_keys_is_sent_to_again_on_the_destinations_word),
        cmocka_unit_test(exhausted_doubt_is_held_or_looked_up),
        cmocka_unit_test(doubt_is_held_where_that_is_the_policy),
        cmocka_unit_test(doubt_is_stronger_than_a_pause),
        cmocka_unit_test(the_policy_is_the_destinations_word_else_the_connectors),
        cmocka_unit_test(a_lookup_that_finds_it_completes),
        cmocka_unit_test(absent_counts_only_after_the_settle_time),
        cmocka_unit_test(absent_spends_the_retries_of_both_lanes_and_then_fails),
        cmocka_unit_test(a_lookup_that_says_nothing_is_made_again),
        cmocka_unit_test(a_lookup_is_paused_and_throttled_like_a_send),
        cmocka_unit_test(a_lookup_that_is_refused_alone_is_made_again),
        cmocka_unit_test(what_is_overdue_fails_unless_it_may_have_been_delivered),
        cmocka_unit_test(without_a_lookup_any_more_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
