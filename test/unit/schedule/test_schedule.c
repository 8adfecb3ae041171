#include "check.h"

#include "schedule/schedule.h"

static struct arena arena;

static const struct schedule *schedule_of(const char *text, const char *zone, enum catch_up catch_up) {
    struct str problem = STR_NONE;
    const struct schedule *schedule =
        schedule_read(&arena, str_from(text), zone_named(&arena, zone), catch_up, &problem);
    if (!schedule) fail_msg("'%s' was refused: %.*s", text, STR_ARG(problem));
    return schedule;
}

/* "2026-11-24T09:00 2026-11-25T09:00 missed 3" */
static struct str told(const struct firings *due) {
    struct buf buf = {.arena = &arena};
    for (size_t i = 0; i < due->count; i++)
        buf_fmt(&buf, "%s%.*s", i ? " " : "", STR_ARG(nominal_str(&arena, due->list[i].nominal_min)));
    if (due->missed) buf_fmt(&buf, " missed %lld", (long long)due->missed);
    return buf_str(&buf);
}

static void each_time_fires_at_its_instant(void **state) {
    (void)state;
    static const struct {
        const char *text, *zone, *upto, *now, *due;
        enum catch_up catch_up;
    } cases[] = {
        {"Tue 09:00", "Europe/Berlin", "2026-11-23T12:00", "2026-11-24T07:59:59Z", "", CATCH_UP_ONCE},
        {"Tue 09:00", "Europe/Berlin", "2026-11-23T12:00", "2026-11-24T08:00:00Z", "2026-11-24T09:00", CATCH_UP_ONCE},
        {"Tue 09:00", "Europe/Berlin", "2026-11-24T09:00", "2026-11-24T08:00:30Z", "", CATCH_UP_ALL},
        /* skipped in spring: at the moment of the skip, once */
        {"daily 02:30", "Europe/Berlin", "2027-03-27T02:30", "2027-03-28T00:59:59Z", "", CATCH_UP_SKIP},
        {"daily 02:30", "Europe/Berlin", "2027-03-27T02:30", "2027-03-28T01:00:00Z", "2027-03-28T02:30", CATCH_UP_SKIP},
        {"daily 02:30", "Europe/Berlin", "2027-03-28T02:30", "2027-03-28T09:00:00Z", "", CATCH_UP_ALL},
        /* shown twice in autumn: the first time */
        {"daily 02:30", "Europe/Berlin", "2026-10-24T02:30", "2026-10-25T00:29:59Z", "", CATCH_UP_ALL},
        {"daily 02:30", "Europe/Berlin", "2026-10-24T02:30", "2026-10-25T00:30:00Z", "2026-10-25T02:30", CATCH_UP_ALL},
        {"daily 02:30", "Europe/Berlin", "2026-10-25T02:30", "2026-10-25T01:30:00Z", "", CATCH_UP_ALL},
        /* several that are skipped at once */
        {"*/20 * * * *", "Europe/Berlin", "2027-03-28T01:40", "2027-03-28T01:00:00Z",
         "2027-03-28T02:00 2027-03-28T02:20 2027-03-28T02:40 2027-03-28T03:00", CATCH_UP_ALL},
        {"*/20 * * * *", "Europe/Berlin", "2027-03-28T01:40", "2027-03-28T01:00:00Z", "2027-03-28T03:00 missed 3",
         CATCH_UP_ONCE},
        /* away for three days */
        {"daily 09:00", "UTC", "2026-11-21T09:00", "2026-11-24T12:00:00Z", "2026-11-24T09:00 missed 2", CATCH_UP_ONCE},
        {"daily 09:00", "UTC", "2026-11-21T09:00", "2026-11-24T12:00:00Z", " missed 3", CATCH_UP_SKIP},
        {"daily 09:00", "UTC", "2026-11-21T09:00", "2026-11-24T12:00:00Z",
         "2026-11-22T09:00 2026-11-23T09:00 2026-11-24T09:00", CATCH_UP_ALL},
        {"daily 09:00", "UTC", "2026-11-23T09:00", "2026-11-24T09:01:00Z", "2026-11-24T09:00", CATCH_UP_SKIP},
        {"daily 09:00", "UTC", "2026-11-23T09:00", "2026-11-24T09:01:01Z", " missed 1", CATCH_UP_SKIP},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct schedule *schedule = schedule_of(cases[i].text, cases[i].zone, cases[i].catch_up);
        struct firings due = schedule_due(schedule, local_min(cases[i].upto), utc_us(cases[i].now));
        if (!str_eq(told(&due), str_from(cases[i].due)))
            fail_msg("%zu: '%s' after %s at %s: '%.*s'", i, cases[i].text, cases[i].upto, cases[i].now,
                     STR_ARG(told(&due)));
    }
    arena_free(&arena);
}

