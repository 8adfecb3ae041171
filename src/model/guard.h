/* model/guard.h - a breaker for jq that runs away: a route's, or that of a source's map (ingest/mapping.c), whose
 * events are requests.
 *
 * A program that runs away on one event costs that event its deliveries of this route. The route is only stopped when
 * it ran away on three different events within ten minutes. Then one event at a time is let through as a probe: after
 * a minute, then after twice as long each time, up to an hour. A probe that comes back heals the route.
 */
#ifndef MODEL_GUARD_H
#define MODEL_GUARD_H

#include "base/id.h"
#include "base/str.h"

#define GUARD_STRIKES   3
#define GUARD_WHY_BYTES 160

struct guard {
    struct uuid strikes[GUARD_STRIKES]; /* events that ran away, each once, oldest first */
    int64_t struck_us[GUARD_STRIKES];
    size_t strike_count;
    bool stopped;
    int64_t until_us, span_us; /* stopped: when the next probe may go, and how long the present spell is */
    char why[GUARD_WHY_BYTES]; /* what the program did, as the evaluator said; ends in NUL */
};

/* Takes in that the program ran away on an event. */
void guard_strike(struct guard *guard, struct uuid event, struct str why, int64_t now_us);
/* Takes in that the program came back: a stopped route is healed by its probe. Strikes are kept until they are too old.
 */
void guard_heal(struct guard *guard);
/* Takes over a stop that another process, or this one before its restart, has stored. A later moment than the known one
 * means a longer spell. */
void guard_restore(struct guard *guard, struct str why, int64_t until_us, int64_t now_us);
/* Whether the program ran away on this very event within the last minute: whoever can refuse it need not run it again.
 */
bool guard_knows(const struct guard *guard, struct uuid event, int64_t now_us);
bool guard_may_probe(const struct guard *guard, int64_t now_us);

#endif
