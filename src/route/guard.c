/* route/guard.c - see guard.h. */
#include "route/guard.h"

#include "base/when.h"

#include <string.h>

#define WINDOW_US   (10 * US_PER_MIN)
#define SPAN_MIN_US US_PER_MIN
#define SPAN_MAX_US US_PER_HOUR

static void guard_why(struct guard *guard, struct str why) {
    size_t n = why.n < GUARD_WHY_BYTES ? why.n : GUARD_WHY_BYTES - 1;
    while (n && n < why.n && ((uint8_t)why.p[n] & 0xc0) == 0x80) n--;
    if (n) memcpy(guard->why, why.p, n);
    guard->why[n] = 0;
}

/* Forgets strikes that are too old, and this event's: it is counted once, however often it is tried. */
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

bool guard_may_probe(const struct guard *guard, int64_t now_us) {
    return guard->stopped && guard->until_us <= now_us;
}
