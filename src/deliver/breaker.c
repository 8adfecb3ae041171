/* deliver/breaker.c - see breaker.h.
 *
 * WHAT. Says how many sends of one destination may start while that destination is in trouble.
 * PROMISE. Nothing starts while the breaker is open. A destination that was open is asked by one probe at a time until
 * one succeeds, and then gets its load back step by step. One that keeps failing is asked less and less often, but
 * never stays closed off for longer than BREAKER_OPEN_MAX times open_us between two probes.
 * WHY IT HOLDS.
 * 1. breaker_move is the only place where one state follows another. It refuses every step that `legal` does not have,
 *    and it begins each state from zero, so that no old count reaches into a new state. A rule that is off, a resume by
 *    hand and the word of another process replace the breaker as a whole.
 * 2. Only breaker_admit moves OPEN to HALF_OPEN, once the time is over and nothing is in flight. An answer to a send
 *    from before the opening can therefore not be mistaken for the probe's, and breaker_record ignores it while OPEN.
 * 3. While HALF_OPEN one send is admitted, and only while nothing is in flight. Its end closes or opens the breaker.
 * 4. A breaker that closes starts a ramp: one send in flight, and one more for each good answer, until BREAKER_RAMP_MAX
 *    are allowed and the ramp is over. Trouble on the ramp puts it back to one send at a time.
 * 5. The times for which it stays open double from probe to probe. The store keeps the count of openings, so a restart
 *    does not begin with short times again.
 * WHAT BREAKS IT. Counting a fault of one payload as trouble: one bad text would then hold up a whole destination
 * (settle.c decides what counts). A send that never ends: OPEN waits for it, so every call needs a timeout. Several
 * processes on one store each count their own failures; that only one of them probes is seen to by the engine
 * (deliver_would_probe).
 * HOW TO SEE IT. drumbeat_breaker_state; `breaker` in GET /v1/destinations; the log line destination_changed.
 * TESTED BY. test/unit/deliver/test_breaker.c; the scenarios breaker-*; invariant I13 of every simulated seed, with
 * the planted bugs breaker-never-opens, half-open-lets-all, breaker-forgotten and refusal-opens-breaker.
 */
#include "deliver/breaker.h"

#include "base/when.h"

#include <assert.h>

static const bool legal[BREAKER_STATES][BREAKER_STATES] = {
    [BREAKER_CLOSED] = {[BREAKER_OPEN] = true},
    [BREAKER_OPEN] = {[BREAKER_HALF_OPEN] = true},
    [BREAKER_HALF_OPEN] = {[BREAKER_CLOSED] = true, [BREAKER_OPEN] = true},
};
static const char *const texts[BREAKER_STATES] = {
    [BREAKER_CLOSED] = "closed",
    [BREAKER_OPEN] = "open",
    [BREAKER_HALF_OPEN] = "half-open",
};

/* open_us, 2, 4, 8, then 10 times open_us. */
static int64_t open_span_us(const struct breaker_rule *rule, int32_t opened) {
    int64_t times = opened > 4 ? BREAKER_OPEN_MAX : (int64_t)1 << (opened - 1);
    return times * rule->open_us;
}

/* Enters a state with what it begins with: everything is zero but the ramp of CLOSED and the count of openings. */
static void breaker_move(struct breaker *breaker, enum breaker_state to) {
    assert(legal[breaker->state][to]);
    int32_t opened = breaker->opened;
    *breaker = (struct breaker){.state = to};
    if (to == BREAKER_CLOSED) breaker->ramp = 1;
    if (to == BREAKER_HALF_OPEN) breaker->opened = opened;
    if (to == BREAKER_OPEN) breaker->opened = opened < INT32_MAX ? opened + 1 : opened;
}

static void breaker_open(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us) {
    breaker_move(breaker, BREAKER_OPEN);
    breaker->until_us = now_us + open_span_us(rule, breaker->opened);
}

static void breaker_sample(struct breaker *breaker, int64_t now_us, bool good) {
    breaker->sample_at_us[breaker->sample_next] = now_us;
    breaker->sample_bad[breaker->sample_next] = !good;
    breaker->sample_next = (breaker->sample_next + 1) % BREAKER_SAMPLES;
    if (breaker->sample_count < BREAKER_SAMPLES) breaker->sample_count++;
}

static bool share_is_bad(const struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us) {
    int32_t seen = 0, bad = 0;
    for (uint32_t i = 0; i < breaker->sample_count; i++) {
        if (breaker->sample_at_us[i] <= now_us - rule->window_us) continue;
        seen++;
        bad += breaker->sample_bad[i];
    }
    return seen >= BREAKER_SHARE_MIN && bad * 100 >= rule->share * seen;
}

/* ---- the error window, in slices ---- */

