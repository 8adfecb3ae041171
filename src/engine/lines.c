/* engine/lines.c - see lines.h.
 *
 * What a line may say: ids, names of the configuration, numbers, and drumbeat's own words. An error's own text is not
 * among them: what a provider answers and what jq says of a value may have the payload in it. So a line has its kind,
 * and the id with which `drumbeat deliveries show` tells the rest. */
#include "engine/lines.h"

#include <string.h>

#include "base/hash.h"
#include "base/when.h"
#include "engine/exports.h"
#include "engine/flight.h"
#include "engine/turn.h"
#include "model/trace.h"

#define DEBUG_LINE(turn, name, ...)                                                                                    \
    log_event((turn)->loop->options.log, LOG_DEBUG, (turn)->wall_us, (name), __VA_ARGS__)

static bool says_all(const struct turn *turn) {
    return log_wants(turn->loop->options.log, LOG_DEBUG);
}

/* The name of the event's trace, where there is one: its sender's, or ours that is kept. */
static struct str trace_of(const struct turn *turn, const struct event *event) {
    const struct tracer *tracer = exports_tracer(turn->loop->exports);
    if (!event) return STR_NONE;
    const struct trace_place place = trace_place_of(event);
    if (!place.has_parent && !(tracer && tracer_wants(tracer, &place, false))) return STR_NONE;
    return hex_encode(turn->arena, place.trace, sizeof place.trace);
}

static bool is_digit_at(struct str text, size_t at) {
    return at < text.n && text.p[at] >= '0' && text.p[at] <= '9';
}

/* Whether somebody else's words may begin here. A colon between digits is a time's. */
static bool may_be_foreign(struct str text, size_t at) {
    if (text.p[at] == ':') return !at || !is_digit_at(text, at - 1) || !is_digit_at(text, at + 1);
    return memchr("\"'(", text.p[at], 3) != NULL;
}

/* The beginning of a text of ours, up to where it may repeat somebody else's. */
static struct str own_words(struct str text) {
    size_t n = 0;
    while (n < text.n && !may_be_foreign(text, n)) n++;
    return str_trim(str_sub(text, 0, n));
}

/* ---- what came in ---- */

void lines_answered(const struct turn *turn, const struct call *call) {
    const struct request *request = call->request;
    if (!says_all(turn)) return;
    DEBUG_LINE(turn, "request", LOG_TEXT("request_id", call->request_id), LOG_TEXT("method", request->method),
               LOG_TEXT("path", call->place), LOG_NUMBER("status", call->reply.status), LOG_TEXT("actor", call->actor),
               LOG_TEXT("peer", request->peer), LOG_NUMBER("took_us", turn->now_us - request->arrived_us));
}

static void taken_lines(const struct turn *turn, const struct visit *visit) {
    static const char *const names[] = {[APPEND_FRESH] = "event_accepted",
                                        [APPEND_DUPLICATE] = "event_duplicate",
                                        [APPEND_CONFLICT] = "event_conflict"};
    for (size_t i = 0; i < visit->call.event_count; i++) {
        const struct event *event = &turn->events[visit->first_event + i];
        const struct append_result *result = &turn->verdicts[visit->first_event + i];
        const struct uuid id = result->verdict == APPEND_FRESH ? event->id : result->event_id;
        DEBUG_LINE(turn, names[result->verdict], LOG_TEXT("event_id", uuid_str(turn->arena, id)),
                   LOG_TEXT("type", event->type), LOG_TEXT("source", event->source),
                   LOG_TEXT("request_id", visit->call.request_id), LOG_TEXT("trace_id", trace_of(turn, event)));
    }
}

/* Those that were given up because their route could not make them, or the database took none. The words may have the
 * payload in them. */
static void unmade_lines(const struct turn *turn, const struct delivery *made, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (made[i].status == DELIVERY_FAILED)
            log_event(turn->loop->options.log, LOG_WARN, turn->wall_us, "delivery_failed",
                      LOG_TEXT("destination", made[i].destination), LOG_TEXT("route", made[i].route),
                      LOG_TEXT("error", STR("it could not be made")),
                      LOG_ABOUT("delivery_id", uuid_str(turn->arena, made[i].id)),
                      LOG_ABOUT("event_id", uuid_str(turn->arena, made[i].event_id)));
}

void lines_came(const struct turn *turn) {
    unmade_lines(turn, turn->planned, turn->planned_count);
    unmade_lines(turn, turn->made, turn->made_count);
    if (!says_all(turn)) return;
    for (size_t i = 0; i < turn->visit_count; i++) taken_lines(turn, &turn->visits[i]);
    for (size_t i = 0; i < turn->due_count; i++)
        DEBUG_LINE(turn, "event_routed", LOG_TEXT("event_id", uuid_str(turn->arena, turn->due[i].id)),
                   LOG_NUMBER("deliveries", (int64_t)turn->plans[i].count), LOG_NUMBER("run", turn->due[i].run),
                   LOG_TEXT("trace_id", trace_of(turn, &turn->due[i])));
}

/* ---- what went out ---- */

