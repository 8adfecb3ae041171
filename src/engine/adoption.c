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

/* Whether this desk takes over from an earlier name, and then what one step of that is. */
static bool is_heir(const struct turn *turn, size_t desk, struct adoption *ret_adoption) {
    const struct destination_settings *settings = deliver_settings(turn->loop->deliver, desk);
    if (!settings || !settings->was.n) return false;
    *ret_adoption =
        (struct adoption){.from = settings->was, .to = settings->name, .limit = ADOPT_STEP, .now_us = turn->now_us};
    return true;
}

/* Moves what waits. Without any of it left, and with none under way that has an order, nothing of the old name can be
 * overtaken any more: once what is held has come, too, the desk may send. */
static enum err step_waiting(struct turn *turn, size_t desk, const struct adoption *adoption, size_t *ret_moved) {
    struct loop *loop = turn->loop;
    struct store *store = loop->options.store;
    struct adoption_round *round = &turn->chores.adoption;
    int64_t flying, ordered;
    TRY(store_adopt(store, adoption, turn->arena, ret_moved));
    round->moved += (int64_t)*ret_moved;
    if (*ret_moved) {
        deliver_due(loop->deliver, desk, turn->now_us);
        return ERR_NONE;
    }
    TRY(store_flying(store, adoption->from, turn->arena, &flying, &ordered));
    if (flying && turn->now_us + ADOPT_SOON_US < turn->chores.strays_us)
        turn->chores.strays_us = turn->now_us + ADOPT_SOON_US;
    round->flying |= flying > 0;
    if (!deliver_inherits(loop->deliver, desk) || ordered || round->part == ADOPT_HELD) return ERR_NONE;
    TRY(store_adopt_state(store, adoption->from, adoption->to));
    deliver_inherited(loop->deliver, desk, turn->now_us);
    return ERR_NONE;
}

/* Looks through a page of what is held or failed, for one desk. */
static enum err step_stopped(struct turn *turn, bool *ret_more) {
    struct loop *loop = turn->loop;
    struct adoption_round *round = &turn->chores.adoption;
    struct adoption adoption;
    struct adopted adopted;
    while (round->desk < deliver_desks(loop->deliver) && !is_heir(turn, round->desk, &adoption)) round->desk++;
    if (round->desk == deliver_desks(loop->deliver)) {
        round->desk = 0;
        round->finished = ++round->part == ADOPT_OVER;
        *ret_more = !round->finished;
        return ERR_NONE;
    }
    adoption.after_seq = round->after_seq;
    TRY(store_adopt_stopped(loop->options.store, &adoption, round->part == ADOPT_HELD ? DELIVERY_HELD : DELIVERY_FAILED,
                            turn->arena, &adopted));
    round->moved += (int64_t)adopted.moved;
    round->after_seq = adopted.more ? adopted.last_seq : 0;
    round->desk += !adopted.more;
    *ret_more = true;
    return ERR_NONE;
}

enum err adoption_step(struct turn *turn, bool *ret_more) {
    struct adoption_round *round = &turn->chores.adoption;
    struct adoption adoption;
    bool any = false, flew = round->flying;
    size_t moved = 0;
    round->flying = false;
    for (size_t i = 0; i < deliver_desks(turn->loop->deliver) && !moved; i++) {
        if (!is_heir(turn, i, &adoption)) continue;
        any = true;
        TRY(step_waiting(turn, i, &adoption, &moved));
    }
    if (moved) round->flying = flew;
    *ret_more = moved > 0;
    if (!any || moved) return ERR_NONE;
    if (flew && !round->flying) { /* what came back may be held, or have failed */
        round->part = ADOPT_HELD;
        round->desk = 0;
        round->after_seq = 0;
    }
    return round->part == ADOPT_OVER ? ERR_NONE : step_stopped(turn, ret_more);
}

struct str adoption_names(struct turn *turn) {
    struct buf buf = {.arena = turn->arena};
    struct adoption adoption;
    for (size_t i = 0; i < deliver_desks(turn->loop->deliver); i++)
        if (is_heir(turn, i, &adoption))
            buf_fmt(&buf, "%s%.*s (was %.*s)", buf.n ? ", " : "", STR_ARG(adoption.to), STR_ARG(adoption.from));
    return buf_str(&buf);
}
