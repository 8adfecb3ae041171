/* config/section_alerts.c - who is told: a route of drumbeat's own events, written without its `from`; see check.h. */
#include "config/section.h"

#include "model/event.h"

#include <string.h>

void check_alert_steps(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    const struct alert_settings *alerts = owner;
    check_steps(checker, key, value, alerts->route);
}

/* "08:00" */
void check_daytime(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str text;
    uint64_t hour, minute;
    if (!scalar_text(checker, key, value, &text)) return;
    bool is_time = text.n == 5 && text.p[2] == ':' && str_to_u64(str_sub(text, 0, 2), &hour) &&
                   str_to_u64(str_sub(text, 3, 2), &minute) && hour < 24 && minute < 60;
    if (is_time)
        *(int32_t *)(void *)((char *)owner + key->place) = (int32_t)(hour * 60 + minute) + 1;
    else
        scalar_refuse(checker, key, value, CODE_VALUE);
}

/* The table has routes before alerts, so theirs are there. */
static struct route_settings *add_route(struct checker *checker, struct tree_mark mark) {
    struct settings *settings = checker->settings;
    struct route_settings *routes = arena_array(checker->arena, struct route_settings, settings->route_count + 1);
    struct str *from = arena_array(checker->arena, struct str, 1);
    if (settings->route_count) memcpy(routes, settings->routes, settings->route_count * sizeof *routes);
    from[0] = STR(EVENT_OWN "*");
    routes[settings->route_count] = (struct route_settings){
        .name = STR(ALERT_ROUTE), .from = from, .from_count = 1, .source = STR(EVENT_OWN_SOURCE), .mark = mark};
    settings->routes = routes;
    return &routes[settings->route_count++];
}

void check_alerts(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct settings *settings = owner;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    settings->alerts.route = add_route(checker, value->mark);
    checker->where = STR(" in 'alerts'");
    check_known(checker, SECTION_ALERTS, map, &settings->alerts);
    check_unknown(checker, SECTION_ALERTS, map);
    checker->where = STR_NONE;
}
