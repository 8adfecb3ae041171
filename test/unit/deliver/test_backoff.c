#include "check.h"

#include "deliver/backoff.h"

static void the_delay_doubles_up_to_the_cap_and_half_of_it_is_chance(void **state) {
    (void)state;
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    const struct retry_rule rule = {.max = 5, .base_us = US_PER_S, .cap_us = 60 * US_PER_S};
    struct rng rng;
    rng_seed(&rng, 5);
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        int64_t low_us = seconds[i] * US_PER_S, least_us = WHEN_NEVER, most_us = 0;
        for (int j = 0; j < 5000; j++) {
            int64_t delay_us = backoff_delay_us(&rule, (int32_t)i, &rng);
            if (delay_us < least_us) least_us = delay_us;
            if (delay_us > most_us) most_us = delay_us;
        }
        assert_true(least_us >= low_us && most_us <= low_us + low_us / 2);
        assert_true(least_us < low_us + low_us / 100 && most_us > low_us + low_us * 49 / 100);
    }
}

static void both_ends_of_the_chance_are_drawn(void **state) {
    (void)state;
    const struct retry_rule rule = {.base_us = 4, .cap_us = 100};
    struct rng rng;
    rng_seed(&rng, 1);
    int seen[7] = {0};
    for (int i = 0; i < 1000; i++) seen[backoff_delay_us(&rule, 0, &rng)]++;
    assert_true(seen[4] && seen[5] && seen[6]);
}

static void the_same_seed_gives_the_same_delays(void **state) {
    (void)state;
    const struct retry_rule rule = {.base_us = US_PER_S, .cap_us = US_PER_MIN};
    struct rng a, b;
    rng_seed(&a, 9);
    rng_seed(&b, 9);
    for (int i = 0; i < 50; i++) assert_us(backoff_delay_us(&rule, i % 8, &a), backoff_delay_us(&rule, i % 8, &b));
}

static void extremes_do_not_overflow(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    const struct retry_rule huge = {.base_us = 1, .cap_us = INT64_MAX / 2};
    for (int i = 0; i < 100; i++) assert_true(backoff_delay_us(&huge, INT32_MAX, &rng) >= INT64_MAX / 2);
    const struct retry_rule none = {.base_us = 0, .cap_us = US_PER_MIN};
    assert_us(backoff_delay_us(&none, INT32_MAX, &rng), 0);
    const struct retry_rule capped = {.base_us = US_PER_MIN, .cap_us = US_PER_S};
    assert_true(backoff_delay_us(&capped, 0, &rng) <= US_PER_S * 3 / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_doubles_up_to_the_cap_and_half_of_it_is_chance),
        cmocka_unit_test(both_ends_of_the_chance_are_drawn),
        cmocka_unit_test(the_same_seed_gives_the_same_delays),
        cmocka_unit_test(extremes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
