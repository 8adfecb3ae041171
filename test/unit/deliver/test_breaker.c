#include "check.h"

#include "deliver/breaker.h"

#include <string.h>

static const struct breaker_rule rule = {.on = true,
                                         .failures = 5,
                                         .share = 50,
                                         .window_us = 30 * US_PER_S,
                                         .open_us = 30 * US_PER_S,
                                         .error_rate = 2,
                                         .error_window_us = 5 * US_PER_MIN};

static void record(struct breaker *breaker, int count, int64_t at_us, bool good) {
    for (int i = 0; i < count; i++) breaker_record(breaker, &rule, at_us, good);
}

/* Opened at T0. */
static struct breaker opened(void) {
    struct breaker breaker = {0};
    record(&breaker, rule.failures, T0, false);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    return breaker;
}

/* Opened at T0, its probe is out. */
static struct breaker probing(void) {
    struct breaker breaker = opened();
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + rule.open_us, 0, 8), 1);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    return breaker;
}

static void it_opens_at_the_threshold_and_not_before(void **state) {
    (void)state;
    struct breaker breaker = {0};
    for (int i = 1; i < rule.failures; i++) {
        assert_false(breaker_record(&breaker, &rule, T0, false));
        assert_int_equal(breaker_admit(&breaker, &rule, T0, 0, 100), 100);
    }
    assert_true(breaker_record(&breaker, &rule, T0, false));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_us(breaker.until_us, T0 + rule.open_us);
    assert_int_equal(breaker_admit(&breaker, &rule, T0, 0, 100), 0);
}

static void a_good_answer_begins_the_count_again(void **state) {
    (void)state;
    struct breaker breaker = {0};
    record(&breaker, rule.failures - 1, T0, false);
    record(&breaker, 1, T0, true);
    record(&breaker, rule.failures - 1, T0, false);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    record(&breaker, 1, T0, false);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

/* One attempt a second, of which each `nth` fails, until it opens or the time is over; the time that passed. */
static int64_t opens_after(struct breaker *breaker, const struct breaker_rule *used, int nth, int64_t step_us) {
    int64_t end_us = T0 + 20 * US_PER_MIN;
    int i = 1;
    for (int64_t now_us = T0; now_us < end_us; now_us += step_us, i++)
        if (breaker_record(breaker, used, now_us, i % nth != 0)) return now_us - T0;
    return WHEN_NEVER;
}

static void it_opens_on_a_rate_over_a_whole_window(void **state) {
    (void)state;
    struct breaker breaker = {0};
    int64_t after_us = opens_after(&breaker, &rule, 40, US_PER_S); /* 2.5 % */
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_true(after_us >= rule.error_window_us && after_us < rule.error_window_us + US_PER_MIN);
}

static void it_stays_closed_below_the_rate(void **state) {
    (void)state;
    struct breaker breaker = {0};
    assert_us(opens_after(&breaker, &rule, 60, US_PER_S), WHEN_NEVER); /* 1.7 % */
    breaker = (struct breaker){0};
    assert_us(opens_after(&breaker, &rule, 10, 5 * US_PER_S), WHEN_NEVER); /* 60 attempts in the window have no rate */
    struct breaker_rule off = rule;
    off.error_rate = 0;
    breaker = (struct breaker){0};
    assert_us(opens_after(&breaker, &off, 10, US_PER_S), WHEN_NEVER);
}

/* However many failed before: only what is in the window counts, and a pause empties it. */
static void an_old_rate_is_forgotten(void **state) {
    (void)state;
    struct breaker breaker = {0};
    int64_t now_us = T0;
    for (int i = 1; i < 250; i++, now_us += US_PER_S)
        assert_false(breaker_record(&breaker, &rule, now_us, i % 10 != 0));
    now_us += rule.error_window_us + US_PER_MIN;
    for (int i = 1; i < 400; i++, now_us += US_PER_S)
        assert_false(breaker_record(&breaker, &rule, now_us, i % 60 != 0));
}

/* So a destination that always fails at more than the rate works at least a window between two rests. */
static void the_window_begins_anew_when_it_closes(void **state) {
    (void)state;
    struct breaker breaker = {0};
    int64_t now_us = T0 + opens_after(&breaker, &rule, 20, US_PER_S) + rule.open_us;
    assert_int_equal(breaker_admit(&breaker, &rule, now_us, 0, 1), 1);
    assert_true(breaker_record(&breaker, &rule, now_us, true));
    for (int i = 1; i < 300; i++, now_us += US_PER_S)
        assert_false(breaker_record(&breaker, &rule, now_us, i % 20 != 0));
}

static void it_opens_on_a_share_of_twenty(void **state) {
    (void)state;
    struct breaker breaker = {0};
    for (int i = 0; i < 9; i++) {
        record(&breaker, 1, T0, false);
        record(&breaker, 1, T0, true);
    }
    record(&breaker, 1, T0, false); /* 10 of 19 */
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    record(&breaker, 1, T0, false); /* 11 of 20 */
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void a_share_below_the_bound_stays_closed(void **state) {
    (void)state;
    struct breaker breaker = {0};
    for (int i = 0; i < 200; i++) record(&breaker, 1, T0, i % 5 >= 2); /* 40 % */
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void the_share_looks_at_the_window_only(void **state) {
    (void)state;
    for (int inside = 0; inside < 2; inside++) {
        struct breaker breaker = {0};
        for (int i = 0; i < 18; i++) record(&breaker, 1, T0, i % 2);
        record(&breaker, 1, T0 + rule.window_us - inside, true);
        record(&breaker, 1, T0 + rule.window_us - inside, false); /* 10 of 20, or 1 of 2 */
        assert_int_equal(breaker.state, inside ? BREAKER_OPEN : BREAKER_CLOSED);
    }
}

/* Twenty attempts, most bad, but never five bad in a row and never twenty within the window. */
static void old_failures_do_not_open(void **state) {
    (void)state;
    struct breaker breaker = {0};
    for (int i = 0; i < 40; i++) record(&breaker, 1, T0 + i * 2 * US_PER_S, i % 4 == 0); /* 15 in each window */
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void open_admits_nothing_until_its_time_is_over(void **state) {
    (void)state;
    struct breaker breaker = opened();
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + rule.open_us - 1, 0, 8), 0);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_us(breaker_next(&breaker, &rule, T0, 0), T0 + rule.open_us);
    assert_us(breaker_next(&breaker, &rule, T0 + rule.open_us + 7, 0), T0 + rule.open_us + 7);
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + rule.open_us, 0, 8), 1);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

static void asking_for_nothing_moves_nothing(void **state) {
    (void)state;
    struct breaker breaker = opened();
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + rule.open_us, 0, 0), 0);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void late_answers_while_open_change_nothing(void **state) {
    (void)state;
    struct breaker breaker = opened(), before = breaker;
    assert_false(breaker_record(&breaker, &rule, T0 + US_PER_S, false));
    assert_false(breaker_record(&breaker, &rule, T0 + US_PER_S, true));
    assert_memory_equal(&breaker, &before, sizeof breaker);
}

