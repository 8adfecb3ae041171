/* deliver/limiter.c - see limiter.h.
 *
 * WHAT. Says how many sends of one account may start now, and remembers the starts that this depends on.
 * PROMISE. For each rule N per W, no half-open window (t, t+W] ever holds more than N starts, however late a send
 * starts after it was taken. While the ring knows all starts that count, no send waits longer than its rules demand.
 * WHY IT HOLDS.
 * 1. N + 1 starts lie in one window exactly when the youngest of them comes less than W after the oldest. So a start is
 *    allowed now when the N-th youngest start is W old or older. A rule asks about its N youngest starts and no others,
 *    which is why one ring, as long as the largest N, serves all rules of an account.
 * 2. A send that was taken and has not started may start at any later moment, so it counts in every window. It is
 *    `staged` in the turn that takes it, `committed` when that turn commits, and becomes a cell of the ring only when
 *    limiter_started says when it left. A turn that is rolled back drops what it staged and nothing else.
 * 3. The ring is in ascending order, also when starts arrive out of order, so the number of starts that count is found
 *    by halving.
 * 4. A ring that had to drop starts knows that it did (`forgot`). A rule that asks for more than the ring has then
 *    takes each unknown start to be as young as the oldest known one: too few sends may leave, never too many.
 * 5. A quiet spell is the provider's own word. It only grows until somebody ends it, and QUIET_MAX_US bounds it, so
 *    that one wrong answer cannot silence an account for good.
 * WHAT BREAKS IT. A committed send for which neither limiter_started nor limiter_unsent is ever called counts for ever.
 * limiter_adopt does not ask for room: sends that a new configuration moves to another account start under its rules
 * even when these are used up. A process whose clock is set back between two runs counts starts of the future as now.
 * Processes that share a limit need engine/quota.c, because this limiter knows of one process only.
 * HOW TO SEE IT. drumbeat_limit_remaining, drumbeat_limit_used_ratio; `limits` in GET /v1/status.
 * TESTED BY. test/unit/deliver/test_limiter.c (random histories against all windows), test_limiter_part.c; the
 * scenarios limit-*, limits-survive-restart, quiet-*; invariant I10 of every simulated seed, with the planted bugs
 * limit-one-too-many, limit-blind-to-turn and limits-forgotten.
 */
#include "deliver/limiter.h"

#include "base/when.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RULE_COUNT_MAX ((size_t)100000)
#define RING_FIRST     ((size_t)16)
#define QUIET_MAX_US   (24 * US_PER_HOUR)

struct limiter {
    struct limit_rule *rules;
    size_t rule_count;
    int64_t *ring; /* starts in ascending order: `count` of `room` cells, from `first` on, wrapping round */
    size_t first, count, room;
    size_t keep;              /* the ring never holds more: the largest N of the rules, or LIMITER_KEEP_MIN */
    bool forgot;              /* starts older than the ring's oldest left it */
    size_t staged, committed; /* taken and not started, each as `parts` */
    size_t parts;             /* what a send counts as */
    int64_t quiet_us, quiet_committed_us;
};

static void *grown(void *old, size_t bytes) {
    void *memory = realloc(old, bytes);
    if (!memory) abort();
    return memory;
}

/* The ring. */

static int64_t *ring_cell(const struct limiter *limiter, size_t i) {
    return &limiter->ring[(limiter->first + i) % limiter->room];
}

static void ring_grow(struct limiter *limiter) {
    size_t room = limiter->room ? 2 * limiter->room : RING_FIRST;
    if (room > limiter->keep) room = limiter->keep;
    int64_t *ring = grown(NULL, room * sizeof *ring);
    for (size_t i = 0; i < limiter->count; i++) ring[i] = *ring_cell(limiter, i);
    free(limiter->ring);
    limiter->ring = ring;
    limiter->room = room;
    limiter->first = 0;
}

static void ring_drop_oldest(struct limiter *limiter) {
    limiter->first = (limiter->first + 1) % limiter->room;
    limiter->count--;
    limiter->forgot = true;
}

static void ring_add(struct limiter *limiter, int64_t at_us) {
    if (limiter->count == limiter->keep) {
        if (at_us <= *ring_cell(limiter, 0)) {
            limiter->forgot = true;
            return;
        }
        ring_drop_oldest(limiter);
    }
    if (limiter->count == limiter->room) ring_grow(limiter);
    size_t i = limiter->count++;
    for (; i && *ring_cell(limiter, i - 1) > at_us; i--) *ring_cell(limiter, i) = *ring_cell(limiter, i - 1);
    *ring_cell(limiter, i) = at_us;
}

