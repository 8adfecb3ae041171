/* api/certificates.c - what the API says of the certificates that the servers of destinations showed. */
#include <string.h>

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

void encode_expiry(struct buf *buf, const struct expiry *expiry) {
    encode_time(buf, "certificate_expires", expiry ? expiry->holds_until_us : 0);
    encode_text(buf, "certificate_host", expiry ? str_from(expiry->host) : STR(""));
}

void encode_certificate(const struct call *call, struct buf *buf, struct str destination) {
    encode_expiry(buf, expiry_first(expiries_of(call, destination), call->now_us));
}

/* A pause because of what its server, or the one that gives it tokens, showed. */
bool is_of_certificate(struct str reason) {
    static const char begin[] = EXPIRY_WORDS;
    return reason.n && memmem(reason.p, reason.n, begin, sizeof begin - 1);
}

void todo_certificate(struct todo *todo, size_t desk) {
    static const struct advice ends = {"certificate", "destination", "drumbeat destinations show {name}",
                                       "shows until when it holds; whoever runs that server must renew it, for from "
                                       "then on nothing is sent to it. It is "
                                       "over when a call sees another"};
    struct call *call = todo->call;
    const struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    const struct expiry *expiry = certificate_ends_soon(call, view.name);
    if (!expiry || (view.paused && is_of_certificate(view.pause_reason))) return;
    int64_t left_us = expiry->holds_until_us - call->wall_us;
    struct str left = left_us > 0 ? str_fmt(call->arena, "ends in %.*s", STR_ARG(span_human(call->arena, left_us)))
                                  : STR("has ended");
    struct matter matter = {.name = view.name, .count = 1};
    matter.error = str_fmt(call->arena, EXPIRY_WORDS "%s %.*s, at %.*s", expiry->host, STR_ARG(left),
                           STR_ARG(when_str(call->arena, expiry->holds_until_us)));
    todo_add(todo, &ends, &matter, 0);
}
