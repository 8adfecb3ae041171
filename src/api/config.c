/* api/config.c - the configuration in force, and how another one gets there. */
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

/* {"dry":true} only says what would change. What was prepared comes into force with the commit of its audit row, so
 * while the store takes nothing, the configuration stays as it is. */
enum err api_config_apply(struct call *call) {
    const struct reload *reload = call->reload;
    struct json *body;
    if (!serve_body(call, &body)) return ERR_NONE;
    bool dry = json_true(json_get(body, STR("dry")));
    json_free(body);
    if (!reload) return serve_problem(call, ERR_NOT_NOW, STR("this server has no configuration file"), NULL);
    struct str answer;
    bool valid = reload->prepare(reload->self, dry, call->arena, &answer);
    if (valid && !dry) {
        call->wishes |= WISH_CONFIG;
        TRY(store_audit(call->store, call->actor, STR("config.apply"), STR(""), STR(""), call->now_us));
    }
    return serve_json(call, valid ? 200 : 422, answer);
}
