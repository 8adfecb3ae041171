/* engine/schedules.c - schedules make events.
 *
 * WHAT. A chore: asks each schedule what is due since its mark, appends one event for each such time, and moves the
 * mark.
 * PROMISE. Of one nominal time of a schedule there is at most one event, whatever clocks, restarts and other processes
 * do; with `catch_up: all` there is exactly one, up to MISSED_MAX times back.
 * WHY IT HOLDS.
 * 1. An event's key is the source's name and the nominal time, and the store takes a key once.
 * 2. The events and the mark that says so are written in one transaction. A crash before it leaves both as they were,
 *    and the times are due again; after it, both are there.
 * 3. On a shared store one process at a time takes the step (TASK_SCHEDULES) and reads the mark under that lock. Two
 *    that did not would still come upon the same keys.
 * 4. A mark is written when a schedule is first seen, and anew when it is written in other words: what was due before
 *    that is not made up for. A clock that is set back takes the mark back with it; keys keep what fired from firing
 *    again.
 * 5. The loop wakes by the wall clock, and looks anew when that clock was set.
 * WHAT BREAKS IT. Retention forgets the keys of old events: a clock that is set back by more than keep.events, to times
 * that fired, lets them fire again.
 * HOW TO SEE IT. `drumbeat schedules list`; drumbeat_source_requests_total of the source; the log's schedule_missed.
 * TESTED BY. test/unit/schedule; the scenarios schedule-*; test/e2e/test_schedules.py. */
#include "schedule/schedules.h"
#include "engine/made.h"
#include "store/memory.h"
#include "store/shared.h"

#define AGAIN_US (5 * US_PER_S) /* while there is no room for events, or another process is at it */

static enum err fire(struct turn *turn, const struct schedule_entry *entry, const struct firings *due) {
    struct event *events = arena_array(turn->arena, struct event, due->count);
    struct append_result *verdicts = arena_array(turn->arena, struct append_result, due->count);
    size_t count = 0;
    for (size_t i = 0; i < due->count; i++) {
        struct refusal refusal;
        events[count] = schedule_event(entry, due->list[i], turn->arena);
        if (made_finish(turn, &events[count], &refusal))
            count++;
        else
            made_of(turn, entry->source->name)->refused = refusal.detail;
    }
    if (due->missed) made_of(turn, entry->source->name)->missed += due->missed;
    return count ? made_append(turn, entry->source->name, events, count, verdicts) : ERR_NONE;
}

/* Fires what is due of one, and gives the moment of what is due next. */
static enum err look_at(struct turn *turn, const struct schedule_entry *entry, int64_t *ret_next_us) {
    struct store *store = turn->loop->options.store;
    struct mark mark;
    bool known;
    TRY(store_mark(store, entry->source->name, turn->arena, &mark, &known));
    known = known && str_eq(mark.said, entry->said);
    int64_t upto_min = known ? mark.position : schedule_reached(entry->schedule, turn->wall_us);
    const struct firings due = schedule_due(entry->schedule, upto_min, turn->wall_us);
    TRY(fire(turn, entry, &due));
    *ret_next_us = due.more ? turn->wall_us : schedule_next(entry->schedule, due.upto_min).at_us;
    if (known && due.upto_min == upto_min) return ERR_NONE;
    mark = (struct mark){entry->source->name, due.upto_min, entry->said, turn->wall_us};
    return store_set_mark(store, &mark);
}

enum err schedules_step(struct turn *turn, struct chore_round *round, bool *ret_more) {
    (void)round;
    const struct schedules *schedules = turn->loop->in_force.schedules;
    struct chores *state = &turn->chores;
    bool ours = true;
    *ret_more = false;
    state->skew_us = turn->wall_us - turn->now_us;
    state->schedules_us = schedules->count ? turn->wall_us + AGAIN_US : WHEN_NEVER;
    if (!schedules->count || !made_has_room(turn)) return ERR_NONE;
    TRY(store_try_task(turn->loop->options.store, TASK_SCHEDULES, &ours));
    if (!ours) return ERR_NONE;
    state->schedules_us = WHEN_NEVER;
    for (size_t i = 0; i < schedules->count; i++) {
        int64_t next_us;
        TRY(look_at(turn, &schedules->list[i], &next_us));
        if (next_us < state->schedules_us) state->schedules_us = next_us;
    }
    *ret_more = state->schedules_us <= turn->wall_us;
    return ERR_NONE;
}

/* Schedules go by the wall clock. When that was set since they were looked at, the moment they wait for is another. */
bool schedules_clock_was_set(const struct loop *loop, int64_t now_us) {
    const struct chores *state = &loop->chores;
    if (state->schedules_us == WHEN_NEVER || state->due_us[CHORE_SCHEDULES] == WHEN_NEVER) return false;
    int64_t skew_us = loop->options.clock.wall_us(loop->options.clock.self) - now_us;
    return skew_us - state->skew_us > US_PER_S || state->skew_us - skew_us > US_PER_S;
}
