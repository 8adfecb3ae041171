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

bool deliver_limiters_stale(const struct deliver *deliver) {
    return deliver->limiters_stale;
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

void deliver_left(struct deliver *deliver, int64_t now_us) {
    for (size_t i = 0; i < deliver->desks.count; i++) {
        struct desk *desk = desk_at(deliver, i);
        struct desk_past *last = desk->past_count ? &desk->pasts[desk->past_count - 1] : NULL;
        if (last && last->until_us == WHEN_NEVER) last->until_us = now_us;
    }
}

/* The account that the desk was in at this moment, as far as that is one it has left. One that is gone left for good:
 * what was under way then is its last account's. */
static const struct desk_past *past_at(const struct desk *desk, int64_t moment_us) {
    for (size_t i = 0; i < desk->past_count; i++)
        if (moment_us <= desk->pasts[i].until_us) return &desk->pasts[i];
    return !desk->settings && desk->past_count ? &desk->pasts[desk->past_count - 1] : NULL;
}

void deliver_restore_past(struct deliver *deliver, struct str name, int64_t started_us, int64_t now_us) {
    const struct desk *desk = map_get(&deliver->desks, name);
    const struct desk_past *past = desk ? past_at(desk, started_us) : NULL;
    size_t known = deliver_known(deliver, name);
    if (past && (known == SIZE_MAX || desk_at(deliver, known)->limiter != past->limiter))
        limiter_restore(past->limiter, started_us, now_us);
}

struct meters *deliver_meters_past(const struct deliver *deliver, size_t desk_number, int64_t started_us) {
    const struct desk *desk = desk_at(deliver, desk_number);
    const struct desk_past *past = past_at(desk, started_us);
    return past && past->meters != desk->meters && meters_longest_window(past->meters) ? past->meters : NULL;
}

void deliver_forget_meters(struct deliver *deliver) {
    for (size_t i = 0; i < deliver->meters.count; i++) meters_forget(meters_at(deliver, i));
}

int64_t deliver_metered_window(const struct deliver *deliver, size_t desk_number) {
    const struct desk *desk = desk_at(deliver, desk_number);
    int64_t window_us = desk->meters ? meters_longest_window(desk->meters) : 0;
    for (size_t i = 0; i < desk->past_count; i++)
        window_us = later(window_us, meters_longest_window(desk->pasts[i].meters));
    return window_us;
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
