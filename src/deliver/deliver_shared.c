/* deliver/deliver_shared.c - see deliver.h: desks and limits that several processes share, what a start finds, and
 * desks under another name. */
#include "deliver/desk.h"
#include "deliver/heir.h"

void deliver_wait(struct deliver *deliver, size_t desk, int64_t until_us) {
    desk_stage(desk_at(deliver, desk))->wait_us = until_us;
}

bool deliver_would_probe(const struct deliver *deliver, size_t desk_number, int64_t now_us) {
    const struct desk *desk = desk_at(deliver, desk_number);
    if (!desk->settings || !desk->settings->breaker.on || desk->now.breaker.state != BREAKER_OPEN) return false;
    return desk_next(deliver, desk, now_us, now_us) <= now_us;
}

bool deliver_is_broken(const struct deliver *deliver, size_t desk_number) {
    const struct desk *desk = desk_at(deliver, desk_number);
    return desk->settings && desk->settings->breaker.on && desk->now.breaker.state != BREAKER_CLOSED;
}

void deliver_put_off(struct deliver *deliver, size_t desk_number, int64_t until_us) {
    desk_stage(desk_at(deliver, desk_number))->breaker.until_us = until_us;
}

const struct limit_rule *deliver_rules(const struct deliver *deliver, size_t desk, size_t *ret_count) {
    return limiter_rules(desk_at(deliver, desk)->limiter, ret_count);
}

/* ---- limits per value ---- */

struct meters *deliver_meters(const struct deliver *deliver, size_t desk) {
    struct meters *meters = desk_at(deliver, desk)->meters;
    return meters && meters_longest_window(meters) ? meters : NULL;
}

bool deliver_meters_stale(const struct deliver *deliver) {
    return deliver->meters_stale;
}

/* ---- under another name ---- */

size_t deliver_known(const struct deliver *deliver, struct str name) {
    const struct desk *desk = map_get(&deliver->desks, name);
    if (desk && desk->settings) return desk->number;
    for (size_t i = 0; i < deliver->desks.count; i++) {
        desk = desk_at(deliver, i);
        if (desk->settings && str_list_has(desk->settings->was, name)) return i;
    }
    return SIZE_MAX;
}

bool deliver_same_limit(const struct deliver *deliver, size_t a, size_t b) {
    return desk_at(deliver, a)->limiter == desk_at(deliver, b)->limiter;
}

bool deliver_inherits(const struct deliver *deliver, size_t desk) {
    return desk_at(deliver, desk)->now.inherits;
}

void deliver_inherited(struct deliver *deliver, size_t desk, int64_t now_us) {
    desk_stage(desk_at(deliver, desk))->inherits = false;
    deliver_due(deliver, desk, now_us);
}

/* ---- what another process wrote ---- */

/* While both are closed, each goes on with its own count. A breaker that another process probes counts as open here.
 * One that is ours to probe stays ours until the probe is back or, without a probe, until another's went wrong. */
static void adopt_breaker(struct desk *desk, const struct breaker *stored) {
    struct breaker *breaker = &desk_stage(desk)->breaker;
    if (breaker->state == BREAKER_CLOSED && stored->state == BREAKER_CLOSED) return;
    bool ours = stored->state == BREAKER_HALF_OPEN || (stored->state == BREAKER_OPEN && desk->now.in_flight);
    if (breaker->state == BREAKER_HALF_OPEN && ours) return;
    *breaker = *stored;
    if (stored->state == BREAKER_HALF_OPEN) breaker->state = BREAKER_OPEN;
}

void deliver_adopt(struct deliver *deliver, size_t desk_number, const struct desk_view *state, int64_t now_us) {
    struct desk *desk = desk_at(deliver, desk_number);
    unsigned own = desk->now.untold;
    if (!(own & DESK_PAUSE)) {
        desk_stage(desk)->paused = false;
        if (state->paused) desk_pause(&desk->now, state->paused_until_us, state->pause_reason);
    }
    if (!(own & DESK_BREAKER)) adopt_breaker(desk, &state->breaker);
    if (!(own & DESK_SUSPICION)) {
        desk_stage(desk)->suspect_seq = state->suspect_seq;
        desk->now.probing = state->probing;
    }
    if (own & DESK_QUIET) return;
    if (!state->quiet_until_us) limiter_speak(desk->limiter);
    limiter_quiet(desk->limiter, state->quiet_until_us, now_us);
}

void deliver_restore(struct deliver *deliver, size_t desk_number, const struct desk_view *state, int64_t now_us) {
    struct desk *desk = desk_at(deliver, desk_number);
    if (state->paused) desk_pause(&desk->now, state->paused_until_us, state->pause_reason);
    desk->now.breaker = state->breaker;
    desk->now.suspect_seq = state->suspect_seq;
    desk->now.probing = state->probing;
    desk->committed = desk->now;
    limiter_quiet(desk->limiter, state->quiet_until_us, now_us);
    limiter_commit(desk->limiter);
}

void deliver_restore_send(struct deliver *deliver, size_t desk, int64_t started_us, int64_t now_us) {
    limiter_restore(desk_at(deliver, desk)->limiter, started_us, now_us);
}

void deliver_part(struct deliver *deliver, size_t parts, bool forget) {
    for (size_t i = 0; i < deliver->limiters.count; i++) limiter_part(limiter_at(deliver, i), parts, forget);
}

double deliver_used_share(const struct deliver *deliver, size_t desk, int64_t now_us) {
    return limiter_used_share(desk_at(deliver, desk)->limiter, now_us);
}

bool deliver_used(const struct deliver *deliver, size_t desk, int64_t now_us) {
    return limiter_used(desk_at(deliver, desk)->limiter, now_us);
}

int64_t deliver_counted_window(const struct deliver *deliver) {
    int64_t longest_us = deliver_longest_window(deliver);
    for (size_t i = 0; i < deliver->meters.count; i++)
        longest_us = later(longest_us, meters_longest_window(meters_at(deliver, i)));
    return longest_us;
}

int64_t deliver_longest_window(const struct deliver *deliver) {
    int64_t longest_us = 0;
    for (size_t i = 0; i < deliver->limiters.count; i++)
        longest_us = later(longest_us, limiter_longest_window(limiter_at(deliver, i)));
    return longest_us;
}
