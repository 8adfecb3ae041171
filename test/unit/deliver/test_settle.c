#include "given.h"

static void done_completes(void **state) {
    (void)state;
    for (int repeat = 0; repeat < 2; repeat++) {
        struct given g = given(OUTCOME_DONE);
        g.delivery.retry_count = 3;
        g.delivery.late_us = T0 - US_PER_S; /* it was in time when it left */
        g.outcome.repeat = repeat;
        struct settled settled = settle(&g);
        assert_int_equal(settled.status, DELIVERY_COMPLETED);
        assert_int_equal(settled.retry_count, 3);
        assert_error(settled, "");
        arena_free(&g.arena);
    }
}

static void a_definite_refusal_fails(void **state) {
    (void)state;
    struct given g = given(OUTCOME_FAILED);
    g.outcome.http_status = 422;
    g.outcome.error = STR("422 no such list");
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_FAILED);
    assert_error(settled, "422 no such list");
    /* also after an unknown attempt under the same key */
    g.delivery.first_sent_us = T0 - US_PER_MIN;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    arena_free(&g.arena);
}

/* Every retry from the first to the end: five in the fast lane, then hourly until a day after the first due moment. */
static void a_retry_goes_through_both_lanes(void **state) {
    (void)state;
    static const int64_t seconds[] = {1, 2, 4, 8, 16};
    struct given g = given(OUTCOME_RETRY);
    for (int32_t i = 0; i < (int32_t)COUNT_OF(seconds); i++) {
        g.delivery.retry_count = i;
        assert_backed_off(settle(&g), seconds[i], i + 1);
    }
    g.delivery.retry_count = 5;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 6);
    g.delivery.retry_count = 27;
    g.delivery.first_due_us = T0 - 23 * US_PER_HOUR;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 28);
    g.delivery.first_due_us--;
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_FAILED);
    assert_int_equal(settled.retry_count, 27);
    assert_error(settled, "gave up after 27 retries: 503 Service Unavailable");
    arena_free(&g.arena);
}

static void without_a_slow_lane_it_fails_after_the_fast_one(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.settings.give_up_us = 0;
    g.delivery.retry_count = 4;
    assert_backed_off(settle(&g), 16, 5);
    g.delivery.retry_count = 5;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    g.delivery.retry_count = 1;
    g.settings.retry.max = 1;
    assert_error(settle(&g), "gave up after 1 retry: 503 Service Unavailable");
    g.delivery.retry_count = 0;
    g.settings.retry.max = 0;
    assert_error(settle(&g), "503 Service Unavailable");
    arena_free(&g.arena);
}

/* The fast lane is walked to its end also by a delivery that was long held back by a pause. */
static void the_fast_lane_does_not_look_at_give_up(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.delivery.first_due_us = T0 - 9 * US_PER_DAY;
    assert_backed_off(settle(&g), 1, 1);
    g.delivery.retry_count = 5;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    arena_free(&g.arena);
}

static void a_named_moment_is_obeyed_within_bounds(void **state) {
    (void)state;
    static const struct {
        int64_t named_us, due_us;
    } cases[] = {
        {T0 + 7 * US_PER_S, T0 + 7 * US_PER_S}, {T0 + US_PER_S, T0 + US_PER_S},
        {T0 + US_PER_S - 1, T0 + US_PER_S},     {T0 - 9 * US_PER_DAY, T0 + US_PER_S},
        {T0 + US_PER_DAY, T0 + US_PER_DAY},     {T0 + 3650 * US_PER_DAY, T0 + US_PER_DAY},
        {WHEN_NEVER, T0 + US_PER_DAY},
    };
    struct given g = given(OUTCOME_RETRY);
    const int64_t base_us = g.settings.retry.base_us;
    g.settings.retry.base_us = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        g.outcome.not_before_us = cases[i].named_us;
        assert_pending(settle(&g), cases[i].due_us, 1);
    }
    g.settings.retry.base_us = base_us;
    g.outcome.not_before_us = T0 + US_PER_S; /* who always says one second must not burn all tries in five */
    g.delivery.retry_count = 3;
    assert_backed_off(settle(&g), 8, 4);
    g.delivery.retry_count = 0;
    g.outcome.not_before_us = 0;
    g.outcome.quiet_until_us = T0 + US_PER_HOUR; /* of the account, not of this delivery: the limiter obeys it */
    assert_backed_off(settle(&g), 1, 1);
    arena_free(&g.arena);
}

