#include "api/handlers.h"
#include "base/json.h"
#include "base/when.h"
#include "deliver/deliver.h"
#include "deliver/meter.h"
#include "store/query.h"

#define ORDER_KEY_SHOWN 60 /* bytes */

void encode_text(struct buf *buf, const char *name, struct str text) {
    buf_fmt(buf, ",\"%s\":", name);
    json_quote(buf, text);
}

void encode_time(struct buf *buf, const char *name, int64_t us) {
    char text[WHEN_TEXT_ROOM];
    if (us == 0 || us == WHEN_NEVER) {
        buf_fmt(buf, ",\"%s\":null", name);
        return;
    }
    when_format(us, text);
    buf_fmt(buf, ",\"%s\":\"%s\"", name, text);
}

/* Absent texts are null, so that a reader can tell "" from nothing. */
static void encode_maybe(struct buf *buf, const char *name, struct str text) {
    if (text.n)
        encode_text(buf, name, text);
    else
        buf_fmt(buf, ",\"%s\":null", name);
}

#define FINGERPRINT_OURS 64 /* characters: the event came through a door of ours, which read its payload */

/* An event that another program wrote into the table may be nested so deep, or have such numbers, that readers of the
 * answer could make nothing of the whole of it. Then it says so in the payload's place. */
static void encode_payload(struct buf *buf, const struct event *event) {
    struct json *root = NULL;
    struct json_error error;
    bool readable =
        event->fingerprint.n == FINGERPRINT_OURS || !json_parse(event->payload, JSON_DEPTH_MAX, &root, &error);
    json_free(root);
    buf_add(buf, STR(",\"payload\":"));
    buf_add(buf, readable ? event->payload : STR("null"));
    if (!readable) encode_text(buf, "payload_problem", str_from(error.text));
}

void encode_event(struct buf *buf, const struct event *event, bool whole) {
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(event->id, id);
    buf_fmt(buf, "{\"id\":\"%s\"", id);
    encode_text(buf, "type", event->type);
    encode_text(buf, "source", event->source);
    encode_text(buf, "idempotency_key", event->key);
    if (whole) encode_payload(buf, event);
    encode_text(buf, "fingerprint", event->fingerprint);
    buf_fmt(buf, ",\"status\":\"%s\",\"retry_count\":%d", event_status_text(event->status), event->retry_count);
    encode_maybe(buf, "last_error", event->last_error);
    encode_time(buf, "scheduled_at", event->scheduled_us);
    encode_time(buf, "created_at", event->created_us);
    encode_time(buf, "updated_at", event->updated_us);
}

/* One that was never tried and is due later than it first was waits for others of its call, or its value's limit was
 * used up. */
static struct str is_put_off(const struct call *call, const struct delivery *delivery, size_t desk) {
    const struct meters *meters = deliver_meters(call->desks, desk);
    const struct action_traits *traits = destination_action(deliver_settings(call->desks, desk), delivery->action);
    bool moved = delivery->due_us > delivery->first_due_us && delivery->due_us > call->now_us;
    if (!moved || delivery->retry_count || delivery->last_status) return STR_NONE;
    if (traits && traits->batch_joined > 1) return STR("others of its call, no later than it is due");
    if (!meters) return STR_NONE;
    return str_fmt(call->arena, "%.*s's limit per %.*s", STR_ARG(delivery->destination), STR_ARG(meters_param(meters)));
}

/* Why a delivery that is due does not leave, where that is more than a moment: "crm is paused until ...: ...". */
static struct str what_it_waits_for(const struct call *call, const struct delivery *delivery, struct str ahead) {
    size_t desk = deliver_desk(call->desks, delivery->destination);
    bool waits = delivery->status == DELIVERY_PENDING || delivery->status == DELIVERY_UNKNOWN;
    if (waits && ahead.n) return ahead;
    if (waits && call->standing->hold) return STR("the end of the hold: drumbeat release");
    if (!waits || desk == SIZE_MAX || !deliver_settings(call->desks, desk)) return STR_NONE;
    struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    bool open = view.breaker.state == BREAKER_OPEN;
    int64_t until_us = view.paused ? view.paused_until_us : view.breaker.until_us;
    struct str why = view.paused ? view.pause_reason : view.breaker_reason;
    if (!view.paused && !open && view.quiet_until_us > call->now_us && delivery->due_us <= view.quiet_until_us)
        return str_fmt(call->arena, "%.*s asked us to wait until %.*s%s", STR_ARG(delivery->destination),
                       STR_ARG(when_str(call->arena, view.quiet_until_us - view.quiet_until_us % US_PER_S)),
                       delivery->last_status == 429 ? " (429)" : "");
    if (!view.paused && !open) return is_put_off(call, delivery, desk);
    return str_fmt(call->arena, "%.*s%s%s%.*s%s%.*s", STR_ARG(delivery->destination),
                   view.paused ? " is paused" : "'s breaker is open", until_us ? " until " : "",
                   STR_ARG(until_us ? when_str(call->arena, until_us - until_us % US_PER_S) : STR("")),
                   why.n ? ": " : "", STR_ARG(why));
}

