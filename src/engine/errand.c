/* engine/errand.c - the pool of errands, and the life of those that are no deliveries.
 *
 * WHAT. Slots for everything that is on its way, in two lots: the desks' and the reserve.
 *
 * PROMISE. An errand of the reserve leaves only if the turn that started it committed, and each one that left is
 * settled exactly once in a turn that committed, unless the process ends before. It never takes a slot from a delivery,
 * and it holds its own for no longer than its deadline and the time the transport needs to end it.
 *
 * WHY IT HOLDS.
 * 1. The lots share nothing: a slot returns to the lot it came from, and the desks' budgets count their own lot alone.
 * 2. errand_start only stages. errands_commit, which the turn calls after its commit, hands over to the transport;
 *    errands_rollback gives back what was staged and forgets what was to be cancelled.
 * 3. The transport answers each tag once, also one that was cancelled. The answer stays in loop->finished until a turn
 *    that settled it has committed, and only then the slot is free (turn_release_finished).
 * 4. A deadline ends an errand by asking the transport to: its answer takes the same way as every other one.
 * 5. No owner has more than at_once errands, no deadline lies further ahead than ERRAND_LONGEST_US, and a server that
 *    stops starts none, so an owner that tries again at once cannot keep it from ending.
 *
 * WHAT BREAKS IT. A transport that answers a tag twice or never; an owner whose settle returns an error that is not the
 * store's, which would drop every turn from then on (asserted in returns.c).
 *
 * HOW TO SEE IT. The log's errand_overdue names the owner. in_flight of GET /v1/status counts the desks' lot alone.
 *
 * TESTED BY. test/unit/engine/test_errand.c with a scripted world, test_errand_client.c with the real client.
 */
#include "engine/errand.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/turn.h"

/* A slot that once carried a large payload gives its memory back. */
#define ERRAND_KEEP_BYTES ((size_t)32768)

struct lot {
    size_t first, slots, in_use;
    size_t *free_slots; /* a stack: the first slots - in_use of them are free */
};

struct errands {
    size_t slots;
    uint64_t generation;
    struct errand *all;
    struct lot lots[ERRAND_LOTS];
};

static const unsigned moves[ERRAND_STATES] = {
    [ERRAND_FREE] = 1u << ERRAND_STAGED,
    [ERRAND_STAGED] = 1u << ERRAND_UNDER_WAY | 1u << ERRAND_FREE,
    [ERRAND_UNDER_WAY] = 1u << ERRAND_CANCELLED | 1u << ERRAND_OVERDUE | 1u << ERRAND_FREE,
    [ERRAND_CANCELLED] = 1u << ERRAND_FREE,
    [ERRAND_OVERDUE] = 1u << ERRAND_FREE,
};

static void errand_move(struct errand *errand, enum errand_state to) {
    assert(moves[errand->state] & 1u << to);
    errand->state = to;
}

/* ---- the pool ---- */

struct errands *errands_new(size_t desk_slots) {
    const size_t slots[ERRAND_LOTS] = {[ERRAND_OF_DESKS] = desk_slots, [ERRAND_RESERVE] = ERRAND_RESERVE_SLOTS};
    struct errands *errands = calloc(1, sizeof *errands);
    assert(errands);
    for (size_t i = 0; i < ERRAND_LOTS; i++) {
        struct lot *lot = &errands->lots[i];
        *lot = (struct lot){.first = errands->slots, .slots = slots[i]};
        lot->free_slots = calloc(lot->slots, sizeof *lot->free_slots);
        assert(lot->free_slots);
        for (size_t j = 0; j < lot->slots; j++) lot->free_slots[j] = lot->first + lot->slots - 1 - j;
        errands->slots += lot->slots;
    }
    errands->all = calloc(errands->slots, sizeof *errands->all);
    assert(errands->all);
    return errands;
}

void errands_free(struct errands *errands) {
    for (size_t i = 0; i < errands->slots; i++) arena_free(&errands->all[i].arena);
    for (size_t i = 0; i < ERRAND_LOTS; i++) free(errands->lots[i].free_slots);
    free(errands->all);
    free(errands);
}

size_t errands_in_use(const struct errands *errands, enum errand_lot lot) {
    return errands->lots[lot].in_use;
}

struct errand *errand_take(struct errands *errands, const struct errand_owner *owner) {
    struct lot *lot = &errands->lots[owner->lot];
    if (lot->in_use == lot->slots) return NULL;
    size_t slot = lot->free_slots[lot->slots - 1 - lot->in_use++];
    struct errand *errand = &errands->all[slot];
    errand_move(errand, ERRAND_STAGED);
    errand->tag = ++errands->generation * errands->slots + slot;
    errand->owner = owner;
    return errand;
}

struct errand *errand_find(const struct errands *errands, uint64_t tag) {
    struct errand *errand = &errands->all[tag % errands->slots];
    return errand->state != ERRAND_FREE && errand->tag == tag ? errand : NULL;
}

struct errand *errand_next(const struct errands *errands, enum errand_lot lot, const struct errand *last) {
    const struct lot *one = &errands->lots[lot];
    if (one->in_use == 0) return NULL; /* the reserve, in nearly every turn */
    struct errand *errand = last ? errands->all + (last - errands->all) + 1 : errands->all + one->first;
    for (; errand < errands->all + one->first + one->slots; errand++)
        if (errand->state != ERRAND_FREE) return errand;
    return NULL;
}

