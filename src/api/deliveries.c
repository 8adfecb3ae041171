#include "api/body.h"
#include "api/handlers.h"
#include "deliver/backlog.h"
#include "deliver/heir.h"

/* Whole or a unique prefix; zero where none is named; false: refused, or the store's trouble in *ret_err. */
static bool read_event_id(struct call *call, struct uuid *ret_id, enum err *ret_err) {
    struct str text = request_query(call->request, STR("event_id"), call->arena);
    *ret_err = ERR_NONE;
    if (!text.n || uuid_parse(text, ret_id)) return true;
    enum err err = store_event_by_prefix(call->store, text, call->arena, ret_id);
    if (!err) return true;
    if (err == ERR_LIMIT)
        *ret_err = serve_problem(call, err, STR("several events begin like this 'event_id': give more of it"), NULL);
    else if (err == ERR_NOT_FOUND)
        *ret_err = serve_problem(call, ERR_BAD_REQUEST,
                                 STR("'event_id' is no event's id, nor at least 6 characters of its beginning"), NULL);
    else
        *ret_err = err;
    return false;
}

static bool read_query(struct call *call, struct delivery_query *query, enum err *ret_err) {
    const struct request *request = call->request;
    struct str status = request_query(request, STR("status"), call->arena);
    enum delivery_status parsed;
    struct page page;
    query->status = -1;
    *ret_err = ERR_NONE;
    if (status.n && !delivery_status_parse(status, &parsed)) {
        (void)serve_problem(call, ERR_BAD_REQUEST,
                            STR("'status' is PENDING, PROCESSING, COMPLETED, FAILED, UNKNOWN, HELD or SKIPPED"), NULL);
        return false;
    }
    if (status.n) query->status = (int)parsed;
    if (!read_event_id(call, &query->event_id, ret_err)) return false;
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
    enum err err;
    if (!read_query(call, &query, &err)) return err;
    size_t limit = query.limit++;
    TRY(store_delivery_list(call->store, &query, call->arena, &deliveries, &count));
    struct buf buf = {.arena = call->arena};
    TRY(store_superseded(call->store, deliveries, count, call->arena));
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < limit; i++) {
        if (i) buf_byte(&buf, ',');
        encode_delivery(call, &buf, &deliveries[i], STR_NONE);
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
    struct str ahead;
    TRY(find_ahead(call, delivery, &ahead));
    encode_delivery(call, &buf, delivery, ahead);
    encode_keys_kept(call, &buf, delivery->destination);
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
    if (!read_event_id(call, &event_id, &err)) return err;
    if (!read_id(call, store_delivery_by_prefix, &id, &err)) return err;
    err = store_delivery_get(call->store, id, call->arena, &delivery);
    if (err == ERR_NOT_FOUND)
        err = store_delivery_by_key(call->store, id, event_id, call->now_us, call->arena, &delivery);
    if (err == ERR_NOT_FOUND) {
        struct str otherwise =
            STR("no delivery has this id, and none of the newest 10,000 this key; name the event of an "
                "older key: event_id, X-Drumbeat-Event of the same request");
        if (!uuid_is_zero(event_id)) otherwise = STR("no such delivery");
        struct str words;
        TRY(no_such_delivery(call, id, otherwise, &words));
        return serve_problem(call, err, words, NULL);
    }
    TRY(err);
    return reply_delivery(call, &delivery);
}

/* ---- acts ---- */

#define NEWEST_MAX 100 /* deliveries of an event among which a new run's is looked for */

/* What a person wants, of one delivery or of many. */
struct wanted {
    enum delivery_act act;
    struct str note;
    bool dry; /* only says what would come of it */
};

static bool sends_again(enum delivery_act act, const struct delivery *delivery) {
    enum delivery_status status = delivery->status;
    bool waits = status == DELIVERY_PENDING || status == DELIVERY_HELD || status == DELIVERY_UNKNOWN;
    if (act == ACT_RETRY || act == ACT_RETRY_AS_SENT)
        return waits || status == DELIVERY_FAILED || delivery_is_cancelled(delivery);
    return act == ACT_RESOLVE_RETRY && waits;
}

/* A send to a destination that nobody knows would only be held again, and its error, which may say that an earlier try
 * is in doubt, would be lost. */
static bool has_nowhere_to_go(const struct call *call, const struct delivery *delivery, enum delivery_act act) {
    return sends_again(act, delivery) && deliver_known(call->desks, delivery->destination) == SIZE_MAX;
}

/* The name that its destination has now, where what was cancelled is to be sent: it did not go over, as what is open or
 * failed does. STR_NONE = it has its name still. */
