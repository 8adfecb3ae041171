/* deliver/deliver.c - see deliver.h.
 *
 * WHAT. Keeps for each destination what decides how many sends may leave it now, and when it is to be asked.
 * PROMISE. A budget never passes the desk's limits, breaker and concurrency, or the common slots. A turn that does not
 * commit leaves no trace here. No desk starves: the order rotates, each has at most its
 * concurrency of the slots, and half of them are reserved in even shares (pool.h).
 * WHY IT HOLDS. 1. What a turn may change of a desk is one struct in two copies, so that a commit and a rollback are
 * each one assignment; limiters stage likewise. 2. deliver_take counts at once, so the next question of the same turn
 * sees it. 3. A send is taken, then committed (`unstarted`), then started or unsent, and only a started one can end;
 * asserts hold callers to that. 4. What the store must keep is marked in `untold`, which is staged too: a turn that was
 * dropped tells it again. 5. desk_next and deliver_budget ask the same bounds: the loop neither oversleeps nor spins.
 * WHAT BREAKS IT. A change of desk->now without desk_stage; a bound that only one of the two functions of 5 knows.
 * HOW TO SEE IT. GET /v1/destinations, the gauges of gauges.c, the log line destination_changed.
 * TESTED BY. test/unit/deliver/test_deliver*.c (test_deliver_turns.c: random turns); the scenarios fairness,
 * concurrency, pause-*, reload*; invariants I10, I11, I13, I19; the planted bug concurrency-one-too-many. */
#include "deliver/desk.h"

#include "deliver/backoff.h"

#include <stdlib.h>
#include <string.h>

#define MARGIN_MIN_US (10 * US_PER_MS)
#define MARGIN_MAX_US US_PER_S

/* A quiet spell is lasting state of every desk of the account. */
static void account_changed(struct deliver *deliver, const struct limiter *limiter) {
    for (size_t i = 0; i < deliver->desks.count; i++)
        if (desk_at(deliver, i)->limiter == limiter) desk_changed(desk_at(deliver, i), DESK_QUIET);
}

/* The configuration. */

struct deliver *deliver_new(size_t slots, size_t meters_max) {
    struct arena arena = ARENA_EMPTY;
    struct deliver *deliver = arena_new(&arena, struct deliver);
    deliver->arena = arena;
    deliver->desks.arena = deliver->limiters.arena = deliver->meters.arena = &deliver->arena;
    deliver->pool.slots = slots;
    deliver->meters_max = meters_max;
    return deliver;
}

void deliver_free(struct deliver *deliver) {
    if (!deliver) return;
    for (size_t i = 0; i < deliver->limiters.count; i++) {
        limiter_free(limiter_at(deliver, i));
        meters_free(meters_at(deliver, i));
    }
    struct arena arena = deliver->arena;
    arena_free(&arena);
}

static void account_open(struct deliver *deliver, struct str account) {
    if (map_get(&deliver->limiters, account)) return;
    account = str_dup(&deliver->arena, account);
    map_set(&deliver->limiters, account, limiter_new(NULL, 0));
    map_set(&deliver->meters, account, meters_new(deliver->meters_max));
}

static struct desk *desk_named(struct deliver *deliver, struct str name) {
    struct desk *desk = map_get(&deliver->desks, name);
    if (desk) return desk;
    desk = arena_new(&deliver->arena, struct desk);
    desk->number = deliver->desks.count;
    desk->name = str_dup(&deliver->arena, name);
    map_set(&deliver->desks, desk->name, desk);
    return desk;
}

/* Sends that have not started yet will start under the limits of the desk's new account, so they move there with it. */
static void desk_join(struct desk *desk, struct limiter *limiter) {
    if (desk->limiter == limiter) return;
    assert(desk->now.in_flight == desk->committed.in_flight);
    if (desk->limiter) limiter_unsent(desk->limiter, desk->unstarted);
    limiter_adopt(limiter, desk->unstarted);
    desk->limiter = limiter;
}

static void desk_close(struct desk *desk) {
    desk->before = desk->settings;
    desk->settings = NULL;
}

/* Whether it takes over from a name from which it did not before. */
static bool has_new_name(const struct destination_settings *settings, const struct destination_settings *before) {
    for (size_t i = 0; i < settings->was.count; i++)
        if (!str_list_has(before->was, settings->was.items[i])) return true;
    return settings->was.count == 0;
}

/* Whether its account may not have counted what it sent: it comes from another account, or was closed for a while, or
 * takes over from another name. Of a new one the caller knows that (deliver_desks). */
