/* schedule/day.h - the days that a sheet is made of: those of the file's own zone, counted from 1970-01-01. schedules
 * NULL = there is no file: UTC's. Pure. In schedules.c. */
#ifndef SCHEDULE_DAY_H
#define SCHEDULE_DAY_H

#include "base/when.h"

struct schedules;

/* The day that its clocks have reached. It never goes back, as they may around midnight. */
int64_t day_reached(const struct schedules *schedules, int64_t wall_us);
/* The first instant at which its clocks show so many minutes of that day, or a later time. */
int64_t day_moment(const struct schedules *schedules, int64_t day, int64_t minutes);

#endif
