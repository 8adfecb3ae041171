#include "api/handlers.h"
#include "base/json.h"
#include "deliver/deliver.h"

/* Zero where none is named; false: refused. */
static bool read_event_id(struct call *call, struct uuid *ret_id) {
    struct str text = request_query(call->request, STR("event_id"), call->arena);
    if (!text.n || uuid_parse(text, ret_id)) return true;
    (void)serve_problem(call, ERR_BAD_REQUEST, STR("'event_id' is not an id"), NULL);
    return false;
}

static bool read_query(struct call *call, struct delivery_query *query) {
    const struct request *request = call->request;
    struct str status = request_query(request, STR("status"), call->arena);
    enum delivery_status parsed;
    struct page page;
    query->status = -1;
    if (status.n && !delivery_status_parse(status, &parsed)) {
        (void)serve_problem(call, ERR_BAD_REQUEST,
                            STR("'status' is PENDING, PROCESSING, COMPLETED, FAILED, UNKNOWN, HELD or SKIPPED"), NULL);
        return false;
    }
    if (status.n) query->status = (int)parsed;
    if (!read_event_id(call, &query->event_id)) return false;
    query->destination = request_query(request, STR("destination"), call->arena);
    if (!read_window(call, &page)) return false;
    query->since_us = page.since_us;
    query->until_us = page.until_us;
    query->limit = page.limit;
    query->cursor = page.cursor;
    return true;
}

enum err api_deliveries_list(struct call *call) {
    struct delivery_query query = {0};
    struct delivery *deliveries;
    size_t count;
    if (!read_query(call, &query)) return ERR_NONE;
    size_t limit = query.limit++;
    TRY(store_delivery_list(call->store, &query, call->arena, &deliveries, &count));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < limit; i++) {
        if (i) buf_byte(&buf, ',');
        encode_delivery(&buf, &deliveries[i]);
        buf_byte(&buf, '}');
    }
    return reply_list(call, &buf, count > limit ? deliveries[limit - 1].seq : store_next_cursor(call->store));
}

static enum err reply_delivery(struct call *call, const struct delivery *delivery) {
    struct attempt *attempts;
    size_t count;
    TRY(store_attempts(call->store, delivery->seq, call->arena, &attempts, &count));
    struct buf buf = {.arena = call->arena};
    encode_delivery(&buf, delivery);
    if (delivery->params.n) {
        buf_add(&buf, STR(",\"params\":"));
        buf_add(&buf, delivery->params);
    }
    encode_attempts(&buf, attempts, count);
    buf_byte(&buf, '}');
    return serve_json(call, 200, buf_str(&buf));
}

/* By its id, or by the key that the provider has. */
enum err api_deliveries_show(struct call *call) {
    struct uuid id, event_id = {0};
    struct delivery delivery;
    enum err err;
    if (!read_event_id(call, &event_id)) return ERR_NONE;
    if (!read_id(call, store_delivery_by_prefix, &id, &err)) return err;
    err = store_delivery_get(call->store, id, call->arena, &delivery);
    if (err == ERR_NOT_FOUND)
        err = store_delivery_by_key(call->store, id, event_id, call->now_us, call->arena, &delivery);
    if (err == ERR_NOT_FOUND && uuid_is_zero(event_id))
        return serve_problem(call, err,
                             STR("no delivery has this id, and none of the newest 10,000 this key; name the "
                                 "event of an older key: event_id, X-Drumbeat-Event of the same request"),
                             NULL);
    if (err == ERR_NOT_FOUND) return serve_problem(call, err, STR("no such delivery"), NULL);
    TRY(err);
    return reply_delivery(call, &delivery);
}

static enum err act_on(struct call *call, enum delivery_act act, struct str note) {
    struct uuid id;
    struct delivery after;
    enum err err;
    if (!read_id(call, store_delivery_by_prefix, &id, &err)) return err;
    err = store_delivery_act(call->store, id, act, call->actor, note, call->now_us, call->hasher, call->arena, &after);
    if (err == ERR_NOT_FOUND) return serve_problem(call, err, STR("no such delivery"), NULL);
    if (err == ERR_NOT_NOW)
        return serve_problem(call, err, STR("the delivery's status does not allow this (one in flight never does)"),
                             NULL);
    TRY(err);
    if (delivery_is_final(after.status))
        call->open_change--;
    else if (!uuid_eq(after.id, id))
        call->open_change++; /* a new run of a failed one */
    size_t desk = deliver_desk(call->desks, after.destination);
    if (desk != SIZE_MAX) /* this delivery, or the next one of its order key, may leave now */
        deliver_due(call->desks, desk, after.status == DELIVERY_PENDING ? after.due_us : call->now_us);
    call->wishes |= WISH_WORK;
    return reply_delivery(call, &after);
}

enum err api_deliveries_retry(struct call *call) {
    return act_on(call, ACT_RETRY, STR(""));
}

enum err api_deliveries_cancel(struct call *call) {
    return act_on(call, ACT_CANCEL, STR(""));
}

static const struct {
    const char *word;
    enum delivery_act act;
} resolutions[] = {
    {"delivered", ACT_RESOLVE_DELIVERED},
    {"not-delivered", ACT_RESOLVE_NOT_DELIVERED},
    {"retry", ACT_RESOLVE_RETRY},
};

enum err api_deliveries_resolve(struct call *call) {
    struct json *body;
    if (!serve_body(call, &body)) return ERR_NONE;
    struct str as = str_dup(call->arena, json_text(json_get(body, STR("as"))));
    struct str note = str_dup(call->arena, json_text(json_get(body, STR("note"))));
    json_free(body);
    for (size_t i = 0; i < sizeof resolutions / sizeof resolutions[0]; i++)
        if (str_eq(as, str_from(resolutions[i].word))) return act_on(call, resolutions[i].act, note);
    return serve_problem(call, ERR_BAD_FIELD, STR("'as' must be delivered, not-delivered or retry"), "/as");
}