/* What was sent before it opened is back before the probe leaves, so that its answer is not taken for the probe's. */
static void the_probe_waits_for_what_is_in_flight(void **state) {
    (void)state;
    struct breaker breaker = opened();
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + rule.open_us, 2, 8), 0);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_us(breaker_next(&breaker, &rule, T0 + rule.open_us, 2), WHEN_NEVER);
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + rule.open_us, 0, 8), 1);
}

static void one_probe_at_a_time(void **state) {
    (void)state;
    struct breaker breaker = probing();
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + US_PER_HOUR, 1, 8), 0);
    assert_us(breaker_next(&breaker, &rule, T0 + US_PER_HOUR, 1), WHEN_NEVER);
    /* It ended and said nothing of the destination (throttled, handed back): the next one is the probe. */
    assert_us(breaker_next(&breaker, &rule, T0 + US_PER_HOUR, 0), T0 + US_PER_HOUR);
    assert_int_equal(breaker_admit(&breaker, &rule, T0 + US_PER_HOUR, 0, 8), 1);
}

static void failing_probes_double_the_time_up_to_ten(void **state) {
    (void)state;
    static const int64_t times[] = {2, 4, 8, 10, 10, 10};
    struct breaker breaker = opened();
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t now_us = breaker.until_us;
        assert_int_equal(breaker_admit(&breaker, &rule, now_us, 0, 8), 1);
        assert_true(breaker_record(&breaker, &rule, now_us + US_PER_S, false));
        assert_int_equal(breaker.state, BREAKER_OPEN);
        assert_us(breaker.until_us, now_us + US_PER_S + times[i] * rule.open_us);
    }
}

static void a_good_probe_ends_the_doubling(void **state) {
    (void)state;
    struct breaker breaker = opened();
    for (int i = 0; i < 3; i++) {
        breaker_admit(&breaker, &rule, breaker.until_us, 0, 1);
        breaker_record(&breaker, &rule, T0, i == 2);
    }
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    record(&breaker, rule.failures, T0, false);
    assert_us(breaker.until_us, T0 + rule.open_us);
}

