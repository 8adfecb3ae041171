/* engine/replay_plan.h - one step of making a plan: the next window of events, what is owed of each or was made of it,
 * and a verdict on every such delivery. Private to the loop's own files; see replay.c.
 */
#ifndef ENGINE_REPLAY_PLAN_H
#define ENGINE_REPLAY_PLAN_H

#include "base/err.h"

#include <stdbool.h>

struct replay;
struct turn;

/* Whether the configuration in force is the one that the plan is made by. */
bool replay_same_world(const struct turn *turn, const struct replay *replay);
/* The plan is PLANNED behind the last window, CANCELLED with its reason when it cannot be made. *ret_stalled: nothing
 * can be done at present. */
enum err replay_plan(struct turn *turn, struct replay *replay, bool *ret_stalled);

#endif
