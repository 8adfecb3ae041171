/* engine/routing.c - events whose time has come become deliveries.
 *
 * WHAT. Finds the events that are due, lets route_events plan their deliveries, stores these, and lets those leave at
 * once that need not wait. Deliveries that their route could not make earlier are made here too.
 * PROMISE. Each run of an event is routed exactly once, by one process. Where a route keeps an order, its deliveries
 * get their places in the order of the events. Routing holds up a turn for its budget and one round at most.
 * WHY IT HOLDS.
 * 1. An event stays PENDING until its deliveries are stored: store_plan and store_routed are in one transaction. A turn
 *    that does not commit leaves the event as it was.
 * 2. Stored events are routed under a lock that one process has until its commit (TASK_ROUTE). A turn's own fresh
 * events are seen by nobody else before its commit, so it may route them without that lock.
 * 3. Where a route keeps an order and other processes route too, fresh events are not taken directly. They go through
 *    gather_stored, which reads them in line with all others and under the lock.
 * 4. The budget is looked at between rounds of at most ROUND_EVENTS_MAX events. The first round always runs, so every
 *    turn makes progress. What is left stays PENDING; with `backlog`, fresh events that keep an order wait behind it.
 * 5. A delivery leaves in the turn that makes it only when nothing older of its desk is due and nobody else has to be
 *    asked first (leaves_now). Everything else waits for the claim, which takes the oldest first.
 * 6. Unmade deliveries come before events, a page at a time. While more of them could be made, due events wait for the
 *    next turn.
 * 7. What routes learn of their programs (strikes, stops, probes) is staged and becomes true in turn_routed.
 * WHAT BREAKS IT. An evaluator that does not keep its own time limit: one round would hold up all callers of the turn.
 * An event whose deliveries the database refuses undoes its turn, and so does a delivery that is made late; stuck.c
 * finds it and goes around it.
 * HOW TO SEE IT. The hops route_events and store_plan in drumbeat_hops_total; drumbeat_events_unrouted_total; the log
 * lines route_stopped and route_healed.
 * TESTED BY. test/unit/engine/test_loop.c and test_parts.c; the scenarios routing*, scheduled*, order*, route-*;
 * test/conformance/test_fleet_work.c; invariants I5 and I14 with the planted bugs routed-twice, second-route-missed,
 * order-not-kept and failure-takes-others.
 */
#include "deliver/backlog.h"
#include "deliver/backoff.h"
#include "deliver/meter.h"
#include "engine/turn.h"
#include "store/chore.h"
#include "store/memory.h"
#include "store/shared.h"

#define ROUTE_BUSY_US  (10 * US_PER_MS) /* how soon to look again when another process routes */
#define DUE_EVENTS_MAX 500 /* stored events of one turn: those that came due, and those found pending at start */
#define PUT_OFF_US     (250 * US_PER_MS)
#define UNMADE_MAX     500
#define UNPROBED_US    US_PER_S /* how soon to look again for what a stopped route could be probed with */
#define UNMADE_LOOK_US (10 * US_PER_S)

/* What one turn may spend on routing. Callers and deliveries of the same turn wait for it meanwhile. */
#define BUDGET_US         (50 * US_PER_MS)
#define BUDGET_EVENTS     ((size_t)4096)
#define BUDGET_BYTES      ((size_t)16 << 20)
#define BUDGET_DELIVERIES ((size_t)16384)
#define ROUND_EVENTS_MAX  ((size_t)64)
#define ROUND_BYTES_MAX   ((size_t)256 << 10)

static bool keeps_orders(const struct settings *settings) {
    for (size_t i = 0; i < settings->route_count; i++)
        for (size_t j = 0; j < settings->routes[i].step_count; j++)
            if (settings->routes[i].steps[j].order_by.n) return true;
    return false;
}

/* Reads the stored events whose time has come, and with them this turn's own, which are PENDING in the store too. Only
 * one process at a time does this, in the order of events; otherwise two events could change places. */
