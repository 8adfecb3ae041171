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

/* How many of a destination are open. */
static int64_t open_of(const struct destination_counts *counts, size_t count, struct str destination) {
    int64_t open = 0;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < DELIVERY_STATUS_COUNT && str_eq(counts[i].destination, destination); k++)
            if (!delivery_is_final((enum delivery_status)k)) open += counts[i].by_status[k];
    return open;
}

/* How much still waits for destinations that the other configuration does not have, and how much comes over from the
 * earlier names that it gives. */
static enum err add_counts(struct call *call, struct str *answer) {
    struct destination_counts *counts;
    struct json *root;
    size_t count;
    TRY(store_counts(call->store, false, call->arena, &counts, &count));
    if (json_parse(*answer, JSON_DEPTH_MAX, &root, NULL)) return ERR_NONE;
    struct json *full = json_copy(root), *stranded = json_array(), *adopted_counts = json_array();
    const struct json *removed = json_get(root, STR("removed")), *adopted = json_get(root, STR("adopted"));
    for (size_t i = 0; i < json_size(removed); i++) {
        struct str name = json_text(json_at(removed, i));
        int64_t open = open_of(counts, count, name);
        if (!open) continue;
        struct json *one = json_object();
        json_set_str(one, "destination", name);
        json_set_int(one, "count", open);
        json_push(stranded, one);
    }
    for (size_t i = 0; i < json_size(adopted); i++) {
        struct json *one = json_copy(json_at(adopted, i));
        json_set_int(one, "count", open_of(counts, count, json_text(json_get(one, STR("was")))));
        json_push(adopted_counts, one);
    }
    json_set(full, STR("adopted"), adopted_counts);
    json_set(full, STR("stranded"), stranded);
    *answer = json_dump(call->arena, full);
    json_free(full);
    json_free(root);
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
    if (valid) TRY(add_counts(call, &answer));
    return serve_json(call, valid ? 200 : 422, answer);
}
