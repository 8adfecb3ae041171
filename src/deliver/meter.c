/* deliver/meter.c - see meter.h.
 *
 * WHAT. One limiter for each value of a parameter, in a table of bounded size.
 * PROMISE. For each rule N per W and each value, no window of W ever holds more than N starts, whatever is forgotten.
 * WHY IT HOLDS.
 * 1. Each meter is a limiter, which keeps the promise for its value.
 * 2. A meter is forgotten only when its limiter counts nothing: no send taken and not started, no start in any window.
 *    A new limiter knows just as much.
 * 3. A value that gets no meter has no room: it waits until another meter can be forgotten.
 * 4. A start of the past that finds no place shuts out every value that has no meter, for one window (`lost_us`).
 * 5. When an account gets a longer window, or one more destination, the loop tells the starts of the store anew
 *    (meters_forget): a forgotten meter may have had some that only the longer window counts.
 * WHAT BREAKS IT. Two spellings of one value: the provider may know a chat by its number and by its name.
 * HOW TO SEE IT. drumbeat_limit_values; `due` of a delivery that waits for its value; `limits` in GET /v1/destinations.
 * TESTED BY. test/unit/deliver/test_meter.c (random histories against all windows), the scenarios meter-*.txt, the
 * seeds of the simulator, test/e2e/test_limits_meter.py.
 */
#include "deliver/meter.h"

#include "base/when.h"
#include "deliver/limiter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_FIRST  ((size_t)64)
#define LOOK_MAX     4                 /* of the oldest meters, when a place is needed */
#define UNSTARTED_US US_PER_S          /* when a window is full of sends that are yet to start */
#define FULL_US      (100 * US_PER_MS) /* when the table is full */

struct meter {
    struct meter *next;            /* of the same cell */
    struct meter *older, *younger; /* by the last take or start */
    struct meter *staged;          /* the next one that this turn touched */
    bool touched;
    struct limiter *limiter;
    size_t unstarted;     /* taken and not started, staged ones included */
    size_t staged_takes;  /* of them, of this turn */
    int64_t slot_us;      /* the last moment that was given to a delivery that waits */
    int64_t turn_slot_us; /* the same of this turn; 0 = none */
    size_t bytes;
    char value[];
};

struct meters {
    struct limit_rule *rules;
    size_t rule_count;
    struct str param;
    struct meter **cells;
    size_t cell_count, count, max;
    struct meter *oldest, *youngest;
    struct meter *promised; /* its place, and those of all that are older, were promised to values that wait for one */
    struct meter *touched;  /* by the turn under way */
    int64_t lost_us;        /* the youngest start that found no place; 0 = none did */
};

static void *given(void *memory) {
    if (!memory) abort();
    return memory;
}

/* ---- the table ---- */

static size_t cell_of(const struct meters *meters, const char *value, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (uint8_t)value[i]) * 0x100000001b3U;
    return (size_t)(hash ^ (hash >> 32)) & (meters->cell_count - 1);
}

static struct meter *find(const struct meters *meters, struct str value) {
    if (!meters->cell_count) return NULL;
    struct meter *meter = meters->cells[cell_of(meters, value.p, value.n)];
    while (meter && !str_eq((struct str){meter->value, meter->bytes}, value)) meter = meter->next;
    return meter;
}

static void grow(struct meters *meters) {
    struct meter **old = meters->cells;
    size_t old_count = meters->cell_count;
    meters->cell_count = old_count ? 2 * old_count : CELLS_FIRST;
    meters->cells = given(calloc(meters->cell_count, sizeof *meters->cells));
    for (size_t i = 0; i < old_count; i++) {
        for (struct meter *meter = old[i], *next; meter; meter = next) {
            struct meter **cell = &meters->cells[cell_of(meters, meter->value, meter->bytes)];
            next = meter->next;
            meter->next = *cell;
            *cell = meter;
        }
    }
    free(old);
}

static void unlink_age(struct meters *meters, struct meter *meter) {
    if (meters->promised == meter) meters->promised = meter->older;
    *(meter->older ? &meter->older->younger : &meters->oldest) = meter->younger;
    *(meter->younger ? &meter->younger->older : &meters->youngest) = meter->older;
}

static void link_youngest(struct meters *meters, struct meter *meter) {
    meter->older = meters->youngest;
    meter->younger = NULL;
    *(meters->youngest ? &meters->youngest->younger : &meters->oldest) = meter;
    meters->youngest = meter;
}