/* 1, 2, 4, 8 ... from answer to answer, until all that is wanted may go. */
static void it_closes_over_a_ramp(void **state) {
    (void)state;
    static const size_t steps[] = {1, 2, 4, 8, 16, 32, 64, 1000};
    struct breaker breaker = probing();
    assert_true(breaker_record(&breaker, &rule, T0, true));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        size_t admitted = breaker_admit(&breaker, &rule, T0, 0, 1000);
        assert_int_equal(admitted, steps[i]);
        assert_int_equal(breaker_admit(&breaker, &rule, T0, admitted - 1, 1000), i + 1 < COUNT_OF(steps) ? 1 : 1000);
        record(&breaker, (int)admitted, T0, true);
    }
    assert_int_equal(breaker.ramp, 0);
}

static void the_ramp_counts_what_is_in_flight(void **state) {
    (void)state;
    struct breaker breaker = probing();
    record(&breaker, 1, T0, true);
    record(&breaker, 3, T0, true); /* ramp 4 */
    assert_int_equal(breaker_admit(&breaker, &rule, T0, 3, 8), 1);
    assert_int_equal(breaker_admit(&breaker, &rule, T0, 4, 8), 0);
    assert_us(breaker_next(&breaker, &rule, T0, 4), WHEN_NEVER);
    assert_int_equal(breaker_admit(&breaker, &rule, T0, 5, 8), 0);
    assert_int_equal(breaker_admit(&breaker, &rule, T0, 0, 2), 2);
}

static void trouble_on_the_ramp_begins_it_again(void **state) {
    (void)state;
    struct breaker breaker = probing();
    record(&breaker, 1, T0, true);
    record(&breaker, 9, T0, true);
    record(&breaker, 1, T0, false);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker_admit(&breaker, &rule, T0, 0, 100), 1);
}