/* What helps the delivery that goes first. */
static struct str help_for(const struct delivery_ahead *ahead, struct arena *arena) {
    struct str id = uuid_str(arena, ahead->id);
    if (ahead->status != DELIVERY_HELD) return str_fmt(arena, "drumbeat deliveries show %.*s", STR_ARG(id));
    if (ahead->in_doubt)
        return str_fmt(arena,
                       "drumbeat deliveries resolve %.*s --as not-delivered, or as delivered or retry, whatever its "
                       "provider tells",
                       STR_ARG(id));
    return str_fmt(arena, "drumbeat deliveries retry %.*s", STR_ARG(id));
}

enum err find_ahead(const struct call *call, const struct delivery *delivery, struct str *ret_words) {
    struct delivery_ahead ahead;
    *ret_words = STR_NONE;
    TRY(store_delivery_ahead(call->store, delivery, call->arena, &ahead));
    if (uuid_is_zero(ahead.id)) return ERR_NONE;
    struct str key = str_head(delivery->order_key, ORDER_KEY_SHOWN), help = help_for(&ahead, call->arena);
    *ret_words = str_fmt(call->arena, "event %.*s before it (order key %.*s%s), whose delivery is %s: %.*s",
                         STR_ARG(uuid_str(call->arena, ahead.event_id)), STR_ARG(key),
                         key.n < delivery->order_key.n ? "..." : "", delivery_status_text(ahead.status), STR_ARG(help));
    return ERR_NONE;
}

void encode_delivery(const struct call *call, struct buf *buf, const struct delivery *delivery, struct str ahead) {
    char id[UUID_TEXT_LENGTH + 1], event_id[UUID_TEXT_LENGTH + 1];
    uuid_format(delivery->id, id);
    uuid_format(delivery->event_id, event_id);
    buf_fmt(buf, "{\"id\":\"%s\"", id);
    encode_maybe(buf, "key", uuid_is_zero(delivery->key) ? STR_NONE : uuid_str(buf->arena, delivery->key));
    buf_fmt(buf, ",\"event_id\":\"%s\"", event_id);
    encode_text(buf, "destination", delivery->destination);
    encode_maybe(buf, "action", delivery->action);
    encode_text(buf, "route", delivery->route);
    encode_text(buf, "step", delivery->step);
    buf_fmt(buf, ",\"run\":%d,\"status\":\"%s\",\"retry_count\":%d", delivery->run,
            delivery_status_text(delivery->status), delivery->retry_count);
    encode_time(buf, "due", delivery_is_final(delivery->status) ? 0 : delivery->due_us);
    if (delivery->last_status)
        buf_fmt(buf, ",\"last_status\":%d", delivery->last_status);
    else
        buf_add(buf, STR(",\"last_status\":null"));
    encode_maybe(buf, "last_error", delivery->last_error);
    encode_maybe(buf, "superseded_by",
                 uuid_is_zero(delivery->superseded_by) ? STR_NONE : uuid_str(buf->arena, delivery->superseded_by));
    encode_maybe(buf, "waits_for", what_it_waits_for(call, delivery, ahead));
    buf_fmt(buf, ",\"in_doubt\":%s", delivery->in_doubt ? "true" : "false");
    encode_time(buf, "created_at", delivery->created_us);
    encode_time(buf, "updated_at", delivery->updated_us);
    buf_fmt(buf, ",\"attempt_count\":%d", delivery->attempts);
}

void encode_attempts(struct buf *buf, const struct attempt *attempts, size_t count) {
    buf_add(buf, STR(",\"attempts\":["));
    for (size_t i = 0; i < count; i++) {
        const struct attempt *attempt = &attempts[i];
        buf_fmt(buf, "%s{\"number\":%d", i ? "," : "", attempt->number);
        encode_time(buf, "started_at", attempt->started_us);
        encode_time(buf, "finished_at", attempt->finished_us);
        encode_text(buf, "outcome", attempt->outcome);
        buf_fmt(buf, ",\"lookup\":%s", attempt_is_lookup(attempt) ? "true" : "false");
        if (attempt->http_status)
            buf_fmt(buf, ",\"http_status\":%d", attempt->http_status);
        else
            buf_add(buf, STR(",\"http_status\":null"));
        encode_maybe(buf, "error", attempt->error);
        encode_maybe(buf, "answer", attempt->answer);
        buf_byte(buf, '}');
    }
    buf_byte(buf, ']');
}

void encode_audit(struct buf *buf, const struct audit_row *row) {
    buf_fmt(buf, "{\"seq\":%lld", (long long)row->seq);
    encode_time(buf, "at", row->at_us);
    encode_text(buf, "actor", row->actor);
    encode_text(buf, "act", row->act);
    encode_text(buf, "subject", row->subject);
    encode_text(buf, "detail", row->detail);
    buf_byte(buf, '}');
}