static bool brings_a_past(const struct desk *desk, const struct destination_settings *settings,
                          const struct limiter *account) {
    bool takes_over = settings->was.count && (!desk->before || has_new_name(settings, desk->before));
    return takes_over || (desk->limiter && (desk->limiter != account || !desk->before));
}

/* What it sent in this account goes on to count there. */
static void desk_leave(struct desk *desk) {
    if (desk->past_count == DESK_PASTS) {
        memmove(desk->pasts, desk->pasts + 1, (DESK_PASTS - 1) * sizeof *desk->pasts);
        desk->past_count--;
    }
    desk->pasts[desk->past_count++] = (struct desk_past){desk->limiter, desk->meters, WHEN_NEVER};
}

static void desk_open(struct deliver *deliver, struct desk *desk, const struct destination_settings *settings) {
    struct limiter *limiter = map_get(&deliver->limiters, settings->account);
    if (desk->before && desk->limiter != limiter) desk_leave(desk);
    if (desk->limiter && desk->limiter != limiter) limiter_heed(limiter, desk->limiter);
    if (brings_a_past(desk, settings, limiter)) deliver->limiters_stale = deliver->meters_stale = true;
    desk_join(desk, limiter);
    desk->meters = map_get(&deliver->meters, settings->account);
    desk->settings = settings;
    if (!desk->before) desk->now.next_due_us = desk->committed.next_due_us = 0;
    if (!desk->before || has_new_name(settings, desk->before))
        desk->now.inherits = desk->committed.inherits = settings->was.count > 0;
}

/* A window is kept a little longer than it says: the way to the receiver is not as long for each request, and its clock
 * counts when they come. */
static struct limit_rule rule_with_margin(struct limit_rule rule) {
    int64_t margin_us = rule.window_us / 100;
    if (margin_us < MARGIN_MIN_US) margin_us = MARGIN_MIN_US;
    if (margin_us > MARGIN_MAX_US) margin_us = MARGIN_MAX_US;
    return (struct limit_rule){rule.count, rule.window_us + margin_us};
}

/* Adds a rule. Where two rules have the same window, the smaller one says all that both say. */
static size_t rule_add(struct limit_rule *rules, size_t count, struct limit_rule rule) {
    for (size_t i = 0; i < count; i++) {
        if (rules[i].window_us != rule.window_us) continue;
        if (rule.count < rules[i].count) rules[i].count = rule.count;
        return count;
    }
    rules[count] = rule;
    return count + 1;
}

static size_t rules_add(struct limit_rule *rules, size_t count, const struct limit_rule *more, size_t more_count) {
    for (size_t i = 0; i < more_count; i++) count = rule_add(rules, count, rule_with_margin(more[i]));
    return count;
}

/* An account obeys the rules of all its destinations, and keeps its rules when the last of them is gone. Its rules per
 * value are all of one parameter, which connectors_bind sees to. */
static void account_configure(struct deliver *deliver, size_t account, struct limit_rule *scratch,
                              struct limit_rule *meter_scratch) {
    size_t count = 0, meter_count = 0, destinations = 0;
    struct str param = STR("");
    for (size_t i = 0; i < deliver->desks.count; i++) {
        const struct desk *desk = desk_at(deliver, i);
        if (!desk->settings || desk->limiter != limiter_at(deliver, account)) continue;
        destinations++;
        count = rules_add(scratch, count, desk->settings->limits, desk->settings->limit_count);
        if (!desk->settings->meter.n) continue;
        param = desk->settings->meter;
        meter_count =
            rules_add(meter_scratch, meter_count, desk->settings->meter_limits, desk->settings->meter_limit_count);
    }
    if (!destinations) return;
    limiter_configure(limiter_at(deliver, account), scratch, count);
    struct meters *meters = meters_at(deliver, account);
    int64_t before_us = meters_longest_window(meters);
    bool of_another = meter_count && !str_eq(meters_param(meters), param);
    meters_configure(meters, param, meter_scratch, meter_count);
    if (of_another || meters_longest_window(meters) > before_us) deliver->meters_stale = true;
}

static void reserve_places(struct deliver *deliver, size_t open) {
    struct pool *pool = &deliver->pool;
    size_t share = pool_share(pool, open);
    pool->now.unused = pool->committed.unused = 0;
    for (size_t i = 0; i < deliver->desks.count; i++) {
        struct desk *desk = desk_at(deliver, i);
        size_t most = desk->settings ? (size_t)desk->settings->concurrency : 0;
        desk->reserve = share < most ? share : most;
        pool_count_desk(&pool->now, desk->reserve, desk->now.in_flight);
        pool_count_desk(&pool->committed, desk->reserve, desk->committed.in_flight);
    }
}

