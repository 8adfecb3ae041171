/* The real clock and the loop's sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/when.h"
#include "http/wake.h"

static void sleeps_until_the_moment(void **state) {
    (void)state;
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    int64_t until_us = clock.now_us(clock.self) + 20 * US_PER_MS;
    while (clock.now_us(clock.self) < until_us) clock.wait(clock.self, until_us); /* never ends if wait never does */
    clock.wait(clock.self, 0); /* a moment in the past does not sleep */
    wake_free(wake);
}

static void a_raise_before_the_sleep_ends_it(void **state) {
    (void)state;
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    wake_raise(wake);
    wake_raise(wake);
    clock.wait(clock.self, WHEN_NEVER);
    int64_t until_us = clock.now_us(clock.self) + 20 * US_PER_MS;
    clock.wait(clock.self, until_us); /* both raises were used up */
    assert_true(clock.now_us(clock.self) >= until_us);
    wake_free(wake);
}

static void *raise_it(void *wake) {
    wake_raise(wake);
    return NULL;
}

static void another_thread_ends_the_sleep(void **state) {
    (void)state;
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, raise_it, wake), 0);
    clock.wait(clock.self, WHEN_NEVER);
    pthread_join(thread, NULL);
    wake_free(wake);
}

static void tells_the_time(void **state) {
    (void)state;
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    int64_t before_us = clock.now_us(clock.self), wall_us = clock.wall_us(clock.self);
    assert_true(clock.now_us(clock.self) >= before_us);
    assert_true(llabs(wall_us - before_us) < US_PER_MIN); /* the one starts as the other */
    assert_true(wall_us > 1700000000 * US_PER_S);
    assert_true(wake_fd(wake) >= 0);
    wake_free(wake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeps_until_the_moment),
        cmocka_unit_test(a_raise_before_the_sleep_ends_it),
        cmocka_unit_test(another_thread_ends_the_sleep),
        cmocka_unit_test(tells_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
