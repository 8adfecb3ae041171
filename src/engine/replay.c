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
 * 6. What jq was not run on ends the window (sift_window): each event is asked until there is an answer.
 * WHAT BREAKS IT: a delivery that is changed by another program without its updated_at.
 * HOW TO SEE IT: `drumbeat replay show`, `drumbeat chores list`, the log's replay_*.
 * TESTED BY: test/conformance/test_replay.c, test/e2e/test_replay.py, the scenarios replay-*.txt, the seeds of
 * sim/replays.c. Decision 35. */
#include "store/replay.h"
#include "deliver/backlog.h"
#include "deliver/heir.h"
#include "deliver/settle.h"
#include "engine/turn.h"
#include "store/doubt.h"
#include "store/query.h"
#include "store/replay_window.h"

#include <string.h>

#define WINDOW_EVENTS ((size_t)64)
#define APPLY_MAX     ((size_t)32) /* items of a destination in one step */
#define SKIP_MAX      ((size_t)256)
#define PACE_US       (5 * US_PER_MS)   /* between two steps that made something */
#define STALLED_US    (200 * US_PER_MS) /* when nothing could go */
#define SHARED_SLACK  US_PER_S          /* clocks of processes that share a store differ by less */
#define FORGET_US     (7 * US_PER_DAY)
#define FORGET_STEP   ((size_t)256)
#define RETURN_MAX    ((size_t)256)
#define RUNAWAYS_MAX  3 /* each costs the line the whole deadline of the evaluator */

/* ---- the plan ---- */

struct replay_planner {
    struct turn *turn;
    struct replay *replay;
    int64_t fence_us; /* what changed since is left alone */
    struct replay_part *parts;
    size_t part_count, part_room;
    struct replay_item *items;
    size_t item_count, item_room;
    bool stalled; /* jq was not run on the first event of the window */
};

static struct replay_part *part_of(struct replay_planner *planner, struct str destination) {
    for (size_t i = 0; i < planner->part_count; i++)
        if (str_eq(planner->parts[i].destination, destination)) return &planner->parts[i];
    if (planner->part_count == planner->part_room) {
        size_t room = planner->part_room ? 2 * planner->part_room : 16;
        struct replay_part *parts = arena_array(planner->turn->arena, struct replay_part, room);
        if (planner->part_count) memcpy(parts, planner->parts, planner->part_count * sizeof *parts);
        planner->parts = parts;
        planner->part_room = room;
    }
    planner->parts[planner->part_count] = (struct replay_part){.destination = destination};
    return &planner->parts[planner->part_count++];
}

static void add_item(struct replay_planner *planner, const struct event *event, const struct delivery *delivery,
                     int64_t seq, enum replay_verdict verdict) {
    if (planner->item_count == planner->item_room) {
        size_t room = planner->item_room ? 2 * planner->item_room : 256;
        struct replay_item *items = arena_array(planner->turn->arena, struct replay_item, room);
        if (planner->item_count) memcpy(items, planner->items, planner->item_count * sizeof *items);
        planner->items = items;
        planner->item_room = room;
    }
    struct replay_part *part = part_of(planner, delivery->destination);
    part->counts[verdict]++;
    planner->items[planner->item_count++] = (struct replay_item){.destination = delivery->destination,
                                                                 .route = delivery->route,
                                                                 .step = delivery->step,
                                                                 .n = ++part->items,
                                                                 .event_id = event->id,
                                                                 .delivery = seq,
                                                                 .verdict = verdict};
}

static bool is_cancelled(const struct delivery *delivery) {
    return delivery->status == DELIVERY_SKIPPED && str_starts(delivery->last_error, STR("cancelled by "));
}

/* What would become of a delivery; the destination is where it would go now. */
static enum replay_verdict judge(const struct replay_planner *planner, const struct event *event,
                                 const struct delivery *delivery, struct str destination) {
    const struct replay *replay = planner->replay;
    struct deliver *desks = planner->turn->loop->deliver;
    size_t desk = deliver_known(desks, destination);
    if (event->updated_us >= planner->fence_us || delivery->updated_us >= planner->fence_us) return VERDICT_MOVING;
    if (event->status == EVENT_PENDING) return VERDICT_OPEN;
    switch (delivery->status) {
    case DELIVERY_PENDING:
    case DELIVERY_PROCESSING:
        return VERDICT_OPEN;
    case DELIVERY_UNKNOWN:
        return VERDICT_UNKNOWN;
    case DELIVERY_HELD:
        return desk != SIZE_MAX && delivery->in_doubt &&
                       settle_can_look_up(deliver_settings(desks, desk), delivery->action, true)
                   ? VERDICT_UNKNOWN
                   : VERDICT_HELD;
    case DELIVERY_COMPLETED:
        if (!replay->again) return VERDICT_DONE;
        break;
    case DELIVERY_SKIPPED:
        if (is_cancelled(delivery) || replay->original) return VERDICT_SKIPPED;
        return desk == SIZE_MAX ? VERDICT_GONE : VERDICT_OFFER;
    default:
        break;
    }
    return desk == SIZE_MAX ? VERDICT_GONE : VERDICT_SEND;
}

