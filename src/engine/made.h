/* engine/made.h - events that nobody posts: schedules and folders make them. A
 * chore makes them in its steps, and they are stored by the same append as those
 * of callers; the next turn routes them. Private to the loop's own files.
 */
#ifndef ENGINE_MADE_H
#define ENGINE_MADE_H

#include "engine/turn.h"
#include "ingest/intake.h"

/* What a turn made for a source; told after the commit. */
struct made {
    struct made *next;
    struct str source;
    size_t fresh, again;
    int64_t missed;     /* times of a schedule for which nothing is made */
    struct str refused; /* why an event could not be made; "" = all could */
};

/* Whether a new event has room: neither the disk nor the queue is full, and the loop goes on. */
bool made_has_room(const struct turn *turn);
/* Completes an event whose texts are set. False, with the reason, when it breaks a rule that holds for every event. */
bool made_finish(struct turn *turn, struct event *event, struct refusal *ret_refusal);
/* Appends events that were completed. One that was made before is a duplicate or, where what it is made of changed
 * since, a conflict: in both cases it is there. */
MUST_USE enum err made_append(struct turn *turn, struct str source, const struct event *events, size_t count,
                              struct append_result *ret_verdicts);
/* The turn's entry for a source, made where it is missing. */
struct made *made_of(struct turn *turn, struct str source);
/* After the commit: counts and the log. */
void made_apply(struct turn *turn);

/* schedules.c: the step of their chore, and whether the wall clock was set since it looked. */
MUST_USE enum err schedules_step(struct turn *turn, struct chore_round *round, bool *ret_more);
bool schedules_clock_was_set(const struct loop *loop, int64_t now_us);

#endif