static void used(struct meters *meters, struct meter *meter) {
    unlink_age(meters, meter);
    link_youngest(meters, meter);
}

static void drop(struct meters *meters, struct meter *meter) {
    struct meter **at = &meters->cells[cell_of(meters, meter->value, meter->bytes)];
    while (*at != meter) at = &(*at)->next;
    *at = meter->next;
    unlink_age(meters, meter);
    limiter_free(meter->limiter);
    free(meter);
    meters->count--;
}

static bool is_idle(const struct meter *meter, int64_t now_us) {
    return !meter->unstarted && !meter->touched && !limiter_used(meter->limiter, now_us);
}

/* Whether the table has a place for one more, perhaps that of a meter that counts nothing any more. */
static bool has_place(struct meters *meters, int64_t now_us) {
    if (meters->count < meters->max) return true;
    struct meter *meter = meters->oldest;
    for (int i = 0; i < LOOK_MAX && meter; i++, meter = meter->younger) {
        if (!is_idle(meter, now_us)) continue;
        drop(meters, meter);
        return true;
    }
    return false;
}

static struct meter *added(struct meters *meters, struct str value) {
    if (meters->count >= meters->cell_count) grow(meters);
    struct meter *meter = given(calloc(1, sizeof *meter + value.n + 1));
    meter->limiter = limiter_new(meters->rules, meters->rule_count);
    meter->bytes = value.n;
    if (value.n) memcpy(meter->value, value.p, value.n);
    struct meter **cell = &meters->cells[cell_of(meters, meter->value, meter->bytes)];
    meter->next = *cell;
    *cell = meter;
    link_youngest(meters, meter);
    meters->count++;
    return meter;
}

static void touch(struct meters *meters, struct meter *meter) {
    if (meter->touched) return;
    meter->touched = true;
    meter->staged = meters->touched;
    meters->touched = meter;
}

/* ---- the doors ---- */

struct meters *meters_new(size_t max) {
    struct meters *meters = given(calloc(1, sizeof *meters));
    meters->max = max;
    return meters;
}

void meters_free(struct meters *meters) {
    if (!meters) return;
    while (meters->oldest) drop(meters, meters->oldest);
    free(meters->cells);
    free(meters->rules);
    free(meters);
}

void meters_configure(struct meters *meters, struct str param, const struct limit_rule *rules, size_t count) {
    meters->rules = given(realloc(meters->rules, (count + 1) * sizeof *rules));
    meters->param = param;
    meters->rule_count = count;
    for (size_t i = 0; i < count; i++) meters->rules[i] = rules[i];
    for (struct meter *meter = meters->oldest; meter; meter = meter->younger)
        limiter_configure(meter->limiter, rules, count);
}

struct str meters_param(const struct meters *meters) {
    return meters->param;
}

const struct limit_rule *meters_rules(const struct meters *meters, size_t *ret_count) {
    *ret_count = meters->rule_count;
    return meters->rules;
}

int64_t meters_longest_window(const struct meters *meters) {
    int64_t longest_us = 0;
    for (size_t i = 0; i < meters->rule_count; i++)
        if (meters->rules[i].window_us > longest_us) longest_us = meters->rules[i].window_us;
    return longest_us;
}

/* Until then a value without a meter may have starts that nobody remembers. */
static int64_t blind_us(const struct meters *meters) {
    return meters->lost_us ? meters->lost_us + meters_longest_window(meters) : 0;
}

size_t meters_count(const struct meters *meters) {
    return meters->count;
}

size_t meters_room(struct meters *meters, struct str value, int64_t now_us, size_t want) {
    struct meter *meter = find(meters, value);
    if (meter) return limiter_room(meter->limiter, now_us, want);
    if (now_us < blind_us(meters) || !has_place(meters, now_us)) return 0;
    for (size_t i = 0; i < meters->rule_count; i++)
        if ((size_t)meters->rules[i].count < want) want = (size_t)meters->rules[i].count;
    return want;
}

/* The time between two sends of a value that goes on and on. */
static int64_t step_us(const struct meters *meters) {
    int64_t step_us = 0;
    for (size_t i = 0; i < meters->rule_count; i++) {
        int64_t each_us = meters->rules[i].window_us / meters->rules[i].count;
        if (each_us > step_us) step_us = each_us;
    }
    return step_us;
}