static enum err gather_stored(struct turn *turn, bool *ret_ours) {
    struct loop *loop = turn->loop;
    TRY(store_try_task(loop->options.store, TASK_ROUTE, ret_ours));
    if (!*ret_ours) {
        loop->next_scheduled_us = turn->wall_us + ROUTE_BUSY_US;
        loop->company.patient_us = turn->now_us + ROUTE_BUSY_US;
        stuck_not_now(turn, ROUTE_BUSY_US);
        return ERR_NONE;
    }
    size_t max = stuck_due_max(turn, DUE_EVENTS_MAX + turn->event_count);
    struct store *store = loop->options.store;
    if (keeps_orders(loop->in_force.settings))
        TRY(store_due_in_order(store, turn->wall_us, max, turn->arena, &turn->due, &turn->due_count,
                               &turn->stuck.locked));
    else
        TRY(store_due_events(store, turn->wall_us, max, turn->arena, &turn->due, &turn->due_count));
    stuck_pass_over(turn);
    return ERR_NONE;
}

/* Of the fresh events that are not due yet. */
static void note_later(struct turn *turn) {
    int64_t *next_us = &turn->loop->next_scheduled_us;
    for (size_t i = 0; i < turn->event_count; i++) {
        int64_t scheduled_us = turn->events[i].scheduled_us;
        bool later = turn->verdicts[i].verdict == APPEND_FRESH && scheduled_us > turn->wall_us;
        if (later && scheduled_us < *next_us) *next_us = scheduled_us;
    }
}

/* Gathers this turn's fresh events that are due already, and older ones. Where orders are kept and other processes
 * route too, the fresh ones take their places behind what is stored. */
static enum err gather_due(struct turn *turn) {
    struct loop *loop = turn->loop;
    bool orders = keeps_orders(loop->in_force.settings), ours = false;
    if (loop->next_scheduled_us > turn->wall_us + PUT_OFF_US) loop->backlog = false; /* nothing that is due is stored */
    if (orders && loop->backlog && loop->next_scheduled_us > turn->wall_us) return ERR_NONE; /* all are put off */
    bool in_line = orders && turn->event_count && !loop->options.exclusive;
    bool few = loop->stuck.due_max && turn->event_count; /* the fresh ones wait while the database refuses some event */
    if (few) loop->next_scheduled_us = turn->wall_us;    /* and those that are not taken now are looked for at once */
    if (loop->next_scheduled_us <= turn->wall_us || in_line || few) TRY(gather_stored(turn, &ours));
    note_later(turn);
    if (ours || in_line || few) return ERR_NONE;
    turn->due = arena_array(turn->arena, struct event, turn->event_count);
    for (size_t i = 0; i < turn->event_count; i++) {
        if (turn->verdicts[i].verdict != APPEND_FRESH) continue;
        struct event event = turn->events[i];
        event.seq = turn->verdicts[i].seq;
        if (event.scheduled_us <= turn->wall_us) turn->due[turn->due_count++] = event;
    }
    return ERR_NONE;
}

/* Whether this delivery may leave in the turn that makes it, which is only so when nothing older of its desk waits. */
static bool leaves_now(struct turn *turn, const struct delivery *delivery, size_t desk) {
    struct loop *loop = turn->loop;
    if (!turn_delivers(loop) || loop->recovering) return false;
    if (quota_is_shared(loop, desk)) return false;                            /* the claim asks for it */
    if (deliver_meters(loop->deliver, desk)) return false;                    /* the claim knows its value */
    if (deliver_would_probe(loop->deliver, desk, turn->now_us)) return false; /* the claim asks for it */
    if (delivery->status != DELIVERY_PENDING || delivery->due_us > turn->now_us || delivery->order_key.n) return false;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    const struct action_traits *traits = destination_action(settings, delivery->action);
    if (traits && traits->batch_joined > 1) return false;
    if (!tokens_ready(loop, settings, turn->now_us)) return false; /* the claim asks for it */
    if (backlog_is_full(loop->deliver, desk)) return false;        /* older ones are held */
    if (deliver_is_due(loop->deliver, desk, turn->now_us)) return false;
    return deliver_budget(loop->deliver, desk, turn->now_us, 1) == 1;
}

