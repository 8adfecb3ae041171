/* engine/stuck.c - see stuck.h.
 *
 * WHAT. Storing what an event is routed to may be refused, by a trigger of somebody's, or kept out by somebody's lock.
 * PROMISE. That costs this one event, or this one delivery that is made late, and its order. All others are routed.
 * WHY IT HOLDS.
 * 1. A careful turn (turn_enter) knows that it was refused while routing. The next one routes half as many, until one
 *    that fails is alone. After a turn that went well twice as many are routed.
 * 2. One that is refused is given up: FAILED, with the database's words; a retry by hand routes it anew.
 * 3. One that a lock keeps out, or that cannot even be given up, is stuck. It stays as it is, and others go around it.
 * 4. Stuck ones are tried again one at a time, each alone in its turn, after a second, and after up to ten while that
 *    fails. When one goes through, the next follows at once.
 * 5. What keeps an order with a stuck one, or with an event whose row somebody has locked, or with what waits behind
 *    these, is left for later turns.
 * 6. All of this is memory. A process that knows nothing of it finds the same ones in the same way.
 * 7. After each that is found the next turn does not route, so that claims and chores come to their turn.
 * WHAT BREAKS IT. More than STUCK_MAX of them: then routing waits, a second at a time, for the first to go through.
 * What waits behind them is planned anew by each look. So many that a turn's budget (routing.c) ends among them hide
 * what is due after them. HOW TO SEE IT. The log lines input_refused and input_locked_out; `drumbeat todo`, cause
 * routing. TESTED BY test/unit/engine/test_stuck.c, test/e2e/test_refused.py, test/e2e/test_strangers.py */
#include "engine/stuck.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/when.h"
#include "engine/turn.h"

#define STUCK_EVENT  "what an event is routed to"
#define STUCK_UNMADE "a delivery that its route makes late"
#define DUE_MAX      500
#define AGAIN_US     US_PER_S
#define AGAIN_CAP_US (10 * US_PER_S)

/* ---- the list ---- */

static uint64_t key_of(const struct turn *turn, const struct delivery *delivery) {
    const struct str parts[] = {delivery->destination, delivery->order_key};
    uint8_t digest[SHA256_BYTES];
    uint64_t key;
    hash_sha256_parts(turn->loop->hasher, parts, 2, digest);
    memcpy(&key, digest, sizeof key);
    return key;
}

/* What the route of an unmade delivery will say of its order is not known while it is stopped. */
static bool order_is_unknown(const struct delivery *delivery) {
    return delivery->unmade && delivery->status == DELIVERY_HELD;
}

static struct stuck_one one_of(const struct turn *turn, int64_t seq, struct uuid event_id,
                               const struct delivery *deliveries, size_t count) {
    struct stuck_one one = {.seq = seq, .event_id = event_id};
    for (size_t i = 0; i < count; i++) {
        if (order_is_unknown(&deliveries[i])) one.key_count += STUCK_KEYS + 1;
        if (!deliveries[i].order_key.n) continue;
        if (one.key_count < STUCK_KEYS) one.keys[one.key_count] = key_of(turn, &deliveries[i]);
        one.key_count++;
    }
    return one;
}

static size_t place_of(const struct stuck *stuck, int64_t seq) {
    size_t at = 0;
    while (at < stuck->count && stuck->ones[at].seq != seq) at++;
    return at;
}

static void take_out(struct stuck *stuck, int64_t seq) {
    size_t at = place_of(stuck, seq);
    if (at == stuck->count) return;
    stuck->count--;
    memmove(&stuck->ones[at], &stuck->ones[at + 1], (stuck->count - at) * sizeof *stuck->ones);
}

/* It goes to the end. False: there is no room. */
static bool put_in(struct turn *turn, const struct stuck_one *one, struct str words) {
    struct stuck *stuck = &turn->loop->stuck;
    bool known = place_of(stuck, one->seq) < stuck->count;
    if (!known && stuck->count == STUCK_MAX) return false;
    stuck->rests = true;
    if (!known) turn_say_refused(turn, ERR_STORE_HELD, one->seq > 0 ? STR(STUCK_EVENT) : STR(STUCK_UNMADE), words);
    take_out(stuck, one->seq);
    stuck->ones[stuck->count++] = *one;
    snprintf(stuck->words, sizeof stuck->words, "%.*s", STR_ARG(words));
    if (!turn->stuck.retried && stuck->count > 1) return true; /* the first one's moment stands */
    bool longer = turn->stuck.retried && stuck->wait_us;
    stuck->wait_us = !longer ? AGAIN_US : 2 * stuck->wait_us < AGAIN_CAP_US ? 2 * stuck->wait_us : AGAIN_CAP_US;
    stuck->next_us = turn->now_us + stuck->wait_us;
    return true;
}

void stuck_forget(struct loop *loop) {
    struct stuck *stuck = &loop->stuck;
    const struct clock *clock = &loop->options.clock;
    if (stuck->count) loop->next_scheduled_us = clock->wall_us(clock->self);
    if (stuck->count) loop->unmade_us = clock->now_us(clock->self);
    stuck->count = stuck->behind = 0;
    stuck->due.one.seq = stuck->unmade.one.seq = 0;
}

