/* api/troubled.c - what is in trouble by itself: destinations, and routes. */
#include "api/todo.h"
#include "base/json.h"
#include "base/map.h"
#include "deliver/backlog.h"
#include "route/route.h"

#define LAG_US ((int64_t)300 * 1000000) /* event_processing_lag > 300 */

bool has_no_login(const struct call *call, struct str destination) {
    return call->standing->logins_wanted && map_get(call->standing->logins_wanted, destination);
}

/* Also one whose login ended: its pause says so. */
static bool wants_login(const struct call *call, const struct desk_view *view) {
    struct str command = str_fmt(call->arena, LOGIN_COMMAND " %.*s", STR_ARG(view->name));
    return has_no_login(call, view->name) || (view->paused && str_ends(view->pause_reason, command));
}

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

enum err encode_troubled(struct call *call, struct buf *buf, const struct destination_counts *counts, size_t count) {
    bool first = true;
    struct token_list *tokens;
    TRY(tokens_list(call, &tokens));
    buf_add(buf, STR(",\"troubled\":["));
    for (size_t i = 0; i < deliver_desks(call->desks); i++) {
        if (!deliver_settings(call->desks, i)) continue;
        struct desk_view view = deliver_view(call->desks, i, call->now_us);
        bool overflows = backlog_of(call->desks, i).overflows;
        int64_t login_us = login_ends_soon(call, tokens, view.name);
        bool wants = wants_login(call, &view);
        const struct expiry *expiry = certificate_ends_soon(call, view.name);
        bool ends = login_us || expiry;
        if (!view.paused && view.breaker.state == BREAKER_CLOSED && !overflows && !ends && !wants) continue;
        buf_add(buf, first ? STR("{\"kind\":\"destination\",\"name\":") : STR(",{\"kind\":\"destination\",\"name\":"));
        json_quote(buf, view.name);
        buf_fmt(buf, ",\"paused\":%s,\"breaker\":\"%s\"", view.paused ? "true" : "false",
                breaker_text(view.breaker.state));
        encode_text(buf, "pause_reason", view.pause_reason);
        encode_text(buf, "breaker_reason", view.breaker_reason);
        buf_fmt(buf, ",\"overflows\":%s", overflows ? "true" : "false");
        encode_time(buf, "login_expires", login_us);
        encode_expiry(buf, expiry);
        buf_fmt(buf, ",\"wants_login\":%s", wants ? "true" : "false");
        buf_byte(buf, '}');
        first = false;
    }
    encode_collector(call, buf, &first);
    encode_gone(call, buf, counts, count, &first);
    encode_stopped(call->standing, buf, first);
    buf_byte(buf, ']');
    return ERR_NONE;
}

/* ---- the same, as things to do ---- */

static void add_desk(struct todo *todo, size_t desk) {
    static const struct advice paused = {"paused", "destination", "drumbeat destinations resume {name}",
                                         "lets its deliveries go; by itself it goes on {at}"};
    static const struct advice refused = {
        "refused", "destination", "drumbeat destinations resume {name}",
        "tries it now; mend its credentials first. By itself one delivery is tried {at}"};
    static const struct advice untrusted = {
        "untrusted", "destination", "drumbeat destinations resume {name}",
        "tries it now; nothing was sent, and no retry is spent. By itself one delivery is tried {at}"};
    static const struct advice broken = {"breaker", "destination", "drumbeat destinations resume {name}",
                                         "closes the breaker and sends; by itself it probes {at}"};
    static const struct advice full = {"overflow", "destination", "drumbeat destinations show {name}",
                                       "shows what stands in its way: more wait than its queue takes, and the others "
                                       "are held until there is room"};
    static const struct advice login = {"login", "destination", LOGIN_COMMAND " {name}",
                                        "lets a person allow it at the provider; until then nothing is sent to it"};
    struct call *call = todo->call;
    struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    struct backlog backlog = backlog_of(call->desks, desk);
    struct matter matter = {
        .name = view.name, .error = view.paused ? view.pause_reason : view.breaker_reason, .count = backlog.waiting};
    bool wants = wants_login(call, &view);
    if (wants && !view.paused) matter.error = STR("it has no login yet");
    if (wants)
        todo_add(todo, &login, &matter, 0);
    else if (view.paused)
        todo_add(todo,
                 !view.probing               ? &paused
                 : certificate_pauses(&view) ? &untrusted
                                             : &refused,
                 &matter, view.paused_until_us);
    else if (view.breaker.state != BREAKER_CLOSED)
        todo_add(todo, &broken, &matter, view.breaker.until_us);
    else if (backlog.overflows)
        todo_add(todo, &full, &matter, 0);
}

/* The oldest due delivery waits for long, and nothing above says why: a limit, or a destination that is slow. */
static enum err add_lag(struct todo *todo, size_t desk) {
    static const struct advice lag = {
        "lag", "destination", "drumbeat destinations show {name}",
        "shows its limits and what it does: the oldest due delivery waits for more than 5 "
        "minutes"};
    struct call *call = todo->call;
    struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    int64_t due_us;
    if (call->standing->hold || view.paused || view.breaker.state != BREAKER_CLOSED) return ERR_NONE;
    TRY(store_next_due(call->store, view.name, &due_us));
    if (due_us >= call->now_us - LAG_US) return ERR_NONE;
    const struct matter matter = {.name = view.name,
                                  .count = backlog_of(call->desks, desk).waiting,
                                  .oldest_us = call->wall_us - (call->now_us - due_us)};
    todo_add(todo, &lag, &matter, 0);
    return ERR_NONE;
}

static void add_login(struct todo *todo, const struct token_list *tokens, size_t desk) {
    static const struct advice login = {"login", "destination", "drumbeat destinations login {name}",
                                        "logs in anew; its login ends within 7 days, and without one nothing is sent"};
    struct call *call = todo->call;
    const struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    const struct matter matter = {.name = view.name, .count = 1};
    if (!wants_login(call, &view) && login_ends_soon(call, tokens, matter.name)) todo_add(todo, &login, &matter, 0);
}

static void add_routes(struct todo *todo) {
    static const struct advice advice = {"stopped", "route", "drumbeat apply",
                                         "puts the mended route in force, which then makes what it owes; by itself it "
                                         "is tried with one event {at}"};
    const struct standing *standing = todo->call->standing;
    for (size_t i = 0; standing->routes && i < standing->settings->route_count; i++) {
        struct matter matter = {.name = standing->settings->routes[i].name};
        int64_t until_us;
        if (routes_stop_of(standing->routes, matter.name, &matter.error, &until_us))
            todo_add(todo, &advice, &matter, until_us);
    }
}

enum err todo_troubled(struct todo *todo) {
    struct token_list *tokens;
    TRY(tokens_list(todo->call, &tokens));
    add_routes(todo);
    for (size_t i = 0; i < deliver_desks(todo->call->desks); i++) {
        if (!deliver_settings(todo->call->desks, i)) continue;
        add_desk(todo, i);
        TRY(add_lag(todo, i));
        add_login(todo, tokens, i);
        todo_certificate(todo, i);
    }
    return ERR_NONE;
}
