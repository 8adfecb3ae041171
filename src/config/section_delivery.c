/* config/section_delivery.c - the items of a route's `to`; see check.h. */
#include "base/json.h"
#include "config/section.h"
#include "model/delivery.h"

#include <string.h>

#define DELIVERIES_MAX 1000 /* of one route */

/* An item as written: destination[.action] and the keys below it. */
struct delivery_item {
    struct str name;
    struct tree_mark mark;
    const struct tree *keys; /* a map */
    struct str destination, action;
};

/* ---- the form ---- */

static bool is_destination(struct checker *checker, struct str name) {
    size_t dot = str_find(name, '.');
    return settings_destination(checker->settings, dot == SIZE_MAX ? name : str_sub(name, 0, dot)) != SIZE_MAX;
}

/* Refuses the usual slip, which is to indent the keys of a delivery no further than its name. */
static void refuse_neighbours(struct checker *checker, const struct tree *value) {
    for (size_t at = 0; at < value->count; at++) {
        if (!is_destination(checker, value->names[at])) continue;
        size_t other = at ? 0 : 1;
        struct str name = check_shown(checker, value->names[other]);
        check_report(checker, value->name_marks[other], CODE_DELIVERY,
                     "'%.*s' stands beside '%.*s'%.*s: indent it further, so that it belongs to it", STR_ARG(name),
                     STR_ARG(value->names[at]), STR_ARG(checker->where));
        return;
    }
    check_report(checker, value->mark, CODE_DELIVERY,
                 "an item of 'to'%.*s names one destination, this one has %zu keys", STR_ARG(checker->where),
                 value->count);
}

static const struct tree *nothing_at(struct checker *checker, struct tree_mark mark) {
    struct tree *nothing = arena_new(checker->arena, struct tree);
    *nothing = (struct tree){.kind = TREE_MAP, .mark = mark, .file = checker->file};
    return nothing;
}

static bool open_item(struct checker *checker, const struct tree *value, struct delivery_item *ret_item) {
    struct delivery_item item = {.name = value->text, .mark = value->mark};
    if (value->kind == TREE_SCALAR) {
        item.keys = nothing_at(checker, value->mark);
    } else if (value->kind == TREE_MAP && value->count == 1) {
        item.name = value->names[0];
        item.mark = value->name_marks[0];
        struct str subject =
            str_fmt(checker->arena, "delivery '%.*s'%.*s", STR_ARG(item.name), STR_ARG(checker->where));
        item.keys = check_is_map(checker, subject, value->items[0], item.mark);
    } else if (value->kind == TREE_MAP && value->count > 1) {
        refuse_neighbours(checker, value);
    } else {
        check_report(checker, value->mark, CODE_DELIVERY, "an item of 'to'%.*s takes the name of a destination",
                     STR_ARG(checker->where));
    }
    if (!item.keys) return false;
    size_t dot = str_find(item.name, '.');
    item.destination = dot == SIZE_MAX ? item.name : str_sub(item.name, 0, dot);
    item.action = dot == SIZE_MAX ? STR("") : str_sub(item.name, dot + 1, item.name.n);
    *ret_item = item;
    return true;
}

/* ---- destination and action ---- */

#define LINES_NAMED 3

/* A destination that there is not: the finding of its first use, and where else it is used. */
struct missing {
    struct finding *finding; /* NULL = there were too many to keep it */
    struct str text;
    struct buf lines;
    size_t more;
};

/* One that is written otherwise where it is defined is missing wherever it is used: that is one mistake. */
static bool is_told(struct checker *checker, const struct delivery_item *item) {
    struct missing *missing = map_get(&checker->missing, item->destination);
    if (!missing) return false;
    if (missing->more++ < LINES_NAMED) buf_fmt(&missing->lines, "%s%u", missing->more > 1 ? ", " : "", item->mark.line);
    struct str rest =
        missing->more <= LINES_NAMED ? STR("") : str_fmt(checker->arena, " and %zu more", missing->more - LINES_NAMED);
    if (missing->finding)
        missing->finding->text = str_fmt(checker->findings->arena, "%.*s (the same in line %.*s%.*s)",
                                         STR_ARG(missing->text), STR_ARG(buf_str(&missing->lines)), STR_ARG(rest));
    return true;
}