void errand_leave(struct loop *loop, struct errand *errand) {
    const struct transport *transport = &loop->options.transport;
    errand_move(errand, ERRAND_UNDER_WAY);
    transport->start(transport->self, errand->tag, &errand->outgoing);
}

void errand_release(struct errands *errands, struct errand *errand) {
    struct lot *lot = &errands->lots[errand->owner->lot];
    errand_move(errand, ERRAND_FREE);
    assert(lot->in_use > 0);
    struct arena arena = errand->arena;
    if (arena.used_bytes > ERRAND_KEEP_BYTES)
        arena_free(&arena);
    else
        arena_reset(&arena);
    *errand = (struct errand){.arena = arena};
    lot->free_slots[lot->slots - lot->in_use--] = (size_t)(errand - errands->all);
}

bool errands_use(const struct errands *errands, const struct settings *settings) {
    for (size_t i = 0; i < errands->slots; i++)
        if (errands->all[i].state != ERRAND_FREE && errands->all[i].settings == settings) return true;
    return false;
}

/* ---- the reserve ---- */

/* Its answer is here and waits for a turn that commits. */
static bool is_answered(const struct loop *loop, const struct errand *errand) {
    for (size_t i = 0; i < loop->finished_count; i++)
        if (loop->finished[i].tag == errand->tag) return true;
    for (size_t i = 0; i < loop->aside_count; i++)
        if (loop->aside[i].tag == errand->tag) return true;
    return false;
}

struct errand *errand_start(struct turn *turn, const struct errand_owner *owner, int64_t deadline_us) {
    struct loop *loop = turn->loop;
    const struct errand *other = NULL;
    size_t same = 0;
    assert(owner->lot == ERRAND_RESERVE && owner->at_once > 0);
    while ((other = errand_next(loop->errands, ERRAND_RESERVE, other)))
        same += other->owner == owner && !is_answered(loop, other); /* settle may start the next one */
    bool too_late = loop->stopping && owner != &errand_owners[ERRAND_EXPORT];
    if (too_late || deadline_us <= turn->now_us || same >= owner->at_once) return NULL;
    struct errand *errand = errand_take(loop->errands, owner);
    if (!errand) return NULL;
    errand->settings = loop->in_force.settings;
    errand->deadline_us = turn->now_us + ERRAND_LONGEST_US;
    if (deadline_us < errand->deadline_us) errand->deadline_us = deadline_us;
    return errand;
}

void errand_cancel(struct turn *turn, uint64_t tag) {
    struct errand *errand = errand_find(turn->loop->errands, tag);
    if (!errand) return;
    assert(errand->owner->lot == ERRAND_RESERVE);
    errand->unwanted = true;
}

static void errand_end(struct loop *loop, struct errand *errand, enum errand_state how) {
    const struct transport *transport = &loop->options.transport;
    errand_move(errand, how);
    if (!is_answered(loop, errand)) transport->cancel(transport->self, errand->tag);
}

void errands_commit(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct errand *errand = NULL;
    while ((errand = errand_next(loop->errands, ERRAND_RESERVE, errand))) {
        if (errand->state == ERRAND_STAGED && errand->unwanted) {
            errand_release(loop->errands, errand);
        } else if (errand->state == ERRAND_STAGED) {
            int64_t left_us = errand->deadline_us - loop->options.clock.now_us(loop->options.clock.self);
            errand->outgoing.timeout_us = left_us > 0 ? left_us : 1; /* too late by now: it is over at once */
            errand_leave(loop, errand);
        } else if (errand->state == ERRAND_UNDER_WAY && errand->unwanted) {
            errand_end(loop, errand, ERRAND_CANCELLED);
        }
    }
}

void errands_rollback(struct turn *turn) {
    struct errands *errands = turn->loop->errands;
    struct errand *errand = NULL;
    while ((errand = errand_next(errands, ERRAND_RESERVE, errand))) {
        errand->unwanted = false;
        if (errand->state == ERRAND_STAGED) errand_release(errands, errand);
    }
}

void errands_end_overdue(const struct turn *turn) {
    struct loop *loop = turn->loop;
    if (errands_next_deadline(loop->errands) > turn->now_us) return;
    struct errand *errand = NULL;
    while ((errand = errand_next(loop->errands, ERRAND_RESERVE, errand))) {
        if (errand->state != ERRAND_UNDER_WAY || errand->deadline_us > turn->now_us) continue;
        log_event(loop->options.log, LOG_WARN, turn->wall_us, "errand_overdue",
                  LOG_TEXT("owner", str_from(errand->owner->name)));
        errand_end(loop, errand, ERRAND_OVERDUE);
    }
}

int64_t errands_next_deadline(const struct errands *errands) {
    int64_t next_us = WHEN_NEVER;
    const struct errand *errand = NULL;
    while ((errand = errand_next(errands, ERRAND_RESERVE, errand)))
        if (errand->state == ERRAND_UNDER_WAY && errand->deadline_us < next_us) next_us = errand->deadline_us;
    return next_us;
}

void errands_end_all(struct loop *loop) {
    for (int lot = 0; lot < ERRAND_LOTS; lot++) {
        struct errand *errand = NULL;
        while ((errand = errand_next(loop->errands, (enum errand_lot)lot, errand)))
            if (errand->state == ERRAND_UNDER_WAY) errand_end(loop, errand, ERRAND_CANCELLED);
    }
}