void lines_sent(const struct turn *turn, const struct flight *flight) {
    if (!says_all(turn)) return;
    for (size_t i = 0; i < flight->count; i++) {
        const struct delivery *delivery = flight->deliveries[i];
        DEBUG_LINE(turn, delivery->looking_up ? "delivery_looked_up" : "delivery_sent",
                   LOG_TEXT("destination", delivery->destination),
                   LOG_TEXT("delivery_id", uuid_str(turn->arena, delivery->id)),
                   LOG_TEXT("event_id", uuid_str(turn->arena, delivery->event_id)),
                   LOG_NUMBER("attempt", delivery->attempts + 1),
                   LOG_TEXT("trace_id", trace_of(turn, delivery->event)));
    }
}

static struct str kind_of(const struct settle_note *note, const struct settlement *settlement) {
    if (settlement->status == DELIVERY_COMPLETED) return STR_NONE;
    if (!note->errand || !note->attempted) return own_words(settlement->last_error);
    return str_from(exchange_text(note->end));
}

static void settled_line(const struct turn *turn, const struct settle_note *note, const struct settlement *settlement) {
    static const char *const names[DELIVERY_STATUS_COUNT] = {[DELIVERY_PENDING] = "delivery_due_again",
                                                             [DELIVERY_COMPLETED] = "delivery_completed",
                                                             [DELIVERY_FAILED] = "delivery_failed",
                                                             [DELIVERY_UNKNOWN] = "delivery_unknown",
                                                             [DELIVERY_HELD] = "delivery_held",
                                                             [DELIVERY_SKIPPED] = "delivery_skipped",
                                                             [DELIVERY_PROCESSING] = "delivery_processing"};
    const struct delivery *delivery = note->delivery;
    bool bad = settlement->status == DELIVERY_FAILED || settlement->status == DELIVERY_HELD;
    int64_t wait_us = delivery_waits(settlement->status) ? settlement->due_us - turn->now_us : 0;
    log_event(turn->loop->options.log, bad ? LOG_WARN : LOG_DEBUG, turn->wall_us, names[settlement->status],
              LOG_TEXT("destination", settlement->destination), LOG_CODE("http_status", settlement->last_status),
              LOG_TEXT("error", kind_of(note, settlement)),
              LOG_ABOUT("delivery_id", uuid_str(turn->arena, delivery->id)),
              LOG_ABOUT("event_id", uuid_str(turn->arena, settlement->event_id)),
              LOG_NUMBER("attempts", delivery->attempts + settlement->has_attempt),
              LOG_ABOUT("due_in", wait_us > 0 ? span_human(turn->arena, wait_us) : STR_NONE),
              LOG_ABOUT("trace_id", trace_of(turn, delivery->event)));
}

void lines_settled(const struct turn *turn) {
    bool all = says_all(turn);
    for (size_t i = 0; i < turn->settlement_count; i++) {
        const struct settlement *settlement = &turn->settlements[i];
        bool bad = settlement->status == DELIVERY_FAILED || settlement->status == DELIVERY_HELD;
        if (turn->notes[i].applied && (all || bad)) settled_line(turn, &turn->notes[i], settlement);
    }
}

/* A wait that a person may want to know of. Shorter ones are what a provider's limit looks like, every few seconds. */
#define WAIT_TOLD_US (60 * US_PER_S)

static void waits_line(const struct turn *turn, const struct desk_view *view) {
    int64_t wait_us = view->quiet_until_us - turn->now_us;
    if (wait_us < WAIT_TOLD_US) return;
    log_event(turn->loop->options.log, LOG_WARN, turn->wall_us, "destination_waits",
              LOG_TEXT("destination", view->name), LOG_TEXT("reason", STR("the provider asked us to wait")),
              LOG_ABOUT("for", span_human(turn->arena, wait_us)));
}

void lines_desk(const struct turn *turn, const struct desk_view *view, unsigned aspects) {
    bool trouble = view->paused || view->breaker.state == BREAKER_OPEN;
    struct str reason = view->paused ? view->pause_reason : view->breaker_reason;
    if (aspects & DESK_QUIET) waits_line(turn, view);
    if (!(aspects & (DESK_PAUSE | DESK_BREAKER)) || view->breaker.state == BREAKER_HALF_OPEN) return; /* a probe */
    log_change(turn->loop->options.log, trouble ? LOG_WARN : LOG_INFO, turn->wall_us, "destination_changed",
               LOG_TEXT("destination", view->name), LOG_TEXT("breaker", str_from(breaker_text(view->breaker.state))),
               LOG_TEXT("paused", view->paused ? STR("yes") : STR("no")), LOG_TEXT("reason", own_words(reason)));
}

void lines_limits(const struct turn *turn, bool lost) {
    const struct shared_limits *limits = &turn->loop->options.limits;
    int64_t after_us = turn->now_us - turn->loop->quota.failing_us;
    if (lost)
        log_change(turn->loop->options.log, LOG_WARN, turn->wall_us, "limits_lost",
                   LOG_TEXT("reason", str_from(limits->trouble(limits->self))));
    else
        log_change(turn->loop->options.log, LOG_INFO, turn->wall_us, "limits_back",
                   LOG_NUMBER("after_ms", after_us / US_PER_MS));
}