void deliver_configure(struct deliver *deliver, const struct settings *settings) {
    deliver->limiters_stale = deliver->meters_stale = false;
    int64_t window_us = deliver_longest_window(deliver);
    for (size_t i = 0; i < deliver->desks.count; i++) desk_close(desk_at(deliver, i));
    for (size_t i = 0; i < settings->destination_count; i++) {
        const struct destination_settings *destination = &settings->destinations[i];
        struct desk *desk = desk_named(deliver, destination->name);
        account_open(deliver, destination->account);
        desk_open(deliver, desk, destination);
        desk->queue_max = destination->queue_max ? destination->queue_max : (settings->server.queue_max + 1) / 2;
    }
    for (size_t i = 0; i < deliver->desks.count; i++)
        if (desk_at(deliver, i)->before && !desk_at(deliver, i)->settings) desk_leave(desk_at(deliver, i));
    struct arena arena = ARENA_EMPTY;
    size_t rules_max = settings->destination_count * LIMIT_RULES_MAX;
    struct limit_rule *scratch = arena_array(&arena, struct limit_rule, 2 * rules_max);
    for (size_t i = 0; i < deliver->limiters.count; i++) account_configure(deliver, i, scratch, scratch + rules_max);
    arena_free(&arena);
    if (deliver_longest_window(deliver) > window_us) deliver->limiters_stale = true;
    reserve_places(deliver, settings->destination_count);
}

size_t deliver_desks(const struct deliver *deliver) {
    return deliver->desks.count;
}

size_t deliver_desk(const struct deliver *deliver, struct str name) {
    const struct desk *desk = map_get(&deliver->desks, name);
    return desk ? desk->number : SIZE_MAX;
}

const struct destination_settings *deliver_settings(const struct deliver *deliver, size_t desk) {
    return desk_at(deliver, desk)->settings;
}

size_t deliver_order(const struct deliver *deliver, size_t i) {
    assert(i < deliver->desks.count);
    return (deliver->first + i) % deliver->desks.count;
}

void deliver_next_turn(struct deliver *deliver) {
    if (deliver->desks.count) deliver->first = (deliver->first + 1) % deliver->desks.count;
}

/* Budget and take. */

static bool desk_is_paused(const struct desk *desk, int64_t now_us) {
    return desk->now.paused && (!desk->now.paused_until_us || now_us < desk->now.paused_until_us);
}

/* Places left under the desk's concurrency and in the common pool. */
static size_t desk_places(const struct deliver *deliver, const struct desk *desk) {
    size_t most = desk->now.probing ? 1 : (size_t)desk->settings->concurrency;
    size_t own = desk->now.in_flight < most ? most - desk->now.in_flight : 0;
    size_t common = pool_places(&deliver->pool, desk->reserve, desk->now.in_flight);
    return own < common ? own : common;
}

int64_t desk_next(const struct deliver *deliver, const struct desk *desk, int64_t now_us, int64_t due_us) {
    if (!desk->settings || desk->now.inherits || !desk_places(deliver, desk)) return WHEN_NEVER;
    int64_t next_us = later(now_us, due_us);
    if (desk_is_paused(desk, now_us))
        next_us = later(next_us, desk->now.paused_until_us ? desk->now.paused_until_us : WHEN_NEVER);
    next_us = later(next_us, desk->now.wait_us);
    next_us = later(next_us, limiter_next(desk->limiter, now_us));
    return later(next_us, breaker_next(&desk->now.breaker, &desk->settings->breaker, now_us, desk->now.in_flight));
}

/* Which of the breaker's aspects that the store keeps differ between the two. */
static unsigned breaker_change(const struct breaker *a, const struct breaker *b) {
    if (a->state != b->state || a->until_us != b->until_us) return DESK_BREAKER;
    return a->ramp != b->ramp || breaker_failures(a) != breaker_failures(b) ? DESK_COUNT : 0;
}

size_t deliver_budget(struct deliver *deliver, size_t desk_number, int64_t now_us, size_t want) {
    struct desk *desk = desk_at(deliver, desk_number);
    if (!desk->settings || desk->now.inherits || desk_is_paused(desk, now_us) || now_us < desk->now.wait_us) return 0;
    size_t places = desk_places(deliver, desk);
    size_t room = limiter_room(desk->limiter, now_us, want < places ? want : places);
    const struct breaker before = desk->now.breaker;
    room = breaker_admit(&desk_stage(desk)->breaker, &desk->settings->breaker, now_us, desk->now.in_flight, room);
    desk_changed(desk, breaker_change(&before, &desk->now.breaker));
    return room;
}