static struct str goes_elsewhere(const struct call *call, const struct delivery *delivery, enum delivery_act act) {
    size_t desk = deliver_known(call->desks, delivery->destination);
    if (!delivery_is_cancelled(delivery) || !sends_again(act, delivery) || desk == SIZE_MAX) return STR_NONE;
    struct str name = deliver_view(call->desks, desk, call->now_us).name;
    return str_eq(name, delivery->destination) ? STR_NONE : name;
}

/* What helps where the status alone is in the way. */
static const char *way_on(const struct delivery *delivery) {
    switch (delivery->status) {
    case DELIVERY_PROCESSING:
        return " while it is on its way";
    case DELIVERY_FAILED:
        return ": drumbeat deliveries retry sends it again, deliveries cancel puts it aside";
    case DELIVERY_COMPLETED:
        return ": drumbeat replay plan --again sends what is done once more";
    case DELIVERY_SKIPPED:
        return delivery_is_cancelled(delivery)
                   ? ": drumbeat deliveries retry sends it all the same"
                   : ": its route does not want it; mend the route, then drumbeat events retry asks it again";
    default:
        return "";
    }
}

/* "a later run has taken its place: ..." where that is why. */
static enum err refusal_words(struct call *call, struct uuid id, enum delivery_act act, struct str *ret_words) {
    struct delivery delivery;
    TRY(store_delivery_get(call->store, id, call->arena, &delivery));
    TRY(store_superseded(call->store, &delivery, 1, call->arena));
    *ret_words = str_fmt(call->arena, "the delivery is %s, and its status does not allow this%s",
                         delivery_status_text(delivery.status), way_on(&delivery));
    if (!uuid_is_zero(delivery.superseded_by))
        *ret_words = str_fmt(call->arena, "run %d has taken its place: delivery %.*s is the one to look at",
                             delivery.superseded_run, STR_ARG(uuid_str(call->arena, delivery.superseded_by)));
    else if (goes_elsewhere(call, &delivery, act).n)
        *ret_words =
            str_fmt(call->arena,
                    "its destination is '%.*s' now, and what was cancelled did not go over: drumbeat events retry "
                    "%.*s --all makes all of its event again",
                    STR_ARG(goes_elsewhere(call, &delivery, act)), STR_ARG(uuid_str(call->arena, delivery.event_id)));
    else if (has_nowhere_to_go(call, &delivery, act))
        *ret_words = str_fmt(call->arena,
                             "its destination '%.*s' is not in the configuration: add it again, or say 'was: %.*s' in "
                             "the one that took its place%s",
                             STR_ARG(delivery.destination), STR_ARG(delivery.destination),
                             delivery_is_final(delivery.status) ? "" : "; or end it with drumbeat deliveries cancel");
    return ERR_NONE;
}

/* Carries it out for one. A refusal is an err with its words, and changes nothing; what is RETRY class or worse is the
 * store's trouble. */
static enum err carry_out(struct call *call, struct uuid id, const struct wanted *wanted, struct delivery *ret_after,
                          struct str *ret_words) {
    struct delivery before;
    enum err err = store_delivery_get(call->store, id, call->arena, &before);
    if (!err && (has_nowhere_to_go(call, &before, wanted->act) || goes_elsewhere(call, &before, wanted->act).n))
        err = ERR_NOT_NOW;
    else if (!err && wanted->dry)
        err = store_delivery_may(call->store, id, wanted->act, call->arena);
    else if (!err)
        err = store_delivery_act(call->store, id, wanted->act, call->actor, wanted->note, call->now_us, call->hasher,
                                 call->arena, ret_after);
    if (err == ERR_NOT_FOUND) TRY(no_such_delivery(call, id, STR("no such delivery"), ret_words));
    if (err == ERR_NOT_NOW) TRY(refusal_words(call, id, wanted->act, ret_words));
    if (err || wanted->dry) return err;
    size_t desk = deliver_desk(call->desks, ret_after->destination);
    backlog_change(call->desks, desk, delivery_waits(ret_after->status) - delivery_waits(before.status));
    if (desk != SIZE_MAX) /* this delivery, or the next one of its order key, may leave now */
        deliver_due(call->desks, desk, ret_after->status == DELIVERY_PENDING ? ret_after->due_us : call->now_us);
    call->wishes |= WISH_WORK;
    return ERR_NONE;
}

/* A delivery that its route makes in this turn may have got another id by its key, and may be on its way: what is told
 * is read after the commit. Its place in the order of deliveries stays. */
static bool is_made_now(const struct delivery *after) {
    return after->unmade && after->status == DELIVERY_HELD;
}

/* Reads it as it stands now. Where that fails it stays as the turn left it. */
static void look_again(struct call *call, struct delivery *delivery) {
    const struct delivery_query query = {.status = -1, .event_id = delivery->event_id, .limit = NEWEST_MAX};
    struct delivery *newest;
    size_t count;
    if (store_begin(call->store)) return;
    if (!store_delivery_list(call->store, &query, call->arena, &newest, &count))
        for (size_t i = 0; i < count; i++)
            if (newest[i].seq == delivery->seq) *delivery = newest[i];
    store_rollback(call->store);
}