/* The failures that opened it do not count again after it closed, however long the window. */
static void closing_forgets_the_samples(void **state) {
    (void)state;
    struct breaker_rule patient = rule;
    patient.window_us = US_PER_DAY;
    struct breaker breaker = {0};
    for (int i = 0; i < 20; i++) breaker_record(&breaker, &patient, T0, i % 3 == 0);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    breaker_admit(&breaker, &patient, T0 + rule.open_us, 0, 1);
    breaker_record(&breaker, &patient, T0 + rule.open_us, true);
    breaker_record(&breaker, &patient, T0 + rule.open_us, false);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void off_admits_all_and_learns_nothing(void **state) {
    (void)state;
    struct breaker_rule off = rule;
    off.on = false;
    struct breaker breaker = {0};
    for (int i = 0; i < 100; i++) assert_false(breaker_record(&breaker, &off, T0, false));
    assert_int_equal(breaker_admit(&breaker, &off, T0, 50, 1000), 1000);
    breaker = opened();
    assert_us(breaker_next(&breaker, &off, T0, 1), T0);
    assert_int_equal(breaker_admit(&breaker, &off, T0, 1, 1000), 1000);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static struct breaker over_a_restart(const struct breaker *breaker, int64_t now_us) {
    return breaker_restored(&rule, (int32_t)breaker->state, breaker->until_us, breaker_failures(breaker), breaker->ramp,
                            now_us);
}

static void it_goes_on_after_a_restart(void **state) {
    (void)state;
    struct breaker closed = {0};
    record(&closed, rule.failures - 1, T0, false);
    closed = over_a_restart(&closed, T0);
    record(&closed, 1, T0, false);
    assert_int_equal(closed.state, BREAKER_OPEN);

    struct breaker half = probing();
    breaker_record(&half, &rule, T0, false); /* opened for the second time in a row */
    struct breaker open = over_a_restart(&half, T0);
    assert_int_equal(open.state, BREAKER_OPEN);
    assert_us(open.until_us, T0 + 2 * rule.open_us);
    breaker_admit(&open, &rule, open.until_us, 0, 1);
    open = over_a_restart(&open, T0); /* its probe is lost with the process */
    assert_int_equal(open.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker_admit(&open, &rule, T0, 0, 8), 1);
    breaker_record(&open, &rule, T0, false);
    assert_us(open.until_us, T0 + 4 * rule.open_us);

    struct breaker ramping = probing();
    record(&ramping, 3, T0, true);
    ramping = over_a_restart(&ramping, T0);
    assert_int_equal(breaker_admit(&ramping, &rule, T0, 0, 8), 3);
}

/* The clock was set back, or the row is nonsense: it never stays open longer than the rule allows. */
static void what_is_restored_is_bounded(void **state) {
    (void)state;
    struct breaker breaker = breaker_restored(&rule, BREAKER_OPEN, T0 + 365 * US_PER_DAY, 1, 0, T0);
    assert_us(breaker.until_us, T0 + 10 * rule.open_us);
    breaker = breaker_restored(&rule, BREAKER_HALF_OPEN, 0, -3, 0, T0);
    breaker_record(&breaker, &rule, T0, false);
    assert_us(breaker.until_us, T0 + 2 * rule.open_us);
    static const int32_t strange[] = {-1, 3, INT32_MAX};
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        breaker = breaker_restored(&rule, strange[i], WHEN_NEVER, INT32_MAX, -5, T0);
        assert_int_equal(breaker.state, BREAKER_CLOSED);
        assert_int_equal(breaker_admit(&breaker, &rule, T0, 0, 8), 8);
        assert_true(breaker_record(&breaker, &rule, T0, false));
    }
}

static void states_have_names(void **state) {
    (void)state;
    assert_string_equal(breaker_text(BREAKER_CLOSED), "closed");
    assert_string_equal(breaker_text(BREAKER_OPEN), "open");
    assert_string_equal(breaker_text(BREAKER_HALF_OPEN), "half-open");
}

/* Any order of asking and answering: only the legal steps, no send while open, one probe, a bounded time. */
static void only_legal_steps_are_made(void **state) {
    (void)state;
    static const bool legal[BREAKER_STATES][BREAKER_STATES] = {
        {true, true, false}, {false, true, true}, {true, true, true}};
    int seen[BREAKER_STATES][BREAKER_STATES] = {0};
    struct rng rng;
    rng_seed(&rng, 3);
    struct breaker breaker = {0};
    size_t in_flight = 0;
    int64_t now_us = T0;
    for (int step = 0; step < 20000; step++) {
        now_us += draw(&rng, 0, 4 * US_PER_S);
        enum breaker_state before = breaker.state;
        if (in_flight && rng_below(&rng, 2)) {
            bool good = rng_below(&rng, 100) < (step / 500 % 2 ? 90U : 20U);
            bool changed = breaker_record(&breaker, &rule, now_us, good);
            assert_int_equal(changed, breaker.state != before);
            in_flight--;
        } else {
            int64_t next_us = breaker_next(&breaker, &rule, now_us, in_flight);
            size_t admitted = breaker_admit(&breaker, &rule, now_us, in_flight, (size_t)draw(&rng, 1, 5));
            assert_int_equal(admitted > 0, next_us <= now_us);
            in_flight += admitted;
        }
        assert_true(legal[before][breaker.state]);
        seen[before][breaker.state]++;
        if (before == BREAKER_OPEN && breaker.state == BREAKER_HALF_OPEN) assert_int_equal(in_flight, 1);
        if (breaker.state == BREAKER_HALF_OPEN) assert_true(in_flight <= 1);
        if (breaker.state == BREAKER_OPEN) assert_true(breaker.until_us <= now_us + 10 * rule.open_us);
    }
    assert_true(seen[BREAKER_CLOSED][BREAKER_OPEN] && seen[BREAKER_OPEN][BREAKER_HALF_OPEN] &&
                seen[BREAKER_HALF_OPEN][BREAKER_CLOSED] && seen[BREAKER_HALF_OPEN][BREAKER_OPEN]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_at_the_threshold_and_not_before),
        cmocka_unit_test(a_good_answer_begins_the_count_again),
        cmocka_unit_test(it_opens_on_a_share_of_twenty),
        cmocka_unit_test(it_opens_on_a_rate_over_a_whole_window),
        cmocka_unit_test(it_stays_closed_below_the_rate),
        cmocka_unit_test(an_old_rate_is_forgotten),
        cmocka_unit_test(the_window_begins_anew_when_it_closes),
        cmocka_unit_test(a_share_below_the_bound_stays_closed),
        cmocka_unit_test(the_share_looks_at_the_window_only),
        cmocka_unit_test(old_failures_do_not_open),
        cmocka_unit_test(open_admits_nothing_until_its_time_is_over),
        cmocka_unit_test(asking_for_nothing_moves_nothing),
        cmocka_unit_test(late_answers_while_open_change_nothing),
        cmocka_unit_test(the_probe_waits_for_what_is_in_flight),
        cmocka_unit_test(one_probe_at_a_time),
        cmocka_unit_test(failing_probes_double_the_time_up_to_ten),
        cmocka_unit_test(a_good_probe_ends_the_doubling),
        cmocka_unit_test(it_closes_over_a_ramp),
        cmocka_unit_test(the_ramp_counts_what_is_in_flight),
        cmocka_unit_test(trouble_on_the_ramp_begins_it_again),
        cmocka_unit_test(closing_forgets_the_samples),
        cmocka_unit_test(off_admits_all_and_learns_nothing),
        cmocka_unit_test(it_goes_on_after_a_restart),
        cmocka_unit_test(what_is_restored_is_bounded),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(only_legal_steps_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
