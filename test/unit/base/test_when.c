#include "check.h"

#include "base/when.h"

#define NOON_2026 ((int64_t)1795521600 * US_PER_S) /* 2026-11-24T12:00:00Z */

static void rfc_3339_is_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-24T12:00:00Z", NOON_2026},
        {"2026-11-24t12:00:00z", NOON_2026},
        {"2026-11-24T13:00:00+01:00", NOON_2026},
        {"2026-11-24T06:30:00-05:30", NOON_2026},
        {"2026-11-25T11:59:00+23:59", NOON_2026},
        {"2026-11-24T12:00:00-00:00", NOON_2026},
        {"2026-11-24T12:00:00.5Z", NOON_2026 + 500000},
        {"2026-11-24T12:00:00.000001Z", NOON_2026 + 1},
        {"2026-11-24T12:00:00.123456789012Z", NOON_2026 + 123456},
        {"2024-02-29T00:00:00Z", (int64_t)1709164800 * US_PER_S},
        {"2000-02-29T23:59:59Z", (int64_t)951868799 * US_PER_S},
        {"1985-04-12T23:20:50.52Z", (int64_t)482196050 * US_PER_S + 520000},
        {"1996-12-19T16:39:57-08:00", (int64_t)851042397 * US_PER_S},
        {"9999-12-31T23:59:59.999999Z", (int64_t)253402300799 * US_PER_S + 999999},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t us = -1;
        if (!when_parse(str_from(cases[i].text), &us)) fail_msg("%s was refused", cases[i].text);
        assert_int_equal(us, cases[i].us);
    }
}

static void other_texts_are_refused(void **state) {
    (void)state;
    const char *bad[] = {
        "",
        "2026-11-24",
        "2026-11-24T12:00:00",
        "2026-11-24 12:00:00Z",
        "2026-11-24T12:00Z",
        "2026-11-24T12:00:00.Z",
        "2026-11-24T12:00:00+0100",
        "2026-11-24T12:00:00+01",
        "2026-11-24T12:00:00+24:00",
        "2026-11-24T12:00:00+01:60",
        "2026-11-24T12:00:00ZZ",
        " 2026-11-24T12:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T12:60:00Z",
        "2026-11-24T12:00:61Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-04-00T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:30:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "26-11-24T12:00:00Z",
        "12026-11-24T12:00:00Z",
        "2026-1-24T12:00:00Z",
        "2026-11-24T-1:00:00Z",
        "2026-11-24T12:00:00,5Z",
        "tomorrow",
    };
    int64_t us = 42;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (when_parse(str_from(bad[i]), &us)) fail_msg("'%s' was accepted", bad[i]);
    assert_int_equal(us, 42);
}

static void a_leap_second_is_the_first_second_of_the_next_day(void **state) {
    (void)state;
    const int64_t new_year_2017 = (int64_t)1483228800 * US_PER_S;
    int64_t us;
    assert_true(when_parse(STR("2016-12-31T23:59:60Z"), &us) && us == new_year_2017);
    assert_true(when_parse(STR("2016-12-31T23:59:60.25Z"), &us) && us == new_year_2017 + 250000);
    assert_true(when_parse(STR("2017-01-01T00:59:60+01:00"), &us) && us == new_year_2017);
    assert_true(when_parse(STR("1990-12-31T15:59:60-08:00"), &us) && us == (int64_t)662688000 * US_PER_S);
    assert_false(when_parse(STR("2016-12-31T12:00:60Z"), &us));
    assert_false(when_parse(STR("2016-12-30T23:59:60Z"), &us));
    assert_false(when_parse(STR("2016-12-31T23:59:60+01:00"), &us));
}

