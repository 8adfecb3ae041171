/* engine/replay.c - plans to send again are made and carried out, as a chore.
 *
 * WHAT: makes the plans that a person asked for, and applies those that a person let go, one step at a time.
 * PROMISE: nothing is sent again but what the plan said, each item once, whatever crashes between. Live deliveries find
 * their way as free as without a replay, but for half of each limit and half of a desk's places. A destination that is
 * not served delays no other. Within a destination the items go out in the order of their events.
 * WHY IT HOLDS.
 * 1. A plan is about a moment, its beginning: what changed since then is MOVING in it, and is left alone. So it is one
 *    picture, though it is made over many turns. Its items are never changed, only their results.
 * 2. An item is applied in the transaction that also moves the place of its destination behind it. A turn that is lost
 *    did neither.
 * 3. What a plan sends is final, and moves by a later run alone. store_replay_apply looks for one, under the lock of
 * the event, and makes the run as a retry by hand does (store/rerun.c): there is no second way.
 * 4. A configuration that is not the plan's stops it, before any of it and between its steps, with the way out.
 * 5. A step makes at most what backlog_spare says of the desk, which is nothing while something due waits there.
 * 6. What jq was not run on ends the window (sift_window in replay_plan.c): each event is asked until there is an
 * answer. WHAT BREAKS IT: a delivery that is changed by another program without its updated_at. HOW TO SEE IT:
 * `drumbeat replay show`, `drumbeat chores list`, the log's replay_*. TESTED BY: test/conformance/test_replay.c,
 * test/e2e/test_replay.py, the scenarios replay-*.txt, the seeds of sim/replays.c. Decision 35. */
#include "store/replay.h"
#include "deliver/backlog.h"
#include "deliver/heir.h"
#include "engine/replay_plan.h"
#include "engine/turn.h"
#include "store/doubt.h"
#include "store/query.h"

#define APPLY_MAX   ((size_t)32) /* items of a destination in one step */
#define SKIP_MAX    ((size_t)256)
#define PACE_US     (5 * US_PER_MS)   /* between two steps that made something */
#define STALLED_US  (200 * US_PER_MS) /* when nothing could go */
#define FORGET_US   (7 * US_PER_DAY)
#define FORGET_STEP ((size_t)256)
#define RETURN_MAX  ((size_t)256)

/* ---- carrying it out ---- */

struct applier {
    struct turn *turn;
    const struct replay *replay;
    bool went; /* something was done */
};

/* What is in doubt is looked up first; the rules of lookups decide what follows. */
static enum err look_up(struct applier *applier, struct replay_item *item, size_t desk) {
    struct turn *turn = applier->turn;
    size_t count;
    TRY(store_look_up(turn->loop->options.store, &item->delivery, 1, turn->now_us, turn->arena, &count));
    item->result = count ? item->delivery : REPLAY_MOVED;
    backlog_change(turn->loop->deliver, desk, (int64_t)count);
    if (count) deliver_due(turn->loop->deliver, desk, turn->now_us);
    return ERR_NONE;
}

/* The step of the item's event, as its route owes it now; false: it does not any more. */
static bool find_owed(struct turn *turn, const struct event *event, const struct replay_item *item,
                      struct delivery *ret_owed) {
    struct plan owed;
    route_owed(turn->loop->in_force.routes, event, turn->now_us, turn->loop->hasher, turn->arena, &owed);
    for (size_t i = 0; i < owed.count; i++) {
        if (!str_eq(owed.deliveries[i].destination, item->destination) ||
            !str_eq(owed.deliveries[i].step, item->step) || !str_eq(owed.deliveries[i].route, item->route))
            continue;
        *ret_owed = owed.deliveries[i];
        return true;
    }
    return false;
}

static enum err send_again(struct applier *applier, struct replay_item *item, size_t desk) {
    struct turn *turn = applier->turn;
    struct loop *loop = turn->loop;
    struct replay_act act = {
        .item = item, .original = applier->replay->original, .again = applier->replay->again, .now_us = turn->now_us};
    struct delivery owed, made;
    struct event event;
    enum err err = store_event_get(loop->options.store, item->event_id, turn->arena, &event);
    if (!err && !item->delivery && !find_owed(turn, &event, item, &owed)) err = ERR_NOT_NOW;
    act.owed = &owed;
    if (!err) err = store_replay_apply(loop->options.store, &act, loop->hasher, turn->arena, &made);
    if (err == ERR_NOT_NOW || err == ERR_NOT_FOUND) {
        item->result = REPLAY_MOVED;
        return ERR_NONE;
    }
    TRY(err);
    item->result = made.seq;
    if (delivery_waits(made.status)) {
        backlog_change(loop->deliver, desk, 1);
        deliver_due(loop->deliver, desk, turn->now_us);
    } else {
        loop->unmade_us = turn->now_us; /* its route makes it in the next turn */
    }
    return ERR_NONE;
}

