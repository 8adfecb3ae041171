#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "base/when.h"
#include "deliver/backoff.h"
#include "deliver/deliver.h"

static void encode_limits(struct buf *buf, const struct destination_settings *settings) {
    buf_add(buf, STR(",\"limits\":["));
    for (size_t i = 0; i < settings->limit_count; i++) {
        struct str window = span_str(buf->arena, settings->limits[i].window_us);
        buf_fmt(buf, "%s\"%lld/%.*s\"", i ? "," : "", (long long)settings->limits[i].count, STR_ARG(window));
    }
    for (size_t i = 0; i < settings->meter_limit_count; i++) {
        struct str rule = limit_rule_text(buf->arena, &settings->meter_limits[i], settings->meter);
        buf_add(buf, i || settings->limit_count ? STR(",") : STR(""));
        json_quote(buf, rule);
    }
    buf_byte(buf, ']');
}

static void encode_counts(struct buf *buf, const struct destination_counts *counts, size_t count, struct str name) {
    int64_t none[DELIVERY_STATUS_COUNT] = {0};
    const int64_t *by_status = none;
    for (size_t i = 0; i < count; i++)
        if (str_eq(counts[i].destination, name)) by_status = counts[i].by_status;
    buf_fmt(buf, ",\"pending\":%lld,\"processing\":%lld,\"unknown\":%lld,\"held\":%lld",
            (long long)by_status[DELIVERY_PENDING], (long long)by_status[DELIVERY_PROCESSING],
            (long long)by_status[DELIVERY_UNKNOWN], (long long)by_status[DELIVERY_HELD]);
}

/* What is told of a destination beside what its desk knows. */
struct beside {
    struct destination_counts *counts;
    size_t count;
    struct token_list *tokens;
};

static enum err read_beside(struct call *call, struct beside *ret_beside) {
    TRY(store_counts(call->store, false, call->arena, &ret_beside->counts, &ret_beside->count));
    return tokens_list(call, &ret_beside->tokens);
}

static void encode_desk(struct call *call, struct buf *buf, size_t desk, const struct beside *beside) {
    const struct destination_settings *settings = deliver_settings(call->desks, desk);
    struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    buf_add(buf, STR("{\"name\":"));
    json_quote(buf, settings->name);
    encode_text(buf, "type", settings->type);
    encode_text(buf, "account", settings->account);
    encode_limits(buf, settings);
    if (view.remaining == SIZE_MAX)
        buf_add(buf, STR(",\"remaining\":null"));
    else
        buf_fmt(buf, ",\"remaining\":%zu", view.remaining);
    buf_fmt(buf, ",\"in_flight\":%zu,\"concurrency\":%d", view.in_flight, settings->concurrency);
    buf_fmt(buf, ",\"breaker\":\"%s\"", breaker_text(view.breaker.state));
    encode_time(buf, "breaker_until", view.breaker.state == BREAKER_OPEN ? view.breaker.until_us : 0);
    encode_text(buf, "breaker_reason", view.breaker_reason);
    encode_time(buf, "quiet_until", view.quiet_until_us > call->now_us ? view.quiet_until_us : 0);
    buf_fmt(buf, ",\"paused\":%s", view.paused ? "true" : "false");
    encode_time(buf, "paused_until", view.paused_until_us);
    encode_text(buf, "pause_reason", view.pause_reason);
    encode_token(buf, beside->tokens, settings->name);
    encode_certificate(call, buf, settings->name);
    encode_counts(buf, beside->counts, beside->count, settings->name);
    buf_byte(buf, '}');
}

enum err api_destinations_list(struct call *call) {
    struct beside beside;
    TRY(read_beside(call, &beside));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    bool first = true;
    for (size_t i = 0; i < deliver_desks(call->desks); i++) {
        if (!deliver_settings(call->desks, i)) continue;
        if (!first) buf_byte(&buf, ',');
        encode_desk(call, &buf, i, &beside);
        first = false;
    }
    return reply_list(call, &buf, 0);
}

bool destination_find(struct call *call, size_t *ret_desk) {
    size_t desk = deliver_desk(call->desks, call->part);
    if (desk == SIZE_MAX || !deliver_settings(call->desks, desk)) {
        (void)serve_problem(call, ERR_NOT_FOUND,
                            str_fmt(call->arena, "no destination is named '%.*s'", STR_ARG(call->part)), NULL);
        return false;
    }
    *ret_desk = desk;
    return true;
}

enum err destination_reply(struct call *call, size_t desk) {
    struct beside beside;
    TRY(read_beside(call, &beside));
    struct buf buf = {.arena = call->arena};
    encode_desk(call, &buf, desk, &beside);
    return serve_json(call, 200, buf_str(&buf));
}

enum err api_destinations_show(struct call *call) {
    size_t desk;
    return destination_find(call, &desk) ? destination_reply(call, desk) : ERR_NONE;
}

/* {"for":"6h","reason":"…"}; both may be left out. */
enum err api_destinations_pause(struct call *call) {
    size_t desk;
    struct str span = STR_NONE, reason = STR_NONE;
    const struct body_member members[] = {{"for", BODY_TEXT, &span}, {"reason", BODY_TEXT, &reason}};
    if (!destination_find(call, &desk) || !body_read(call, members, 2)) return ERR_NONE;
    int64_t span_us = 0;
    if (span.p && (!span_parse(span, &span_us) || span_us <= 0))
        return serve_problem(call, ERR_BAD_FIELD, STR("'for' is a length of time, as 30m or 6h"), "/for");
    int64_t until_us = span_us ? call->now_us + span_us : 0;
    deliver_pause(call->desks, desk, until_us, reason.n ? reason : STR("by hand"));
    TRY(store_audit(call->store, call->actor, STR("destination.pause"), call->part, reason, call->now_us));
    return destination_reply(call, desk);
}

enum err api_destinations_resume(struct call *call) {
    size_t desk;
    if (!destination_find(call, &desk) || !body_empty(call)) return ERR_NONE;
    if (has_no_login(call, call->part))
        return serve_problem(call, ERR_NOT_NOW,
                             str_fmt(call->arena,
                                     "it has no token, and none can be had before a login: " LOGIN_COMMAND " %.*s",
                                     STR_ARG(call->part)),
                             NULL);
    deliver_resume(call->desks, desk);
    call->wishes |= WISH_WORK;
    deliver_due(call->desks, desk, call->now_us);
    TRY(store_let_go(call->store, call->part, call->now_us, call->now_us + PAUSE_PROBE_US, call->arena));
    TRY(store_audit(call->store, call->actor, STR("destination.resume"), call->part, STR(""), call->now_us));
    return destination_reply(call, desk);
}