/* Holds a delivery when too many wait for its destination already. It goes on once there is room (step_overflow), in
 * its place where an order is kept. */
static bool hold_back(struct turn *turn, struct delivery *delivery, size_t desk) {
    struct deliver *deliver = turn->loop->deliver;
    if (!backlog_is_full(deliver, desk)) return false;
    delivery->status = delivery_move(delivery->status, DELIVERY_HELD);
    delivery->last_error = STR(OVERFLOW_ERROR);
    if (!turn->held_back++) turn->held_for = delivery->destination;
    backlog_overflow(deliver, desk);
    return true;
}

static void plan_one(struct turn *turn, struct delivery *delivery, size_t *ret_desk) {
    struct loop *loop = turn->loop;
    size_t desk = deliver_desk(loop->deliver, delivery->destination);
    *ret_desk = desk;
    if (leaves_now(turn, delivery, desk)) {
        delivery->status = delivery_move(delivery->status, DELIVERY_PROCESSING);
        delivery->lease_until_us = turn_lease_until(turn, deliver_settings(loop->deliver, desk));
        delivery->lease_epoch = 1;
        deliver_take(loop->deliver, desk, 1, turn->now_us);
    } else if (delivery->status == DELIVERY_PENDING && !hold_back(turn, delivery, desk)) {
        deliver_due(loop->deliver, desk, delivery->due_us);
    }
    if (delivery_waits(delivery->status)) backlog_change(loop->deliver, desk, 1);
}

static struct routed routed_of(const struct event *event, const struct plan *plan) {
    struct routed routed = {event->seq, plan->error.n ? EVENT_FAILED : EVENT_COMPLETED, plan->error};
    for (size_t i = 0; i < plan->count; i++)
        if (!delivery_is_final(plan->deliveries[i].status)) routed.status = EVENT_PROCESSING;
    if (routed.status == EVENT_PROCESSING) routed.last_error = STR_NONE; /* it is said when its last delivery ends */
    return routed;
}

/* Joins all plans of the turn into turn->planned, and gives each delivery's desk. */
static void join_plans(struct turn *turn, size_t **ret_desks) {
    size_t total = 0, n = 0;
    for (size_t i = 0; i < turn->due_count; i++) total += turn->plans[i].count;
    turn->planned = arena_array(turn->arena, struct delivery, total);
    turn->routed = arena_array(turn->arena, struct routed, turn->due_count);
    size_t *desks = arena_array(turn->arena, size_t, total);
    for (size_t i = 0; i < turn->due_count; i++) {
        const struct plan *plan = &turn->plans[i];
        turn->routed[i] = routed_of(&turn->due[i], plan);
        bool is_spam = str_starts(turn->due[i].type, STR(EVENT_SPAM)); /* nobody expects a route to want that */
        if (!plan->wanted && !is_spam) metrics_unrouted(turn->loop->metrics, 1);
        for (size_t j = 0; j < plan->count; j++, n++) {
            turn->planned[n] = plan->deliveries[j];
            plan_one(turn, &turn->planned[n], &desks[n]);
        }
    }
    turn->routed_count = turn->due_count;
    turn->planned_count = total;
    *ret_desks = desks;
}

/* Whether it waits only for others to fill its call; *ret_max = how many fill it. */
static bool waits_for_others(const struct turn *turn, const struct delivery *delivery, size_t desk, size_t *ret_max) {
    if (delivery->status != DELIVERY_PENDING || delivery->due_us <= turn->now_us) return false;
    const struct action_traits *traits =
        destination_action(deliver_settings(turn->loop->deliver, desk), delivery->action);
    *ret_max = traits && traits->batch_joined > 1 ? (size_t)traits->batch_joined : 0;
    return *ret_max && delivery->first_due_us <= turn->now_us;
}

