/* model/guard.c - see guard.h.
 *
 * WHAT. Decides when a route whose jq runs away is stopped, when it is tried again, and when it runs freely again.
 * PROMISE. A program that runs away on every event costs the line a few deadlines and then one in a spell that grows to
 * SPAN_MAX_US. One event that is poison for a sound program stops nothing. A stopped route always gets its probes.
 * WHY IT HOLDS.
 * 1. A strike is an event, and not a try: guard_age drops an older strike of the same event first. So an event that is
 *    tried again and again counts once, and only GUARD_STRIKES different events stop a route.
 * 2. Strikes are forgotten after WINDOW_US, so rare poison over months never adds up. A program that comes back does
 * not forget them: poison between sound events must still count.
 * 3. While the route is stopped, one event of a batch is let through once until_us has come (plan.c). A strike of that
 *    probe makes the next spell twice as long, up to SPAN_MAX_US; a probe that comes back heals the route at once.
 * 4. A stop is stored, so that it holds over a restart and for other processes. guard_restore cannot know how long the
 *    spell was; a later moment than the known one means that another probe failed, so the spell doubles here too. The
 *    moment is clamped, so a wrong clock cannot stop a route for longer than SPAN_MAX_US.
 * 5. A guard is a plain value. A turn changes the staged copy, which routes_commit makes true after the turn's commit.
 * WHAT BREAKS IT. An evaluator that blames the wrong call: sandbox.c counts processor time for that reason.
 * HOW TO SEE IT. The log lines route_stopped and route_healed; deliveries that are HELD with the route's name.
 * TESTED BY. test/unit/route/test_guard.c, test_plan.c; the scenarios route-stopped and route-fails-alone.
 */
#include "model/guard.h"

#include "base/when.h"

#include <string.h>

#define WINDOW_US   (10 * US_PER_MIN)
#define SPAN_MIN_US US_PER_MIN
#define SPAN_MAX_US US_PER_HOUR
#define REST_US     US_PER_MIN

static void guard_why(struct guard *guard, struct str why) {
    size_t n = str_head(why, GUARD_WHY_BYTES - 1).n;
    if (n) memcpy(guard->why, why.p, n);
    guard->why[n] = 0;
}

/* Forgets strikes that are too old, and an older strike of this event, which counts once however often it is tried. */
static void guard_age(struct guard *guard, struct uuid event, int64_t now_us) {
    size_t kept = 0;
    for (size_t i = 0; i < guard->strike_count; i++) {
        if (guard->struck_us[i] <= now_us - WINDOW_US || uuid_eq(guard->strikes[i], event)) continue;
        guard->strikes[kept] = guard->strikes[i];
        guard->struck_us[kept++] = guard->struck_us[i];
    }
    guard->strike_count = kept;
}

static void guard_stop(struct guard *guard, int64_t now_us) {
    int64_t longer_us = guard->stopped ? 2 * guard->span_us : SPAN_MIN_US;
    guard->span_us = longer_us < SPAN_MAX_US ? longer_us : SPAN_MAX_US;
    guard->until_us = now_us + guard->span_us;
    guard->stopped = true;
    guard->strike_count = 0;
}

void guard_strike(struct guard *guard, struct uuid event, struct str why, int64_t now_us) {
    guard_age(guard, event, now_us);
    guard_why(guard, why);
    guard->strikes[guard->strike_count] = event;
    guard->struck_us[guard->strike_count++] = now_us;
    if (guard->stopped || guard->strike_count == GUARD_STRIKES) guard_stop(guard, now_us);
}

void guard_heal(struct guard *guard) {
    guard->stopped = false;
    guard->until_us = guard->span_us = 0;
}

void guard_restore(struct guard *guard, struct str why, int64_t until_us, int64_t now_us) {
    if (guard->stopped && guard->until_us == until_us) return;
    if (until_us > now_us + SPAN_MAX_US) until_us = now_us + SPAN_MAX_US;
    int64_t longer_us = guard->stopped && until_us > guard->until_us ? 2 * guard->span_us : SPAN_MIN_US;
    guard->span_us = longer_us < SPAN_MAX_US ? longer_us : SPAN_MAX_US;
    guard->until_us = until_us;
    guard->stopped = true;
    guard_why(guard, why);
}

bool guard_knows(const struct guard *guard, struct uuid event, int64_t now_us) {
    for (size_t i = 0; i < guard->strike_count; i++)
        if (uuid_eq(guard->strikes[i], event) && guard->struck_us[i] > now_us - REST_US &&
            guard->struck_us[i] <= now_us)
            return true;
    return false;
}

bool guard_may_probe(const struct guard *guard, int64_t now_us) {
    return guard->stopped && guard->until_us <= now_us;
}