static int64_t latest(int64_t a_us, int64_t b_us) {
    return a_us > b_us ? a_us : b_us;
}

/* When a value without a meter may get one: the oldest meters are the first to count nothing. Each that waits is told
 * the moment of another meter, so that they do not all come for one place. */
static int64_t next_place(struct meters *meters, int64_t now_us, int64_t earliest_us) {
    struct meter *next = meters->promised ? meters->promised->younger : NULL;
    if (!next) next = meters->oldest;
    int64_t idle_us = limiter_idle(next->limiter);
    if (idle_us == WHEN_NEVER) idle_us = earliest_us + UNSTARTED_US;
    int64_t place_us = latest(latest(earliest_us + FULL_US, blind_us(meters)), idle_us);
    if (place_us > now_us + METER_AHEAD_US) return latest(earliest_us, now_us + METER_AHEAD_US);
    meters->promised = next;
    return place_us;
}

int64_t meters_slot(struct meters *meters, struct str value, int64_t now_us, int64_t at_least_us, bool fresh) {
    struct meter *meter = find(meters, value);
    int64_t next_us = latest(at_least_us, now_us + US_PER_MS);
    if (!meter && (now_us < blind_us(meters) || !has_place(meters, now_us))) return next_place(meters, now_us, next_us);
    if (!meter) meter = added(meters, value);
    int64_t free_us = limiter_next(meter->limiter, now_us);
    next_us = latest(next_us, free_us == WHEN_NEVER ? now_us + UNSTARTED_US : free_us);
    int64_t before_us = fresh ? meter->slot_us : meter->turn_slot_us;
    if (before_us) next_us = latest(next_us, before_us + step_us(meters));
    if (next_us > now_us + METER_AHEAD_US) next_us = latest(at_least_us, now_us + METER_AHEAD_US);
    touch(meters, meter);
    meter->turn_slot_us = next_us;
    meter->slot_us = latest(meter->slot_us, next_us);
    return next_us;
}

void meters_take(struct meters *meters, struct str value, int64_t now_us) {
    struct meter *meter = find(meters, value);
    if (!meter) meter = added(meters, value);
    limiter_take(meter->limiter, 1, now_us);
    meter->unstarted++;
    meter->staged_takes++;
    touch(meters, meter);
    used(meters, meter);
}

static void end_turn(struct meters *meters, bool committed) {
    for (struct meter *meter = meters->touched, *next; meter; meter = next) {
        next = meter->staged;
        if (committed)
            limiter_commit(meter->limiter);
        else
            limiter_rollback(meter->limiter);
        if (!committed) meter->unstarted -= meter->staged_takes;
        meter->staged_takes = 0;
        meter->turn_slot_us = 0;
        meter->touched = false;
        meter->staged = NULL;
    }
    meters->touched = NULL;
}

void meters_commit(struct meters *meters) {
    end_turn(meters, true);
}

void meters_rollback(struct meters *meters) {
    end_turn(meters, false);
}

void meters_started(struct meters *meters, struct str value, int64_t at_us) {
    struct meter *meter = find(meters, value);
    assert(meter && meter->unstarted);
    meter->unstarted--;
    limiter_started(meter->limiter, 1, at_us);
    used(meters, meter);
}

void meters_unsent(struct meters *meters, struct str value) {
    struct meter *meter = find(meters, value);
    assert(meter && meter->unstarted);
    meter->unstarted--;
    limiter_unsent(meter->limiter, 1);
}

void meters_forget(struct meters *meters) {
    meters->lost_us = 0; /* it is told anew too */
    for (struct meter *meter = meters->oldest, *younger; meter; meter = younger) {
        younger = meter->younger;
        if (!meter->unstarted && !meter->touched) drop(meters, meter);
    }
}

void meters_restore(struct meters *meters, struct str value, int64_t started_us, int64_t now_us) {
    struct meter *meter = find(meters, value);
    if (started_us > now_us) started_us = now_us; /* the clock was set back */
    if (!meter && has_place(meters, now_us)) meter = added(meters, value);
    if (meter) {
        limiter_restore(meter->limiter, started_us, now_us);
        used(meters, meter);
    } else {
        meters->lost_us = latest(meters->lost_us, started_us);
    }
}