/* Whether one that waits with it for the same call is among these. */
static bool is_among(const struct delivery *const *counted, size_t count, const struct delivery *delivery) {
    for (size_t i = 0; i < count; i++)
        if (counted[i]->due_us == delivery->due_us && str_eq(counted[i]->destination, delivery->destination) &&
            str_eq(counted[i]->action, delivery->action))
            return true;
    return false;
}

/* A call that is full does not wait for its moment. What waits for a moment stands in the store alone, so each spell is
 * counted there, once for all that this turn adds to it; a turn knows few spells. */
static enum err fill_calls(struct turn *turn, const size_t *desks) {
    struct store *store = turn->loop->options.store;
    const struct delivery **counted = arena_array(turn->arena, const struct delivery *, turn->planned_count);
    size_t count = 0;
    for (size_t i = 0; i < turn->planned_count; i++) {
        const struct delivery *delivery = &turn->planned[i];
        size_t max, full;
        if (!waits_for_others(turn, delivery, desks[i], &max) || is_among(counted, count, delivery)) continue;
        TRY(store_fill_calls(store, delivery, max, turn->now_us, turn->arena, &full));
        if (full) deliver_due(turn->loop->deliver, desks[i], turn->now_us);
        counted[count++] = delivery;
    }
    return ERR_NONE;
}

static enum err store_plans(struct turn *turn, const size_t *desks) {
    struct store *store = turn->loop->options.store;
    bool *blocked = arena_array(turn->arena, bool, turn->planned_count);
    if (turn->planned_count) TRY(store_plan(store, turn->planned, turn->planned_count, turn->arena, blocked));
    TRY(store_routed(store, turn->routed, turn->routed_count, turn->now_us));
    TRY(fill_calls(turn, desks));
    for (size_t i = 0; i < turn->planned_count; i++) {
        const struct delivery *delivery = &turn->planned[i];
        if (delivery->status == DELIVERY_PROCESSING) TRY(turn_leave(turn, &delivery, 1, desks[i], (struct metered){0}));
    }
    metrics_hop(turn->loop->metrics, HOP_STORE_PLAN, turn->planned_count);
    return turn_store_settlements(turn);
}

/* ---- a turn's budget ---- */

/* Where the next round of the evaluator ends. Rounds are short, because the clock is only looked at between them. */
static size_t round_end(const struct turn *turn, size_t from) {
    size_t end = from, bytes = 0;
    while (end < turn->due_count && end - from < ROUND_EVENTS_MAX && (end == from || bytes < ROUND_BYTES_MAX))
        bytes += turn->due[end++].payload.n;
    return end;
}

/* Routes as many of the due events as the budget allows; the others stay PENDING, for later turns. */
static void route_due(struct turn *turn) {
    struct loop *loop = turn->loop;
    const struct clock *clock = &loop->options.clock;
    int64_t until_us = clock->now_us(clock->self) + BUDGET_US;
    size_t from = 0, bytes = 0, deliveries = 0;
    turn->plans = arena_array(turn->arena, struct plan, turn->due_count);
    while (from < turn->due_count && from < BUDGET_EVENTS && bytes < BUDGET_BYTES && deliveries < BUDGET_DELIVERIES &&
           (from == 0 || clock->now_us(clock->self) < until_us)) {
        size_t end = round_end(turn, from);
        route_events(loop->in_force.routes, turn->due + from, end - from, turn->now_us, loop->hasher,
                     loop->in_force.evaluator, turn->arena, turn->plans + from);
        for (; from < end; from++) {
            bytes += turn->due[from].payload.n;
            deliveries += turn->plans[from].count;
        }
    }
    loop->backlog = from < turn->due_count;
    if (loop->backlog) loop->next_scheduled_us = turn->wall_us;
    turn->due_count = from;
    metrics_hop(loop->metrics, HOP_ROUTE_EVENTS, turn->due_count);
}