void api_deliveries_retried(struct call *call) {
    struct delivery *delivery = call->own;
    look_again(call, delivery);
    enum err err = store_begin(call->store);
    if (!err) err = reply_delivery(call, delivery);
    store_rollback(call->store);
    if (err) (void)serve_problem(call, err, STR("it was done, but how it stands now could not be read"), NULL);
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
    if (!is_made_now(&after)) return reply_delivery(call, &after);
    call->own = arena_copy(call->arena, &after, sizeof after);
    return ERR_NONE;
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
static bool read_resolution(struct call *call, struct str as, struct wanted *wanted) {
    for (size_t i = 0; i < sizeof resolutions / sizeof *resolutions; i++) {
        if (!str_eq(as, str_from(resolutions[i].word))) continue;
        wanted->act = resolutions[i].act;
        return true;
    }
    (void)serve_problem(call, ERR_BAD_FIELD, STR("'as' must be delivered, not-delivered or retry"), "/as");
    return false;
}

enum err api_deliveries_retry(struct call *call) {
    struct wanted wanted = {.act = ACT_RETRY};
    bool as_sent = false;
    const struct body_member members[] = {{"as_sent", BODY_FLAG, &as_sent}, {"note", BODY_TEXT, &wanted.note}};
    if (!body_read(call, members, 2)) return ERR_NONE;
    if (as_sent) wanted.act = ACT_RETRY_AS_SENT;
    return act_on(call, &wanted);
}

enum err api_deliveries_cancel(struct call *call) {
    struct wanted wanted = {.act = ACT_CANCEL};
    const struct body_member members[] = {{"note", BODY_TEXT, &wanted.note}};
    return body_read(call, members, 1) ? act_on(call, &wanted) : ERR_NONE;
}

enum err api_deliveries_resolve(struct call *call) {
    struct wanted wanted = {.act = ACT_CANCEL};
    struct str as = STR_NONE;
    const struct body_member members[] = {{"as", BODY_TEXT, &as}, {"note", BODY_TEXT, &wanted.note}};
    bool good = body_read(call, members, 2) && read_resolution(call, as, &wanted);
    return good ? act_on(call, &wanted) : ERR_NONE;
}

static enum err act_on_one(struct call *call, const void *wanted, struct bulk_item *item) {
    struct delivery *after = arena_new(call->arena, struct delivery);
    TRY(carry_out(call, item->id, wanted, after, &item->words));
    item->own = after;
    return ERR_NONE;
}

static void tell_one(struct call *call, struct bulk_item *item) {
    struct delivery *after = item->own;
    if (is_made_now(after)) look_again(call, after);
    item->status = str_from(delivery_status_text(after->status));
    item->is_now = after->id;
}

void api_deliveries_bulk_answer(struct call *call) {
    serve_told(call, tell_one);
}

/* Which of the acts, and what of the body belongs to it alone. */
static bool read_act(struct call *call, struct str act, struct str as, bool as_sent, struct wanted *wanted) {
    bool retry = str_eq(act, STR("retry")), resolve = str_eq(act, STR("resolve"));
    const char *stray = as.p && !resolve ? "as" : as_sent && !retry ? "as_sent" : NULL;
    if (!retry && !resolve && !str_eq(act, STR("cancel"))) {
        (void)serve_problem(call, ERR_BAD_FIELD, STR("'act' must be retry, cancel or resolve"), "/act");
        return false;
    }
    if (stray) {
        (void)serve_problem(call, ERR_BAD_FIELD, str_fmt(call->arena, "'%s' says nothing to %.*s", stray, STR_ARG(act)),
                            str_fmt(call->arena, "/%s", stray).p);
        return false;
    }
    wanted->act = !retry ? ACT_CANCEL : as_sent ? ACT_RETRY_AS_SENT : ACT_RETRY;
    return !resolve || read_resolution(call, as, wanted);
}

enum err api_deliveries_bulk(struct call *call) {
    struct wanted wanted = {.act = ACT_CANCEL};
    struct body_ids ids = {.count = 0};
    struct str act = STR_NONE, as = STR_NONE;
    bool as_sent = false;
    const struct body_member members[] = {
        {"ids", BODY_IDS, &ids},          {"act", BODY_TEXT, &act},          {"as", BODY_TEXT, &as},
        {"as_sent", BODY_FLAG, &as_sent}, {"note", BODY_TEXT, &wanted.note}, {"dry", BODY_FLAG, &wanted.dry}};
    bool good = body_read(call, members, 6) && read_act(call, act, as, as_sent, &wanted);
    return good ? serve_each(call, &ids, wanted.dry, act_on_one, &wanted) : ERR_NONE;
}
