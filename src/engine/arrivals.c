/* engine/arrivals.c - calls become events, and are answered. */
#include "deliver/backlog.h"
#include "deliver/hold.h"
#include "engine/folders.h"
#include "engine/lines.h"
#include "engine/turn.h"
#include "model/trace.h"

/* ---- take, append ---- */

/* The destination whose claim was refused last, and not long ago. */
static struct str claim_refused(const struct loop *loop) {
    const struct clock *clock = &loop->options.clock;
    int64_t now_us = clock->now_us(clock->self);
    if (loop->claim_refused.until_us <= now_us) return STR_NONE;
    return deliver_view(loop->deliver, loop->claim_refused.desk, now_us).name;
}

static struct standing standing_of(struct loop *loop) {
    size_t folder_count;
    const struct folder_view *folders = folders_view(loop, &folder_count);
    bool limits_up;
    const char *limits_way = quota_way(loop, &limits_up);
    return (struct standing){.running = true,
                             .version = loop->options.version,
                             .store = loop->options.store_text,
                             .role = loop_role_text(loop->options.role),
                             .takes_events = loop->options.role != LOOP_WORKER,
                             .tight = store_is_tight(loop->options.store),
                             .clock_waits = loop->chores.clock_waits,
                             .chore_refused = chores_refused_name(&loop->chores.refused),
                             .chore_words = str_from(loop->chores.refused.words),
                             .claim_refused = claim_refused(loop),
                             .claim_words = str_from(loop->claim_refused.words),
                             .stuck =
                                 loop->stuck.count ? uuid_str(&loop->arena, loop->stuck.ones[0].event_id) : STR_NONE,
                             .stuck_count = loop->stuck.count,
                             .stuck_words = str_from(loop->stuck.words),
                             .hold = deliver_is_held(loop->deliver),
                             .hold_reason = deliver_hold_reason(loop->deliver),
                             .stopping = loop->stopping,
                             .config_ok = loop->config_ok,
                             .backup = loop->options.backups.n ? &loop->backup.view : NULL,
                             .started_us = loop->started_us,
                             .open_deliveries = backlog_total(loop->deliver),
                             .unrouted = metrics_unrouted_count(loop->metrics),
                             .resent = metrics_resent_count(loop->metrics),
                             .unsent = metrics_unsent_count(loop->metrics),
                             .in_flight = errands_in_use(loop->errands, ERRAND_OF_DESKS),
                             .limits_way = limits_way,
                             .limits_up = limits_up,
                             .limit_parts = loop->quota.apart ? loop->quota.parts : 1,
                             .settings = loop->in_force.settings,
                             .routes = loop->in_force.routes,
                             .schedules = loop->in_force.schedules,
                             .mappings = loop->in_force.mappings,
                             .evaluator = loop->in_force.evaluator,
                             .certificates = &loop->certificates.shelf,
                             .logins_wanted = &loop->tokens.wanted,
                             .expiries = &loop->expiries.all,
                             .folders = folders,
                             .folder_count = folder_count,
                             .looked_us = loop->chores.looked_us};
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
                         .rates = &loop->rates,
                         .hasher = loop->hasher,
                         .rng = &loop->rng,
                         .last_id = &loop->last_id,
                         .standing = &turn->standing,
                         .reload = loop->options.reload,
                         .evaluators = loop->options.evaluators.open ? &loop->options.evaluators : NULL};
}

struct call turn_call(struct turn *turn) {
    turn->standing = standing_of(turn->loop);
    return call_of(turn, NULL);
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
        if (visit->call.fetch) certificates_fetch(turn, visit->call.fetch);
    }
    metrics_hop(turn->loop->metrics, HOP_SERVE_REQUEST, turn->visit_count);
    return ERR_NONE;
}

/* The trace that the sender's request belongs to goes on in each of its events. What is none is passed over. */
static struct str trace_parent_of(const struct request *request) {
    struct trace_place place;
    struct str text = request_header(request, STR("traceparent"));
    return text.n && trace_parent_parse(text, &place) ? str_sub(text, 0, TRACE_PARENT_TEXT) : STR_NONE;
}

static void gather_events(struct turn *turn) {
    turn->events = arena_array(turn->arena, struct event, turn->event_room);
    turn->verdicts = arena_array(turn->arena, struct append_result, turn->event_room);
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        visit->first_event = turn->event_count;
        struct str parent = trace_parent_of(visit->request);
        for (size_t j = 0; j < visit->call.event_count; j++) {
            struct event *event = &turn->events[turn->event_count++];
            *event = visit->call.events[j];
            event->trace_parent = parent;
        }
    }
}

enum err turn_append(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (turn->event_room == 0) return ERR_NONE;
    gather_events(turn);
    TRY(store_append(loop->options.store, turn->events, turn->event_count, turn->arena, turn->verdicts));
    metrics_hop(loop->metrics, HOP_INTAKE_EVENT, turn->event_count);
    metrics_hop(loop->metrics, HOP_STORE_APPEND, turn->event_count);
    return ERR_NONE;
}

/* ---- wishes, reply ---- */

void turn_grant(struct turn *turn) {
    struct loop *loop = turn->loop;
    loop->options.service.learned(loop->options.service.self);
    if (turn->wishes & WISH_BACKUP) backup_begin(turn);
    if (turn->wishes & WISH_TOKENS) tokens_reread(loop);
    if (turn->wishes & WISH_CONFIG) loop->options.reload->adopt(loop->options.reload->self);
}

static void serve_reply(struct turn *turn, struct visit *visit) {
    const struct inlet *inlet = &turn->loop->options.inlet;
    struct call *call = &visit->call;
    if (!call->reply.status) {
        call->verdicts = turn->verdicts + visit->first_event;
        call->answer(call);
    }
    lines_answered(turn, call);
    spans_taken(turn, visit);
    inlet->reply(inlet->self, visit->request, &call->reply);
}

void turn_reply(struct turn *turn) {
    struct loop *loop = turn->loop;
    int64_t now_us = turn->visit_count ? loop->options.clock.now_us(loop->options.clock.self) : 0;
    for (size_t i = 0; i < turn->visit_count; i++) {
        const struct visit *visit = &turn->visits[i];
        if (visit->call.event_count) {
            const struct metric_example example = span_example(turn, &turn->events[visit->first_event]);
            metrics_ingest_seconds(loop->metrics, now_us - visit->request->arrived_us, &example);
        }
        serve_reply(turn, &turn->visits[i]);
    }
    metrics_hop(turn->loop->metrics, HOP_SERVE_REPLY, turn->visit_count);
}

/* A turn may be dropped before each of its requests was taken: each gets a call here. */
void turn_refuse(struct turn *turn, enum err err, struct str words) {
    struct loop *loop = turn->loop;
    if (loop->options.reload) loop->options.reload->forget(loop->options.reload->self);
    for (size_t i = 0; i < turn->visit_count; i++) {
        struct visit *visit = &turn->visits[i];
        struct call call = call_of(turn, visit->request);
        call.request_id = visit->call.request_id;
        loop->options.service.refuse(loop->options.service.self, &call, err, words);
        lines_answered(turn, &call);
        loop->options.inlet.reply(loop->options.inlet.self, visit->request, &call.reply);
    }
}