void deliver_take(struct deliver *deliver, size_t desk_number, size_t sends, int64_t now_us) {
    struct desk *desk = desk_at(deliver, desk_number);
    assert(desk->settings && sends <= desk_places(deliver, desk));
    limiter_take(desk->limiter, sends, now_us);
    pool_take(&deliver->pool, desk->reserve, desk->now.in_flight, sends);
    desk_stage(desk)->in_flight += sends;
}

void deliver_record(struct deliver *deliver, size_t desk_number, int64_t now_us, bool good) {
    struct desk *desk = desk_at(deliver, desk_number);
    if (!desk->settings) return;
    const struct breaker before = desk->now.breaker;
    breaker_record(&desk_stage(desk)->breaker, &desk->settings->breaker, now_us, good);
    desk_changed(desk, breaker_change(&before, &desk->now.breaker));
}

void deliver_blame(struct deliver *deliver, size_t desk, struct str trouble) {
    reason_set(&desk_stage(desk_at(deliver, desk))->trouble, trouble);
}

void deliver_quiet(struct deliver *deliver, size_t desk, int64_t until_us, int64_t now_us) {
    struct limiter *limiter = desk_at(deliver, desk)->limiter;
    if (limiter_quiet(limiter, until_us, now_us)) account_changed(deliver, limiter);
}

void desk_pause(struct desk_state *state, int64_t until_us, struct str reason) {
    state->paused = true;
    state->paused_until_us = until_us;
    reason_set(&state->reason, reason);
}

void deliver_pause(struct deliver *deliver, size_t desk_number, int64_t until_us, struct str reason) {
    struct desk *desk = desk_at(deliver, desk_number);
    const struct desk_state before = desk->now;
    desk_pause(desk_stage(desk), until_us, reason);
    bool same = before.paused && before.paused_until_us == until_us &&
                str_eq(reason_words(&before.reason), reason_words(&desk->now.reason));
    if (!same) desk_changed(desk, DESK_PAUSE);
}

void deliver_refuse(struct deliver *deliver, size_t desk_number, int64_t now_us, struct str reason) {
    deliver_pause(deliver, desk_number, now_us + PAUSE_PROBE_US, reason);
    desk_at(deliver, desk_number)->now.probing = true;
    desk_changed(desk_at(deliver, desk_number), DESK_SUSPICION);
}

bool deliver_suspect(struct deliver *deliver, size_t desk_number, int64_t delivery_seq, int64_t *ret_other) {
    struct desk *desk = desk_at(deliver, desk_number);
    int64_t before = desk->now.suspect_seq;
    *ret_other = before == delivery_seq ? 0 : before;
    desk_stage(desk)->suspect_seq = delivery_seq;
    if (before != delivery_seq) desk_changed(desk, DESK_SUSPICION);
    return before ? before != delivery_seq : desk->now.probing;
}

void deliver_accept(struct deliver *deliver, size_t desk_number) {
    struct desk *desk = desk_at(deliver, desk_number);
    if (!desk->now.suspect_seq && !desk->now.probing) return;
    desk_stage(desk)->suspect_seq = 0;
    desk->now.probing = false;
    desk_changed(desk, DESK_SUSPICION);
}

void deliver_resume(struct deliver *deliver, size_t desk_number) {
    struct desk *desk = desk_at(deliver, desk_number);
    desk_stage(desk)->paused = false;
    desk->now.probing = false;
    desk->now.suspect_seq = 0;
    desk->now.breaker = (struct breaker){0};
    limiter_speak(desk->limiter);
    desk_changed(desk, DESK_PAUSE | DESK_BREAKER | DESK_SUSPICION);
    account_changed(deliver, desk->limiter);
}

void deliver_due(struct deliver *deliver, size_t desk_number, int64_t due_us) {
    struct desk *desk = desk_at(deliver, desk_number);
    if (due_us < desk->now.next_due_us) desk_stage(desk)->next_due_us = due_us;
}

void deliver_set_due(struct deliver *deliver, size_t desk, int64_t due_us) {
    desk_stage(desk_at(deliver, desk))->next_due_us = due_us;
}

bool deliver_asked(struct deliver *deliver, size_t desk, size_t found, int64_t due_us, int64_t now_us) {
    struct desk_state *state = desk_stage(desk_at(deliver, desk));
    bool barren = !found && due_us <= now_us;
    state->barren_us = barren ? backoff_barren_us(state->barren_us) : 0;
    state->next_due_us = barren ? now_us + state->barren_us : due_us;
    return barren;
}