static void the_slow_lane_is_never_faster_than_an_hour(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.delivery.retry_count = 5;
    g.outcome.not_before_us = T0 + US_PER_S;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 6);
    g.outcome.not_before_us = T0 + 3 * US_PER_HOUR;
    assert_pending(settle(&g), T0 + 3 * US_PER_HOUR, 6);
    arena_free(&g.arena);
}

static void a_refused_account_spends_nothing(void **state) {
    (void)state;
    static const enum outcome_class classes[] = {OUTCOME_RETRY, OUTCOME_FAILED};
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct given g = given(classes[i]);
        g.outcome.pause = true;
        g.outcome.http_status = 401;
        g.delivery.retry_count = 5;
        g.delivery.first_due_us = T0 - 30 * US_PER_DAY;
        g.outcome.not_before_us = T0 + 90 * US_PER_S; /* the account's pause says when, for all of its deliveries */
        struct settled settled = settle(&g);
        assert_pending(settled, T0, 5);
        assert_error(settled, "503 Service Unavailable");
        assert_false(settled.counts_as_good || settled.counts_as_trouble);
        arena_free(&g.arena);
    }
}

static void a_delivery_refused_alone_is_held(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome.refused = true;
    g.outcome.http_status = 403;
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_HELD);
    assert_int_equal(settled.retry_count, 0);
    assert_false(settled.counts_as_good || settled.counts_as_trouble);
    arena_free(&g.arena);
}

/* Behind the deliveries that have not been tried: one bad text must not be the first to go at every probe. */
static void a_delivery_refused_after_another_goes_behind_the_others(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome.refused = g.outcome.pause = true;
    g.outcome.http_status = 403;
    struct settled settled = settle(&g);
    assert_pending(settled, T0 + PAUSE_PROBE_US, 0);
    assert_false(settled.counts_as_good || settled.counts_as_trouble);
    arena_free(&g.arena);
}

static void a_throttled_send_with_a_named_moment_spends_nothing(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome.throttled = true;
    g.outcome.http_status = 429;
    g.outcome.not_before_us = T0 + 15 * US_PER_MIN;
    g.delivery.retry_count = 2;
    struct settled settled = settle(&g);
    assert_pending(settled, T0 + 15 * US_PER_MIN, 2);
    assert_false(settled.counts_as_good || settled.counts_as_trouble);
    g.outcome.quiet_until_us = T0 + 20 * US_PER_MIN; /* the whole account's moment counts as well */
    assert_pending(settle(&g), T0 + 20 * US_PER_MIN, 2);
    g.outcome.not_before_us = 0;
    assert_pending(settle(&g), T0 + 20 * US_PER_MIN, 2);
    arena_free(&g.arena);
}

static void a_throttled_send_spends_a_retry_otherwise(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome.throttled = true;
    assert_backed_off(settle(&g), 1, 1); /* no moment was named */
    g.outcome.not_before_us = T0 + US_PER_HOUR;
    g.delivery.attempts = 100; /* too often already */
    assert_pending(settle(&g), T0 + US_PER_HOUR, 1);
    g.delivery.attempts = 99;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 0);
    g.delivery.first_due_us = T0 - 23 * US_PER_HOUR - 1; /* the moment is after give_up */
    assert_pending(settle(&g), T0 + US_PER_HOUR, 1);
    g.delivery.retry_count = 5;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    g.delivery.retry_count = 0;
    g.delivery.first_due_us = T0;
    g.settings.give_up_us = 0; /* no end of it: each spends one */
    assert_pending(settle(&g), T0 + US_PER_HOUR, 1);
    arena_free(&g.arena);
}

static void what_was_not_sent_is_as_it_was(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome = (struct outcome){.class = OUTCOME_RETRY, .unsent = true};
    g.delivery.retry_count = 2;
    struct settled settled = settle(&g);
    assert_pending(settled, T0, 2);
    assert_us(settled.first_sent_us, 0);
    assert_error(settled, "earlier");
    assert_false(settled.counts_as_good || settled.counts_as_trouble);
    g.delivery.looking_up = true;
    assert_unknown(settle(&g), T0, 2);
    arena_free(&g.arena);
}

