/* engine/ahead.c - the chore of the clock: what was written while it was ahead is moved back. */
#include "engine/chore.h"

#include "engine/turn.h"
#include "store/ahead.h"
#include "store/chore.h"

#define AHEAD_STEP     ((size_t)256)
#define AHEAD_LEAST_US US_PER_S /* nobody minds a shorter wait; processes on a store differ by less */

/* How far the clock was ahead before the start; 0 = what it wrote may stay, or cannot be moved yet. */
static enum err judge_clock(struct loop *loop, int64_t now_us, struct chores *state, int64_t *ret_ahead_us) {
    int64_t newest_us, elders;
    TRY(store_ahead_newest(loop->options.store, &newest_us));
    TRY(store_ahead_elders(loop->options.store, COMPANY_LIVING_US, &elders));
    bool ahead = newest_us >= now_us + AHEAD_LEAST_US;
    state->clock_waits = ahead && elders > 0;
    if (!elders) TRY(store_ahead_states(loop->options.store, now_us));
    *ret_ahead_us = ahead && !elders ? newest_us - now_us : 0;
    return ERR_NONE;
}

enum err chores_clock_states(struct loop *loop, int64_t now_us) {
    struct chores unused = {0};
    int64_t ahead_us;
    return judge_clock(loop, now_us, &unused, &ahead_us);
}

/* Where the round stands: what part is, and how far it goes. */
enum { CLOCK_STATES, CLOCK_EVENTS, CLOCK_DELIVERIES };

static enum err begin_clock(struct turn *turn, struct chore_round *round, bool *ret_more) {
    struct loop *loop = turn->loop;
    TRY(judge_clock(loop, turn->now_us, &turn->chores, &round->mode));
    *ret_more = round->mode > 0;
    if (!*ret_more) return ERR_NONE;
    loop->company.news |= SQL_NEWS_STATE; /* pauses that were read at the start may have been moved since */
    round->part = CLOCK_EVENTS;
    return store_last_event(loop->options.store, &round->part_end);
}

static enum err move_events(struct turn *turn, struct chore_round *round) {
    struct loop *loop = turn->loop;
    const struct ahead_window window = {round->last_seq, round->part_end, AHEAD_STEP, turn->wall_us};
    struct ahead_moved moved;
    TRY(store_ahead_events(loop->options.store, &window, turn->arena, &moved));
    if (moved.count) loop->next_scheduled_us = turn->wall_us;
    round->last_seq = moved.last_seq;
    if (moved.more) return ERR_NONE;
    round->part = CLOCK_DELIVERIES;
    round->last_seq = 0;
    return store_last_delivery(loop->options.store, &round->part_end);
}

static enum err move_deliveries(struct turn *turn, struct chore_round *round, bool *ret_more) {
    struct loop *loop = turn->loop;
    const struct ahead_window window = {round->last_seq, round->part_end, AHEAD_STEP, turn->now_us};
    struct ahead_moved moved;
    TRY(store_ahead_deliveries(loop->options.store, &window, turn->arena, &moved));
    for (size_t i = 0; i < moved.count; i++) {
        size_t desk = deliver_desk(loop->deliver, moved.destinations[i]);
        if (desk != SIZE_MAX) deliver_due(loop->deliver, desk, turn->now_us);
    }
    round->last_seq = moved.last_seq;
    round->found += (int64_t)moved.count;
    *ret_more = moved.more;
    return ERR_NONE;
}

enum err clock_step(struct turn *turn, struct chore_round *round, bool *ret_more) {
    *ret_more = true;
    if (round->part == CLOCK_STATES) return begin_clock(turn, round, ret_more);
    return round->part == CLOCK_EVENTS ? move_events(turn, round) : move_deliveries(turn, round, ret_more);
}