/* The turn's end, and what comes after it. */

void deliver_commit(struct deliver *deliver) {
    for (size_t i = 0; i < deliver->desks.count; i++) {
        struct desk *desk = desk_at(deliver, i);
        if (!desk->touched) continue;
        desk->unstarted += desk->now.in_flight - desk->committed.in_flight;
        desk->committed = desk->now;
        desk->touched = false;
    }
    for (size_t i = 0; i < deliver->limiters.count; i++) {
        limiter_commit(limiter_at(deliver, i));
        meters_commit(meters_at(deliver, i));
    }
    deliver->pool.committed = deliver->pool.now;
    deliver->held_before = deliver->hold;
}

void deliver_rollback(struct deliver *deliver) {
    for (size_t i = 0; i < deliver->desks.count; i++) {
        struct desk *desk = desk_at(deliver, i);
        if (!desk->touched) continue;
        desk->now = desk->committed;
        desk->touched = false;
    }
    for (size_t i = 0; i < deliver->limiters.count; i++) {
        limiter_rollback(limiter_at(deliver, i));
        meters_rollback(meters_at(deliver, i));
    }
    deliver->pool.now = deliver->pool.committed;
    deliver->hold = deliver->held_before;
}

void deliver_started(struct deliver *deliver, size_t desk_number, size_t sends, int64_t at_us) {
    struct desk *desk = desk_at(deliver, desk_number);
    assert(sends <= desk->unstarted);
    desk->unstarted -= sends;
    limiter_started(desk->limiter, sends, at_us);
}

static void desk_free_slot(struct deliver *deliver, struct desk *desk) {
    pool_free_one(&deliver->pool.now, desk->reserve, desk->now.in_flight--);
    pool_free_one(&deliver->pool.committed, desk->reserve, desk->committed.in_flight--);
}

void deliver_unsent(struct deliver *deliver, size_t desk_number) {
    struct desk *desk = desk_at(deliver, desk_number);
    assert(desk->unstarted);
    desk->unstarted--;
    limiter_unsent(desk->limiter, 1);
    desk_free_slot(deliver, desk);
}

void deliver_ended(struct deliver *deliver, size_t desk_number) {
    struct desk *desk = desk_at(deliver, desk_number);
    assert(desk->committed.in_flight > desk->unstarted); /* one that never started: deliver_unsent */
    desk_free_slot(deliver, desk);
}

bool deliver_is_due(const struct deliver *deliver, size_t desk_number, int64_t now_us) {
    const struct desk *desk = desk_at(deliver, desk_number);
    return desk->settings && desk->now.next_due_us <= now_us;
}

int64_t deliver_next(const struct deliver *deliver, int64_t now_us) {
    int64_t earliest_us = WHEN_NEVER;
    for (size_t i = 0; i < deliver->desks.count; i++) {
        const struct desk *desk = desk_at(deliver, i);
        int64_t next_us = desk_next(deliver, desk, now_us, desk->now.next_due_us);
        if (next_us < earliest_us) earliest_us = next_us;
    }
    return earliest_us;
}

struct desk_view deliver_view(const struct deliver *deliver, size_t desk_number, int64_t now_us) {
    const struct desk *desk = desk_at(deliver, desk_number);
    bool paused = desk_is_paused(desk, now_us);
    return (struct desk_view){
        .name = desk->name,
        .closed = !desk->settings,
        .paused = paused,
        .paused_until_us = paused ? desk->now.paused_until_us : 0,
        .pause_reason = paused ? reason_words(&desk->now.reason) : STR_NONE,
        .breaker = desk->now.breaker,
        .breaker_reason = desk->now.breaker.state != BREAKER_CLOSED ? reason_words(&desk->now.trouble) : STR_NONE,
        .quiet_until_us = limiter_quiet_until(desk->limiter),
        .suspect_seq = desk->now.suspect_seq,
        .probing = desk->now.probing,
        .in_flight = desk->now.in_flight,
        .remaining = limiter_remaining(desk->limiter, now_us),
        .next_due_us = desk->now.next_due_us,
    };
}

size_t deliver_changed(struct deliver *deliver, struct desk_change *ret_changes, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < deliver->desks.count && count < max; i++) {
        struct desk *desk = desk_at(deliver, i);
        if (!desk->now.untold) continue;
        ret_changes[count++] = (struct desk_change){i, desk->now.untold};
        desk_stage(desk)->untold = 0;
    }
    return count;
}
