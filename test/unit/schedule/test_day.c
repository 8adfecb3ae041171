#include "check.h"

#include "schedule/day.h"
#include "schedule/schedules.h"

static struct arena arena;

static void a_day_is_as_long_as_its_clocks_say(void **state) {
    (void)state;
    static const struct {
        const char *zone, *day, *begins, *ends;
    } cases[] = {
        {"UTC", "2026-10-25T00:00", "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z"},
        {"Europe/Berlin", "2026-10-24T00:00", "2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z"},
        {"Europe/Berlin", "2026-10-25T00:00", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, /* 25 hours */
        {"Europe/Berlin", "2027-03-28T00:00", "2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z"}, /* 23 hours */
        {"Pacific/Kiritimati", "2026-11-24T00:00", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct schedules schedules = {.zone = zone_named(&arena, cases[i].zone)};
        int64_t day = local_s(cases[i].day) / (US_PER_DAY / US_PER_S), ends_us = utc_us(cases[i].ends);
        assert_int_equal(day_moment(&schedules, day, 0), utc_us(cases[i].begins));
        assert_int_equal(day_moment(&schedules, day + 1, 0), ends_us);
        assert_int_equal(day_reached(&schedules, utc_us(cases[i].begins)), day);
        assert_int_equal(day_reached(&schedules, ends_us - 1), day);
        assert_int_equal(day_reached(&schedules, ends_us), day + 1);
    }
    arena_free(&arena);
}

/* In Havana midnight comes twice in autumn: the day that has begun goes on. */
static void a_day_that_has_begun_goes_on(void **state) {
    (void)state;
    const struct schedules schedules = {.zone = zone_named(&arena, "America/Havana")};
    int64_t day = local_s("2024-11-03T00:00") / (US_PER_DAY / US_PER_S);
    int64_t began_us = day_moment(&schedules, day, 0);
    for (int64_t us = began_us; us < began_us + 25 * US_PER_HOUR; us += US_PER_MIN)
        assert_int_equal(day_reached(&schedules, us), day);
    assert_int_equal(day_reached(&schedules, began_us + 25 * US_PER_HOUR), day + 1);
    arena_free(&arena);
}

static void without_a_file_days_are_utc_s(void **state) {
    (void)state;
    int64_t at_us = utc_us("2026-11-24T23:59:59Z"), day = at_us / US_PER_DAY;
    assert_int_equal(day_reached(NULL, at_us), day);
    assert_int_equal(day_moment(NULL, day, 480), utc_us("2026-11-24T08:00:00Z"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_is_as_long_as_its_clocks_say),
        cmocka_unit_test(a_day_that_has_begun_goes_on),
        cmocka_unit_test(without_a_file_days_are_utc_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