enum err encode_acts(struct call *call, struct buf *buf, const struct str *subjects, size_t count) {
    struct audit_row *rows;
    size_t row_count;
    TRY(store_audit_of(call->store, subjects, count, call->arena, &rows, &row_count));
    buf_add(buf, STR(",\"acts\":["));
    for (size_t i = 0; i < row_count; i++) {
        if (i) buf_byte(buf, ',');
        encode_audit(buf, &rows[i]);
    }
    buf_byte(buf, ']');
    return ERR_NONE;
}

enum err reply_list(struct call *call, struct buf *buf, int64_t more_seq) {
    if (more_seq) {
        buf_fmt(buf, "],\"next\":\"%lld\"}", (long long)more_seq);
        const struct request *request = call->request;
        struct buf link = {.arena = call->arena};
        buf_fmt(&link, "<%.*s?cursor=%lld", STR_ARG(request->path), (long long)more_seq);
        struct str rest = request->query, pair;
        while (str_next(&rest, '&', &pair))
            if (!str_starts(pair, STR("cursor="))) buf_fmt(&link, "&%.*s", STR_ARG(pair));
        buf_add(&link, STR(">; rel=\"next\""));
        enum err err = serve_json(call, 200, buf_str(buf));
        reply_header(&call->reply, STR("Link"), buf_str(&link));
        return err;
    }
    buf_add(buf, STR("],\"next\":null}"));
    return serve_json(call, 200, buf_str(buf));
}

bool read_page(struct call *call, struct page *ret_page) {
    int64_t limit, cursor;
    if (!serve_number(call, "limit", 50, 1, QUERY_LIMIT_MAX, &limit)) return false;
    if (!serve_number(call, "cursor", 0, 0, INT64_MAX, &cursor)) return false;
    *ret_page = (struct page){.limit = (size_t)limit, .cursor = cursor};
    return true;
}

bool read_window(struct call *call, struct page *ret_page) {
    struct page page;
    if (!read_page(call, &page)) return false;
    if (!serve_instant(call, "since", &page.since_us) || !serve_instant(call, "until", &page.until_us)) return false;
    *ret_page = page;
    return true;
}

enum err no_such_event(struct call *call, struct uuid id, struct str *ret_words) {
    struct delivery delivery;
    enum err err = store_delivery_get(call->store, id, call->arena, &delivery);
    if (err && err != ERR_NOT_FOUND) return err;
    *ret_words = err ? STR("no such event")
                     : str_fmt(call->arena, "no such event: the id is a delivery's; drumbeat deliveries show %.*s",
                               STR_ARG(uuid_str(call->arena, id)));
    return ERR_NONE;
}

enum err reply_no_event(struct call *call, struct uuid id) {
    struct str words;
    TRY(no_such_event(call, id, &words));
    return serve_problem(call, ERR_NOT_FOUND, words, NULL);
}

enum err no_such_delivery(struct call *call, struct uuid id, struct str otherwise, struct str *ret_words) {
    struct event event;
    enum err err = store_event_get(call->store, id, call->arena, &event);
    if (err && err != ERR_NOT_FOUND) return err;
    *ret_words = err ? otherwise
                     : str_fmt(call->arena, "no such delivery: the id is an event's; drumbeat events show %.*s",
                               STR_ARG(uuid_str(call->arena, id)));
    return ERR_NONE;
}

/* The first characters of an event's id (or of a delivery's) were given, and none begins so. */
static enum err reply_no_beginning(struct call *call, bool of_event) {
    struct str words = STR("no such id (an id, or at least 6 characters of its beginning)");
    struct uuid id = {0};
    enum err err =
        (of_event ? store_delivery_by_prefix : store_event_by_prefix)(call->store, call->part, call->arena, &id);
    if (err && err != ERR_NOT_FOUND && err != ERR_LIMIT) return err;
    if (!err && of_event) TRY(no_such_event(call, id, &words));
    if (!err && !of_event) TRY(no_such_delivery(call, id, words, &words));
    return serve_problem(call, ERR_NOT_FOUND, words, NULL);
}

bool read_id(struct call *call, enum err (*by_prefix)(struct store *, struct str, struct arena *, struct uuid *),
             struct uuid *ret_id, enum err *ret_err) {
    *ret_err = ERR_NONE;
    if (uuid_parse(call->part, ret_id)) return true;
    enum err err = by_prefix(call->store, call->part, call->arena, ret_id);
    if (!err) return true;
    if (err == ERR_LIMIT)
        *ret_err = serve_problem(call, err, STR("several ids begin like this: give more of it"), NULL);
    else if (err == ERR_NOT_FOUND)
        *ret_err = reply_no_beginning(call, by_prefix == store_event_by_prefix);
    else
        *ret_err = err;
    return false;
}
