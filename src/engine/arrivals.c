/* engine/arrivals.c - calls become events, events become deliveries. */
#include "deliver/backoff.h"
#include "engine/turn.h"
#include "store/memory.h"
#include "store/shared.h"

#define ROUTE_BUSY_US  (10 * US_PER_MS) /* another process routes, and hears of what comes: looked at again so soon */
#define DUE_EVENTS_MAX 500 /* of one turn: scheduled events that came due, and those found pending at start */

/* ---- take, append ---- */

static struct standing standing_of(const struct loop *loop) {
    bool limits_up;
    const char *limits_way = quota_way(loop, &limits_up);
    return (struct standing){.running = true,
                             .version = loop->options.version,
                             .store = loop->options.store_text,
                             .role = loop_role_text(loop->options.role),
                             .takes_events = loop->options.role != LOOP_WORKER,
                             .hold = loop->options.hold,
                             .stopping = loop->stopping,
                             .config_ok = loop->config_ok,
                             .started_us = loop->started_us,
                             .open_deliveries = loop->open_deliveries,
                             .in_flight = errands_in_use(loop->errands, ERRAND_OF_DESKS),
                             .limits_way = limits_way,
                             .limits_up = limits_up,
                             .limit_parts = loop->quota.apart ? loop->quota.parts : 1,
                             .settings = loop->in_force.settings,
                             .routes = loop->in_force.routes,
                             .chores = &loop->chores};
}

static struct call call_of(struct turn *turn, const struct request *request) {
    struct loop *loop = turn->loop;
    return (struct call){.request = request,
                         .now_us = turn->now_us,
                         .wall_us = turn->wall_us,
                         .service = loop->options.service.self,
                         .arena = turn->arena,
                         .store = loop->options.store,
                         .desks = loop->deliver,
                         .metrics = loop->metrics,
                         .hasher = loop->hasher,
                         .rng = &loop->rng,
                         .last_id = &loop->last_id,
                         .standing = &turn->standing,
                         .reload = loop->options.reload};
}

enum err turn_take(struct turn *turn) {
    const struct service *service = &turn->loop->options.service;
    if (turn->visit_count) turn->standing = standing_of(turn->loop);
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        visit->call = call_of(turn, visit->request);
        TRY(service->take(service->self, &visit->call));
        turn->event_room += visit->call.event_count;
        turn->wishes |= visit->call.wishes;
        turn->open_change += visit->call.open_change;
    }
    metrics_hop(turn->loop->metrics, "serve_request", turn->visit_count);
    return ERR_NONE;
}

static void gather_events(struct turn *turn) {
    turn->events = arena_array(turn->arena, struct event, turn->event_room);
    turn->verdicts = arena_array(turn->arena, struct append_result, turn->event_room);
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        visit->first_event = turn->event_count;
        for (size_t j = 0; j < visit->call.event_count; j++) turn->events[turn->event_count++] = visit->call.events[j];
    }
}

enum err turn_append(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (turn->event_room == 0) return ERR_NONE;
    gather_events(turn);
    TRY(store_append(loop->options.store, turn->events, turn->event_count, turn->arena, turn->verdicts));
    metrics_hop(loop->metrics, "intake_event", turn->event_count);
    metrics_hop(loop->metrics, "store_append", turn->event_count);
    return ERR_NONE;
}

/* ---- route, plan ---- */

static bool keeps_orders(const struct settings *settings) {
    for (size_t i = 0; i < settings->route_count; i++)
        for (size_t j = 0; j < settings->routes[i].step_count; j++)
            if (settings->routes[i].steps[j].order_by.n) return true;
    return false;
}

/* Older events whose time has come, and this turn's own, which are PENDING in the store too. One process at a time does
 * this, in the order of events, or two would change places. */
static enum err gather_stored(struct turn *turn, bool *ret_ours) {
    struct loop *loop = turn->loop;
    TRY(store_try_task(loop->options.store, TASK_ROUTE, ret_ours));
    if (!*ret_ours) {
        loop->next_scheduled_us = turn->wall_us + ROUTE_BUSY_US;
        loop->company.patient_us = turn->now_us + ROUTE_BUSY_US;
        return ERR_NONE;
    }
    return store_due_events(loop->options.store, turn->wall_us, DUE_EVENTS_MAX + turn->event_count, turn->arena,
                            &turn->due, &turn->due_count);
}