static void keep_told(struct checker *checker, const struct delivery_item *item) {
    struct missing *missing = arena_new(checker->arena, struct missing);
    struct finding *finding = checker->findings->first;
    while (finding && (finding->mark.line != item->mark.line || finding->mark.column != item->mark.column ||
                       strcmp(finding->code, code_text(CODE_DESTINATION)) != 0))
        finding = finding->next;
    *missing = (struct missing){finding, finding ? finding->text : STR(""), {.arena = checker->arena}, 0};
    map_set(&checker->missing, item->destination, missing);
}

static void refuse_destination(struct checker *checker, const struct delivery_item *item, struct str route) {
    const struct settings *settings = checker->settings;
    struct suggestion near = {.wrong = item->destination};
    bool refused = !checker->targets && tree_get(checker->document, STR("destinations"));
    if (refused) return; /* all of them, with one finding */
    if (is_told(checker, item)) return;
    for (size_t i = 0; i < settings->destination_count; i++) suggestion_consider(&near, settings->destinations[i].name);
    struct str hint = STR("");
    if (near.best.p) {
        const struct destination_settings *best = &settings->destinations[settings_destination(settings, near.best)];
        hint = str_fmt(checker->arena, "; did you mean '%.*s' (line %u)?", STR_ARG(best->name), best->mark.line);
    }
    struct str shown = check_shown(checker, item->destination);
    check_report(checker, item->mark, CODE_DESTINATION,
                 "route '%.*s' uses destination '%.*s', which is not defined%.*s", STR_ARG(route), STR_ARG(shown),
                 STR_ARG(hint));
    keep_told(checker, item);
}

static void refuse_action(struct checker *checker, const struct delivery_item *item,
                          const struct catalog_entry *entry) {
    struct buf all = {.arena = checker->arena};
    struct suggestion near = {.wrong = item->action};
    for (size_t i = 0; i < entry->action_count; i++) {
        suggestion_consider(&near, entry->actions[i].name);
        buf_fmt(&all, "%s%.*s.%.*s", i ? ", " : "", STR_ARG(item->destination), STR_ARG(entry->actions[i].name));
    }
    struct str names = buf_str(&all), hint = suggestion_text(checker->arena, &near);
    struct str shown = check_shown(checker, item->action);
    if (!item->action.n)
        check_report(checker, item->mark, CODE_ACTION, "'%.*s'%.*s needs an action, one of %.*s",
                     STR_ARG(item->destination), STR_ARG(checker->where), STR_ARG(names));
    else
        check_report(checker, item->mark, CODE_ACTION, "connector '%.*s' has no action '%.*s'; there are %.*s%.*s",
                     STR_ARG(entry->name), STR_ARG(shown), STR_ARG(names), STR_ARG(hint));
}

/* False after a finding. *ret_action is NULL for http; the only action of a connector need not be named. */
static bool find_action(struct checker *checker, const struct delivery_item *item, const struct catalog_entry *entry,
                        const struct catalog_action **ret_action) {
    if (!entry) {
        *ret_action = NULL;
        if (!item->action.n) return true;
        check_report(checker, item->mark, CODE_ACTION,
                     "destination '%.*s' is of type http, which has no actions: write '%.*s'",
                     STR_ARG(item->destination), STR_ARG(item->destination));
        return false;
    }
    bool only = !item->action.n && entry->action_count == 1;
    const struct catalog_action *action = only ? &entry->actions[0] : catalog_action(entry, item->action);
    if (!action) {
        refuse_action(checker, item, entry);
        return false;
    }
    *ret_action = action;
    return true;
}

/* ---- keys and parameters ---- */