static bool has_text(struct str text, struct str part) {
    return memmem(text.p, text.n, part.p, part.n) != NULL;
}

/* Whether the filters mean this delivery. `delivery` NULL: nothing was made of the step yet. */
static bool is_meant(const struct replay *replay, struct str destination, struct str route,
                     const struct delivery *delivery) {
    if (replay->destination.n && !str_eq(replay->destination, destination)) return false;
    if (replay->route.n && !str_eq(replay->route, route)) return false;
    if (!delivery) return !replay->delivery_status.n && !replay->error.n;
    if (replay->delivery_status.n && !str_eq(replay->delivery_status, str_from(delivery_status_text(delivery->status))))
        return false;
    return !replay->error.n || has_text(delivery->last_error, replay->error);
}

/* The last run of the step that is owed; NULL when there was none. A step with a key has it only once it is made. */
static const struct delivery *last_of(const struct delivery *deliveries, size_t count, const struct delivery *owed,
                                      struct arena *arena) {
    struct str keyed = str_fmt(arena, "%.*s:", STR_ARG(owed->route));
    for (size_t i = count; i-- > 0;) {
        const struct delivery *one = &deliveries[i];
        bool here = str_eq(one->destination, owed->destination) || str_list_has(owed->was, one->destination);
        if (here &&
            (str_eq(one->step, owed->step) || (str_eq(one->route, owed->route) && str_starts(one->step, keyed))))
            return one;
    }
    return NULL;
}

/* By the configuration in force: what each step of each route owes now. */
static size_t plan_current(struct replay_planner *planner, const struct event *event, const struct delivery *deliveries,
                           size_t count) {
    struct loop *loop = planner->turn->loop;
    struct plan owed;
    size_t before = planner->item_count;
    route_owed(loop->in_force.routes, event, planner->turn->now_us, loop->hasher, planner->turn->arena, &owed);
    for (size_t i = 0; i < owed.count; i++) {
        const struct delivery *step = &owed.deliveries[i];
        const struct delivery *last = last_of(deliveries, count, step, planner->turn->arena);
        if (!is_meant(planner->replay, step->destination, step->route, last)) continue;
        enum replay_verdict verdict = VERDICT_OFFER;
        if (last)
            verdict = judge(planner, event, last, step->destination);
        else if (event->updated_us >= planner->fence_us)
            verdict = VERDICT_MOVING;
        else if (event->status == EVENT_PENDING)
            verdict = VERDICT_OPEN;
        bool anew = !last || verdict == VERDICT_OFFER;
        add_item(planner, event, anew ? step : last, anew ? 0 : last->seq, verdict);
    }
    return planner->item_count - before;
}

/* As they were: the last run of each delivery that was made, with its content. */
static size_t plan_original(struct replay_planner *planner, const struct event *event,
                            const struct delivery *deliveries, size_t count) {
    size_t before = planner->item_count;
    for (size_t i = 0; i < count; i++) {
        const struct delivery *one = &deliveries[i];
        bool last = true;
        for (size_t j = i + 1; j < count && last; j++)
            last = !str_eq(one->destination, deliveries[j].destination) || !str_eq(one->step, deliveries[j].step);
        if (!last || !is_meant(planner->replay, one->destination, one->route, one)) continue;
        add_item(planner, event, one, one->seq, judge(planner, event, one, one->destination));
    }
    return planner->item_count - before;
}

static bool is_wanted(const struct replay *replay, const struct event *event) {
    if (event->created_us < replay->since_us || event->created_us >= replay->until_us) return false;
    if (replay->type.n && !str_glob(replay->type, event->type)) return false;
    return !replay->source.n || str_eq(replay->source, event->source);
}