/* Events whose programs were not run, those that must not overtake one that is stuck, and those that are more than may
 * be routed at a time now, stay PENDING and are looked at again, a little later if nothing else was routed. */
static void leave_put_off(struct turn *turn) {
    struct loop *loop = turn->loop;
    size_t kept = 0, most = loop->stuck.due_max ? loop->stuck.due_max : turn->due_count;
    for (size_t i = 0; i < turn->due_count && kept < most; i++) {
        if (turn->plans[i].put_off) continue;
        turn->due[kept] = turn->due[i];
        turn->plans[kept++] = turn->plans[i];
    }
    if (kept == turn->due_count) return;
    turn->due_count = kept;
    loop->backlog = true;
    loop->next_scheduled_us = turn->wall_us + (kept ? 0 : PUT_OFF_US);
}

/* ---- what is unmade ---- */

int64_t turn_route_next(const struct loop *loop) {
    if (!turn_routes(loop)) return WHEN_NEVER;
    int64_t next_us = loop->unmade_us < stuck_next(loop) ? loop->unmade_us : stuck_next(loop);
    return next_us < loop->stuck.rest_until_us ? loop->stuck.rest_until_us : next_us;
}

/* Whether a person asked for a run of it, and not for one whether it is done or not. */
static bool is_asked_for(const struct delivery *made, const struct delivery *before) {
    if (made->run == 0 || made->status != DELIVERY_PENDING) return false;
    return str_starts(before->last_error, STR(DELIVERY_RERUN)) &&
           !str_eq(before->last_error, STR(DELIVERY_RERUN_ANYWAY));
}

/* A step with a key is known by it only now that it is made. One that an earlier run carried out is not sent again;
 * while an earlier run may still send it, it waits. */
static enum err heed_runs_before(struct turn *turn, struct delivery *page, const struct delivery *before, size_t count,
                                 bool *ret_waits) {
    struct delivery *asked = arena_array(turn->arena, struct delivery, count);
    size_t *places = arena_array(turn->arena, size_t, count), n = 0;
    enum run_before *runs = arena_array(turn->arena, enum run_before, count);
    *ret_waits = false;
    for (size_t i = 0; i < count; i++) {
        if (!is_asked_for(&page[i], &before[i])) continue;
        places[n] = i;
        asked[n++] = page[i];
    }
    TRY(store_run_before(turn->loop->options.store, asked, n, turn->arena, runs));
    for (size_t i = 0; i < n; i++) {
        struct delivery *made = &page[places[i]];
        if (runs[i] == BEFORE_DONE || runs[i] == BEFORE_CANCELLED) {
            made->status = DELIVERY_SKIPPED;
            made->last_error = runs[i] == BEFORE_DONE ? STR(DELIVERY_RERUN_DONE) : STR(DELIVERY_RERUN_CANCELLED);
        } else if (runs[i] == BEFORE_OPEN) {
            *made = before[places[i]];
            made->last_error = STR(DELIVERY_RERUN_WAITS);
            *ret_waits = true;
        }
    }
    return ERR_NONE;
}

/* Whether a delivery of a page is written: its route made it or gave it up, or it waits for a new reason. */
static bool is_written(const struct delivery *delivery, const struct delivery *before) {
    bool waits = delivery->unmade && delivery->status == DELIVERY_HELD;
    return !waits || !str_eq(delivery->last_error, before->last_error);
}