/* Connectors may use any name but these for a parameter. */
static bool is_reserved(struct str name) {
    return !str_eq(name, STR("body")) && key_find(SECTION_DELIVERY, name);
}

static void refuse_param(struct checker *checker, const struct delivery_item *item, const struct catalog_action *action,
                         struct str name, struct tree_mark mark) {
    struct suggestion near = {.wrong = name};
    for (size_t i = 0; i < action->param_count; i++) suggestion_consider(&near, action->params[i].name);
    for (const struct key *key = NULL; (key = key_next(SECTION_DELIVERY, key));)
        if (is_reserved(key->name)) suggestion_consider(&near, key->name);
    struct str hint = suggestion_text(checker->arena, &near), shown = check_shown(checker, name);
    check_report(checker, mark, CODE_PARAMETER, "action '%.*s.%.*s' has no parameter '%.*s'%.*s",
                 STR_ARG(item->destination), STR_ARG(action->name), STR_ARG(shown), STR_ARG(hint));
}

static bool refers(struct str text) {
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '$' && text.p[i + 1] == '{') return true;
    return false;
}

static bool members_fit(const struct catalog_name *param, const struct tree *map) {
    for (size_t i = 0; map->kind == TREE_MAP && i < map->count; i++) {
        struct str text = map->items[i]->kind == TREE_SCALAR ? map->items[i]->text : STR("");
        if (!param_type_takes_member(param->type, map->names[i], text)) return false;
    }
    return true;
}

/* A value without references is known now, so that it need not wait for an event to be refused. */
static void check_param_type(struct checker *checker, const struct delivery_item *item,
                             const struct catalog_action *action, const struct catalog_name *param,
                             const struct tree *value) {
    enum param_type type = param->type;
    bool fits = true;
    if (value->kind == TREE_SCALAR)
        fits = refers(value->text) || param_type_takes_text(type, value->text);
    else if (value->kind == TREE_LIST)
        fits = type == PARAM_ANY || type == PARAM_LIST || type == PARAM_MAILBOX_LIST;
    else if (value->kind == TREE_MAP)
        fits = (type == PARAM_ANY || type == PARAM_OBJECT || type == PARAM_HEADERS) && members_fit(param, value);
    if (!fits)
        check_report(checker, value->mark, CODE_PARAMETER_TYPE, "parameter '%.*s' of action '%.*s.%.*s' must be %s",
                     STR_ARG(param->name), STR_ARG(item->destination), STR_ARG(action->name),
                     param_type_what(param->type));
}

static bool is_given(const struct catalog_action *action, const struct tree *params, struct str name) {
    return tree_get(params, name) || catalog_param(action, name)->fallback.n;
}

/* What the provider takes only together, and of what it wants one at least. Where a delivery sets nothing, the payload
 * may have it. */
static void check_together(struct checker *checker, const struct delivery_item *item,
                           const struct catalog_action *action, const struct tree *params) {
    for (size_t i = 0; i < params->count; i++) {
        const struct catalog_name *param = catalog_param(action, params->names[i]);
        for (size_t j = 0; param && j < param->needs.count; j++)
            if (!is_given(action, params, param->needs.items[j]))
                check_report(checker, params->name_marks[i], CODE_PARAMETER_MISSING,
                             "'%.*s' of action '%.*s.%.*s' needs the parameter '%.*s' beside it", STR_ARG(param->name),
                             STR_ARG(item->destination), STR_ARG(action->name), STR_ARG(param->needs.items[j]));
    }
    for (size_t i = 0; params->count && i < action->any_of_count; i++) {
        bool any = false;
        for (size_t j = 0; j < action->any_of[i].count; j++)
            any |= is_given(action, params, action->any_of[i].items[j]);
        if (any) continue;
        struct str names = catalog_any_of(checker->arena, &action->any_of[i]);
        check_report(checker, item->mark, CODE_PARAMETER_MISSING, "action '%.*s.%.*s' needs one of the parameters %.*s",
                     STR_ARG(item->destination), STR_ARG(action->name), STR_ARG(names));
    }
}

