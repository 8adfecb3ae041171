/* The two ratios of attempts: over a minute, and for how long they have been above their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include "base/when.h"
#include "observe/rates.h"

#define NOW_US (1000 * US_PER_DAY)

/* One second's attempts; every nth ends so, the others are done. */
static void second(struct rates *rates, int64_t at_s, int attempts, int nth, enum outcome_class outcome) {
    for (int i = 1; i <= attempts; i++)
        rates_attempt(rates, nth && i % nth == 0 ? outcome : OUTCOME_DONE, NOW_US + at_s * US_PER_S);
}

static struct rates_view look(struct rates *rates, int64_t at_s) {
    return rates_look(rates, NOW_US + at_s * US_PER_S);
}

static void counts_a_minute(void **state) {
    (void)state;
    struct rates rates = {0};
    assert_true(look(&rates, 0).retries == 0 && look(&rates, 0).errors_for_us == 0);
    second(&rates, 0, 10, 10, OUTCOME_RETRY);
    second(&rates, 30, 10, 5, OUTCOME_FAILED);
    struct rates_view view = look(&rates, 59);
    assert_true(view.retries == 1 / 20.0 && view.errors == 3 / 20.0);
    assert_true(look(&rates, 60).retries == 0 && look(&rates, 60).errors == 0.2);
    assert_true(look(&rates, 90).errors == 0);
    second(&rates, 100, 4, 4, OUTCOME_UNKNOWN);
    assert_true(look(&rates, 100).errors == 0.25 && look(&rates, 100).retries == 0);
}

static void says_for_how_long(void **state) {
    (void)state;
    struct rates rates = {0};
    /* 10 %, which is seen with the first attempt of the next second. */
    for (int64_t s = 0; s < 400; s += 10) second(&rates, s, 20, 10, OUTCOME_RETRY);
    assert_int_equal(look(&rates, 400).retries_for_us, 390 * US_PER_S);
    assert_int_equal(look(&rates, 400).errors_for_us, 390 * US_PER_S);
    second(&rates, 401, 200, 20, OUTCOME_RETRY); /* at its bound is not above it: 12 + 10 of 320 are more than 5 %, */
    assert_true(look(&rates, 401).retries_for_us > 0);
    second(&rates, 402, 200, 0, OUTCOME_DONE); /* and with these it falls below 5 %, but not below 2 % */
    assert_true(look(&rates, 402).retries_for_us == 0 && look(&rates, 402).errors_for_us > 0);
}

static void begins_anew_after_a_silence(void **state) {
    (void)state;
    struct rates rates = {0};
    second(&rates, 0, 1, 1, OUTCOME_RETRY);
    second(&rates, 30, 1, 1, OUTCOME_RETRY);
    assert_int_equal(look(&rates, 31).retries_for_us, 31 * US_PER_S);
    second(&rates, 600, 1, 1, OUTCOME_RETRY); /* nothing for more than a minute, and then the same again */
    assert_int_equal(look(&rates, 601).retries_for_us, US_PER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_a_minute),
        cmocka_unit_test(says_for_how_long),
        cmocka_unit_test(begins_anew_after_a_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