/* The one that the database refused is given up as it was: a retry by hand makes it anew. */
static void give_up_refused(struct turn *turn, struct delivery *page, const struct delivery *before, size_t count) {
    struct loop *loop = turn->loop;
    for (size_t i = 0; i < count; i++) {
        if (-page[i].seq != loop->stuck.unmade.one.seq) continue;
        page[i] = before[i];
        page[i].status = delivery_move(page[i].status, DELIVERY_FAILED);
        page[i].last_error = str_from(loop->stuck.unmade.words);
        page[i].updated_us = turn->now_us;
    }
}

/* Stores what the deliveries of a page came to: all of them, or as many as the database lets pass. */
static enum err store_made(struct turn *turn, const struct delivery *page, const struct delivery *before, size_t count,
                           size_t *ret_made) {
    struct loop *loop = turn->loop;
    struct delivery *written = arena_array(turn->arena, struct delivery, count);
    size_t most = loop->stuck.unmade_max ? loop->stuck.unmade_max : count, n = 0, made = 0;
    for (size_t i = 0; i < count && n < most; i++)
        if (is_written(&page[i], &before[i]) && !stuck_leaves_out(turn, &page[i])) written[n++] = page[i];
    turn->made = written;
    turn->made_count = n;
    for (size_t i = 0; i < n; i++) {
        size_t desk = deliver_desk(loop->deliver, written[i].destination);
        made += !written[i].unmade || written[i].status != DELIVERY_HELD;
        if (written[i].status != DELIVERY_PENDING || hold_back(turn, &written[i], desk)) continue;
        deliver_due(loop->deliver, desk, written[i].due_us);
        backlog_change(loop->deliver, desk, 1);
    }
    if (n) TRY(store_make(loop->options.store, written, n, turn->now_us, turn->arena));
    *ret_made = made;
    return ERR_NONE;
}

/* Makes one page of the deliveries that their routes have not made. When more of them could be made, due events wait
 * for the next turn (*ret_goes_on), because they would overtake them. */
static enum err make_unmade(struct turn *turn, bool *ret_goes_on) {
    struct loop *loop = turn->loop;
    struct routes *routes = loop->in_force.routes;
    if (loop->unmade_us > turn->now_us) return ERR_NONE;
    struct delivery *page;
    size_t count, made;
    bool ours, waits;
    TRY(store_try_task(loop->options.store, TASK_ROUTE, &ours));
    loop->unmade_us = turn->now_us + ROUTE_BUSY_US;
    if (!ours) stuck_not_now(turn, ROUTE_BUSY_US);
    if (!ours) return ERR_NONE;
    TRY(store_unmade(loop->options.store, loop->unmade_seq, UNMADE_MAX, turn->arena, &page, &count));
    size_t stopped = routes_stopped(routes);
    struct delivery *before = arena_array(turn->arena, struct delivery, count);
    for (size_t i = 0; i < count; i++) before[i] = page[i];
    route_unmade(routes, page, count, turn->now_us, loop->hasher, loop->in_force.evaluator, turn->arena);
    give_up_refused(turn, page, before, count);
    TRY(heed_runs_before(turn, page, before, count, &waits));
    TRY(store_made(turn, page, before, count, &made));
    bool again = routes_stopped(routes) < stopped; /* a route healed: more of the page may go now */
    again = again || (loop->stuck.unmade_max && turn->made_count == loop->stuck.unmade_max);
    bool more = again || count == UNMADE_MAX;
    turn->stuck.all_made = !more && !turn->stuck.retried;
    *ret_goes_on = loop->stuck.unmade_max ? turn->made_count > 0 : made && more;
    loop->unmade_seq = more && !again ? page[count - 1].seq : 0;
    loop->unmade_us = more ? turn->now_us : routes_next_probe(routes);
    if (loop->unmade_us <= turn->now_us && !more)
        loop->unmade_us = turn->now_us + UNPROBED_US; /* a route wants its probe, and nothing that it owes is left */
    if (waits && loop->unmade_us > turn->now_us + UNPROBED_US) loop->unmade_us = turn->now_us + UNPROBED_US;
    if (!loop->options.exclusive && loop->unmade_us > turn->now_us + UNMADE_LOOK_US)
        loop->unmade_us = turn->now_us + UNMADE_LOOK_US; /* another process may have left some */
    return ERR_NONE;
}