/* ---- going around ---- */

bool stuck_rests(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct stuck *stuck = &loop->stuck;
    int64_t left_us = stuck->rest_until_us > turn->now_us ? stuck->rest_until_us - turn->now_us : 0;
    bool rests = stuck->rests || left_us;
    if (rests) loop->next_scheduled_us = turn->wall_us + left_us;
    loop->backlog |= rests; /* what is fresh must not overtake what is stored */
    return rests;
}

int64_t stuck_next(const struct loop *loop) {
    return loop->stuck.count ? loop->stuck.next_us : WHEN_NEVER;
}

void stuck_begin(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (stuck_next(loop) > turn->now_us) return;
    turn->stuck.retried = loop->stuck.ones[0].seq;
    if (turn->stuck.retried > 0) {
        loop->next_scheduled_us = turn->wall_us;
        return;
    }
    loop->unmade_us = turn->now_us;
    loop->unmade_seq = -turn->stuck.retried - 1; /* the page begins with it */
}

void stuck_not_now(struct turn *turn, int64_t again_us) {
    if (turn->stuck.retried) turn->loop->stuck.next_us = turn->now_us + again_us;
    turn->stuck.retried = 0;
}

size_t stuck_due_max(const struct turn *turn, size_t most) {
    const struct stuck *stuck = &turn->loop->stuck;
    return (stuck->due_max ? stuck->due_max : most) + stuck->count + stuck->behind;
}

/* One that is to be tried again and is not there any more is forgotten. If it only stands too far behind, it is found
 * as at first. */
void stuck_pass_over(struct turn *turn) {
    struct stuck *stuck = &turn->loop->stuck;
    size_t kept = 0;
    turn->stuck.looked = true;
    if (!stuck->count) return;
    for (size_t i = 0; i < turn->due_count; i++) {
        int64_t seq = turn->due[i].seq;
        bool stays = turn->stuck.retried ? seq == turn->stuck.retried : place_of(stuck, seq) == stuck->count;
        if (!stays) continue;
        if (turn->stuck.locked) turn->stuck.locked[kept] = turn->stuck.locked[i];
        turn->due[kept++] = turn->due[i];
    }
    if (turn->stuck.retried && !kept) take_out(stuck, turn->stuck.retried);
    size_t most = stuck->due_max + stuck->behind;
    turn->due_count = stuck->due_max && kept > most ? most : kept;
}

struct held_keys {
    uint64_t *keys;
    size_t count;
    bool any;
};

static void hold_key(struct held_keys *held, uint64_t key) {
    held->keys[held->count++] = key;
}

static bool is_held(const struct held_keys *held, uint64_t key) {
    for (size_t i = 0; i < held->count; i++)
        if (held->keys[i] == key) return true;
    return held->any;
}

static struct held_keys held_by_stuck(const struct turn *turn, size_t more) {
    const struct stuck *stuck = &turn->loop->stuck;
    struct held_keys held = {.keys = arena_array(turn->arena, uint64_t, stuck->count * STUCK_KEYS + more)};
    for (size_t i = 0; i < stuck->count; i++) {
        const struct stuck_one *one = &stuck->ones[i];
        held.any |= one->key_count > STUCK_KEYS;
        for (size_t j = 0; j < one->key_count && j < STUCK_KEYS; j++) hold_key(&held, one->keys[j]);
    }
    return held;
}

static size_t hold_plan(struct turn *turn, struct held_keys *held, struct plan *plan, bool waits) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct delivery *delivery = &plan->deliveries[i];
        waits |= order_is_unknown(delivery) && (held->any || held->count);
        waits |= delivery->order_key.n && is_held(held, key_of(turn, delivery));
    }
    for (size_t i = 0; i < plan->count && waits; i++) {
        held->any |= order_is_unknown(&plan->deliveries[i]);
        if (plan->deliveries[i].order_key.n) hold_key(held, key_of(turn, &plan->deliveries[i]));
    }
    plan->put_off |= waits;
    return waits;
}

static void give_up_refused(struct turn *turn) {
    const struct stuck_refusal *refusal = &turn->loop->stuck.due;
    for (size_t i = 0; i < turn->due_count && refusal->one.seq; i++)
        if (turn->due[i].seq == refusal->one.seq && uuid_eq(turn->due[i].id, refusal->one.event_id))
            turn->plans[i] = (struct plan){.error = str_from(refusal->words)};
}

static bool is_locked(const struct turn *turn, size_t i) {
    return turn->stuck.locked && turn->stuck.locked[i];
}

