#include "check.h"

#include "schedule/cron.h"

static struct arena arena;

static struct cron cron_of(const char *text) {
    struct cron cron;
    struct str problem = STR_NONE;
    if (!cron_parse(str_from(text), &arena, &cron, &problem))
        fail_msg("'%s' was refused: %.*s", text, STR_ARG(problem));
    return cron;
}

static struct str text_of(int64_t minutes) {
    return str_sub(when_str(&arena, minutes * US_PER_MIN), 0, 16);
}

static void the_next_times_are_found(void **state) {
    (void)state;
    static const struct {
        const char *schedule, *after, *next[4];
    } cases[] = {
        {"0 9 * * Tue", "2026-11-24T09:00", {"2026-12-01T09:00", "2026-12-08T09:00"}},
        {"Tue 09:00", "2026-11-24T08:59", {"2026-11-24T09:00", "2026-12-01T09:00"}},
        {"tuesday 9:00", "2026-11-24T08:59", {"2026-11-24T09:00", "2026-12-01T09:00"}},
        {"daily 09:00,18:30", "2026-11-24T09:00", {"2026-11-24T18:30", "2026-11-25T09:00"}},
        {"Mon,Thu 18:30", "2026-11-24T00:00", {"2026-11-26T18:30", "2026-11-30T18:30", "2026-12-03T18:30"}},
        {"Fri-Sun 08:00", "2026-11-24T00:00", {"2026-11-27T08:00", "2026-11-28T08:00", "2026-11-29T08:00"}},
        {"weekdays 08:00", "2026-11-27T08:00", {"2026-11-30T08:00", "2026-12-01T08:00"}},
        {"1st 09:00", "2026-11-24T00:00", {"2026-12-01T09:00", "2027-01-01T09:00"}},
        {"1st,15th,last 09:00", "2026-12-15T09:00", {"2026-12-31T09:00", "2027-01-01T09:00", "2027-01-15T09:00"}},
        {"last 23:59", "2028-02-01T00:00", {"2028-02-29T23:59", "2028-03-31T23:59"}},
        {"last Fri 16:00", "2026-11-24T00:00", {"2026-11-27T16:00", "2026-12-25T16:00", "2027-01-29T16:00"}},
        {"1st Mon 09:00", "2026-11-24T00:00", {"2026-12-07T09:00", "2027-01-04T09:00"}},
        {"5th Mon 09:00", "2026-11-24T00:00", {"2026-11-30T09:00", "2027-03-29T09:00"}},
        {"1st,3rd Wed 10:00", "2026-11-24T00:00", {"2026-12-02T10:00", "2026-12-16T10:00", "2027-01-06T10:00"}},
        {"31st 09:00", "2026-11-24T00:00", {"2026-12-31T09:00", "2027-01-31T09:00", "2027-03-31T09:00"}},
        {"*/15 8-9 * * *", "2026-11-24T08:40", {"2026-11-24T08:45", "2026-11-24T09:00", "2026-11-24T09:15"}},
        {"* * * * *", "2026-12-31T23:58", {"2026-12-31T23:59", "2027-01-01T00:00"}},
        {"5,10-20/5 0 * * *", "2026-11-24T00:05", {"2026-11-24T00:10", "2026-11-24T00:15", "2026-11-24T00:20"}},
        {"0 0 29 2 *", "2026-11-24T00:00", {"2028-02-29T00:00", "2032-02-29T00:00"}},
        {"0 0 29 2 *", "2096-03-01T00:00", {"2104-02-29T00:00"}},
        {"0 12 * jan,Dec sun", "2026-12-20T12:00", {"2026-12-27T12:00", "2027-01-03T12:00"}},
        {"0 0 * * 7", "2026-11-24T00:00", {"2026-11-29T00:00", "2026-12-06T00:00"}},
        /* cron's rule: the date or the weekday where both are restricted, and both where one begins with '*' */
        {"0 0 13 * Fri",
         "2026-11-24T00:00",
         {"2026-11-27T00:00", "2026-12-04T00:00", "2026-12-11T00:00", "2026-12-13T00:00"}},
        {"0 0 */7 * Fri", "2026-11-24T00:00", {"2027-01-01T00:00", "2027-01-08T00:00", "2027-01-15T00:00"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cron cron = cron_of(cases[i].schedule);
        int64_t at = local_min(cases[i].after);
        for (size_t j = 0; j < 4 && cases[i].next[j]; j++) {
            at = cron_next(&cron, at);
            if (!str_eq(text_of(at), str_from(cases[i].next[j])))
                fail_msg("'%s' gives %.*s, not %s", cases[i].schedule, STR_ARG(text_of(at)), cases[i].next[j]);
        }
    }
    arena_free(&arena);
}

static void what_comes_last_is_what_came_next(void **state) {
    (void)state;
    static const char *const schedules[] = {"* * * * *",      "*/7 3,22 * * *", "0 9 * * Tue",
                                            "30 2 29 2 *",    "last Fri 16:00", "1st,15th 00:00,23:59",
                                            "17 4 1-7 * Mon", "0 0 31 * *",     "5th Sun 12:00"};
    for (size_t i = 0; i < COUNT_OF(schedules); i++) {
        struct cron cron = cron_of(schedules[i]);
        int64_t at = local_min("1999-12-31T00:00");
        for (int j = 0; j < 300; j++) {
            int64_t next = cron_next(&cron, at);
            assert_true(next > at);
            assert_int_equal(cron_last(&cron, next), next);
            if (j) assert_int_equal(cron_last(&cron, next - 1), at);
            at = next;
        }
    }
    arena_free(&arena);
}

static void times_before_1970_are_times(void **state) {
    (void)state;
    struct cron cron = cron_of("daily 23:30");
    assert_int_equal(cron_last(&cron, 0), -30);
    assert_int_equal(cron_next(&cron, -31), -30);
    assert_int_equal(cron_next(&cron, -30), 1410);
}

static void what_is_no_schedule_is_told_why(void **state) {
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"", "it is five fields, as in '0 9 * * Tue', or days and times, as in 'Tue 09:00', 'daily 09:00,18:30', "
             "'1st 09:00'"},
        {"09:00", "it is five fields, as in '0 9 * * Tue', or days and times, as in 'Tue 09:00', 'daily 09:00,18:30', "
                  "'1st 09:00'"},
        {"0 9 * * Tue 2026", "it is five fields, as in '0 9 * * Tue', or days and times, as in 'Tue 09:00', "
                             "'daily 09:00,18:30', '1st 09:00'"},
        {"60 9 * * *", "the minute '60' is not from 0 to 59"},
        {"0 24 * * *", "the hour '24' is not from 0 to 23"},
        {"0 9 0 * *", "the day of the month '0' is not from 1 to 31"},
        {"0 9 * 13 *", "the month '13' is not from 1 to 12"},
        {"0 9 * * 8", "the weekday '8' is not from 0 to 7"},
        {"0 9 * * Tus", "the weekday 'Tus' is no number and no name"},
        {"0 x * * *", "the hour 'x' is no number"},
        {"0 9,,10 * * *", "the hour '' is no number"},
        {"-5 9 * * *", "the minute '' is no number"},
        {"0 22-2 * * *", "the hour '22-2' ends before it begins: write two ranges"},
        {"*/0 * * * *", "the minute '*/0' has no step from 1 to 60 behind its '/'"},
        {"*/ * * * *", "the minute '*/' has no step from 1 to 60 behind its '/'"},
        {"5/10 * * * *", "the minute '5/10' is a step without a range: write '5-59/10'"},
        {"0 0 30 2 *", "there is no such day in any year"},
        {"0 0 31 4,6,9,11 *", "there is no such day in any year"},
        {"Tue 25:00", "'25:00' is no time of day from 00:00 to 23:59"},
        {"Tue 24:00", "'24:00' is no time of day from 00:00 to 23:59"},
        {"Tue 9", "'9' is no time of day from 00:00 to 23:59; write 09:00"},
        {"Tue 9:5", "'9:5' is no time of day from 00:00 to 23:59; write 09:05"},
        {"Tue 123", "'123' is no time of day from 00:00 to 23:59"},
        {"Tue 09:00,", "'09:00,' ends in a comma"},
        {"Mon, Tue 09:00", "'Mon,' ends in a comma"},
        {"Tues 09:00", "the weekday 'Tues' is no number and no name"},
        {"2th 09:00", "the weekday '2th' is no number and no name"},
        {"32nd 09:00", "the weekday '32nd' is no number and no name"},
        {"6th Mon 09:00", "'6th' before a weekday is none of 1st, 2nd, 3rd, 4th, 5th and last"},
        {"Mon Tue 09:00", "'Mon' before a weekday is none of 1st, 2nd, 3rd, 4th, 5th and last"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cron cron;
        struct str problem = STR_NONE;
        if (cron_parse(str_from(cases[i].text), &arena, &cron, &problem)) fail_msg("'%s' was taken", cases[i].text);
        assert_str(problem, cases[i].problem);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_times_are_found),
        cmocka_unit_test(what_comes_last_is_what_came_next),
        cmocka_unit_test(times_before_1970_are_times),
        cmocka_unit_test(what_is_no_schedule_is_told_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