static void nothing_is_due_after_it_would_be_late(void **state) {
    (void)state;
    const char *late = "late: was to leave by 2027-01-15T08:00:30Z; 503 Service Unavailable";
    struct given g = given(OUTCOME_RETRY);
    g.outcome.not_before_us = T0 + 30 * US_PER_S;
    g.delivery.late_us = T0 + 30 * US_PER_S;
    assert_pending(settle(&g), T0 + 30 * US_PER_S, 1);
    g.outcome.not_before_us++;
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    assert_error(settle(&g), late);
    g.outcome.class = OUTCOME_UNKNOWN;
    assert_held(settle(&g), "late: was to leave by 2027-01-15T08:00:30Z; 503 Service Unavailable; " HELP, 0);
    assert_unknown(settle_unknown(&g, "hour-key-lookup"), FINISHED + SETTLE_US, 0);
    arena_free(&g.arena);
    g = given(OUTCOME_RETRY);
    g.outcome.pause = true;
    g.delivery.late_us = T0 - 1;
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    arena_free(&g.arena);
    g = given_lookup(OUTCOME_ABSENT);
    g.delivery.late_us = T0 - 1;
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    arena_free(&g.arena);
}

static void first_sent_is_of_the_first_attempt_that_may_have_arrived(void **state) {
    (void)state;
    static const struct {
        enum outcome_class class;
        int32_t http_status;
        bool reached;
    } cases[] = {
        {OUTCOME_DONE, 200, true},   {OUTCOME_UNKNOWN, 0, true}, {OUTCOME_RETRY, 503, true},
        {OUTCOME_FAILED, 422, true}, {OUTCOME_RETRY, 0, false}, /* no connection */
        {OUTCOME_FAILED, 0, false},                             /* the address is refused */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct given g = given(cases[i].class);
        g.outcome.http_status = cases[i].http_status;
        assert_us(settle(&g).first_sent_us, cases[i].reached ? g.outcome.started_us : 0);
        g.delivery.first_sent_us = T0 - US_PER_HOUR;
        assert_us(settle(&g).first_sent_us, T0 - US_PER_HOUR);
        arena_free(&g.arena);
    }
    bool outcome_flags[] = {true, false, false};
    for (int i = 0; i < 3; i++) { /* the limit, the account: nobody looked at what was sent */
        struct given barred = given(OUTCOME_RETRY);
        barred.outcome.throttled = outcome_flags[i];
        barred.outcome.pause = outcome_flags[(i + 1) % 3];
        barred.outcome.refused = outcome_flags[(i + 2) % 3];
        assert_us(settle(&barred).first_sent_us, 0);
        arena_free(&barred.arena);
    }
    struct given g = given(OUTCOME_UNKNOWN);
    g.outcome.started_us = 0; /* nobody saw it leave */
    assert_us(settle(&g).first_sent_us, T0);
    arena_free(&g.arena);
}

static void the_breaker_counts_trouble_and_answers(void **state) {
    (void)state;
    static const struct {
        enum outcome_class class;
        int32_t http_status;
        bool good, trouble;
    } cases[] = {
        {OUTCOME_DONE, 200, true, false},  {OUTCOME_RETRY, 503, false, true},   {OUTCOME_RETRY, 0, false, true},
        {OUTCOME_UNKNOWN, 0, false, true}, {OUTCOME_UNKNOWN, 500, false, true}, {OUTCOME_FAILED, 422, true, false},
        {OUTCOME_FAILED, 0, false, false}, /* refused here, before anything left */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct given g = given(cases[i].class);
        g.outcome.http_status = cases[i].http_status;
        struct settled settled = settle(&g);
        assert_int_equal(settled.counts_as_good, cases[i].good);
        assert_int_equal(settled.counts_as_trouble, cases[i].trouble);
        arena_free(&g.arena);
    }
}