/* The moment of the start that has `younger` starts after it; false when there was no such start. A start that the ring
 * has dropped is taken to be as young as the oldest one it has. */
static bool start_at(const struct limiter *limiter, size_t younger, int64_t *ret_at_us) {
    if (limiter->count == 0 || (younger >= limiter->count && !limiter->forgot)) return false;
    *ret_at_us = *ring_cell(limiter, younger < limiter->count ? limiter->count - 1 - younger : 0);
    return true;
}

static bool counts_at(const struct limiter *limiter, size_t younger, int64_t cut_us) {
    int64_t at_us;
    return start_at(limiter, younger, &at_us) && at_us > cut_us;
}

/* Rules. */

static size_t not_started(const struct limiter *limiter) {
    return limiter->staged + limiter->committed;
}

static size_t rule_room(const struct limiter *limiter, const struct limit_rule *rule, int64_t now_us, size_t want) {
    size_t limit = (size_t)rule->count, waiting = not_started(limiter);
    if (waiting >= limit) return 0;
    size_t free = limit - waiting;
    int64_t cut_us = now_us - rule->window_us;
    if (want > free) want = free;
    if (!counts_at(limiter, free - want, cut_us)) return want;
    /* How many of the youngest starts count: at least `low` of them, and fewer than `high`. */
    size_t low = free - want + 1, high = free + 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (counts_at(limiter, middle - 1, cut_us))
            low = middle;
        else
            high = middle;
    }
    return free - low;
}

static size_t rules_room(const struct limiter *limiter, int64_t now_us, size_t want) {
    for (size_t i = 0; i < limiter->rule_count && want; i++)
        want = rule_room(limiter, &limiter->rules[i], now_us, want);
    return want;
}

/* The moment from which the rule lets one more send start, in a now that may be later than now_us. */
static int64_t rule_next(const struct limiter *limiter, const struct limit_rule *rule, int64_t now_us) {
    size_t limit = (size_t)rule->count, waiting = not_started(limiter);
    if (waiting + limiter->parts > limit) return WHEN_NEVER;
    int64_t at_us;
    if (!start_at(limiter, limit - waiting - limiter->parts, &at_us) || at_us + rule->window_us < now_us) return now_us;
    return at_us + rule->window_us;
}

/* The doors. */

struct limiter *limiter_new(const struct limit_rule *rules, size_t count) {
    struct limiter *limiter = grown(NULL, sizeof *limiter);
    *limiter = (struct limiter){.parts = 1};
    limiter_configure(limiter, rules, count);
    return limiter;
}

void limiter_free(struct limiter *limiter) {
    if (!limiter) return;
    free(limiter->rules);
    free(limiter->ring);
    free(limiter);
}

void limiter_configure(struct limiter *limiter, const struct limit_rule *rules, size_t count) {
    limiter->keep = LIMITER_KEEP_MIN;
    limiter->rule_count = count;
    limiter->rules = grown(limiter->rules, (count + 1) * sizeof *rules);
    for (size_t i = 0; i < count; i++) {
        assert(rules[i].count >= 1 && (size_t)rules[i].count <= RULE_COUNT_MAX && rules[i].window_us > 0);
        limiter->rules[i] = rules[i];
        if ((size_t)rules[i].count > limiter->keep) limiter->keep = (size_t)rules[i].count;
    }
    while (limiter->count > limiter->keep) ring_drop_oldest(limiter);
}

size_t limiter_room(const struct limiter *limiter, int64_t now_us, size_t want) {
    if (now_us < limiter->quiet_us) return 0;
    return want > SIZE_MAX / limiter->parts ? rules_room(limiter, now_us, SIZE_MAX) / limiter->parts
                                            : rules_room(limiter, now_us, want * limiter->parts) / limiter->parts;
}

int64_t limiter_next(const struct limiter *limiter, int64_t now_us) {
    int64_t next_us = now_us < limiter->quiet_us ? limiter->quiet_us : now_us;
    for (size_t i = 0; i < limiter->rule_count; i++) {
        int64_t rule_us = rule_next(limiter, &limiter->rules[i], now_us);
        if (rule_us > next_us) next_us = rule_us;
    }
    return next_us;
}

