#include "api/handlers.h"
#include "base/json.h"
#include "ingest/intake.h"
#include "observe/metrics.h"
#include "route/route.h"

/* ---- POST /v1/events ---- */

static const enum metric_event verdict_counters[] = {
    [APPEND_FRESH] = METRIC_ACCEPTED, [APPEND_DUPLICATE] = METRIC_DUPLICATE, [APPEND_CONFLICT] = METRIC_CONFLICT};

bool events_refused(struct call *call, enum err *ret_err) {
    const struct standing *standing = call->standing;
    int32_t queue_max = standing->settings->server.queue_max;
    *ret_err = ERR_NONE;
    if (standing->stopping) {
        *ret_err = serve_problem(call, ERR_STOPPING, STR_NONE, NULL);
    } else if (!standing->takes_events) {
        *ret_err = serve_problem(call, ERR_NOT_HERE,
                                 STR("this process is a worker: post to one that runs as ingest or all"), NULL);
    } else if (standing->tight) {
        metrics_event(call->metrics, METRIC_REFUSED, 1);
        struct str detail = str_fmt(call->arena,
                                    "the disk was full: what is stored goes on being delivered, new events are taken "
                                    "again once %d MiB are free on it",
                                    STORE_ROOM_MIB);
        *ret_err = serve_problem(call, ERR_STORE_FULL, detail, NULL);
    } else if (queue_max && standing->open_deliveries >= queue_max) {
        metrics_event(call->metrics, METRIC_REFUSED, 1);
        struct str detail =
            str_fmt(call->arena, "%lld wait for delivery (server.queue)", (long long)standing->open_deliveries);
        *ret_err = serve_problem(call, ERR_FULL, detail, NULL);
    } else {
        return false;
    }
    return true;
}

struct intake_context events_context(const struct call *call) {
    return (struct intake_context){.settings = call->standing->settings,
                                   .wall_us = call->wall_us,
                                   .hasher = call->hasher,
                                   .rng = call->rng,
                                   .last_id = call->last_id,
                                   .arena = call->arena,
                                   .mappings = call->standing->mappings,
                                   .evaluator = call->standing->evaluator,
                                   .certificates = call->standing->certificates};
}

/* Leaves the valid items as events; the reply waits for the verdicts on them. */
enum err api_events_post(struct call *call) {
    enum err err;
    if (events_refused(call, &err)) return err;
    const struct intake_context context = events_context(call);
    struct intake *intake = arena_new(call->arena, struct intake);
    struct refusal refusal = {0};
    if (intake_request(&context, call->request, intake, &refusal)) {
        metrics_event(call->metrics, METRIC_INVALID, 1);
        serve_refuse(call, &refusal);
        return ERR_NONE;
    }
    call->own = intake;
    call->events = arena_array(call->arena, struct event, intake->count);
    for (size_t i = 0; i < intake->count; i++)
        if (intake->items[i].valid) call->events[call->event_count++] = intake->items[i].event;
    return ERR_NONE;
}

/* The id that this key names: the one made now, or the first one's. */
static struct uuid id_in_force(const struct call *call, size_t event) {
    const struct append_result *verdict = &call->verdicts[event];
    return verdict->verdict == APPEND_FRESH ? call->events[event].id : verdict->event_id;
}

/* The first place where the new payload differs from the stored one. */
static struct str payload_pointer(const struct call *call, size_t event) {
    struct json *stored, *posted;
    struct json_error error;
    struct str pointer = STR("/payload");
    if (!json_parse(call->verdicts[event].payload, JSON_DEPTH_MAX, &stored, &error)) {
        if (!json_parse(call->events[event].payload, JSON_DEPTH_MAX, &posted, &error)) {
            struct str at = json_first_difference(call->arena, stored, posted);
            pointer = str_fmt(call->arena, "/payload%.*s", STR_ARG(at));
            json_free(posted);
        }
        json_free(stored);
    }
    return pointer;
}

/* Points at what the new event says otherwise than the first one of its key. */
static struct refusal conflict(const struct call *call, size_t event) {
    const struct append_result *first = &call->verdicts[event];
    const struct event *posted = &call->events[event];
    bool other_type = !str_eq(first->type, posted->type), other_source = !str_eq(first->source, posted->source);
    struct str id = uuid_str(call->arena, first->event_id), detail, pointer;
    if (other_type || other_source) {
        struct str was = other_type ? first->type : first->source;
        pointer = other_type ? STR("/type") : STR("/source");
        detail = str_fmt(call->arena, "this key names event %.*s, whose %s is '%.*s'", STR_ARG(id),
                         other_type ? "type" : "source", STR_ARG(was));
    } else {
        pointer = payload_pointer(call, event);
        detail = str_fmt(call->arena, "this key names event %.*s, whose payload differs", STR_ARG(id));
    }
    return (struct refusal){ERR_CONFLICT, detail, pointer};
}

