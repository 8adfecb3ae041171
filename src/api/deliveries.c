#include "api/handlers.h"
#include "base/json.h"
#include "deliver/backlog.h"

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
    if (!serve_truth(call, "resent", &query->resent)) return false;
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
    TRY(store_superseded(call->store, deliveries, count, call->arena));
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < limit; i++) {
        if (i) buf_byte(&buf, ',');
        encode_delivery(&buf, &deliveries[i]);
        buf_byte(&buf, '}');
    }
    return reply_list(call, &buf, count > limit ? deliveries[limit - 1].seq : store_next_cursor(call->store));
}

static enum err reply_delivery(struct call *call, struct delivery *delivery) {
    struct attempt *attempts;
    size_t count;
    TRY(store_superseded(call->store, delivery, 1, call->arena));
    TRY(store_attempts(call->store, delivery->seq, call->arena, &attempts, &count));
    struct buf buf = {.arena = call->arena};
    encode_delivery(&buf, delivery);
    if (delivery->params.n) {
        buf_add(&buf, STR(",\"params\":"));
        buf_add(&buf, delivery->params);
    }
    encode_attempts(&buf, attempts, count);
    const struct str id = uuid_str(call->arena, delivery->id);
    TRY(encode_acts(call, &buf, &id, 1));
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

/* ---- acts ---- */

/* What a person wants, of one delivery or of many. */
struct wanted {
    enum delivery_act act;
    struct str note;
};

/* "a later run has taken its place: ..." where that is why. */
static enum err refusal_words(struct call *call, struct uuid id, struct str *ret_words) {
    struct delivery delivery;
    TRY(store_delivery_get(call->store, id, call->arena, &delivery));
    TRY(store_superseded(call->store, &delivery, 1, call->arena));
    *ret_words = STR("the delivery's status does not allow this (one in flight never does)");
    if (!uuid_is_zero(delivery.superseded_by))
        *ret_words = str_fmt(call->arena, "run %d has taken its place: delivery %.*s is the one to look at",
                             delivery.superseded_run, STR_ARG(uuid_str(call->arena, delivery.superseded_by)));
    return ERR_NONE;
}

/* Carries it out for one. A refusal is an err with its words, and changes nothing; what is RETRY class or worse is the
 * store's trouble. */
static enum err carry_out(struct call *call, struct uuid id, const struct wanted *wanted, struct delivery *ret_after,
                          struct str *ret_words) {
    struct delivery before;
    enum err err = store_delivery_get(call->store, id, call->arena, &before);
    if (!err)
        err = store_delivery_act(call->store, id, wanted->act, call->actor, wanted->note, call->now_us, call->hasher,
                                 call->arena, ret_after);
    if (err == ERR_NOT_FOUND) *ret_words = STR("no such delivery");
    if (err == ERR_NOT_NOW) TRY(refusal_words(call, id, ret_words));
    if (err) return err;
    size_t desk = deliver_desk(call->desks, ret_after->destination);
    backlog_change(call->desks, desk, delivery_waits(ret_after->status) - delivery_waits(before.status));
    if (desk != SIZE_MAX) /* this delivery, or the next one of its order key, may leave now */
        deliver_due(call->desks, desk, ret_after->status == DELIVERY_PENDING ? ret_after->due_us : call->now_us);
    call->wishes |= WISH_WORK;
    return ERR_NONE;
}

static enum err act_on(struct call *call, const struct wanted *wanted) {
    struct uuid id;
    struct delivery after;
    struct str words;
    enum err err;
    if (!read_id(call, store_delivery_by_prefix, &id, &err)) return err;
    err = carry_out(call, id, wanted, &after, &words);
    if (err == ERR_NOT_FOUND || err == ERR_NOT_NOW) return serve_problem(call, err, words, NULL);
    TRY(err);
    return reply_delivery(call, &after);
}

static const struct {
    const char *word;
    enum delivery_act act;
} resolutions[] = {
    {"delivered", ACT_RESOLVE_DELIVERED},
    {"not-delivered", ACT_RESOLVE_NOT_DELIVERED},
    {"retry", ACT_RESOLVE_RETRY},
};

/* What the body says beside the act itself; false: refused. */
static bool read_wanted(struct call *call, struct str act, const struct json *body, struct wanted *ret_wanted) {
    struct wanted wanted = {.act = ACT_CANCEL, .note = str_dup(call->arena, json_text(json_get(body, STR("note"))))};
    struct str as = json_text(json_get(body, STR("as")));
    bool known = str_eq(act, STR("retry")) || str_eq(act, STR("cancel"));
    if (str_eq(act, STR("retry")))
        wanted.act = json_true(json_get(body, STR("as_sent"))) ? ACT_RETRY_AS_SENT : ACT_RETRY;
    for (size_t i = 0; str_eq(act, STR("resolve")) && i < sizeof resolutions / sizeof *resolutions; i++) {
        if (!str_eq(as, str_from(resolutions[i].word))) continue;
        wanted.act = resolutions[i].act;
        known = true;
    }
    if (known) {
        *ret_wanted = wanted;
        return true;
    }
    if (str_eq(act, STR("resolve")))
        (void)serve_problem(call, ERR_BAD_FIELD, STR("'as' must be delivered, not-delivered or retry"), "/as");
    else
        (void)serve_problem(call, ERR_BAD_FIELD, STR("'act' must be retry, cancel or resolve"), "/act");
    return false;
}

static enum err act_by(struct call *call, const char *act) {
    struct json *body;
    struct wanted wanted;
    if (!serve_body(call, &body)) return ERR_NONE;
    bool good = read_wanted(call, str_from(act), body, &wanted);
    json_free(body);
    return good ? act_on(call, &wanted) : ERR_NONE;
}

enum err api_deliveries_retry(struct call *call) {
    return act_by(call, "retry");
}

enum err api_deliveries_cancel(struct call *call) {
    return act_by(call, "cancel");
}

enum err api_deliveries_resolve(struct call *call) {
    return act_by(call, "resolve");
}

static enum err act_on_one(struct call *call, struct uuid id, const void *wanted, struct str *ret_status,
                           struct str *ret_words) {
    struct delivery after;
    TRY(carry_out(call, id, wanted, &after, ret_words));
    *ret_status = str_from(delivery_status_text(after.status));
    return ERR_NONE;
}

enum err api_deliveries_bulk(struct call *call) {
    struct json *body;
    struct wanted wanted;
    if (!serve_body(call, &body)) return ERR_NONE;
    enum err err = ERR_NONE;
    if (read_wanted(call, json_text(json_get(body, STR("act"))), body, &wanted))
        err = serve_each(call, body, act_on_one, &wanted);
    json_free(body);
    return err;
}
