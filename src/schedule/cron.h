/* schedule/cron.h - which times of a calendar a schedule names. Private to this room; pure, and knows no zone: a time
 * is a number of minutes since 1970-01-01T00:00 on the clock that the schedule goes by.
 *
 * A schedule is written as five fields, as Debian's crontab(5) has them (numbers, names, ranges, steps, lists), or as
 * days and times of day, as people say them:
 *
 *   daily 09:00              Tue 09:00                Mon,Thu 09:00,18:30       Mon-Fri 08:00
 *   weekdays 08:00           1st 09:00                1st,15th,last 09:00       last Fri 16:00
 *
 * In five fields, where both the day of the month and the weekday are restricted (neither begins with '*'), a day that
 * fits one of them will do: cron's rule.
 */
#ifndef SCHEDULE_CRON_H
#define SCHEDULE_CRON_H

#include "base/str.h"

#define CRON_DAY 1440 /* minutes */

struct cron {
    uint64_t times[(CRON_DAY + 63) / 64]; /* bit n: the n-th minute of the day */
    uint32_t dates;                       /* bit n: the n-th of the month; bit 0: its last day */
    uint16_t months;                      /* bits 1 to 12 */
    uint8_t weekdays;                     /* bit 0: Sunday */
    uint8_t weeks;                        /* bits 1 to 5: the n-th such weekday of the month; bit 0: its last one */
    bool either;                          /* the date or the weekday */
};

/* False, with what is wrong as the rest of a sentence ("the hour '25' is beyond 23"), when it is no schedule or one
 * that never comes. */
bool cron_parse(struct str text, struct arena *arena, struct cron *ret_cron, struct str *ret_problem);
/* The first time behind this one, and the last one up to it. A schedule that was parsed comes within 40 years. */
int64_t cron_next(const struct cron *cron, int64_t after_min);
int64_t cron_last(const struct cron *cron, int64_t upto_min);

#endif