static void a_frozen_set_stays_while_it_may_be_sent_again(void **state) {
    (void)state;
    static const struct {
        bool lookup;
        enum outcome_class class;
        bool kept;
    } cases[] = {
        {false, OUTCOME_DONE, false},   {false, OUTCOME_FAILED, false}, {false, OUTCOME_RETRY, true},
        {false, OUTCOME_UNKNOWN, true}, {true, OUTCOME_RETRY, true},    {true, OUTCOME_ABSENT, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct given g = cases[i].lookup ? given_lookup(cases[i].class) : given(cases[i].class);
        assert_false(settle(&g).keep_batch);
        g.delivery.batch.b[0] = 1;
        assert_int_equal(settle(&g).keep_batch, cases[i].kept);
        g.outcome.unsent = true;
        assert_true(settle(&g).keep_batch);
        arena_free(&g.arena);
    }
    struct given g = given_lookup(OUTCOME_ABSENT);
    g.delivery.batch.b[0] = 1;
    g.delivery.first_sent_us = FINISHED; /* too early to say */
    assert_true(settle(&g).keep_batch);
    arena_free(&g.arena);
}

static struct given given_joint(void) {
    struct given g = given(OUTCOME_FAILED);
    g.delivery.batch.b[0] = 1;
    g.outcome.joint = true;
    g.outcome.http_status = 422;
    return g;
}

static void a_call_refused_for_several_goes_again_apart(void **state) {
    (void)state;
    struct given g = given_joint();
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_PENDING);
    assert_int_equal(settled.due_us, T0);
    assert_int_equal(settled.retry_count, 0);
    assert_int_equal(settled.first_sent_us, 0);
    assert_true(settled.apart);
    assert_false(settled.keep_batch);
    assert_true(settled.counts_as_good);
    g.outcome.refused = true;
    assert_true(settle(&g).apart);
    g.outcome.pause = true; /* the account is refused: no item is to blame */
    assert_false(settle(&g).apart);
    arena_free(&g.arena);
}

/* A try before this one may have had its effect, and what goes apart goes under another key. */
static void a_set_that_was_tried_before_stays_whole(void **state) {
    (void)state;
    struct given g = given_joint();
    g.delivery.first_sent_us = T0 - US_PER_S;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    assert_false(settle(&g).apart);
    g.delivery.first_sent_us = 0;
    g.delivery.late_us = T0 - 1; /* nor does what is too late by now go anywhere */
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    assert_false(settle(&g).apart);
    arena_free(&g.arena);
}

static void what_changes_nothing_a_second_time_goes_apart_after_any_try(void **state) {
    (void)state;
    struct given g = given_joint();
    g.delivery.action = STR("upsert");
    g.delivery.first_sent_us = T0 - US_PER_S;
    g.delivery.in_doubt = true;
    assert_true(settle(&g).apart);
    g.delivery.first_sent_us = T0 - KEY_US; /* by now a second one might count */
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    assert_error(settle(&g),
                 "503 Service Unavailable; it is the answer to a call for several, perhaps for another one");
    arena_free(&g.arena);
}

/* Under another key the provider could not tell that it has it. */
static void one_of_a_set_that_is_no_more_goes_alone_or_is_held(void **state) {
    (void)state;
    struct given g = given_joint();
    g.delivery.action = STR("hour-key");
    assert_pending(settle_parted(&g.delivery, &g.settings, T0, &g.arena), T0, 0);
    assert_false(settle_parted(&g.delivery, &g.settings, T0, &g.arena).keep_batch);
    g.delivery.first_sent_us = T0 - US_PER_S;
    struct settled held = settle_parted(&g.delivery, &g.settings, T0, &g.arena);
    assert_held(held, "the call for several that it was in cannot be made again as it was; " HELP, 0);
    assert_true(held.in_doubt);
    g.delivery.first_sent_us = 0; /* it went apart before, under another key */
    g.delivery.in_doubt = true;
    assert_int_equal(settle_parted(&g.delivery, &g.settings, T0, &g.arena).status, DELIVERY_HELD);
    g.delivery.first_sent_us = T0 - US_PER_S;
    g.delivery.action = STR("upsert");
    assert_pending(settle_parted(&g.delivery, &g.settings, T0, &g.arena), T0, 0);
    arena_free(&g.arena);
}

static void a_single_refusal_is_the_deliverys_own(void **state) {
    (void)state;
    struct given g = given_joint();
    g.outcome.joint = false;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    g.outcome.joint = true;
    g.outcome.http_status = 0; /* the provider did not say so */
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    arena_free(&g.arena);
}

