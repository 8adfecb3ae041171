/* api/config.c - the configuration in force, and how another one gets there. */
#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "route/route.h"
#include "store/admin.h"

enum err api_routes_list(struct call *call) {
    const struct standing *standing = call->standing;
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < standing->settings->route_count; i++) {
        const struct route_settings *route = &standing->settings->routes[i];
        buf_add(&buf, i ? STR(",{\"name\":") : STR("{\"name\":"));
        json_quote(&buf, route->name);
        buf_add(&buf, STR(",\"from\":["));
        for (size_t j = 0; j < route->from_count; j++) {
            if (j) buf_byte(&buf, ',');
            json_quote(&buf, route->from[j]);
        }
        buf_byte(&buf, ']');
        encode_text(&buf, "source", route->source);
        encode_text(&buf, "when", route->when);
        buf_add(&buf, STR(",\"to\":["));
        for (size_t j = 0; j < route->step_count; j++) {
            const struct route_step *step = &route->steps[j];
            struct str name = standing->settings->destinations[step->destination].name;
            if (j) buf_byte(&buf, ',');
            json_quote(&buf,
                       step->action.n ? str_fmt(call->arena, "%.*s.%.*s", STR_ARG(name), STR_ARG(step->action)) : name);
        }
        buf_fmt(&buf, "],\"stopped\":%s}", routes_is_stopped(standing->routes, route->name) ? "true" : "false");
    }
    return reply_list(call, &buf, 0);
}

/* How much still waits for destinations that the other configuration does not have. */
static enum err add_stranded(struct call *call, struct str *answer) {
    struct destination_counts *counts;
    struct json *root;
    size_t count;
    if (json_parse(*answer, JSON_DEPTH_MAX, &root, NULL)) return ERR_NONE;
    const struct json *removed = json_get(root, STR("removed"));
    struct buf buf = {.arena = call->arena};
    enum err err = json_size(removed) ? store_counts(call->store, false, call->arena, &counts, &count) : ERR_NONE;
    for (size_t i = 0; !err && i < json_size(removed); i++)
        for (size_t j = 0; j < count; j++) {
            if (!str_eq(counts[j].destination, json_text(json_at(removed, i)))) continue;
            int64_t open = 0;
            for (int k = 0; k < DELIVERY_STATUS_COUNT; k++)
                if (!delivery_is_final((enum delivery_status)k)) open += counts[j].by_status[k];
            if (!open) continue;
            buf_add(&buf, buf.n ? STR(",{\"destination\":") : STR("{\"destination\":"));
            json_quote(&buf, counts[j].destination);
            buf_fmt(&buf, ",\"count\":%lld}", (long long)open);
        }
    json_free(root);
    TRY(err);
    *answer =
        str_fmt(call->arena, "%.*s,\"stranded\":[%.*s]}", (int)(answer->n - 1), answer->p, STR_ARG(buf_str(&buf)));
    return ERR_NONE;
}

/* {"dry":true} only says what would change. What was prepared comes into force with the commit of its audit row, so
 * while the store takes nothing, the configuration stays as it is. */
enum err api_config_apply(struct call *call) {
    const struct reload *reload = call->reload;
    bool dry = false;
    const struct body_member members[] = {{"dry", BODY_FLAG, &dry}};
    if (!body_read(call, members, 1)) return ERR_NONE;
    if (!reload) return serve_problem(call, ERR_NOT_NOW, STR("this server has no configuration file"), NULL);
    struct str answer;
    bool valid = reload->prepare(reload->self, dry, call->arena, &answer);
    if (valid && !dry) {
        call->wishes |= WISH_CONFIG;
        TRY(store_audit(call->store, call->actor, STR("config.apply"), STR(""), STR(""), call->now_us));
    }
    if (valid) TRY(add_stranded(call, &answer));
    return serve_json(call, valid ? 200 : 422, answer);
}