void stuck_plans(struct turn *turn) {
    size_t deliveries = 0, locked = 0;
    give_up_refused(turn);
    for (size_t i = 0; i < turn->due_count; i++) locked += is_locked(turn, i);
    if (!turn->loop->stuck.count && !locked) return;
    if (turn->stuck.retried) { /* it is alone, and behind nobody */
        for (size_t i = 0; i < turn->due_count; i++) turn->plans[i].put_off |= is_locked(turn, i);
        return;
    }
    for (size_t i = 0; i < turn->due_count; i++) deliveries += turn->plans[i].count;
    struct held_keys held = held_by_stuck(turn, deliveries);
    for (size_t i = 0; i < turn->due_count; i++)
        turn->stuck.behind += hold_plan(turn, &held, &turn->plans[i], is_locked(turn, i));
}

bool stuck_leaves_out(const struct turn *turn, const struct delivery *delivery) {
    const struct stuck *stuck = &turn->loop->stuck;
    if (turn->stuck.retried) return delivery->seq != -turn->stuck.retried;
    if (!stuck->count) return false;
    if (place_of(stuck, -delivery->seq) < stuck->count) return true;
    if (!delivery->order_key.n) return false;
    struct held_keys held = held_by_stuck(turn, 0);
    return is_held(&held, key_of(turn, delivery));
}

/* ---- fewer and more ---- */

/* The one that is alone: it is given up by the next turn, or it is stuck. gave_up: this turn tried that already. */
static bool settle_one(struct turn *turn, struct stuck_refusal *refusal, const struct stuck_one *one, bool gave_up,
                       const char *what, enum err err, struct str words) {
    if (err != ERR_STORE_HELD && !gave_up) {
        turn_say_refused(turn, err, str_from(what), words);
        refusal->one = *one;
        snprintf(refusal->words, sizeof refusal->words, "the database refused it: %.*s", STR_ARG(words));
        return true;
    }
    bool known = refusal->one.seq == one->seq;
    const struct stuck_one stuck = known ? refusal->one : *one; /* with its orders, which are not planned any more */
    refusal->one.seq = 0;
    return put_in(turn, &stuck, words);
}

/* Unmade deliveries come first. Until they have passed, no due event is routed in a turn that makes some, so that it is
 * known what was refused. */
static bool make_fewer(struct turn *turn, enum err err, struct str words) {
    struct stuck *stuck = &turn->loop->stuck;
    const struct delivery *made = &turn->made[0];
    bool alone = (stuck->unmade_max == 1 || turn->stuck.retried) && turn->made_count == 1;
    if (!turn->stuck.retried) stuck->unmade_max = (turn->made_count + 1) / 2;
    if (!alone) return true;
    const struct stuck_one one = one_of(turn, -made->seq, made->event_id, made, 1);
    return settle_one(turn, &stuck->unmade, &one, made->last_error.p == stuck->unmade.words, STUCK_UNMADE, err, words);
}

/* An event of this turn was not stored, and will have another number, which may be another's in this turn. */
static bool is_fresh(const struct turn *turn, int64_t seq) {
    for (size_t i = 0; i < turn->event_count; i++)
        if (turn->verdicts[i].seq == seq) return true;
    return false;
}

static bool route_fewer(struct turn *turn, enum err err, struct str words) {
    struct loop *loop = turn->loop;
    struct stuck *stuck = &loop->stuck;
    if (turn->made_count) return make_fewer(turn, err, words);
    if (!turn->due_count) return false;
    loop->next_scheduled_us = turn->wall_us;
    if (!turn->stuck.retried) stuck->due_max = (turn->due_count + 1) / 2;
    if (turn->due_count > 1 || is_fresh(turn, turn->due[0].seq)) return true;
    const struct plan *plan = &turn->plans[0];
    const struct stuck_one one = one_of(turn, turn->due[0].seq, turn->due[0].id, plan->deliveries, plan->count);
    return settle_one(turn, &stuck->due, &one, plan->error.p == stuck->due.words, STUCK_EVENT, err, words);
}

void stuck_route_fewer(struct turn *turn, enum err err, struct str words) {
    if (!route_fewer(turn, err, words)) turn->loop->stuck.rest_until_us = turn->now_us + AGAIN_US;
}

static size_t more_than(size_t max) {
    return 2 * max < DUE_MAX ? 2 * max : 0;
}

void stuck_route_more(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct stuck *stuck = &loop->stuck;
    if (turn->made_count) stuck->unmade_max = more_than(stuck->unmade_max);
    if (turn->stuck.all_made) stuck->unmade_max = 0;
    if (turn->made_count) stuck->unmade.one.seq = 0; /* if it was another: it is refused once more */
    if (turn->due_count || turn->stuck.behind) stuck->due_max = more_than(stuck->due_max);
    if (turn->stuck.looked) stuck->due.one.seq = 0;
    stuck->rests = false;
    if (turn->stuck.behind > stuck->behind) loop->next_scheduled_us = turn->wall_us; /* it goes on behind those */
    if (turn->stuck.looked && !turn->stuck.retried) stuck->behind = turn->stuck.behind;
    if (!turn->stuck.retried) return;
    take_out(stuck, turn->stuck.retried);
    stuck->next_us = turn->now_us;
    stuck->wait_us = 0;
    loop->next_scheduled_us = turn->wall_us;
    loop->unmade_us = turn->now_us;
    loop->unmade_seq = 0;
}