/* Slices that nothing fell into since the last one are empty. So are all where time went back, or where another
 * window is configured: its slices have other numbers. */
static size_t slice_at(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us) {
    int64_t slice = now_us / (rule->error_window_us / BREAKER_SLICES);
    if (!breaker->rate_from_us) breaker->rate_from_us = now_us;
    int64_t passed = slice - breaker->slice;
    if (passed < 0) passed = BREAKER_SLICES;
    for (int64_t i = 0; i < passed && i < BREAKER_SLICES; i++) {
        size_t at = (size_t)((slice - i) % BREAKER_SLICES);
        breaker->slice_seen[at] = breaker->slice_bad[at] = 0;
    }
    breaker->slice = slice;
    return (size_t)(slice % BREAKER_SLICES);
}

static void breaker_count(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, bool good) {
    if (!rule->error_rate) return;
    size_t at = slice_at(breaker, rule, now_us);
    breaker->slice_seen[at]++;
    breaker->slice_bad[at] += !good;
}

/* Only a whole window is judged. One that was judged sooner would open a destination of many sends every few seconds,
 * and let little through. */
static bool rate_is_bad(const struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us) {
    uint64_t seen = 0, bad = 0;
    if (!rule->error_rate || now_us - breaker->rate_from_us < rule->error_window_us) return false;
    for (size_t i = 0; i < BREAKER_SLICES; i++) {
        seen += breaker->slice_seen[i];
        bad += breaker->slice_bad[i];
    }
    return seen >= BREAKER_RATE_MIN && bad * 100 > (uint64_t)rule->error_rate * seen;
}

static void record_good(struct breaker *breaker) {
    breaker->consecutive = 0;
    if (breaker->ramp && ++breaker->ramp > BREAKER_RAMP_MAX) breaker->ramp = 0;
}

static void record_bad(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us) {
    breaker->consecutive++;
    if (breaker->ramp) breaker->ramp = 1;
    if (breaker->consecutive >= rule->failures || share_is_bad(breaker, rule, now_us) ||
        rate_is_bad(breaker, rule, now_us))
        breaker_open(breaker, rule, now_us);
}

/* A probe decides alone: it is not sampled, because the samples of the time before belong to the state that ended. */
bool breaker_record(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, bool good) {
    enum breaker_state before = breaker->state;
    if (!rule->on || before == BREAKER_OPEN) return false;
    if (before == BREAKER_HALF_OPEN) {
        if (good)
            breaker_move(breaker, BREAKER_CLOSED);
        else
            breaker_open(breaker, rule, now_us);
        return true;
    }
    breaker_sample(breaker, now_us, good);
    breaker_count(breaker, rule, now_us, good);
    if (good)
        record_good(breaker);
    else
        record_bad(breaker, rule, now_us);
    return breaker->state != before;
}

size_t breaker_admit(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, size_t in_flight,
                     size_t want) {
    if (!rule->on) {
        *breaker = (struct breaker){0};
        return want;
    }
    if (!want || breaker_next(breaker, rule, now_us, in_flight) > now_us) return 0;
    if (breaker->state == BREAKER_OPEN) breaker_move(breaker, BREAKER_HALF_OPEN);
    if (breaker->state == BREAKER_HALF_OPEN) return 1;
    size_t most = breaker->ramp ? (size_t)breaker->ramp - in_flight : want;
    return want < most ? want : most;
}

int64_t breaker_next(const struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, size_t in_flight) {
    if (!rule->on) return now_us;
    size_t most = breaker->state != BREAKER_CLOSED ? 1 : breaker->ramp ? (size_t)breaker->ramp : SIZE_MAX;
    int64_t from_us = breaker->state == BREAKER_OPEN && breaker->until_us > now_us ? breaker->until_us : now_us;
    return in_flight < most ? from_us : WHEN_NEVER;
}

const char *breaker_text(enum breaker_state state) {
    return texts[state];
}

int32_t breaker_failures(const struct breaker *breaker) {
    return breaker->state == BREAKER_CLOSED ? breaker->consecutive : breaker->opened;
}

static int32_t clamped(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

struct breaker breaker_restored(const struct breaker_rule *rule, int32_t state, int64_t until_us, int32_t failures,
                                int32_t ramp, int64_t now_us) {
    if (state != BREAKER_OPEN && state != BREAKER_HALF_OPEN)
        return (struct breaker){.consecutive = clamped(failures, 0, INT32_MAX - 1),
                                .ramp = clamped(ramp, 0, BREAKER_RAMP_MAX)};
    int64_t latest_us = now_us + BREAKER_OPEN_MAX * rule->open_us;
    return (struct breaker){.state = (enum breaker_state)state,
                            .opened = clamped(failures, 1, INT32_MAX),
                            .until_us = until_us < latest_us ? until_us : latest_us};
}
