/* schedule/schedule.h - when a schedule is due, in the zone that it goes by. Pure: `now` is a parameter, and how far a
 * schedule has come is a value that the caller keeps.
 *
 * A schedule names times of a calendar (cron.h), nominal times: minutes since 1970-01-01T00:00 on the clocks of its
 * zone. Each is due at one instant: the first at which those clocks show it or a later time. So one that the clocks
 * skip in spring is due at the moment of the skip, one that they show twice in autumn is due the first time, and of
 * one nominal time there is one firing, whatever clocks do. What fires is therefore named by its nominal time.
 */
#ifndef SCHEDULE_SCHEDULE_H
#define SCHEDULE_SCHEDULE_H

#include "base/arena.h"
#include "model/source.h"
#include "schedule/zone.h"

#define FIRINGS_MAX  16             /* at once; the rest at the next look */
#define MISSED_MAX   1000           /* of `all`: the latest are made up for, those before are dropped */
#define SKIP_LATE_US (60 * 1000000) /* of `skip`: whoever is later has missed it */

struct schedule;

/* NULL, with what is wrong as the rest of a sentence, when the text is no schedule. Borrows the zone. */
const struct schedule *schedule_read(struct arena *arena, struct str text, const struct zone *zone,
                                     enum catch_up catch_up, struct str *ret_problem);

struct firing {
    int64_t nominal_min, at_us;
};
/* The next one behind a nominal time. */
struct firing schedule_next(const struct schedule *schedule, int64_t after_min);
/* The latest time that the zone's clocks have shown: where a schedule begins that is seen for the first time. */
int64_t schedule_reached(const struct schedule *schedule, int64_t wall_us);

struct firings {
    struct firing list[FIRINGS_MAX]; /* oldest first */
    size_t count;
    int64_t upto_min; /* how far the schedule has come with these: what to give next time */
    int64_t missed;   /* were due and are left out; counted up to MISSED_MAX */
    bool more;        /* some are due behind these */
};
/* What is due of that behind upto_min. Where several are (the process was away, or clocks skipped them): `all` gives
 * each, `once` the latest, `skip` the latest unless it is late. A clock that was set back makes nothing due, and
 * upto_min comes back with it, so that the schedule goes on by the clock as it is. */
struct firings schedule_due(const struct schedule *schedule, int64_t upto_min, int64_t wall_us);

const char *catch_up_text(enum catch_up catch_up); /* as the configuration has it */
/* 2026-11-24T09:00 */
struct str nominal_str(struct arena *arena, int64_t nominal_min);

#endif