/* ---- routes that are stopped ---- */

static enum err store_stops(struct turn *turn) {
    struct loop *loop = turn->loop;
    size_t most = loop->in_force.settings->route_count;
    turn->stops = arena_array(turn->arena, struct route_stop, most);
    turn->stop_count = routes_changed(loop->in_force.routes, loop->hasher, turn->arena, turn->stops, most);
    for (size_t i = 0; i < turn->stop_count; i++) {
        const struct route_stop *stop = &turn->stops[i];
        const struct stopped_route row = {stop->route, stop->program_hash, stop->why, stop->until_us};
        TRY(stop->stopped ? store_route_stop(loop->options.store, &row)
                          : store_route_heal(loop->options.store, stop->route, stop->program_hash));
        if (stop->until_us < loop->unmade_us || !stop->stopped)
            loop->unmade_us = stop->stopped ? stop->until_us : turn->now_us;
        loop->company.tell |= SQL_NEWS_STATE;
    }
    return ERR_NONE;
}

void turn_routed(struct turn *turn) {
    const struct log *log = turn->loop->options.log;
    routes_commit(turn->loop->in_force.routes);
    for (size_t i = 0; i < turn->stop_count; i++) {
        const struct route_stop *stop = &turn->stops[i];
        if (stop->stopped)
            log_change(log, LOG_ERROR, turn->wall_us, "route_stopped", LOG_TEXT("route", stop->route),
                       LOG_TEXT("reason", stop->why), LOG_TEXT("until", when_str(turn->arena, stop->until_us)));
        else
            log_change(log, LOG_INFO, turn->wall_us, "route_healed", LOG_TEXT("route", stop->route));
    }
}

/* Reads when the next event is due. An event that is due and was not found is in somebody else's transaction, so this
 * process waits a little before it asks again, longer each time. */
static enum err look_ahead(struct turn *turn) {
    struct loop *loop = turn->loop;
    int64_t next_us;
    TRY(store_next_scheduled(loop->options.store, &next_us));
    bool barren = next_us <= turn->wall_us && !turn->due_count && !loop->backlog;
    loop->scheduled_wait_us = barren ? backoff_barren_us(loop->scheduled_wait_us) : 0;
    loop->next_scheduled_us = barren ? turn->wall_us + loop->scheduled_wait_us : next_us;
    return ERR_NONE;
}

enum err turn_route(struct turn *turn) {
    struct loop *loop = turn->loop;
    bool goes_on = false;
    if (turn->wishes & WISH_WORK) { /* a retry by hand leaves a delivery, or a whole event, to the routes */
        loop->unmade_us = turn->now_us;
        loop->next_scheduled_us = turn->wall_us;
    }
    if (!turn_routes(loop) || stuck_rests(turn)) return ERR_NONE;
    stuck_begin(turn);
    if (turn->stuck.retried <= 0) TRY(make_unmade(turn, &goes_on));
    if (goes_on || turn->stuck.retried < 0) {
        loop->backlog = true;
        loop->next_scheduled_us = turn->wall_us;
    } else {
        TRY(gather_due(turn));
        if (!turn->due_count && loop->next_scheduled_us <= turn->wall_us) loop->backlog = false;
    }
    if (turn->due_count) {
        size_t *desks;
        route_due(turn);
        stuck_plans(turn);
        leave_put_off(turn);
        join_plans(turn, &desks);
        TRY(store_plans(turn, desks));
    }
    TRY(store_stops(turn));
    if (goes_on) return ERR_NONE; /* the next turn looks at what is due */
    return loop->next_scheduled_us <= turn->wall_us ? look_ahead(turn) : ERR_NONE;
}