/* This turn's fresh events that are due already, and older ones. Where orders are kept and other processes route too,
 * fresh ones take their place behind what is stored. */
static enum err gather_due(struct turn *turn) {
    struct loop *loop = turn->loop;
    bool in_line = turn->event_count && !loop->options.exclusive && keeps_orders(loop->in_force.settings);
    bool ours = false;
    if (loop->next_scheduled_us <= turn->wall_us || in_line) TRY(gather_stored(turn, &ours));
    if (ours || in_line) return ERR_NONE;
    turn->due = arena_array(turn->arena, struct event, turn->event_count);
    for (size_t i = 0; i < turn->event_count; i++) {
        if (turn->verdicts[i].verdict != APPEND_FRESH) continue;
        struct event event = turn->events[i];
        event.seq = turn->verdicts[i].seq;
        if (event.scheduled_us <= turn->wall_us)
            turn->due[turn->due_count++] = event;
        else if (event.scheduled_us < loop->next_scheduled_us)
            loop->next_scheduled_us = event.scheduled_us;
    }
    return ERR_NONE;
}

/* May this delivery leave in the turn that makes it? Only when nothing older of its desk waits. */
static bool leaves_now(struct turn *turn, const struct delivery *delivery, size_t desk) {
    struct loop *loop = turn->loop;
    if (!turn_delivers(loop) || loop->recovering) return false;
    if (!loop->options.exclusive && turn_is_limited(loop, desk)) return false; /* asked for at the claim */
    if (deliver_would_probe(loop->deliver, desk, turn->now_us)) return false;  /* asked for at the claim */
    if (delivery->status != DELIVERY_PENDING || delivery->due_us > turn->now_us || delivery->order_key.n) return false;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    const struct action_traits *traits = destination_action(settings, delivery->action);
    if (traits && traits->batch_joined > 1) return false;
    if (deliver_is_due(loop->deliver, desk, turn->now_us)) return false;
    return deliver_budget(loop->deliver, desk, turn->now_us, 1) == 1;
}

static void plan_one(struct turn *turn, struct delivery *delivery, size_t *ret_desk) {
    struct loop *loop = turn->loop;
    size_t desk = deliver_desk(loop->deliver, delivery->destination);
    *ret_desk = desk;
    if (!delivery_is_final(delivery->status)) turn->open_change++;
    if (leaves_now(turn, delivery, desk)) {
        delivery->status = DELIVERY_PROCESSING;
        delivery->lease_until_us = turn_lease_until(turn, deliver_settings(loop->deliver, desk));
        delivery->lease_epoch = 1;
        deliver_take(loop->deliver, desk, 1, turn->now_us);
    } else if (delivery->status == DELIVERY_PENDING) {
        deliver_due(loop->deliver, desk, delivery->due_us);
    }
}

static struct routed routed_of(const struct event *event, const struct plan *plan) {
    struct routed routed = {event->seq, EVENT_COMPLETED, plan->error};
    if (plan->error.n) routed.status = EVENT_FAILED;
    for (size_t i = 0; i < plan->count; i++)
        if (!delivery_is_final(plan->deliveries[i].status)) routed.status = EVENT_PROCESSING;
    return routed;
}

static enum err store_runaway(struct turn *turn, const struct plan *plan) {
    struct loop *loop = turn->loop;
    const struct routes *routes = loop->in_force.routes;
    struct quarantine row = {.route = plan->runaway_route,
                             .program_hash =
                                 routes_program_hash(routes, plan->runaway_route, loop->hasher, turn->arena),
                             .reason = plan->error,
                             .at_us = turn->wall_us};
    loop->company.tell |= SQL_NEWS_STATE;
    return store_quarantine(loop->options.store, &row, 1);
}

void turn_quarantine(struct turn *turn) {
    struct routes *routes = turn->loop->in_force.routes;
    for (size_t i = 0; i < turn->due_count; i++) {
        const struct plan *plan = &turn->plans[i];
        if (!plan->runaway_route.n || routes_is_quarantined(routes, plan->runaway_route)) continue;
        routes_quarantine(routes, plan->runaway_route);
        log_event(turn->loop->options.log, LOG_ERROR, turn->wall_us, "route_quarantined",
                  LOG_TEXT("route", plan->runaway_route), LOG_TEXT("reason", plan->error));
    }
}