/* Whatever comes: a legal status, no retry lost, a due moment that is neither past nor further than a day. */
static void every_combination_is_sane(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 11);
    int seen[DELIVERY_STATUS_COUNT] = {0};
    for (int i = 0; i < 20000; i++) {
        bool lookup = rng_below(&rng, 3) == 0;
        struct given g = given((enum outcome_class)draw(&rng, 0, lookup ? OUTCOME_ABSENT : OUTCOME_UNKNOWN));
        g.rng = rng;
        g.delivery.looking_up = lookup;
        g.delivery.action = actions[draw(&rng, 0, COUNT_OF(actions) - 1)].name;
        g.delivery.retry_count = (int32_t)draw(&rng, 0, 8);
        g.delivery.attempts = (int32_t)draw(&rng, 0, 200);
        g.delivery.first_due_us = T0 - draw(&rng, 0, 30 * US_PER_HOUR);
        g.delivery.first_sent_us = rng_below(&rng, 2) ? T0 - draw(&rng, US_PER_S, 2 * US_PER_HOUR) : 0;
        g.delivery.late_us = rng_below(&rng, 2) ? T0 + draw(&rng, -US_PER_HOUR, 2 * US_PER_HOUR) : 0;
        g.outcome.pause = rng_below(&rng, 8) == 0;
        g.outcome.unsent = rng_below(&rng, 8) == 0;
        g.outcome.throttled = rng_below(&rng, 4) == 0;
        g.outcome.not_before_us = rng_below(&rng, 2) ? T0 + draw(&rng, -US_PER_DAY, 3 * US_PER_DAY) : 0;
        g.settings.give_up_us = rng_below(&rng, 2) ? US_PER_DAY : 0;
        g.settings.on_unknown = (enum on_unknown)draw(&rng, ON_UNKNOWN_DEFAULT, ON_UNKNOWN_HOLD);
        struct settled settled = settle(&g);
        seen[settled.status]++;
        assert_in_range(settled.retry_count, g.delivery.retry_count, g.delivery.retry_count + 1);
        assert_in_range(settled.due_us, T0, T0 + US_PER_DAY);
        if (settled.status == DELIVERY_PENDING && g.delivery.late_us) assert_true(settled.due_us <= g.delivery.late_us);
        if (g.outcome.class == OUTCOME_UNKNOWN) assert_int_not_equal(settled.status, DELIVERY_FAILED);
        if (settled.status == DELIVERY_HELD || settled.status == DELIVERY_FAILED) assert_true(settled.last_error.n);
        arena_free(&g.arena);
        rng_u64(&rng);
    }
    assert_true(seen[DELIVERY_PENDING] && seen[DELIVERY_COMPLETED] && seen[DELIVERY_FAILED] && seen[DELIVERY_UNKNOWN] &&
                seen[DELIVERY_HELD]);
    assert_int_equal(seen[DELIVERY_PROCESSING] + seen[DELIVERY_SKIPPED], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_completes),
        cmocka_unit_test(a_definite_refusal_fails),
        cmocka_unit_test(a_retry_goes_through_both_lanes),
        cmocka_unit_test(without_a_slow_lane_it_fails_after_the_fast_one),
        cmocka_unit_test(the_fast_lane_does_not_look_at_give_up),
        cmocka_unit_test(a_named_moment_is_obeyed_within_bounds),
        cmocka_unit_test(the_slow_lane_is_never_faster_than_an_hour),
        cmocka_unit_test(a_refused_account_spends_nothing),
        cmocka_unit_test(a_delivery_refused_alone_is_held),
        cmocka_unit_test(a_delivery_refused_after_another_goes_behind_the_others),
        cmocka_unit_test(a_throttled_send_with_a_named_moment_spends_nothing),
        cmocka_unit_test(a_throttled_send_spends_a_retry_otherwise),
        cmocka_unit_test(what_was_not_sent_is_as_it_was),
        cmocka_unit_test(nothing_is_due_after_it_would_be_late),
        cmocka_unit_test(first_sent_is_of_the_first_attempt_that_may_have_arrived),
        cmocka_unit_test(the_breaker_counts_trouble_and_answers),
        cmocka_unit_test(a_frozen_set_stays_while_it_may_be_sent_again),
        cmocka_unit_test(a_call_refused_for_several_goes_again_apart),
        cmocka_unit_test(a_set_that_was_tried_before_stays_whole),
        cmocka_unit_test(what_changes_nothing_a_second_time_goes_apart_after_any_try),
        cmocka_unit_test(one_of_a_set_that_is_no_more_goes_alone_or_is_held),
        cmocka_unit_test(a_single_refusal_is_the_deliverys_own),
        cmocka_unit_test(every_combination_is_sane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
