/* config/section_route.c - event types and routes; see check.h. */
#include "config/section.h"

#include "model/event.h"

#include <string.h>

static bool is_pattern(struct str text) {
    return str_find(text, '*') != SIZE_MAX || str_find(text, '?') != SIZE_MAX;
}

void check_types(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct settings *settings = owner;
    if (value->kind != TREE_LIST || !value->count) {
        scalar_refuse(checker, key, value, CODE_SHAPE);
        return;
    }
    settings->types = arena_array(checker->arena, struct str, value->count);
    for (size_t i = 0; i < value->count; i++) {
        struct str type;
        if (!scalar_text(checker, key, value->items[i], &type)) continue;
        if (event_type_valid(type))
            settings->types[settings->type_count++] = type;
        else
            scalar_refuse(checker, key, value->items[i], CODE_VALUE);
    }
}

/* ---- from ---- */

static bool pattern_valid(struct str text, int64_t length_max) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-*?";
    if (!is_pattern(text)) return event_type_valid(text);
    for (size_t i = 0; i < text.n; i++)
        if (!text.p[i] || !strchr(allowed, text.p[i])) return false;
    return (int64_t)text.n <= length_max;
}

/* If 'types' lists the types there are, a name must be one of them and a pattern should match one. This is left out
 * when a type was refused, because nobody knows which type was meant. */
static void check_declared(struct checker *checker, const struct tree *value, struct str pattern) {
    const struct settings *settings = checker->settings;
    const struct tree *types = tree_get(checker->document, STR("types"));
    struct suggestion near = {.wrong = pattern};
    if (!types || types->kind != TREE_LIST || types->count != settings->type_count) return;
    for (size_t i = 0; i < settings->type_count; i++) {
        if (str_glob(pattern, settings->types[i])) return;
        suggestion_consider(&near, settings->types[i]);
    }
    struct str hint = suggestion_text(checker->arena, &near);
    if (is_pattern(pattern))
        check_report(checker, value->mark, CODE_NEVER, "'%.*s'%.*s matches none of the declared 'types'",
                     STR_ARG(pattern), STR_ARG(checker->where));
    else
        check_report(checker, value->mark, CODE_UNDECLARED, "event type '%.*s'%.*s is not declared in 'types'%.*s",
                     STR_ARG(pattern), STR_ARG(checker->where), STR_ARG(hint));
}

static void read_pattern(struct checker *checker, const struct key *key, const struct tree *value,
                         struct route_settings *route) {
    struct str pattern;
    if (!scalar_text(checker, key, value, &pattern)) return;
    if (!pattern_valid(pattern, key->max)) {
        scalar_refuse(checker, key, value, CODE_VALUE);
        return;
    }
    check_declared(checker, value, pattern);
    route->from[route->from_count++] = pattern;
}

void check_patterns(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct route_settings *route = owner;
    bool is_list = value->kind == TREE_LIST;
    if (is_list && !value->count) {
        scalar_refuse(checker, key, value, CODE_SHAPE);
        return;
    }
    route->from = arena_array(checker->arena, struct str, is_list ? value->count : 1);
    if (!is_list) read_pattern(checker, key, value, route);
    for (size_t i = 0; is_list && i < value->count; i++) read_pattern(checker, key, value->items[i], route);
}

/* ---- routes ---- */

static void check_route(struct checker *checker, const struct tree *value, struct route_settings *route) {
    struct str subject = str_fmt(checker->arena, "route '%.*s'", STR_ARG(route->name));
    checker->where = str_fmt(checker->arena, " in %.*s", STR_ARG(subject));
    const struct tree *map = check_is_map(checker, subject, value, route->mark);
    if (!map) return;
    check_known(checker, SECTION_ROUTE, map, route);
    check_unknown(checker, SECTION_ROUTE, map);
    const struct tree *when = tree_get(map, STR("when"));
    if (when) route->when_mark = when->mark;
}

void check_routes(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct settings *settings = owner;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    settings->routes = arena_array(checker->arena, struct route_settings, map->count);
    settings->route_count = map->count;
    for (size_t i = 0; i < map->count; i++) {
        settings->routes[i] = (struct route_settings){.name = map->names[i], .mark = map->name_marks[i]};
        check_name(checker, "route", map->names[i], map->name_marks[i]);
        check_route(checker, map->items[i], &settings->routes[i]);
    }
    checker->where = STR_NONE;
}

/* ---- what a reload changes ---- */

static const struct route_settings *route_find(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->route_count; i++)
        if (str_eq(settings->routes[i].name, name)) return &settings->routes[i];
    return NULL;
}

/* The route that is gone and said the same; NULL: there is none. */
static const struct route_settings *renamed_from(const struct diff *diff, const struct route_settings *new) {
    for (size_t i = 0; i < diff->before->route_count; i++) {
        const struct route_settings *old = &diff->before->routes[i];
        struct change *first = NULL;
        struct diff other = {diff->arena, diff->before, diff->after, &first};
        if (route_find(diff->after, old->name)) continue;
        diff_section(&other, SECTION_ROUTE, STR(""), old, new);
        if (!first) return old;
    }
    return NULL;
}

/* What a route did is known by its name (docs/decisions/0002). */
static void tell_new(struct diff *diff, const struct route_settings *new) {
    const struct route_settings *old = renamed_from(diff, new);
    diff_add(diff, "route %.*s added", STR_ARG(new->name));
    if (!old) return;
    diff_add(
        diff,
        "route %.*s says what %.*s said: a retry or a replay of earlier events makes again under the new name what "
        "%.*s has done",
        STR_ARG(new->name), STR_ARG(old->name), STR_ARG(old->name));
}

void diff_routes(struct diff *diff, const struct key *key, struct str subject, const void *was, const void *is) {
    const struct settings *before = was, *after = is;
    (void)key;
    (void)subject;
    for (size_t i = 0; i < after->route_count; i++) {
        const struct route_settings *new = &after->routes[i], *old = route_find(before, new->name);
        if (old)
            diff_section(diff, SECTION_ROUTE, str_fmt(diff->arena, "route %.*s: ", STR_ARG(new->name)), old, new);
        else
            tell_new(diff, new);
    }
    for (size_t i = 0; i < before->route_count; i++)
        if (!route_find(after, before->routes[i].name))
            diff_add(diff, "route %.*s removed", STR_ARG(before->routes[i].name));
}