void limiter_take(struct limiter *limiter, size_t count, int64_t now_us) {
    assert(limiter_room(limiter, now_us, count) == count);
    limiter->staged += count * limiter->parts;
}

void limiter_commit(struct limiter *limiter) {
    limiter->committed += limiter->staged;
    limiter->staged = 0;
    limiter->quiet_committed_us = limiter->quiet_us;
}

void limiter_rollback(struct limiter *limiter) {
    limiter->staged = 0;
    limiter->quiet_us = limiter->quiet_committed_us;
}

void limiter_started(struct limiter *limiter, size_t count, int64_t at_us) {
    limiter_unsent(limiter, count);
    for (size_t i = 0; i < count * limiter->parts; i++) ring_add(limiter, at_us);
}

void limiter_unsent(struct limiter *limiter, size_t count) {
    assert(count * limiter->parts <= limiter->committed);
    limiter->committed -= count * limiter->parts;
}

void limiter_adopt(struct limiter *limiter, size_t count) {
    limiter->committed += count * limiter->parts;
}

void limiter_restore(struct limiter *limiter, int64_t started_us, int64_t now_us) {
    ring_add(limiter, started_us < now_us ? started_us : now_us);
}

bool limiter_quiet(struct limiter *limiter, int64_t until_us, int64_t now_us) {
    if (until_us > now_us + QUIET_MAX_US) until_us = now_us + QUIET_MAX_US;
    if (until_us <= limiter->quiet_us) return false;
    limiter->quiet_us = until_us;
    return true;
}

void limiter_heed(struct limiter *limiter, const struct limiter *other) {
    if (other->quiet_us > limiter->quiet_us) limiter->quiet_us = other->quiet_us;
    if (other->quiet_committed_us > limiter->quiet_committed_us)
        limiter->quiet_committed_us = other->quiet_committed_us;
}

void limiter_speak(struct limiter *limiter) {
    limiter->quiet_us = 0;
}

int64_t limiter_quiet_until(const struct limiter *limiter) {
    return limiter->quiet_us;
}

size_t limiter_remaining(const struct limiter *limiter, int64_t now_us) {
    return rules_room(limiter, now_us, SIZE_MAX);
}

size_t limiter_spare(const struct limiter *limiter, int64_t now_us, size_t percent) {
    size_t spare = SIZE_MAX;
    for (size_t i = 0; i < limiter->rule_count; i++) {
        size_t limit = (size_t)limiter->rules[i].count, share = limit * percent / 100;
        size_t used = limit - rule_room(limiter, &limiter->rules[i], now_us, SIZE_MAX);
        if (!share) share = 1;
        size_t left = used < share ? (share - used) / limiter->parts : 0;
        if (left < spare) spare = left;
    }
    return now_us < limiter->quiet_us ? 0 : spare;
}

double limiter_used_share(const struct limiter *limiter, int64_t now_us) {
    double share = 0;
    for (size_t i = 0; i < limiter->rule_count; i++) {
        const struct limit_rule *rule = &limiter->rules[i];
        double free = (double)rule_room(limiter, rule, now_us, SIZE_MAX) / (double)rule->count;
        if (1 - free > share) share = 1 - free;
    }
    return share;
}

const struct limit_rule *limiter_rules(const struct limiter *limiter, size_t *ret_count) {
    *ret_count = limiter->rule_count;
    return limiter->rules;
}

bool limiter_used(const struct limiter *limiter, int64_t now_us) {
    return counts_at(limiter, 0, now_us - limiter_longest_window(limiter));
}

int64_t limiter_idle(const struct limiter *limiter) {
    int64_t at_us;
    if (not_started(limiter)) return WHEN_NEVER;
    return start_at(limiter, 0, &at_us) ? at_us + limiter_longest_window(limiter) : 0;
}

void limiter_part(struct limiter *limiter, size_t parts, bool forget) {
    assert(parts);
    limiter->staged = limiter->staged / limiter->parts * parts;
    limiter->committed = limiter->committed / limiter->parts * parts;
    limiter->parts = parts;
    if (!forget) return;
    limiter->count = limiter->first = 0;
    limiter->forgot = false;
}

int64_t limiter_longest_window(const struct limiter *limiter) {
    int64_t longest_us = 0;
    for (size_t i = 0; i < limiter->rule_count; i++)
        if (limiter->rules[i].window_us > longest_us) longest_us = limiter->rules[i].window_us;
    return longest_us;
}
