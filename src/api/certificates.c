/* api/certificates.c - what the API says of the certificates that the servers of destinations showed. */
#include "api/todo.h"
#include "base/map.h"
#include "base/when.h"
#include "deliver/deliver.h"
#include "model/expiry.h"

static const struct expiries *expiries_of(const struct call *call, struct str destination) {
    return call->standing->expiries ? map_get(call->standing->expiries, destination) : NULL;
}

const struct expiry *certificate_ends_soon(const struct call *call, struct str destination) {
    return expiry_soon(expiries_of(call, destination), call->now_us, call->wall_us);
}

bool certificate_is_unseen(const struct call *call, struct str kind, struct str name) {
    bool fresh = call->now_us < call->standing->started_us + US_PER_DAY;
    if (!fresh) return false;
    if (str_eq(kind, STR("collector"))) return !expiries_of(call, STR(EXPIRY_COLLECTOR));
    size_t desk = deliver_desk(call->desks, name);
    return desk != SIZE_MAX && deliver_settings(call->desks, desk) && !expiries_of(call, name);
}

bool certificate_pauses(const struct desk_view *view) {
    return view->paused && expiry_is_blamed(view->pause_reason);
}

void encode_expiry(struct buf *buf, const struct expiry *expiry) {
    encode_time(buf, "certificate_expires", expiry ? expiry->holds_until_us : 0);
    encode_text(buf, "certificate_host", expiry ? str_from(expiry->host) : STR(""));
}

void encode_certificate(const struct call *call, struct buf *buf, struct str destination) {
    encode_expiry(buf, expiry_first(expiries_of(call, destination), call->now_us));
}

static void add(struct todo *todo, const struct advice *advice, struct str name, const struct expiry *expiry) {
    struct arena *arena = todo->call->arena;
    int64_t left_us = expiry->holds_until_us - todo->call->wall_us;
    struct str left =
        left_us > 0 ? str_fmt(arena, "ends in %.*s", STR_ARG(span_human(arena, left_us))) : STR("has ended");
    struct matter matter = {.name = name, .count = 1};
    matter.error = str_fmt(arena, EXPIRY_WORDS "%s %.*s, at %.*s", expiry->host, STR_ARG(left),
                           STR_ARG(when_str(arena, expiry->holds_until_us)));
    todo_add(todo, advice, &matter, 0);
}

void todo_certificate(struct todo *todo, size_t desk) {
    static const struct advice ends = {
        "certificate", "destination", "drumbeat destinations show {name}",
        "shows until when it holds; whoever runs that server must renew it, for from then on nothing is sent to it. It "
        "is over when a call sees another"};
    const struct call *call = todo->call;
    const struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    const struct expiry *expiry = certificate_ends_soon(call, view.name);
    if (expiry && !certificate_pauses(&view)) add(todo, &ends, view.name, expiry);
}

void todo_collector(struct todo *todo) {
    static const struct advice ends = {"certificate", "collector", "drumbeat status",
                                       "shows until when it holds; whoever runs the collector must renew it, for from "
                                       "then on it gets nothing. Deliveries go on"};
    const struct expiry *expiry = certificate_ends_soon(todo->call, STR(EXPIRY_COLLECTOR));
    if (expiry) add(todo, &ends, str_from(expiry->host), expiry);
}

void encode_collector(const struct call *call, struct buf *buf, bool *first) {
    const struct expiry *expiry = certificate_ends_soon(call, STR(EXPIRY_COLLECTOR));
    if (!expiry) return;
    buf_fmt(buf, "%s{\"kind\":\"collector\",\"name\":\"collector\"", *first ? "" : ",");
    encode_expiry(buf, expiry);
    buf_byte(buf, '}');
    *first = false;
}