/* A fact is due once, when its first sender said. One who asks for another moment is told which is in force; one who
 * names no moment, which means now, is not. */
static void add_moment_in_force(const struct call *call, size_t event, struct buf *body) {
    const struct append_result *verdict = &call->verdicts[event];
    int64_t asked_us = call->events[event].scheduled_us;
    if (verdict->verdict == APPEND_DUPLICATE && asked_us != call->wall_us && asked_us != verdict->scheduled_us)
        encode_time(body, "scheduled_at", verdict->scheduled_us);
}

static void answer_one(struct call *call, const struct intake_item *item) {
    struct refusal refusal = item->refusal;
    if (item->valid && call->verdicts[0].verdict == APPEND_CONFLICT) refusal = conflict(call, 0);
    if (refusal.err) {
        serve_refuse(call, &refusal);
        return;
    }
    bool fresh = call->verdicts[0].verdict == APPEND_FRESH;
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(id_in_force(call, 0), id);
    struct buf body = {.arena = call->arena};
    buf_fmt(&body,
            fresh ? "{\"success\":true,\"eventId\":\"%s\""
                  : "{\"success\":false,\"error\":\"DUPLICATE_EVENT\",\"eventId\":\"%s\"",
            id);
    add_moment_in_force(call, 0, &body);
    buf_byte(&body, '}');
    (void)serve_json(call, 200, buf_str(&body));
    reply_header(&call->reply, STR("X-Event-Status"), fresh ? STR("ACCEPTED") : STR("DUPLICATE"));
}

static void add_item(const struct call *call, struct buf *body, size_t index, const struct intake_item *item,
                     size_t event) {
    static const char *const words[] = {
        [APPEND_FRESH] = "ACCEPTED", [APPEND_DUPLICATE] = "DUPLICATE", [APPEND_CONFLICT] = "CONFLICT"};
    struct refusal refusal = item->refusal;
    const char *word = "INVALID";
    if (item->valid) {
        word = words[call->verdicts[event].verdict];
        if (call->verdicts[event].verdict == APPEND_CONFLICT) refusal = conflict(call, event);
    }
    buf_fmt(body, "%s{\"index\":%zu,\"status\":\"%s\"", index ? "," : "", index, word);
    if (item->valid) {
        char id[UUID_TEXT_LENGTH + 1];
        uuid_format(id_in_force(call, event), id);
        buf_fmt(body, ",\"eventId\":\"%s\"", id);
        add_moment_in_force(call, event, body);
    }
    if (refusal.err) {
        buf_fmt(body, ",\"code\":\"%s\",\"error\":", err_code(refusal.err));
        json_quote(body, refusal.detail);
        buf_add(body, STR(",\"pointer\":"));
        json_quote(body, refusal.pointer);
    }
    buf_byte(body, '}');
}

static void answer_batch(struct call *call, const struct intake *intake) {
    struct buf body = {.arena = call->arena};
    size_t event = 0;
    buf_byte(&body, '[');
    for (size_t i = 0; i < intake->count; i++) {
        add_item(call, &body, i, &intake->items[i], event);
        event += intake->items[i].valid;
    }
    buf_byte(&body, ']');
    (void)serve_json(call, 200, buf_str(&body));
}

void api_events_answer(struct call *call) {
    const struct intake *intake = call->own;
    for (size_t i = 0; i < call->event_count; i++)
        metrics_event(call->metrics, verdict_counters[call->verdicts[i].verdict], 1);
    if (intake->count > call->event_count)
        metrics_event(call->metrics, METRIC_INVALID, intake->count - call->event_count);
    if (intake->batch)
        answer_batch(call, intake);
    else
        answer_one(call, &intake->items[0]);
}

/* ---- lists and single ones ---- */

/* How one of its deliveries stands; false: refused. */
static bool read_with(struct call *call, enum event_with *ret_with) {
    struct str text = request_query(call->request, STR("delivery"), call->arena);
    *ret_with = str_eq(text, STR("HELD"))     ? EVENT_WITH_HELD
                : str_eq(text, STR("FAILED")) ? EVENT_WITH_FAILED
                                              : EVENT_WITH_ANY;
    if (!text.p || *ret_with) return true;
    (void)serve_problem(call, ERR_BAD_REQUEST, STR("'delivery' is HELD or FAILED"), NULL);
    return false;
}

/* A key names one event, so nothing else can be asked for with it. */
static bool read_key(struct call *call, struct event_query *query) {
    query->key = request_query(call->request, STR("idempotency_key"), call->arena);
    if (!query->key.p || (query->key.n && !query->with)) return true;
    (void)serve_problem(call, ERR_BAD_REQUEST,
                        STR("'idempotency_key' names one event, and 'delivery' does not go with it"), NULL);
    return false;
}