/* Gathers everything that is not a key of the delivery itself into a map: the action's parameters. */
static const struct tree *action_params(struct checker *checker, const struct delivery_item *item,
                                        const struct catalog_action *action) {
    const struct tree *keys = item->keys;
    struct tree *params = arena_copy(checker->arena, keys, sizeof *keys);
    params->items = arena_array(checker->arena, struct tree *, keys->count);
    params->names = arena_array(checker->arena, struct str, keys->count);
    params->name_marks = arena_array(checker->arena, struct tree_mark, keys->count);
    params->count = 0;
    for (size_t i = 0; i < keys->count; i++) {
        if (is_reserved(keys->names[i])) continue;
        const struct catalog_name *param = catalog_param(action, keys->names[i]);
        if (param)
            check_param_type(checker, item, action, param, keys->items[i]);
        else
            refuse_param(checker, item, action, keys->names[i], keys->name_marks[i]);
        params->items[params->count] = keys->items[i];
        params->names[params->count] = keys->names[i];
        params->name_marks[params->count++] = keys->name_marks[i];
    }
    for (size_t i = 0; i < action->param_count; i++)
        if (action->params[i].required && !tree_get(params, action->params[i].name))
            check_report(checker, item->mark, CODE_PARAMETER_MISSING, "action '%.*s.%.*s' needs the parameter '%.*s'",
                         STR_ARG(item->destination), STR_ARG(action->name), STR_ARG(action->params[i].name));
    check_together(checker, item, action, params);
    return params;
}

static void check_http_keys(struct checker *checker, const struct tree *keys) {
    for (size_t i = 0; i < keys->count; i++) {
        if (str_eq(keys->names[i], STR("batch")))
            check_report(checker, keys->name_marks[i], CODE_HTTP_BATCH,
                         "'batch'%.*s: a destination of type http takes one delivery in each call",
                         STR_ARG(checker->where));
        if (key_find(SECTION_DELIVERY, keys->names[i])) continue;
        struct suggestion near = {.wrong = keys->names[i]};
        for (const struct key *key = NULL; (key = key_next(SECTION_DELIVERY, key));)
            suggestion_consider(&near, key->name);
        struct str hint = suggestion_text(checker->arena, &near);
        if (!hint.n) hint = STR("; the content of an http delivery stands under 'body'");
        struct str shown = check_shown(checker, keys->names[i]);
        check_report(checker, keys->name_marks[i], CODE_UNKNOWN_KEY, "unknown key '%.*s'%.*s%.*s", STR_ARG(shown),
                     STR_ARG(checker->where), STR_ARG(hint));
    }
}

/* What joins fewer than it says, or nothing at all. */
static void check_batch(struct checker *checker, const struct delivery_item *item, const struct catalog_action *action,
                        const struct route_step *step) {
    const struct tree *batch = tree_get(item->keys, STR("batch"));
    const struct tree *max = batch ? tree_get(batch, STR("max")) : NULL;
    int32_t most = action->traits.batch_max;
    if (batch && most <= 1)
        check_report(checker, batch->mark, CODE_HTTP_BATCH,
                     "'batch'%.*s: action '%.*s.%.*s' takes one delivery in each call", STR_ARG(checker->where),
                     STR_ARG(item->destination), STR_ARG(action->name));
    else if (max && step->batch_max > most)
        check_report(checker, max->mark, CODE_BATCH_MAX,
                     "'max' in 'batch'%.*s: action '%.*s.%.*s' takes at most %d in one call", STR_ARG(checker->where),
                     STR_ARG(item->destination), STR_ARG(action->name), most);
}

static struct tree_mark value_mark(const struct tree *keys, struct str name) {
    const struct tree *value = tree_get(keys, name);
    return value ? value->mark : (struct tree_mark){0};
}

