#include "check.h"

#include "base/when.h"

static void lengths_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"0s", 0},
        {"300ms", 300 * US_PER_MS},
        {"30s", 30 * US_PER_S},
        {"5m", 5 * US_PER_MIN},
        {"2h", 2 * US_PER_HOUR},
        {"3d", 3 * US_PER_DAY},
        {"250us", 250},
        {"36500d", 36500 * US_PER_DAY},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t us = -1;
        assert_true(span_parse(str_from(cases[i].text), &us));
        assert_int_equal(us, cases[i].us);
    }
}

static void other_lengths_are_refused(void **state) {
    (void)state;
    const char *bad[] = {"36501d",
                         "106751991d",
                         "",
                         "0",
                         "30",
                         "s",
                         "-5s",
                         "+5s",
                         "5 s",
                         " 5s",
                         "5S",
                         "5min",
                         "1.5h",
                         "1h30m",
                         "5sec",
                         "106751992d",
                         "9223372036854775808us",
                         "1e3s"};
    int64_t us = 42;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (span_parse(str_from(bad[i]), &us)) fail_msg("'%s' was accepted", bad[i]);
    assert_int_equal(us, 42);
}

static void the_written_form_is_exact_and_short(void **state) {
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {300000, "300ms"},
        {30 * US_PER_S, "30s"},
        {60 * US_PER_S, "1m"},
        {90 * US_PER_S, "90s"},
        {24 * US_PER_HOUR, "1d"},
        {36 * US_PER_HOUR, "36h"},
        {1500, "1500us"},
        {-5 * US_PER_MIN, "-5m"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t again = -1;
        assert_str(span_str(&arena, cases[i].us), cases[i].text);
        if (cases[i].us < 0) continue;
        assert_true(span_parse(str_from(cases[i].text), &again));
        assert_int_equal(again, cases[i].us);
    }
    arena_free(&arena);
}

static void people_read_one_or_two_units(void **state) {
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "0 s"},
        {420, "420 us"},
        {1500, "1.5 ms"},
        {850 * US_PER_MS, "850 ms"},
        {1300 * US_PER_MS, "1.3 s"},
        {1 * US_PER_S, "1 s"},
        {9990 * US_PER_MS, "9.9 s"},
        {42 * US_PER_S, "42 s"},
        {80 * US_PER_S, "1 min 20 s"},
        {12 * US_PER_MIN + 5 * US_PER_S, "12 min"},
        {3 * US_PER_HOUR + 4 * US_PER_MIN, "3 h 4 min"},
        {3 * US_PER_HOUR + 4 * US_PER_S, "3 h"},
        {2 * US_PER_DAY + 3 * US_PER_HOUR, "2 d 3 h"},
        {400 * US_PER_DAY, "400 d"},
        {-1300 * US_PER_MS, "-1.3 s"},
        {INT64_MIN, "-106751991 d"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_str(span_human(&arena, cases[i].us), cases[i].text);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_read),
        cmocka_unit_test(other_lengths_are_refused),
        cmocka_unit_test(the_written_form_is_exact_and_short),
        cmocka_unit_test(people_read_one_or_two_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