static void instants_are_written(void **state) {
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {NOON_2026, "2026-11-24T12:00:00Z"},
        {NOON_2026 + 123456, "2026-11-24T12:00:00.123456Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {-US_PER_DAY, "1969-12-31T00:00:00Z"},
        {(int64_t)1709164800 * US_PER_S, "2024-02-29T00:00:00Z"},
        {(int64_t)253402300799 * US_PER_S, "9999-12-31T23:59:59Z"},
        {WHEN_NEVER, "294247-01-10T04:00:54.775807Z"},
        {INT64_MIN, "-290308-12-21T19:59:05.224192Z"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_str(when_str(&arena, cases[i].us), cases[i].text);
    arena_free(&arena);
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    for (int64_t us = 0; us < (int64_t)253402300800 * US_PER_S; us += 86399 * 977 * US_PER_S + 13) {
        char text[WHEN_TEXT_ROOM];
        int64_t again = -1;
        when_format(us, text);
        assert_true(when_parse(str_from(text), &again));
        assert_int_equal(again, us);
    }
}

static void the_three_http_dates_are_one_instant(void **state) {
    (void)state;
    const int64_t us = (int64_t)784111777 * US_PER_S;
    const char *forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        int64_t read = -1;
        if (!when_parse_http(str_from(forms[i]), &read)) fail_msg("'%s' was refused", forms[i]);
        assert_int_equal(read, us);
    }
    int64_t read;
    assert_true(when_parse_http(STR("Tue Nov 24 12:00:00 2026"), &read) && read == NOON_2026);
    assert_true(when_parse_http(STR("Tuesday, 24-Nov-26 12:00:00 GMT"), &read) && read == NOON_2026);
    assert_true(when_parse_http(STR("Sat, 31 Dec 2016 23:59:60 GMT"), &read));
    assert_int_equal(read, (int64_t)1483228800 * US_PER_S);
}

static void other_http_dates_are_refused(void **state) {
    (void)state;
    const char *bad[] = {
        "",
        "120",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xxx 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
    };
    int64_t us = 42;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (when_parse_http(str_from(bad[i]), &us)) fail_msg("'%s' was accepted", bad[i]);
    assert_int_equal(us, 42);
}

static void the_times_of_certificates_are_read(void **state) {
    (void)state;
    const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"Nov  6 08:49:37 1994 GMT", (int64_t)784111777 * US_PER_S},
        {"Nov 24 12:00:00 2026 GMT", NOON_2026},
        {"Nov 24 12:00:00.25 2026 GMT", NOON_2026 + US_PER_S / 4},
        {"Feb 29 00:00:00 2024 GMT", (int64_t)1709164800 * US_PER_S},
        {"Dec 31 23:59:59 9999 GMT", (int64_t)253402300799 * US_PER_S}, /* RFC 5280: it has no end */
    };
    const char *bad[] = {
        "",
        " ",
        "GMT",
        "Bad time value",
        "Nov",
        "Nov  6",
        "Nov  6 08:49:37 1994",
        "Nov  6 08:49:37 1994 GMT ",
        "Nov  6 08:49:37 1994 CET",
        "Nov  6 08:49:37 1994 +0100",
        "Nov  6 08:49:37 GMT",
        "Nov 6 08:49:37 1994 GMT",
        "Nov  6 08:49 1994 GMT",
        "Nov  6 08:49:37. 1994 GMT",
        "nov  6 08:49:37 1994 GMT",
        "Xxx  6 08:49:37 1994 GMT",
        "Feb 29 00:00:00 2026 GMT",
        "Nov  0 08:49:37 1994 GMT",
        "Nov  6 24:49:37 1994 GMT",
        "Nov  6 08:49:37 1949 GMT",
        "Nov  6 08:49:37 19940 GMT",
        "Nov  6 08:49:37 -994 GMT",
        "1994-11-06 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994 GMT",
        "\xff\xfe",
    };
    int64_t us = 42;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (when_parse_openssl(str_from(bad[i]), &us)) fail_msg("'%s' was accepted", bad[i]);
    assert_int_equal(us, 42);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (!when_parse_openssl(str_from(good[i].text), &us)) fail_msg("'%s' was refused", good[i].text);
        assert_int_equal(us, good[i].us);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_3339_is_read),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(a_leap_second_is_the_first_second_of_the_next_day),
        cmocka_unit_test(instants_are_written),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_three_http_dates_are_one_instant),
        cmocka_unit_test(other_http_dates_are_refused),
        cmocka_unit_test(the_times_of_certificates_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