static void read_keys(struct checker *checker, const struct delivery_item *item, const struct catalog_action *action,
                      struct route_step *step) {
    struct str where = checker->where;
    checker->where = str_fmt(checker->arena, " in delivery '%.*s'%.*s", STR_ARG(item->name), STR_ARG(where));
    check_known(checker, SECTION_DELIVERY, item->keys, step);
    if (action) {
        step->params = action_params(checker, item, action);
        check_batch(checker, item, action, step);
    } else {
        check_http_keys(checker, item->keys);
    }
    step->when_mark = value_mark(item->keys, STR("when"));
    step->unless_mark = value_mark(item->keys, STR("unless"));
    step->key_mark = value_mark(item->keys, STR("key"));
    step->order_mark = value_mark(item->keys, STR("order_by"));
    checker->where = where;
}

/* ---- steps ---- */

/* The first use of a destination in a route has the route's name, the n-th one ".n" behind it: model/delivery.h. */
static struct str step_name(struct checker *checker, const struct route_settings *route, size_t destination) {
    size_t number = 1;
    for (size_t i = 0; i < route->step_count; i++) number += route->steps[i].destination == destination;
    return number == 1 ? route->name : str_fmt(checker->arena, "%.*s.%zu", STR_ARG(route->name), number);
}

/* A key that is the same for every event, a JSON string, which in jq means itself: the delivery has its name at once.
 */
static void name_step(struct checker *checker, const struct delivery_item *item, const struct route_settings *route,
                      struct route_step *step) {
    struct json *node = NULL;
    if (!str_starts(str_trim(step->key), STR("\"")) || json_parse(step->key, 1, &node, NULL)) return;
    struct str key = str_dup(checker->arena, json_text(node));
    json_free(node);
    if (key.n && key.n <= DELIVERY_NAME_MAX && str_find(key, '\0') == SIZE_MAX)
        step->name = str_fmt(checker->arena, "%.*s:%.*s", STR_ARG(route->name), STR_ARG(key));
    else
        check_report(checker, step->key_mark, CODE_BOUNDS,
                     "'key' in delivery '%.*s'%.*s must give a text of 1 to %zu bytes without U+0000",
                     STR_ARG(item->name), STR_ARG(checker->where), DELIVERY_NAME_MAX);
}

static void check_step(struct checker *checker, const struct tree *value, struct route_settings *route) {
    struct delivery_item item;
    if (!open_item(checker, value, &item)) return;
    size_t destination = settings_destination(checker->settings, item.destination);
    if (destination == SIZE_MAX) {
        refuse_destination(checker, &item, route->name);
        return;
    }
    const struct target *target = &checker->targets[destination];
    const struct catalog_action *action;
    if (!target->known || !find_action(checker, &item, target->entry, &action)) return;
    struct route_step step = {
        .destination = destination,
        .action = action ? action->name : STR(""),
        .step = step_name(checker, route, destination),
        .batch_max = 1,
        .mark = item.mark,
    };
    read_keys(checker, &item, action, &step);
    name_step(checker, &item, route, &step);
    route->steps[route->step_count++] = step;
}

void check_steps(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct route_settings *route = owner;
    bool is_list = value->kind == TREE_LIST;
    if (value->kind == TREE_MAP || value->kind == TREE_NULL || (is_list && !value->count)) {
        struct str subject = check_subject(checker, key->name);
        check_report(checker, value->mark, CODE_SHAPE, "%.*s takes a list: begin each delivery with '- '",
                     STR_ARG(subject));
        return;
    }
    if (is_list && value->count > DELIVERIES_MAX) {
        check_report(checker, value->mark, CODE_BOUNDS, "more than %d deliveries%.*s", DELIVERIES_MAX,
                     STR_ARG(checker->where));
        return;
    }
    route->steps = arena_array(checker->arena, struct route_step, is_list ? value->count : 1);
    if (!is_list) check_step(checker, value, route);
    for (size_t i = 0; is_list && i < value->count; i++) check_step(checker, value->items[i], route);
}