static bool read_query(struct call *call, struct event_query *query) {
    const struct request *request = call->request;
    struct str status = request_query(request, STR("status"), call->arena);
    enum event_status parsed;
    struct page page;
    query->status = -1;
    if (status.n && !event_status_parse(status, &parsed)) {
        (void)serve_problem(call, ERR_BAD_REQUEST, STR("'status' is PENDING, PROCESSING, COMPLETED or FAILED"), NULL);
        return false;
    }
    if (status.n) query->status = (int)parsed;
    if (!read_with(call, &query->with) || !read_key(call, query)) return false;
    query->type = request_query(request, STR("type"), call->arena);
    query->source = request_query(request, STR("source"), call->arena);
    if (!read_window(call, &page)) return false;
    query->since_us = page.since_us;
    query->until_us = page.until_us;
    query->limit = page.limit;
    query->cursor = page.cursor;
    return true;
}

enum err api_events_list(struct call *call) {
    struct event_query query = {0};
    struct event *events;
    size_t count;
    if (!read_query(call, &query)) return ERR_NONE;
    size_t limit = query.limit++;
    TRY(store_event_list(call->store, &query, call->arena, &events, &count));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < limit; i++) {
        if (i) buf_byte(&buf, ',');
        encode_event(&buf, &events[i], true);
        buf_byte(&buf, '}');
    }
    return reply_list(call, &buf, count > limit ? events[limit - 1].seq : store_next_cursor(call->store));
}

/* Encodes the attempts of one delivery, which come next among the attempts of the whole event. */
static size_t encode_next_attempts(struct call *call, struct buf *buf, int64_t seq, const struct event_attempt *next,
                                   size_t left) {
    size_t count = 0;
    while (count < left && next[count].delivery_seq == seq) count++;
    struct attempt *attempts = arena_array(call->arena, struct attempt, count);
    for (size_t i = 0; i < count; i++) attempts[i] = next[i].attempt;
    encode_attempts(buf, attempts, count);
    return count;
}

/* Which rule of each route did not let it through, as they are now. */
static void encode_unwanted(struct call *call, struct buf *buf, const struct event *event) {
    struct route_reason *reasons;
    size_t count = route_reasons(call->standing->routes, event, call->arena, &reasons);
    if (!count) return;
    buf_add(buf, STR(",\"unwanted\":["));
    for (size_t i = 0; i < count; i++) {
        buf_add(buf, i ? STR(",{\"route\":") : STR("{\"route\":"));
        json_quote(buf, reasons[i].route);
        encode_text(buf, "why", reasons[i].why);
        buf_byte(buf, '}');
    }
    buf_byte(buf, ']');
}

static enum err encode_deliveries(struct call *call, struct buf *buf, const struct event *event) {
    struct uuid event_id = event->id;
    struct delivery_query query = {.status = -1, .event_id = event_id, .limit = QUERY_LIMIT_MAX};
    struct delivery *deliveries;
    struct event_attempt *attempts;
    size_t count, attempt_count, at = 0;
    TRY(store_delivery_list(call->store, &query, call->arena, &deliveries, &count));
    TRY(store_superseded(call->store, deliveries, count, call->arena));
    TRY(store_event_attempts(call->store, event_id, call->arena, &attempts, &attempt_count));
    buf_add(buf, STR(",\"deliveries\":["));
    for (size_t i = count; i-- > 0;) { /* oldest first */
        if (i + 1 < count) buf_byte(buf, ',');
        struct str ahead;
        TRY(find_ahead(call, &deliveries[i], &ahead));
        encode_delivery(call, buf, &deliveries[i], ahead);
        while (at < attempt_count && attempts[at].delivery_seq < deliveries[i].seq) at++; /* not on this page */
        at += encode_next_attempts(call, buf, deliveries[i].seq, attempts + at, attempt_count - at);
        buf_byte(buf, '}');
    }
    buf_byte(buf, ']');
    struct str *subjects = arena_array(call->arena, struct str, count + 1);
    for (size_t i = 0; i < count; i++) subjects[i] = uuid_str(call->arena, deliveries[i].id);
    subjects[count] = uuid_str(call->arena, event_id);
    TRY(encode_acts(call, buf, subjects, count + 1));
    bool unwanted =
        count == 0 && event->status == EVENT_COMPLETED && !event->last_error.n; /* a cancelled one has words */
    if (unwanted && call->standing->routes) encode_unwanted(call, buf, event);
    return ERR_NONE;
}

enum err api_events_show(struct call *call) {
    struct uuid id;
    struct event event;
    enum err err;
    if (!read_id(call, store_event_by_prefix, &id, &err)) return err;
    err = store_event_get(call->store, id, call->arena, &event);
    if (err == ERR_NOT_FOUND) return reply_no_event(call, id);
    TRY(err);
    struct buf buf = {.arena = call->arena};
    encode_event(&buf, &event, true);
    TRY(encode_deliveries(call, &buf, &event));
    buf_byte(&buf, '}');
    return serve_json(call, 200, buf_str(&buf));
}
