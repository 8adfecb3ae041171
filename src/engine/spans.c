/* engine/spans.c - what a turn did, as spans: see exports.h. Called after the commit, so a span tells of what is true.
 *
 * The trace of an event: serve_request is its first span, whoever sent it being its parent; under it store_append,
 * route_events, and a transport.start for each attempt, which has settle_outcome under it. Attributes follow the
 * semantic conventions for HTTP and messaging. Neither payloads nor queries, headers or answers are among them: of an
 * address only host and port are told, of trouble only its kind. */
#include <string.h>

#include "base/hash.h"
#include "engine/exports.h"
#include "engine/flight.h"
#include "engine/turn.h"

/* The loop's clock as a calendar shows it. */
static int64_t wall_of(const struct turn *turn, int64_t at_us) {
    return turn->wall_us + (at_us - turn->now_us);
}

static struct trace_span span_of(const struct event *event, enum hop hop, enum trace_span_kind kind) {
    struct trace_span span = {.place = trace_place_of(event), .hop = hop, .kind = kind};
    span.id = trace_event_span(event, (uint8_t)hop);
    span.has_parent = hop != HOP_SERVE_REQUEST;
    if (span.has_parent) span.parent = trace_event_span(event, HOP_SERVE_REQUEST);
    return span;
}

static void put_message(struct trace_span *span, struct arena *arena, const struct event *event, const char *act) {
    trace_attr_text(span, "messaging.system", STR("drumbeat"));
    trace_attr_text(span, "messaging.operation.type", str_from(act));
    trace_attr_text(span, "messaging.message.id", uuid_str(arena, event->id));
}

/* ---- what came in ---- */

static void span_request(struct turn *turn, const struct visit *visit, const struct event *event, int64_t end_us) {
    struct trace_span span = span_of(event, HOP_SERVE_REQUEST, TRACE_SERVER);
    span.has_parent = span.place.has_parent;
    span.parent = span.place.parent;
    span.start_us = wall_of(turn, visit->request->arrived_us);
    span.end_us = wall_of(turn, end_us);
    trace_attr_text(&span, "http.request.method", visit->request->method);
    trace_attr_number(&span, "http.response.status_code", visit->call.reply.status);
    put_message(&span, turn->arena, event, "receive");
    trace_attr_text(&span, "drumbeat.event.type", event->type);
    trace_attr_text(&span, "drumbeat.event.source", event->source);
    trace_attr_text(&span, "drumbeat.request.id", visit->call.request_id);
    tracer_add(exports_tracer(turn->loop->exports), &span);
}

static void span_append(struct turn *turn, const struct event *event) {
    struct trace_span span = span_of(event, HOP_STORE_APPEND, TRACE_INTERNAL);
    span.start_us = wall_of(turn, turn->took_us);
    span.end_us = wall_of(turn, turn->appended_us);
    tracer_add(exports_tracer(turn->loop->exports), &span);
}

static void span_route(struct turn *turn, const struct event *event, const struct plan *plan) {
    struct trace_span span = span_of(event, HOP_ROUTE_EVENTS, TRACE_INTERNAL);
    span.start_us = wall_of(turn, turn->appended_us);
    span.end_us = wall_of(turn, turn->planned_us);
    span.error = plan->error.n ? STR("what a route is to make of it cannot be made") : STR_NONE;
    trace_attr_number(&span, "drumbeat.deliveries", (int64_t)plan->count);
    if (event->run) trace_attr_number(&span, "drumbeat.run", event->run);
    tracer_add(exports_tracer(turn->loop->exports), &span);
}

void spans_taken(struct turn *turn, const struct visit *visit) {
    const struct tracer *tracer = exports_tracer(turn->loop->exports);
    const struct clock *clock = &turn->loop->options.clock;
    if (!tracer || !visit->call.event_count) return;
    int64_t end_us = clock->now_us(clock->self);
    for (size_t i = 0; i < visit->call.event_count; i++) {
        const struct event *event = &turn->events[visit->first_event + i];
        const struct trace_place place = trace_place_of(event);
        bool fresh = turn->verdicts[visit->first_event + i].verdict == APPEND_FRESH;
        if (!fresh || !tracer_wants(tracer, &place, false)) continue;
        span_request(turn, visit, event, end_us);
        span_append(turn, event);
    }
}

void spans_routed(struct turn *turn) {
    const struct tracer *tracer = exports_tracer(turn->loop->exports);
    for (size_t i = 0; tracer && i < turn->due_count; i++) {
        const struct trace_place place = trace_place_of(&turn->due[i]);
        if (tracer_wants(tracer, &place, turn->plans[i].error.n)) span_route(turn, &turn->due[i], &turn->plans[i]);
    }
}

/* ---- what went out ---- */

