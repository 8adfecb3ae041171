#include "api/api.h"
#include "base/json.h"

/* Takes the request in; the reply is made after the verdicts (arrivals.c). */
enum err api_events_post(struct call *call) {
    struct loop *loop = call->turn->loop;
    const struct settings *settings = loop->in_force.settings;
    if (loop->stopping) return serve_problem(call, ERR_STOPPING, STR_NONE, NULL);
    if (loop->options.role == LOOP_WORKER)
        return serve_problem(call, ERR_NOT_HERE,
                             STR("this process is a worker: post to one that runs as ingest or all"), NULL);
    if (settings->server.queue_max && loop->open_deliveries >= settings->server.queue_max) {
        metrics_event(loop->metrics, METRIC_REFUSED, 1);
        return serve_problem(
            call, ERR_FULL,
            str_fmt(call->arena, "%lld deliveries wait (server.queue)", (long long)loop->open_deliveries), NULL);
    }
    const struct intake_context context = {.settings = settings,
                                           .wall_us = call->turn->wall_us,
                                           .hasher = loop->hasher,
                                           .rng = &loop->rng,
                                           .last_id = &loop->last_id,
                                           .arena = call->arena};
    struct refusal refusal = {0};
    if (intake_request(&context, call->visit->request, &call->visit->intake, &refusal)) {
        metrics_event(loop->metrics, METRIC_INVALID, 1);
        serve_refuse(call->turn, call->visit, &refusal);
        return ERR_NONE;
    }
    call->visit->posted = true;
    return ERR_NONE;
}

static bool read_query(struct call *call, struct event_query *query) {
    const struct request *request = call->visit->request;
    struct str status = request_query(request, STR("status"), call->arena);
    enum event_status parsed;
    struct page page;
    query->status = -1;
    if (status.n && !event_status_parse(status, &parsed)) {
        (void)serve_problem(call, ERR_BAD_REQUEST, STR("'status' is PENDING, PROCESSING, COMPLETED or FAILED"), NULL);
        return false;
    }
    if (status.n) query->status = (int)parsed;
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

static enum err encode_deliveries(struct call *call, struct buf *buf, struct uuid event_id) {
    struct delivery_query query = {.status = -1, .event_id = event_id, .limit = QUERY_LIMIT_MAX};
    struct delivery *deliveries;
    size_t count;
    TRY(store_delivery_list(call->store, &query, call->arena, &deliveries, &count));
    buf_add(buf, STR(",\"deliveries\":["));
    for (size_t i = count; i-- > 0;) { /* oldest first */
        struct attempt *attempts;
        size_t attempt_count;
        TRY(store_attempts(call->store, deliveries[i].seq, call->arena, &attempts, &attempt_count));
        if (i + 1 < count) buf_byte(buf, ',');
        encode_delivery(buf, &deliveries[i]);
        encode_attempts(buf, attempts, attempt_count);
        buf_byte(buf, '}');
    }
    buf_byte(buf, ']');
    return ERR_NONE;
}

enum err api_events_show(struct call *call) {
    struct uuid id;
    struct event event;
    enum err err;
    if (!read_id(call, store_event_by_prefix, &id, &err)) return err;
    err = store_event_get(call->store, id, call->arena, &event);
    if (err == ERR_NOT_FOUND) return serve_problem(call, err, STR("no such event"), NULL);
    TRY(err);
    struct buf buf = {.arena = call->arena};
    encode_event(&buf, &event, true);
    TRY(encode_deliveries(call, &buf, id));
    buf_byte(&buf, '}');
    return serve_json(call, 200, buf_str(&buf));
}

enum err api_events_cancel(struct call *call) {
    struct uuid id;
    size_t cancelled;
    enum err err;
    if (!read_id(call, store_event_by_prefix, &id, &err)) return err;
    struct event event;
    err = store_event_get(call->store, id, call->arena, &event);
    if (!err) err = store_event_cancel(call->store, id, call->actor, call->turn->now_us, call->arena, &cancelled);
    if (err == ERR_NOT_FOUND) return serve_problem(call, err, STR("no such event"), NULL);
    if (err == ERR_NOT_NOW) return serve_problem(call, err, STR("nothing of this event is still open"), NULL);
    TRY(err);
    call->turn->open_change -= (int64_t)cancelled - (event.status == EVENT_PENDING); /* the event is among them */
    struct deliver *deliver = call->turn->loop->deliver;
    for (size_t i = 0; i < deliver_desks(deliver); i++) /* the next of their order keys may go now */
        deliver_due(deliver, i, call->turn->now_us);
    char text[UUID_TEXT_LENGTH + 1];
    uuid_format(id, text);
    return serve_json(call, 200, str_fmt(call->arena, "{\"id\":\"%s\",\"cancelled\":%zu}", text, cancelled));
}
