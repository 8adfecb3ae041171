/* schedule/schedule.c - see schedule.h. */
#include "schedule/schedule.h"

#include "base/when.h"
#include "schedule/cron.h"

struct schedule {
    struct cron cron;
    const struct zone *zone;
    enum catch_up catch_up;
};

const struct schedule *schedule_read(struct arena *arena, struct str text, const struct zone *zone,
                                     enum catch_up catch_up, struct str *ret_problem) {
    struct schedule *schedule = arena_new(arena, struct schedule);
    if (!cron_parse(text, arena, &schedule->cron, ret_problem)) return NULL;
    schedule->zone = zone;
    schedule->catch_up = catch_up;
    return schedule;
}

static int64_t floor_of(int64_t number, int64_t unit) {
    return number / unit - (number % unit < 0);
}

static struct firing firing_of(const struct schedule *schedule, int64_t nominal_min) {
    return (struct firing){nominal_min, zone_instant(schedule->zone, nominal_min * 60) * US_PER_S};
}

struct firing schedule_next(const struct schedule *schedule, int64_t after_min) {
    return firing_of(schedule, cron_next(&schedule->cron, after_min));
}

int64_t schedule_reached(const struct schedule *schedule, int64_t wall_us) {
    return floor_of(zone_reached(schedule->zone, floor_of(wall_us, US_PER_S)), 60);
}

struct firings schedule_due(const struct schedule *schedule, int64_t upto_min, int64_t wall_us) {
    int64_t reached_min = schedule_reached(schedule, wall_us), back[MISSED_MAX];
    struct firings due = {.upto_min = upto_min < reached_min ? upto_min : reached_min};
    size_t count = 0;
    /* The newest first, because how many there are is not known: a year of minutes, after a year away. */
    int64_t nominal_min = cron_last(&schedule->cron, reached_min);
    for (; nominal_min > upto_min && count < MISSED_MAX; nominal_min = cron_last(&schedule->cron, nominal_min - 1))
        back[count++] = nominal_min;
    if (!count) return due;
    struct firing latest = firing_of(schedule, back[0]);
    if (schedule->catch_up == CATCH_UP_ALL) {
        due.missed = nominal_min > upto_min; /* at least */
        while (due.count < count && due.count < FIRINGS_MAX) {
            due.list[due.count] = firing_of(schedule, back[count - 1 - due.count]);
            due.count++;
        }
        due.more = due.count < count;
    } else if (schedule->catch_up == CATCH_UP_ONCE || wall_us - latest.at_us <= SKIP_LATE_US) {
        due.list[due.count++] = latest;
    }
    if (schedule->catch_up != CATCH_UP_ALL) due.missed = (int64_t)(count - due.count);
    due.upto_min = due.more ? due.list[due.count - 1].nominal_min : back[0];
    return due;
}

const char *catch_up_text(enum catch_up catch_up) {
    static const char *const texts[] = {[CATCH_UP_SKIP] = "skip", [CATCH_UP_ONCE] = "once", [CATCH_UP_ALL] = "all"};
    return texts[catch_up];
}

struct str nominal_str(struct arena *arena, int64_t nominal_min) {
    struct str text = when_str(arena, nominal_min * US_PER_MIN);
    return str_sub(text, 0, sizeof "2026-11-24T09:00" - 1);
}