/* All plans of the turn, joined: turn->planned, with its desks. */
static enum err join_plans(struct turn *turn, size_t **ret_desks) {
    size_t total = 0, n = 0;
    for (size_t i = 0; i < turn->due_count; i++) total += turn->plans[i].count;
    turn->planned = arena_array(turn->arena, struct delivery, total);
    turn->routed = arena_array(turn->arena, struct routed, turn->due_count);
    size_t *desks = arena_array(turn->arena, size_t, total);
    for (size_t i = 0; i < turn->due_count; i++) {
        const struct plan *plan = &turn->plans[i];
        turn->routed[i] = routed_of(&turn->due[i], plan);
        if (plan->runaway_route.n) TRY(store_runaway(turn, plan));
        if (!plan->wanted && !plan->error.n) metrics_unrouted(turn->loop->metrics, 1);
        for (size_t j = 0; j < plan->count; j++, n++) {
            turn->planned[n] = plan->deliveries[j];
            plan_one(turn, &turn->planned[n], &desks[n]);
        }
    }
    turn->routed_count = turn->due_count;
    turn->planned_count = total;
    *ret_desks = desks;
    return ERR_NONE;
}

static enum err store_plans(struct turn *turn, const size_t *desks) {
    struct store *store = turn->loop->options.store;
    bool *blocked = arena_array(turn->arena, bool, turn->planned_count);
    if (turn->planned_count) TRY(store_plan(store, turn->planned, turn->planned_count, turn->arena, blocked));
    TRY(store_routed(store, turn->routed, turn->routed_count, turn->now_us));
    for (size_t i = 0; i < turn->planned_count; i++) {
        const struct delivery *delivery = &turn->planned[i];
        if (delivery->status == DELIVERY_PROCESSING) TRY(turn_leave(turn, &delivery, 1, desks[i]));
    }
    metrics_hop(turn->loop->metrics, "store_plan", turn->planned_count);
    return turn_store_settlements(turn);
}

/* When the next event is due. One that is due already and did not come is in somebody else's transaction. */
static enum err look_ahead(struct turn *turn) {
    struct loop *loop = turn->loop;
    int64_t next_us;
    TRY(store_next_scheduled(loop->options.store, &next_us));
    bool barren = next_us <= turn->wall_us && !turn->due_count;
    loop->scheduled_wait_us = barren ? backoff_barren_us(loop->scheduled_wait_us) : 0;
    loop->next_scheduled_us = barren ? turn->wall_us + loop->scheduled_wait_us : next_us;
    return ERR_NONE;
}

enum err turn_route(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (!turn_routes(loop)) return ERR_NONE;
    TRY(gather_due(turn));
    if (turn->due_count) {
        turn->plans = arena_array(turn->arena, struct plan, turn->due_count);
        route_events(loop->in_force.routes, turn->due, turn->due_count, turn->now_us, loop->hasher,
                     loop->in_force.evaluator, turn->arena, turn->plans);
        metrics_hop(loop->metrics, "route_event", turn->due_count);
        size_t *desks;
        TRY(join_plans(turn, &desks));
        TRY(store_plans(turn, desks));
    }
    return loop->next_scheduled_us <= turn->wall_us ? look_ahead(turn) : ERR_NONE;
}

/* ---- wishes, reply ---- */

void turn_grant(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (turn->wishes & WISH_KEYS) loop->service_stale = true;
    if (turn->wishes & WISH_CONFIG) loop->options.reload->adopt(loop->options.reload->self);
}

static void serve_reply(struct turn *turn, struct visit *visit) {
    const struct inlet *inlet = &turn->loop->options.inlet;
    struct call *call = &visit->call;
    if (!call->reply.status) {
        call->verdicts = turn->verdicts + visit->first_event;
        call->answer(call);
    }
    inlet->reply(inlet->self, visit->request, &call->reply);
}

void turn_reply(struct turn *turn) {
    for (size_t i = 0; i < turn->visit_count; i++) serve_reply(turn, &turn->visits[i]);
    metrics_hop(turn->loop->metrics, "serve_reply", turn->visit_count);
}

/* A turn may be dropped before each of its requests was taken: each gets a call here. */
void turn_refuse(struct turn *turn, enum err err) {
    struct loop *loop = turn->loop;
    if (loop->options.reload) loop->options.reload->forget(loop->options.reload->self);
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        struct call call = call_of(turn, visit->request);
        call.request_id = visit->call.request_id;
        loop->options.service.refuse(loop->options.service.self, &call, err);
        loop->options.inlet.reply(loop->options.inlet.self, visit->request, &call.reply);
    }
}
