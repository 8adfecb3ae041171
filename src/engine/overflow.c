/* engine/overflow.c - what was held because too many waited for its destination goes on by itself.
 *
 * A look walks over all that is held, some hundred rows at a time: soon after something has room (deliver/backlog.h),
 * and once a minute while something overflows, because what waits may stand still. */
#include "deliver/backlog.h"
#include "engine/turn.h"
#include "store/chore.h"

#define OVERFLOW_STEP    ((size_t)256)
#define OVERFLOW_US      (100 * US_PER_MS) /* from the moment that something has room */
#define OVERFLOW_LOOK_US US_PER_MIN

/* Whether some desk has room for deliveries that are held because it had none. */
static bool overflow_may_go(const struct loop *loop) {
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++)
        if (backlog_of(loop->deliver, i).overflows && backlog_room(loop->deliver, i)) return true;
    return false;
}

/* Whether one that is held goes although its desk has no room. All that waits there may wait for others that are held,
 * by the order that is kept, if another process let it in, it came from a destination that was renamed, or the first of
 * its order is a person's to judge. Then one goes in each look, and the next only when that one has left. */
static enum err goes_without_room(struct turn *turn, size_t desk, const struct held_row *held, bool *ret_goes) {
    struct loop *loop = turn->loop;
    backlog_look_meets(loop->deliver, desk);
    *ret_goes = false;
    if (held->blocked || !backlog_look_asks(loop->deliver, desk)) return ERR_NONE;
    return store_stands_still(loop->options.store, held->destination, turn->arena, ret_goes);
}

/* Picks from a page those that have room now, oldest first, and meets the others. */
static enum err pick_released(struct turn *turn, const struct held_row *held, size_t count, int64_t *seqs,
                              size_t *ret_picked) {
    struct loop *loop = turn->loop;
    size_t picked = 0;
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(loop->deliver, held[i].destination);
        if (desk == SIZE_MAX || !str_eq(held[i].error, STR(OVERFLOW_ERROR))) continue;
        bool goes = backlog_room(loop->deliver, desk) > 0;
        if (!goes) TRY(goes_without_room(turn, desk, &held[i], &goes));
        if (!goes) continue;
        seqs[picked++] = held[i].seq;
        backlog_change(loop->deliver, desk, 1);
        deliver_due(loop->deliver, desk, 0);
    }
    *ret_picked = picked;
    return ERR_NONE;
}

enum err overflow_step(struct turn *turn, struct chore_round *round, bool *ret_more) {
    (void)round;
    struct loop *loop = turn->loop;
    struct chores *state = &turn->chores;
    int64_t seqs[OVERFLOW_STEP];
    struct held_row *held;
    size_t count, picked, freed;
    *ret_more = false;
    if (!state->overflow_seq) {
        if (!overflow_may_go(loop) && turn->now_us < state->overflow_us) return ERR_NONE;
        backlog_look_begin(loop->deliver);
    }
    TRY(store_held(loop->options.store, state->overflow_seq, OVERFLOW_STEP, turn->arena, &held, &count));
    TRY(pick_released(turn, held, count, seqs, &picked));
    TRY(store_release(loop->options.store, seqs, picked, turn->now_us, turn->arena, &freed));
    *ret_more = count == OVERFLOW_STEP;
    state->overflow_seq = *ret_more ? held[count - 1].seq : 0;
    if (!*ret_more) backlog_look_end(loop->deliver);
    bool overflows = *ret_more;
    for (size_t i = 0; i < deliver_desks(loop->deliver) && !overflows; i++)
        overflows = backlog_of(loop->deliver, i).overflows;
    state->overflow_told = state->overflow_told && overflows;
    state->overflow_us = overflows || !loop->options.exclusive ? turn->now_us + OVERFLOW_LOOK_US : WHEN_NEVER;
    return ERR_NONE;
}

void overflow_plan(const struct turn *turn) {
    struct loop *loop = turn->loop;
    struct chores *state = &loop->chores;
    int64_t *due_us = &state->due_us[CHORE_OVERFLOW], look_us = WHEN_NEVER;
    if (*due_us == WHEN_NEVER) return;
    if (turn->held_back && state->overflow_us == WHEN_NEVER)
        look_us = state->overflow_us = turn->now_us + OVERFLOW_LOOK_US;
    if (overflow_may_go(loop)) look_us = turn->now_us + OVERFLOW_US;
    if (*due_us > look_us) *due_us = look_us;
}