/* Which events of the window the plan is about. Where jq was not run on one, the window ends before it. */
static enum err sift_window(struct replay_planner *planner, struct replay_window *window, bool *wanted) {
    struct replay *replay = planner->replay;
    struct turn *turn = planner->turn;
    struct sifted *sifted = arena_array(turn->arena, struct sifted, window->event_count);
    struct replay_failure *failures = arena_array(turn->arena, struct replay_failure, window->event_count);
    size_t failed = 0;
    for (size_t i = 0; i < window->event_count; i++) wanted[i] = is_wanted(replay, &window->events[i]);
    if (!replay->jq.n) return ERR_NONE;
    sift_events(turn->loop, replay->jq, window->events, wanted, window->event_count, turn->arena, sifted);
    for (size_t i = 0; i < window->event_count; i++) {
        if (sifted[i].verdict == SIFT_LATER) {
            window->last_seq = window->events[i].seq - 1;
            window->event_count = i;
            window->more = true;
            planner->stalled = i == 0;
            break;
        }
        wanted[i] = sifted[i].verdict == SIFT_IN;
        if (wanted[i] || sifted[i].verdict == SIFT_OUT) continue;
        replay->runaways += sifted[i].verdict == SIFT_RUNAWAY;
        if (++replay->failed <= REPLAY_FAILURES_KEPT)
            failures[failed++] = (struct replay_failure){replay->failed, window->events[i].id, sifted[i].words};
    }
    return store_replay_failures_add(turn->loop->options.store, replay->seq, failures, failed, turn->arena);
}

static void plan_window(struct replay_planner *planner, const struct replay_window *window, const bool *wanted) {
    struct replay *replay = planner->replay;
    size_t at = 0;
    for (size_t i = 0; i < window->event_count; i++) {
        const struct event *event = &window->events[i];
        size_t from = at;
        while (at < window->delivery_count && window->of[at] == event->seq) at++;
        if (!wanted[i]) continue;
        size_t made = replay->original ? plan_original(planner, event, window->deliveries + from, at - from)
                                       : plan_current(planner, event, window->deliveries + from, at - from);
        replay->events += made > 0;
    }
}

static bool same_world(const struct turn *turn, const struct replay *replay) {
    return str_eq(turn->loop->in_force.settings->digest, replay->digest);
}

static enum err give_plan_up(struct turn *turn, struct replay *replay, struct str why) {
    replay->status = REPLAY_CANCELLED;
    replay->reason = why;
    replay->finished_us = replay->updated_us = turn->now_us;
    return store_replay_set(turn->loop->options.store, replay);
}

/* *ret_stalled: nothing can be done at present. */
static enum err step_plan(struct turn *turn, struct replay *replay, bool *ret_stalled) {
    struct store *store = turn->loop->options.store;
    int64_t slack_us = turn->loop->options.exclusive ? 0 : SHARED_SLACK;
    struct replay_planner planner = {.turn = turn, .replay = replay, .fence_us = replay->created_us - slack_us};
    struct replay_window window;
    if (!same_world(turn, replay))
        return give_plan_up(turn, replay, STR("the configuration changed while it was planned: plan it again"));
    TRY(store_replay_parts(store, replay->seq, turn->arena, &planner.parts, &planner.part_count));
    planner.part_room = planner.part_count;
    TRY(store_replay_window(store, replay->last_seq, replay->end_seq, WINDOW_EVENTS, replay->jq.n > 0, turn->arena,
                            &window));
    bool *wanted = arena_array(turn->arena, bool, window.event_count);
    TRY(sift_window(&planner, &window, wanted));
    *ret_stalled = planner.stalled;
    if (planner.stalled) return ERR_NONE;
    if (replay->runaways >= RUNAWAYS_MAX)
        return give_plan_up(turn, replay,
                            STR("its jq was stopped on three events, which `replay show --failed` names"));
    plan_window(&planner, &window, wanted);
    replay->last_seq = window.last_seq;
    if (!window.more) replay->status = REPLAY_PLANNED;
    replay->updated_us = turn->now_us;
    TRY(store_replay_items_add(store, replay->seq, planner.items, planner.item_count, turn->arena));
    TRY(store_replay_part_set(store, replay->seq, planner.parts, planner.part_count, turn->arena));
    return store_replay_set(store, replay);
}

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
    if (!same_world(turn, replay)) {
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
        TRY(step_plan(turn, replay, &stalled));
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
