/* engine/arrivals.c - requests become events, events become deliveries. */
#include "api/serve.h"
#include "base/json.h"
#include "engine/turn.h"
#include "store/memory.h"
#include "store/shared.h"

#define ROUTE_BUSY_US  (10 * US_PER_MS) /* another process routes, and hears of what comes: looked at again so soon */
#define DUE_EVENTS_MAX 500 /* of one turn: scheduled events that came due, and those found pending at start */

/* ---- serve, intake, append ---- */

static size_t valid_items(const struct intake *intake) {
    size_t count = 0;
    for (size_t i = 0; i < intake->count; i++) count += intake->items[i].valid;
    return count;
}

enum err turn_serve(struct turn *turn) {
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        TRY(serve_request(turn, visit));
        if (visit->posted) turn->event_room += valid_items(&visit->intake);
    }
    metrics_hop(turn->loop->metrics, "serve_request", turn->visit_count);
    return ERR_NONE;
}

static void gather_events(struct turn *turn) {
    turn->events = arena_array(turn->arena, struct event, turn->event_room);
    turn->verdicts = arena_array(turn->arena, struct append_result, turn->event_room);
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        if (!visit->posted) continue;
        visit->first_event = turn->event_count;
        for (size_t j = 0; j < visit->intake.count; j++)
            if (visit->intake.items[j].valid) turn->events[turn->event_count++] = visit->intake.items[j].event;
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
    if (loop->next_scheduled_us <= turn->wall_us)
        TRY(store_next_scheduled(loop->options.store, &loop->next_scheduled_us));
    return ERR_NONE;
}

/* ---- reply ---- */

static void accept_one(struct turn *turn, struct visit *visit) {
    const struct append_result *verdict = &turn->verdicts[visit->first_event];
    struct reply *reply = &visit->reply;
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(verdict->verdict == APPEND_FRESH ? turn->events[visit->first_event].id : verdict->event_id, id);
    reply->status = 200;
    reply->content_type = STR("application/json");
    if (verdict->verdict == APPEND_FRESH) {
        reply_header(reply, STR("X-Event-Status"), STR("ACCEPTED"));
        reply->body = str_fmt(turn->arena, "{\"success\":true,\"eventId\":\"%s\"}", id);
    } else {
        reply_header(reply, STR("X-Event-Status"), STR("DUPLICATE"));
        reply->body = str_fmt(turn->arena, "{\"success\":false,\"error\":\"DUPLICATE_EVENT\",\"eventId\":\"%s\"}", id);
    }
}

/* Points at the first place where the new payload differs from the stored one. */
static struct refusal conflict(struct turn *turn, size_t event) {
    struct json *stored, *posted;
    struct json_error error;
    struct str pointer = STR("/payload");
    if (!json_parse(turn->verdicts[event].payload, JSON_DEPTH_MAX, &stored, &error)) {
        if (!json_parse(turn->events[event].payload, JSON_DEPTH_MAX, &posted, &error)) {
            struct str at = json_first_difference(turn->arena, stored, posted);
            pointer = str_fmt(turn->arena, "/payload%.*s", STR_ARG(at));
            json_free(posted);
        }
        json_free(stored);
    }
    struct str first = uuid_str(turn->arena, turn->verdicts[event].event_id);
    return (struct refusal){ERR_CONFLICT,
                            str_fmt(turn->arena, "this key names event %.*s, whose payload differs", STR_ARG(first)),
                            pointer};
}

static void add_item(struct turn *turn, struct buf *body, size_t index, const struct intake_item *item, size_t event) {
    static const char *const words[] = {
        [APPEND_FRESH] = "ACCEPTED", [APPEND_DUPLICATE] = "DUPLICATE", [APPEND_CONFLICT] = "CONFLICT"};
    struct refusal refusal = item->refusal;
    const char *word = "INVALID";
    if (item->valid) {
        word = words[turn->verdicts[event].verdict];
        if (turn->verdicts[event].verdict == APPEND_CONFLICT) refusal = conflict(turn, event);
    }
    buf_fmt(body, "%s{\"index\":%zu,\"status\":\"%s\"", index ? "," : "", index, word);
    if (item->valid) {
        char id[UUID_TEXT_LENGTH + 1];
        bool fresh = turn->verdicts[event].verdict == APPEND_FRESH;
        uuid_format(fresh ? turn->events[event].id : turn->verdicts[event].event_id, id);
        buf_fmt(body, ",\"eventId\":\"%s\"", id);
    }
    if (refusal.err) {
        buf_fmt(body, ",\"code\":\"%s\",\"error\":", err_code(refusal.err));
        json_quote(body, refusal.detail);
        buf_add(body, STR(",\"pointer\":"));
        json_quote(body, refusal.pointer);
    }
    buf_byte(body, '}');
}

static void accept_batch(struct turn *turn, struct visit *visit) {
    struct buf body = {.arena = turn->arena};
    size_t event = visit->first_event;
    buf_byte(&body, '[');
    for (size_t i = 0; i < visit->intake.count; i++) {
        const struct intake_item *item = &visit->intake.items[i];
        add_item(turn, &body, i, item, event);
        event += item->valid;
    }
    buf_byte(&body, ']');
    visit->reply.status = 200;
    visit->reply.content_type = STR("application/json");
    visit->reply.body = buf_str(&body);
}

static void count_verdicts(const struct turn *turn, const struct visit *visit) {
    static const enum metric_event kinds[] = {
        [APPEND_FRESH] = METRIC_ACCEPTED, [APPEND_DUPLICATE] = METRIC_DUPLICATE, [APPEND_CONFLICT] = METRIC_CONFLICT};
    size_t event = visit->first_event;
    for (size_t i = 0; i < visit->intake.count; i++)
        if (visit->intake.items[i].valid)
            metrics_event(turn->loop->metrics, kinds[turn->verdicts[event++].verdict], 1);
        else
            metrics_event(turn->loop->metrics, METRIC_INVALID, 1);
}

static void answer_posted(struct turn *turn, struct visit *visit) {
    count_verdicts(turn, visit);
    metrics_ingest_seconds(turn->loop->metrics, turn->now_us - visit->request->arrived_us);
    if (visit->intake.batch) {
        accept_batch(turn, visit);
        return;
    }
    const struct intake_item *item = &visit->intake.items[0];
    struct refusal refusal = item->refusal;
    if (item->valid && turn->verdicts[visit->first_event].verdict == APPEND_CONFLICT)
        refusal = conflict(turn, visit->first_event);
    if (refusal.err)
        serve_refuse(turn, visit, &refusal);
    else
        accept_one(turn, visit);
}

static void serve_reply(struct turn *turn, struct visit *visit) {
    const struct inlet *inlet = &turn->loop->options.inlet;
    if (visit->posted) answer_posted(turn, visit);
    inlet->reply(inlet->self, visit->request, &visit->reply);
}

void turn_reply(struct turn *turn) {
    for (size_t i = 0; i < turn->visit_count; i++) serve_reply(turn, &turn->visits[i]);
    metrics_hop(turn->loop->metrics, "serve_reply", turn->visit_count);
}

void turn_refuse(struct turn *turn, enum err err) {
    const struct inlet *inlet = &turn->loop->options.inlet;
    const struct refusal refusal = {err, STR_NONE, STR_NONE};
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        visit->reply = (struct reply){0};
        serve_refuse(turn, visit, &refusal);
        inlet->reply(inlet->self, visit->request, &visit->reply);
    }
}