/* ---- what a reload changes ---- */

static struct str name_of(const struct settings *settings, const struct route_step *step) {
    return settings->destinations[step->destination].name;
}

static void write_step(struct buf *text, const struct settings *settings, const struct route_step *step) {
    diff_write_text(text, name_of(settings, step));
    diff_write_text(text, step->action);
    diff_write_section(text, SECTION_DELIVERY, step);
    diff_write_tree(text, step->params);
}

static void write_steps(struct buf *text, const struct settings *settings, const struct route_settings *route) {
    for (size_t i = 0; i < route->step_count; i++) write_step(text, settings, &route->steps[i]);
}

static struct str step_text(struct arena *arena, const struct settings *settings, const struct route_step *step) {
    struct buf text = {.arena = arena};
    write_step(&text, settings, step);
    return buf_str(&text);
}

/* The n-th delivery of a route to a destination; NULL: there are not so many. */
static const struct route_step *nth_step(const struct settings *settings, const struct route_settings *route,
                                         struct str destination, size_t n) {
    for (size_t i = 0; i < route->step_count; i++)
        if (str_eq(name_of(settings, &route->steps[i]), destination) && n-- == 0) return &route->steps[i];
    return NULL;
}

static bool is_among(const struct diff *diff, const struct settings *settings, const struct route_settings *route,
                     struct str destination, struct str text) {
    const struct route_step *step;
    for (size_t i = 0; (step = nth_step(settings, route, destination, i)); i++)
        if (str_eq(step_text(diff->arena, settings, step), text)) return true;
    return false;
}

/* Whether one of a route's deliveries to a destination has another place among them than before, or another one has its
 * place. One with a constant key is known by that. */
static bool changed_places(const struct diff *diff, const struct route_settings *before,
                           const struct route_settings *after, struct str destination) {
    const struct route_step *old;
    for (size_t i = 0; (old = nth_step(diff->before, before, destination, i)); i++) {
        const struct route_step *new = nth_step(diff->after, after, destination, i);
        struct str was = step_text(diff->arena, diff->before, old);
        struct str is = new ? step_text(diff->arena, diff->after, new) : STR_NONE;
        if (old->name.n || str_eq(was, is)) continue;
        if (is_among(diff, diff->after, after, destination, was)) return true;
        if (new &&is_among(diff, diff->before, before, destination, is)) return true;
    }
    return false;
}

/* A delivery is known by its place among those of its route to its destination (docs/decisions/0002), so that one which
 * failed before would be made again as what has its place now. */
static void tell_places(struct diff *diff, struct str subject, const struct route_settings *before,
                        const struct route_settings *after) {
    for (size_t i = 0; i < after->step_count; i++) {
        struct str name = name_of(diff->after, &after->steps[i]);
        if (nth_step(diff->after, after, name, 0) != &after->steps[i]) continue; /* once for each destination */
        if (changed_places(diff, before, after, name))
            diff_add(
                diff,
                "%.*sthe deliveries to %.*s change places: a retry of what failed before sends another one in its "
                "place; settle it first (drumbeat deliveries list --status FAILED --route %.*s), and give each a key "
                "(key: '\"welcome\"'), by which it is known wherever it stands",
                STR_ARG(subject), STR_ARG(name), STR_ARG(after->name));
    }
}

/* Bodies and headers may hold what nobody should read in a list of changes, so it only says that they changed. */
void diff_steps(struct diff *diff, const struct key *key, struct str subject, const void *before, const void *after) {
    struct buf from = {.arena = diff->arena}, to = {.arena = diff->arena};
    write_steps(&from, diff->before, before);
    write_steps(&to, diff->after, after);
    if (str_eq(buf_str(&from), buf_str(&to))) return;
    diff_add(diff, "%.*s%.*s changed", STR_ARG(subject), STR_ARG(key->name));
    tell_places(diff, subject, before, after);
}