/* "https://crm.example.com:8443/x" is https, crm.example.com and 8443. What stands behind may be a secret. */
static void put_server(struct trace_span *span, struct arena *arena, struct str url) {
    bool safe = str_starts(url, STR("https://"));
    struct str rest = str_sub(url, safe ? 8 : 7, SIZE_MAX), host;
    int64_t port = safe ? 443 : 80;
    (void)str_next(&rest, '/', &host);
    size_t query = str_find(host, '?');
    host = str_sub(host, 0, query);
    size_t colon = host.n;
    while (colon > 0 && host.p[colon - 1] != ':' && host.p[colon - 1] != ']') colon--;
    if (colon && host.p[colon - 1] == ':') {
        (void)!str_to_i64(str_sub(host, colon, SIZE_MAX), &port);
        host = str_sub(host, 0, colon - 1);
    }
    trace_attr_text(span, "url.scheme", safe ? STR("https") : STR("http"));
    trace_attr_text(span, "server.address", str_dup(arena, host));
    trace_attr_number(span, "server.port", port);
}

/* What the conventions call its type: a status, or how far the call came. */
static struct str error_type(const struct turn *turn, const struct settle_note *note, int32_t status) {
    if (note->class == OUTCOME_DONE || note->class == OUTCOME_ABSENT) return STR_NONE;
    if (note->end != EXCHANGE_ANSWERED) return str_from(exchange_text(note->end));
    return str_fmt(turn->arena, "%d", status);
}

static void span_attempt(struct turn *turn, const struct settle_note *note, const struct settlement *settlement) {
    const struct delivery *delivery = note->delivery;
    const struct event *event = delivery->event;
    const struct outgoing *outgoing = &note->errand->outgoing;
    int32_t attempt = delivery->attempts + 1;
    struct trace_span span = span_of(event, HOP_TRANSPORT_START, TRACE_CLIENT);
    span.id = trace_attempt_span(delivery, attempt);
    span.start_us = wall_of(turn, settlement->attempt.started_us);
    span.end_us = wall_of(turn, settlement->attempt.finished_us);
    span.error = error_type(turn, note, settlement->last_status);
    span.has_link = attempt > 1;
    if (span.has_link) span.link = trace_attempt_span(delivery, attempt - 1);
    put_message(&span, turn->arena, event, "send");
    trace_attr_text(&span, "messaging.destination.name", delivery->destination);
    trace_attr_text(&span, "http.request.method", outgoing->method);
    put_server(&span, turn->arena, outgoing->url);
    if (note->end == EXCHANGE_ANSWERED) trace_attr_number(&span, "http.response.status_code", settlement->last_status);
    if (attempt > 1) trace_attr_number(&span, "http.request.resend_count", attempt - 1);
    trace_attr_text(&span, "error.type", span.error);
    trace_attr_text(&span, "drumbeat.delivery.id", uuid_str(turn->arena, delivery->id));
    trace_attr_text(&span, "drumbeat.outcome", settlement->attempt.outcome);
    if (flight_of(note->errand)->count > 1)
        trace_attr_number(&span, "messaging.batch.message_count", (int64_t)flight_of(note->errand)->count);
    tracer_add(exports_tracer(turn->loop->exports), &span);
}

static void span_settle(struct turn *turn, const struct settle_note *note, const struct settlement *settlement,
                        int64_t end_us) {
    const struct delivery *delivery = note->delivery;
    int32_t attempt = delivery->attempts + 1;
    struct trace_span span = span_of(delivery->event, HOP_SETTLE_OUTCOME, TRACE_INTERNAL);
    span.id = trace_settle_span(delivery, attempt);
    span.parent = trace_attempt_span(delivery, attempt);
    span.start_us = wall_of(turn, settlement->attempt.finished_us);
    span.end_us = wall_of(turn, end_us);
    span.error = settlement->status == DELIVERY_FAILED ? STR("given up") : STR_NONE;
    trace_attr_text(&span, "drumbeat.delivery.status", str_from(delivery_status_text(settlement->status)));
    trace_attr_text(&span, "drumbeat.delivery.id", uuid_str(turn->arena, delivery->id));
    tracer_add(exports_tracer(turn->loop->exports), &span);
}

void spans_settled(struct turn *turn) {
    const struct tracer *tracer = exports_tracer(turn->loop->exports);
    const struct clock *clock = &turn->loop->options.clock;
    if (!tracer || !turn->settlement_count) return;
    int64_t end_us = clock->now_us(clock->self);
    for (size_t i = 0; i < turn->settlement_count; i++) {
        const struct settle_note *note = &turn->notes[i];
        if (!note->applied || !note->attempted || !note->errand || !note->delivery->event) continue;
        const struct trace_place place = trace_place_of(note->delivery->event);
        bool failed = note->class != OUTCOME_DONE && note->class != OUTCOME_ABSENT;
        if (!tracer_wants(tracer, &place, failed)) continue;
        span_attempt(turn, note, &turn->settlements[i]);
        span_settle(turn, note, &turn->settlements[i], end_us);
    }
}

struct metric_example span_example(struct turn *turn, const struct event *event) {
    const struct tracer *tracer = exports_tracer(turn->loop->exports);
    struct metric_example example = {.trace = STR_NONE, .wall_us = turn->wall_us};
    if (!tracer) return example;
    const struct trace_place place = trace_place_of(event);
    if (tracer_wants(tracer, &place, false)) example.trace = hex_encode(turn->arena, place.trace, sizeof place.trace);
    return example;
}