/* However often it is looked at and whatever clocks do, each nominal time of three years fires once, in order and not
 * before its instant. */
static void each_time_fires_once(void **state) {
    (void)state;
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"};
    static const char *const texts[] = {"*/15 0-4 * * *", "30 2 * * *", "Sun 01:30,02:00,02:59", "0 * * * *"};
    for (size_t z = 0; z < COUNT_OF(zones); z++)
        for (size_t t = 0; t < COUNT_OF(texts); t++) {
            const struct schedule *schedule = schedule_of(texts[t], zones[z], CATCH_UP_ALL);
            int64_t now_us = utc_us("2010-01-01T00:00:00Z"), end_us = utc_us("2013-01-01T00:00:00Z");
            int64_t upto_min = schedule_reached(schedule, now_us), last_min = upto_min;
            int64_t expected = schedule_next(schedule, last_min).nominal_min;
            while ((now_us += 7 * US_PER_MIN + 1) < end_us) {
                struct firings due;
                do {
                    due = schedule_due(schedule, upto_min, now_us);
                    upto_min = due.upto_min;
                    for (size_t i = 0; i < due.count; i++) {
                        assert_int_equal(due.list[i].nominal_min, expected);
                        assert_true(due.list[i].at_us <= now_us);
                        expected = schedule_next(schedule, expected).nominal_min;
                    }
                } while (due.more);
                assert_true(schedule_next(schedule, upto_min).at_us > now_us);
            }
        }
    arena_free(&arena);
}

static void what_was_missed_is_bounded(void **state) {
    (void)state;
    const struct schedule *schedule = schedule_of("* * * * *", "UTC", CATCH_UP_ALL);
    int64_t now_us = utc_us("2026-11-24T12:00:00Z"), upto_min = local_min("2025-11-24T12:00");
    struct firings due = schedule_due(schedule, upto_min, now_us);
    assert_int_equal(due.count, FIRINGS_MAX);
    assert_int_equal(due.list[0].nominal_min, local_min("2026-11-24T12:00") - MISSED_MAX + 1);
    assert_int_equal(due.missed, 1);
    assert_true(due.more);
    size_t fired = 0;
    for (upto_min = due.upto_min; due.more; upto_min = due.upto_min) {
        fired += due.count;
        due = schedule_due(schedule, upto_min, now_us);
        assert_int_equal(due.missed, 0);
    }
    assert_int_equal(fired + due.count, MISSED_MAX);
    assert_int_equal(due.upto_min, local_min("2026-11-24T12:00"));
    schedule = schedule_of("* * * * *", "UTC", CATCH_UP_ONCE);
    due = schedule_due(schedule, local_min("2025-11-24T12:00"), now_us);
    assert_int_equal(due.count, 1);
    assert_int_equal(due.missed, MISSED_MAX - 1);
    arena_free(&arena);
}

static void a_clock_that_is_set_back_fires_nothing(void **state) {
    (void)state;
    const struct schedule *schedule = schedule_of("daily 09:00", "UTC", CATCH_UP_ALL);
    struct firings due = schedule_due(schedule, local_min("2036-11-24T09:00"), utc_us("2026-11-24T12:00:00Z"));
    assert_int_equal(due.count, 0);
    assert_int_equal(due.missed, 0);
    assert_int_equal(due.upto_min, local_min("2026-11-24T12:00"));
    due = schedule_due(schedule, due.upto_min, utc_us("2026-11-25T09:00:00Z"));
    assert_str(told(&due), "2026-11-25T09:00");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_time_fires_at_its_instant),
        cmocka_unit_test(each_time_fires_once),
        cmocka_unit_test(what_was_missed_is_bounded),
        cmocka_unit_test(a_clock_that_is_set_back_fires_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