/* Goes on at one destination, as far as it has room. */
static enum err apply_part(struct applier *applier, struct replay_part *part) {
    struct turn *turn = applier->turn;
    struct store *store = turn->loop->options.store;
    size_t desk = deliver_known(turn->loop->deliver, part->destination), count, done = 0;
    size_t spare = desk == SIZE_MAX ? SIZE_MAX : backlog_spare(turn->loop->deliver, desk, turn->now_us);
    struct replay_item *items;
    if (part->place == part->items || !spare) return ERR_NONE;
    if (spare > APPLY_MAX) spare = APPLY_MAX;
    TRY(store_replay_items(store, applier->replay->seq, part->destination, part->place, SKIP_MAX, turn->arena, &items,
                           &count));
    if (!count) part->place = part->items; /* its items are gone */
    for (; done < count && spare; done++) {
        struct replay_item *item = &items[done];
        part->place = item->n;
        if (!replay_acts(item->verdict)) continue;
        if (desk == SIZE_MAX)
            item->result = REPLAY_MOVED;
        else
            TRY(item->verdict == VERDICT_UNKNOWN ? look_up(applier, item, desk) : send_again(applier, item, desk));
        part->moved += item->result == REPLAY_MOVED;
        part->made += item->result != REPLAY_MOVED;
        spare -= item->result != REPLAY_MOVED;
    }
    applier->went = true;
    TRY(store_replay_results(store, applier->replay->seq, items, done, turn->arena));
    return store_replay_part_set(store, applier->replay->seq, part, 1, turn->arena);
}

/* One step at every destination. A route that is stopped holds up what it would make, so the plan waits for it. */
static enum err step_apply(struct turn *turn, struct replay *replay, bool *ret_went) {
    struct loop *loop = turn->loop;
    struct applier applier = {.turn = turn, .replay = replay};
    struct replay_part *parts;
    size_t count;
    bool over = true;
    if (!replay_same_world(turn, replay)) {
        replay->status = REPLAY_PAUSED;
        replay->reason = STR("the configuration changed: cancel this plan, and plan what is left");
        replay->updated_us = turn->now_us;
        return store_replay_set(loop->options.store, replay);
    }
    if (!turn_delivers(loop) || loop->recovering || (!replay->original && routes_stopped(loop->in_force.routes)))
        return ERR_NONE;
    TRY(store_replay_parts(loop->options.store, replay->seq, turn->arena, &parts, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(apply_part(&applier, &parts[i]));
        over = over && parts[i].place == parts[i].items;
    }
    *ret_went = applier.went;
    if (!over) return ERR_NONE;
    replay->status = REPLAY_DONE;
    replay->finished_us = replay->updated_us = turn->now_us;
    return store_replay_set(loop->options.store, replay);
}

/* ---- the chore ---- */

static enum err step_one(struct turn *turn, struct replay *replay, int64_t *ret_next_us) {
    enum replay_status before = replay->status;
    bool went = false, stalled = false;
    if (before == REPLAY_PLANNING)
        TRY(replay_plan(turn, replay, &stalled));
    else
        TRY(step_apply(turn, replay, &went));
    if (replay->status == REPLAY_PLANNING || replay->status == REPLAY_APPLYING) {
        int64_t next_us = turn->now_us + (went ? PACE_US : before == REPLAY_PLANNING && !stalled ? 0 : STALLED_US);
        if (next_us < *ret_next_us) *ret_next_us = next_us;
    }
    if (replay->status != before && turn->chores.replays_changed < REPLAYS_TOLD)
        turn->chores.replays_told[turn->chores.replays_changed++] = (struct replay_told){
            replay->seq, str_from(replay_status_text(replay->status)), str_dup(turn->arena, replay->reason)};
    return ERR_NONE;
}

enum err replay_step(struct turn *turn, struct chore_round *round, bool *ret_more) {
    struct store *store = turn->loop->options.store;
    int64_t next_us = WHEN_NEVER, after = 0;
    struct replay replay;
    enum err err;
    size_t forgotten;
    bool planning = false;
    (void)round;
    for (size_t i = 0; i < RETURN_MAX; i++) {
        err = store_replay_next(store, after, turn->arena, &replay);
        if (err == ERR_NOT_FOUND) break;
        TRY(err);
        after = replay.seq;
        TRY(step_one(turn, &replay, &next_us));
        planning = replay.status == REPLAY_PLANNING;
        if (planning) break; /* a plan is made before others are carried out further */
    }
    if (!planning) sift_close(turn->loop);
    if (next_us == WHEN_NEVER) {
        TRY(store_replay_forget(store, turn->now_us - FORGET_US, FORGET_STEP, turn->arena, &forgotten));
        if (forgotten) next_us = turn->now_us + PACE_US;
    }
    *ret_more = next_us <= turn->now_us;
    turn->chores.replay_us = next_us;
    return ERR_NONE;
}
