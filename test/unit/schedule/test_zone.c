#include "check.h"

#include <string.h>

static struct arena arena;

static void clocks_show_what_their_zone_says(void **state) {
    (void)state;
    static const struct {
        const char *zone, *at;
        int32_t offset_s;
    } cases[] = {
        {"UTC", "2026-11-24T09:00:00Z", 0},
        {"Europe/Berlin", "2026-11-24T09:00:00Z", 3600},
        {"Europe/Berlin", "2026-07-01T09:00:00Z", 7200},
        {"Europe/Berlin", "2027-03-28T00:59:59Z", 3600},
        {"Europe/Berlin", "2027-03-28T01:00:00Z", 7200},
        {"Europe/Berlin", "2145-07-01T00:00:00Z", 7200}, /* beyond what the file lists */
        {"Europe/Dublin", "2045-07-01T00:00:00Z", 3600}, /* its winter time is the one that is put back */
        {"Europe/Dublin", "2045-12-01T00:00:00Z", 0},
        {"America/New_York", "2026-11-01T05:59:59Z", -14400},
        {"America/New_York", "2026-11-01T06:00:00Z", -18000},
        {"Asia/Kathmandu", "2026-01-01T00:00:00Z", 20700},
        {"Australia/Lord_Howe", "2045-01-01T00:00:00Z", 39600}, /* by half an hour, in the south */
        {"Australia/Lord_Howe", "2045-07-01T00:00:00Z", 37800},
        {"America/Nuuk", "2045-07-01T00:00:00Z", -3600}, /* changes on the day before: /-1 */
        {"Pacific/Apia", "2011-12-30T09:59:59Z", -36000},
        {"Pacific/Apia", "2011-12-30T10:00:00Z", 50400},
        {"Africa/Monrovia", "1971-01-01T00:00:00Z", -2670}, /* seconds */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int32_t offset_s = zone_offset(zone_named(&arena, cases[i].zone), utc_us(cases[i].at) / US_PER_S);
        if (offset_s != cases[i].offset_s) fail_msg("%s at %s: %d", cases[i].zone, cases[i].at, offset_s);
    }
    arena_free(&arena);
}

static void a_local_time_has_one_instant(void **state) {
    (void)state;
    static const struct {
        const char *zone, *local, *instant;
    } cases[] = {
        {"Europe/Berlin", "2026-11-24T09:00", "2026-11-24T08:00:00Z"},
        {"Europe/Berlin", "2027-03-28T01:59", "2027-03-28T00:59:00Z"},
        {"Europe/Berlin", "2027-03-28T02:00", "2027-03-28T01:00:00Z"}, /* skipped: the moment of the skip */
        {"Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:00:00Z"},
        {"Europe/Berlin", "2027-03-28T03:00", "2027-03-28T01:00:00Z"},
        {"Europe/Berlin", "2027-03-28T03:01", "2027-03-28T01:01:00Z"},
        {"Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z"}, /* twice: the first */
        {"Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"},
        {"America/New_York", "2026-03-08T02:30", "2026-03-08T07:00:00Z"},
        {"Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30:00Z"},
        {"Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00:00Z"}, /* a whole day was left out */
        {"Europe/Berlin", "2145-03-28T02:30", "2145-03-28T01:00:00Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t instant_s = zone_instant(zone_named(&arena, cases[i].zone), local_s(cases[i].local));
        struct str text = when_str(&arena, instant_s * US_PER_S);
        if (!str_eq(text, str_from(cases[i].instant)))
            fail_msg("%s in %s: %.*s, not %s", cases[i].local, cases[i].zone, STR_ARG(text), cases[i].instant);
    }
    arena_free(&arena);
}

/* What the one says is reached is what the other says is due, second by second around every change. */
static void reached_and_instant_are_one_rule(void **state) {
    (void)state;
    static const char *const zones[] = {"Europe/Berlin", "America/New_York",  "Australia/Lord_Howe", "Pacific/Apia",
                                        "Europe/Dublin", "Africa/Casablanca", "America/Nuuk"};
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        const struct zone *zone = zone_named(&arena, zones[i]);
        int64_t from_s = utc_us("2009-01-01T00:00:00Z") / US_PER_S;
        for (int64_t at_s = from_s; at_s < from_s + 4 * 366 * 86400; at_s += 1799) {
            int64_t reached_s = zone_reached(zone, at_s);
            assert_true(reached_s >= at_s + zone_offset(zone, at_s));
            assert_true(zone_instant(zone, reached_s) <= at_s);
            assert_true(zone_instant(zone, reached_s + 1) > at_s);
        }
    }
    arena_free(&arena);
}

static void a_broken_file_is_no_zone(void **state) {
    (void)state;
    struct str good = zone_bytes(&arena, "Europe/Berlin");
    assert_non_null(zone_read(&arena, good));
    for (size_t n = 0; n < good.n; n++) /* each byte in a block of its own, so that a read behind it is seen */
        assert_null(zone_read(&arena, (struct str){arena_copy(&arena, good.p, n), n}));
    for (size_t i = 0; i < good.n * 8; i++) {
        char *changed = arena_copy(&arena, good.p, good.n);
        changed[i / 8] = (char)(changed[i / 8] ^ (1 << i % 8));
        const struct zone *zone = zone_read(&arena, (struct str){changed, good.n});
        if (zone) (void)zone_instant(zone, local_s("2027-03-28T02:30"));
        if (i % 1024 == 0) {
            arena_reset(&arena);
            good = zone_bytes(&arena, "Europe/Berlin");
        }
    }
    arena_free(&arena);
}

static void a_last_line_is_read_whole(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool good;
    } cases[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", true},
        {"<+0330>-3:30<+0430>,J79/24,J263/24", true},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", true},
        {"AAA3BBB,0/0,364/167", true},
        {"UTC0", true},
        {"UTC", false},
        {"CET-1CEST", false},
        {"CET-1CEST,M3.5.0", false},
        {"CET-1CEST,M13.5.0,M10.5.0/3", false},
        {"CET-1CEST,M3.6.0,M10.5.0/3", false},
        {"CET-1CEST,M3.5.7,M10.5.0/3", false},
        {"CET-1CEST,J0,J100", false},
        {"CET-1CEST,M3.5.0,M10.5.0/168", false},
        {"CET-1CEST,M3.5.0,M10.5.0/3x", false},
        {"<>0", false},
    };
    static const char head[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1"
                               "\0\0\0\0\0\0\0"
                               "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1"
                               "\0\0\0\0\0\0\0\n";
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf buf = {.arena = &arena};
        buf_add(&buf, (struct str){head, sizeof head - 1});
        buf_fmt(&buf, "%s\n", cases[i].line);
        bool good = zone_read(&arena, buf_str(&buf)) != NULL;
        if (good != cases[i].good) fail_msg("'%s' was %s", cases[i].line, good ? "taken" : "refused");
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_show_what_their_zone_says), cmocka_unit_test(a_local_time_has_one_instant),
        cmocka_unit_test(reached_and_instant_are_one_rule), cmocka_unit_test(a_broken_file_is_no_zone),
        cmocka_unit_test(a_last_line_is_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
