/* engine/adoption.c - what a renamed destination's old name owes comes over, a few hundred rows at a time.
 *
 * After each start and each new configuration, for each desk with a `was`: what waits, then what is held; with that the
 * desk is let go (deliver_inherited). What failed comes last, because nothing waits for it. Afterwards each look of the
 * chore finds what others still made or settled under the old name. */
#include "deliver/heir.h"
#include "engine/turn.h"
#include "store/adopt.h"

#define ADOPT_STEP    ((size_t)256)
#define ADOPT_SOON_US US_PER_S /* something is being sent under the old name: look again when it may be over */

/* The earlier names of all desks, in a row: what one step for the name of that number is. False: there are no more. */
static bool heir_at(const struct turn *turn, size_t number, size_t *ret_desk, struct adoption *ret_adoption) {
    for (size_t desk = 0; desk < deliver_desks(turn->loop->deliver); desk++) {
        const struct destination_settings *settings = deliver_settings(turn->loop->deliver, desk);
        size_t count = settings ? settings->was.count : 0;
        if (number >= count) {
            number -= count;
            continue;
        }
        *ret_desk = desk;
        *ret_adoption = (struct adoption){
            .from = settings->was.items[number], .to = settings->name, .limit = ADOPT_STEP, .now_us = turn->now_us};
        return true;
    }
    return false;
}

/* Moves what waits under one name, or says how many with an order are still under way under it. */
static enum err step_waiting(struct turn *turn, size_t desk, const struct adoption *adoption, size_t *ret_moved,
                             int64_t *ret_ordered) {
    struct loop *loop = turn->loop;
    struct adoption_round *round = &turn->chores.adoption;
    int64_t flying;
    TRY(store_adopt(loop->options.store, adoption, turn->arena, ret_moved));
    round->moved += (int64_t)*ret_moved;
    if (*ret_moved) {
        deliver_due(loop->deliver, desk, turn->now_us);
        return ERR_NONE;
    }
    TRY(store_flying(loop->options.store, adoption->from, turn->arena, &flying, ret_ordered));
    if (flying && turn->now_us + ADOPT_SOON_US < turn->chores.strays_us)
        turn->chores.strays_us = turn->now_us + ADOPT_SOON_US;
    round->flying |= flying > 0;
    return ERR_NONE;
}

/* Without any left that waits, and with none under way that has an order, nothing of the old names can be overtaken any
 * more: once what is held has come, too, the desk may send. The state of the last name is nearest. */
static enum err let_go(struct turn *turn, size_t desk, int64_t ordered) {
    struct loop *loop = turn->loop;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    if (!deliver_inherits(loop->deliver, desk) || ordered || turn->chores.adoption.part == ADOPT_HELD) return ERR_NONE;
    for (size_t i = 0; i < settings->was.count; i++)
        TRY(store_adopt_state(loop->options.store, settings->was.items[i], settings->name));
    deliver_inherited(loop->deliver, desk, turn->now_us);
    return ERR_NONE;
}

/* Looks through a page of what is held or failed, for one name. */
static enum err step_stopped(struct turn *turn, bool *ret_more) {
    struct loop *loop = turn->loop;
    struct adoption_round *round = &turn->chores.adoption;
    struct adoption adoption;
    struct adopted adopted;
    size_t desk;
    if (!heir_at(turn, round->name, &desk, &adoption)) {
        round->name = 0;
        round->finished = ++round->part == ADOPT_OVER;
        *ret_more = !round->finished;
        return ERR_NONE;
    }
    adoption.after_seq = round->after_seq;
    TRY(store_adopt_stopped(loop->options.store, &adoption, round->part == ADOPT_HELD ? DELIVERY_HELD : DELIVERY_FAILED,
                            turn->arena, &adopted));
    round->moved += (int64_t)adopted.moved;
    round->after_seq = adopted.more ? adopted.last_seq : 0;
    round->name += !adopted.more;
    *ret_more = true;
    return ERR_NONE;
}

enum err adoption_step(struct turn *turn, bool *ret_more) {
    struct adoption_round *round = &turn->chores.adoption;
    struct adoption adoption;
    bool flew = round->flying;
    size_t moved = 0, desk, next, names = 0;
    int64_t ordered, of_desk = 0;
    round->flying = false;
    for (; heir_at(turn, names, &desk, &adoption); names++) {
        TRY(step_waiting(turn, desk, &adoption, &moved, &ordered));
        if (moved) break;
        of_desk += ordered;
        if (heir_at(turn, names + 1, &next, &adoption) && next == desk) continue;
        TRY(let_go(turn, desk, of_desk));
        of_desk = 0;
    }
    if (moved) round->flying = flew;
    *ret_more = moved > 0;
    if (!names || moved) return ERR_NONE;
    if (flew && !round->flying) { /* what came back may be held, or have failed */
        round->part = ADOPT_HELD;
        round->name = 0;
        round->after_seq = 0;
    }
    return round->part == ADOPT_OVER ? ERR_NONE : step_stopped(turn, ret_more);
}

struct str adoption_names(struct turn *turn) {
    struct buf buf = {.arena = turn->arena};
    struct adoption adoption;
    size_t desk;
    for (size_t i = 0; heir_at(turn, i, &desk, &adoption); i++)
        buf_fmt(&buf, "%s%.*s (was %.*s)", buf.n ? ", " : "", STR_ARG(adoption.to), STR_ARG(adoption.from));
    return buf_str(&buf);
}
