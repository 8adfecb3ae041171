/* engine/replay_plan.c - see replay_plan.h and the page on top of replay.c. */
#include "engine/replay_plan.h"

#include "deliver/heir.h"
#include "deliver/settle.h"
#include "engine/past.h"
#include "engine/turn.h"
#include "store/query.h"
#include "store/replay.h"
#include "store/replay_window.h"

#include <string.h>

#define WINDOW_EVENTS ((size_t)64)
#define SHARED_SLACK  US_PER_S /* clocks of processes that share a store differ by less */
#define RUNAWAYS_MAX  3        /* each costs the line the whole deadline of the evaluator */

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
        if (delivery_is_cancelled(delivery) || replay->original) return VERDICT_SKIPPED;
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

/* By the configuration in force: what each step of each route owes now. */
static size_t plan_current(struct replay_planner *planner, const struct event *event, const struct delivery *deliveries,
                           size_t count) {
    struct loop *loop = planner->turn->loop;
    struct plan owed;
    size_t before = planner->item_count;
    route_owed(loop->in_force.routes, event, planner->turn->now_us, loop->hasher, planner->turn->arena, &owed);
    for (size_t i = 0; i < owed.count; i++) {
        const struct delivery *step = &owed.deliveries[i], *last = past_find(&owed, i, deliveries, count);
        if (!is_meant(planner->replay, step->destination, step->route, last)) continue;
        enum replay_verdict verdict = VERDICT_OFFER;
        if (last)
            verdict = judge(planner, event, last, step->destination);
        else if (event->updated_us >= planner->fence_us)
            verdict = VERDICT_MOVING;
        else if (event->status == EVENT_PENDING)
            verdict = VERDICT_OPEN;
        bool anew = !last || verdict == VERDICT_OFFER;
        struct delivery item = anew ? *step : *last;
        item.destination = step->destination; /* its name of now */
        add_item(planner, event, &item, anew ? 0 : last->seq, verdict);
    }
    return planner->item_count - before;
}

/* As they were: the last run of each delivery that was made, with its content. */
static size_t plan_original(struct replay_planner *planner, const struct event *event,
                            const struct delivery *deliveries, size_t count) {
    size_t before = planner->item_count;
    for (size_t i = 0; i < count; i++) {
        const struct delivery *one = &deliveries[i];
        bool last = !past_repeats(one);
        for (size_t j = i + 1; j < count && last; j++)
            last = past_repeats(&deliveries[j]) || !str_eq(one->destination, deliveries[j].destination) ||
                   !str_eq(one->step, deliveries[j].step);
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

bool replay_same_world(const struct turn *turn, const struct replay *replay) {
    return str_eq(turn->loop->in_force.settings->digest, replay->digest);
}

static enum err give_plan_up(struct turn *turn, struct replay *replay, struct str why) {
    replay->status = REPLAY_CANCELLED;
    replay->reason = why;
    replay->finished_us = replay->updated_us = turn->now_us;
    return store_replay_set(turn->loop->options.store, replay);
}

enum err replay_plan(struct turn *turn, struct replay *replay, bool *ret_stalled) {
    struct store *store = turn->loop->options.store;
    int64_t slack_us = turn->loop->options.exclusive ? 0 : SHARED_SLACK;
    struct replay_planner planner = {.turn = turn, .replay = replay, .fence_us = replay->created_us - slack_us};
    struct replay_window window;
    if (!replay_same_world(turn, replay))
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
