/* Certificates of a destination's servers: which of them says something, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "model/expiry.h"

#define NOW_US ((int64_t)1800000000 * US_PER_S)

static int64_t in(int64_t days) {
    return NOW_US + days * US_PER_DAY;
}

/* Both clocks say the same. */
static bool learn(struct expiries *expiries, const char *host, int64_t holds_until_us, int64_t now_us) {
    return expiry_learn(expiries, str_from(host), holds_until_us, now_us, now_us);
}

static void assert_first(const struct expiries *expiries, int64_t now_us, const char *host) {
    const struct expiry *first = expiry_first(expiries, now_us);
    assert_string_equal(first ? first->host : "none", host);
}

static void the_first_to_end_counts(void **state) {
    (void)state;
    struct expiries expiries = {0};
    assert_null(expiry_first(NULL, NOW_US));
    assert_null(expiry_first(&expiries, NOW_US));
    learn(&expiries, "a", in(90), NOW_US);
    learn(&expiries, "b", in(30), NOW_US);
    learn(&expiries, "c", in(60), NOW_US);
    assert_first(&expiries, NOW_US, "b");
    assert_null(expiry_soon(&expiries, NOW_US, NOW_US));
    learn(&expiries, "b", in(100), NOW_US);
    assert_first(&expiries, NOW_US, "c");
}

static void within_seven_days_is_soon(void **state) {
    (void)state;
    struct expiries expiries = {0};
    learn(&expiries, "a", in(7), NOW_US);
    assert_null(expiry_soon(&expiries, NOW_US, NOW_US));
    assert_non_null(expiry_soon(&expiries, NOW_US + 1, NOW_US + 1));
    assert_non_null(expiry_soon(&expiries, NOW_US + 1, NOW_US + 8 * US_PER_DAY)); /* it has ended */
}

/* The log has one line for each that begins to be near its end. */
static void news_are_told_once(void **state) {
    (void)state;
    struct expiries expiries = {0};
    assert_false(learn(&expiries, "a", in(90), NOW_US));
    assert_true(learn(&expiries, "b", in(3), NOW_US));
    assert_false(learn(&expiries, "b", in(3), NOW_US + US_PER_HOUR));
    assert_false(learn(&expiries, "b", in(90), NOW_US + US_PER_HOUR));
    assert_true(learn(&expiries, "b", in(90), in(84)));
}

/* Somebody who is called once a month renews in between. */
static void what_was_far_from_its_end_is_not_guessed_to_be_near(void **state) {
    (void)state;
    struct expiries expiries = {0};
    learn(&expiries, "monthly", in(30), NOW_US);
    assert_first(&expiries, in(1), "monthly");
    assert_first(&expiries, in(1) + 1, "none");
    assert_null(expiry_soon(&expiries, in(25), in(25)));
}

static void what_was_near_its_end_stays_until_a_call_sees_another(void **state) {
    (void)state;
    struct expiries expiries = {0};
    learn(&expiries, "monthly", in(5), NOW_US);
    assert_non_null(expiry_soon(&expiries, in(30), in(30)));
    learn(&expiries, "monthly", in(120), in(30));
    assert_null(expiry_soon(&expiries, in(30), in(30)));
    assert_first(&expiries, in(30), "monthly");
}

static void a_host_that_is_no_longer_called_is_forgotten(void **state) {
    (void)state;
    struct expiries expiries = {0};
    learn(&expiries, "old", in(3), NOW_US);
    learn(&expiries, "new", in(90), in(1));
    assert_first(&expiries, in(1), "old");
    learn(&expiries, "new", in(90), in(1) + 1);
    assert_first(&expiries, in(1) + 1, "new");
    assert_int_equal(expiries.count, 1);
}

static void many_hosts_take_the_places_of_those_seen_longest_ago(void **state) {
    (void)state;
    struct expiries expiries = {0};
    char host[16];
    for (int i = 0; i < 3 * EXPIRY_HOSTS_MAX; i++) {
        snprintf(host, sizeof host, "h%d", i);
        learn(&expiries, host, in(i), NOW_US + i);
    }
    assert_int_equal(expiries.count, EXPIRY_HOSTS_MAX);
    assert_first(&expiries, NOW_US, "h16");
}

/* The loop's clock does not follow one that was set right since the start. */
static void ends_are_of_the_calendar(void **state) {
    (void)state;
    struct expiries expiries = {0};
    assert_false(expiry_learn(&expiries, STR("a"), in(90), US_PER_DAY, NOW_US));
    assert_null(expiry_soon(&expiries, US_PER_DAY, NOW_US));
    assert_true(expiry_learn(&expiries, STR("b"), in(3), US_PER_DAY, NOW_US));
    assert_non_null(expiry_soon(&expiries, US_PER_DAY, NOW_US));
}

static void a_long_host_is_one_host(void **state) {
    (void)state;
    struct expiries expiries = {0};
    char host[400];
    memset(host, 'h', sizeof host);
    for (int i = 0; i < 2; i++) expiry_learn(&expiries, (struct str){host, sizeof host}, in(90), NOW_US, NOW_US);
    assert_int_equal(expiries.count, 1);
}

static void the_host_of_a_url(void **state) {
    (void)state;
    static const struct {
        const char *url, *host;
    } cases[] = {
        {"https://api.example.com/v1?key=secret", "api.example.com"},
        {"https://api.example.com:8443", "api.example.com:8443"},
        {"https://api.example.com?key=secret#x", "api.example.com"},
        {"smtps://[::1]:465", "[::1]:465"},
        {"https://example.com/a://b", "example.com"},
        {"example.com/a", "example.com"},
        {"https://", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str host = expiry_host(str_from(cases[i].url));
        if (!str_eq(host, str_from(cases[i].host))) fail_msg("%s: %.*s", cases[i].url, STR_ARG(host));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_to_end_counts),
        cmocka_unit_test(within_seven_days_is_soon),
        cmocka_unit_test(news_are_told_once),
        cmocka_unit_test(what_was_far_from_its_end_is_not_guessed_to_be_near),
        cmocka_unit_test(what_was_near_its_end_stays_until_a_call_sees_another),
        cmocka_unit_test(a_host_that_is_no_longer_called_is_forgotten),
        cmocka_unit_test(many_hosts_take_the_places_of_those_seen_longest_ago),
        cmocka_unit_test(ends_are_of_the_calendar),
        cmocka_unit_test(a_long_host_is_one_host),
        cmocka_unit_test(the_host_of_a_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
