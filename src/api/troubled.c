/* api/troubled.c - what is in trouble by itself: destinations, and routes. */
#include "api/handlers.h"
#include "base/json.h"
#include "deliver/backlog.h"
#include "route/route.h"

/* Routes whose program ran away. */
static void encode_stopped(const struct standing *standing, struct buf *buf, bool first) {
    for (size_t i = 0; i < standing->settings->route_count; i++) {
        struct str name = standing->settings->routes[i].name, why;
        int64_t until_us;
        if (!standing->routes || !routes_stop_of(standing->routes, name, &why, &until_us)) continue;
        buf_add(buf, first ? STR("{\"kind\":\"route\",\"name\":") : STR(",{\"kind\":\"route\",\"name\":"));
        json_quote(buf, name);
        encode_text(buf, "why", why);
        encode_time(buf, "probe_at", until_us);
        buf_byte(buf, '}');
        first = false;
    }
}

/* What is held for destinations that the configuration no longer has. */
static void encode_gone(struct call *call, struct buf *buf, const struct destination_counts *counts, size_t count,
                        bool *first) {
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(call->desks, counts[i].destination);
        bool known = desk != SIZE_MAX && deliver_settings(call->desks, desk);
        if (known || !counts[i].by_status[DELIVERY_HELD]) continue;
        buf_fmt(buf, "%s{\"kind\":\"destination\",\"name\":", *first ? "" : ",");
        json_quote(buf, counts[i].destination);
        buf_fmt(buf, ",\"gone\":true,\"held\":%lld}", (long long)counts[i].by_status[DELIVERY_HELD]);
        *first = false;
    }
}

void encode_troubled(struct call *call, struct buf *buf, const struct destination_counts *counts, size_t count) {
    bool first = true;
    buf_add(buf, STR(",\"troubled\":["));
    for (size_t i = 0; i < deliver_desks(call->desks); i++) {
        if (!deliver_settings(call->desks, i)) continue;
        struct desk_view view = deliver_view(call->desks, i, call->now_us);
        bool overflows = backlog_of(call->desks, i).overflows;
        if (!view.paused && view.breaker.state == BREAKER_CLOSED && !overflows) continue;
        buf_add(buf, first ? STR("{\"kind\":\"destination\",\"name\":") : STR(",{\"kind\":\"destination\",\"name\":"));
        json_quote(buf, view.name);
        buf_fmt(buf, ",\"paused\":%s,\"breaker\":\"%s\"", view.paused ? "true" : "false",
                breaker_text(view.breaker.state));
        encode_text(buf, "pause_reason", view.pause_reason);
        buf_fmt(buf, ",\"overflows\":%s", overflows ? "true" : "false");
        buf_byte(buf, '}');
        first = false;
    }
    encode_gone(call, buf, counts, count, &first);
    encode_stopped(call->standing, buf, first);
    buf_byte(buf, ']');
}
