/* config/advice.c - what no key is wrong about, and is still rarely what was meant; see check.h. A part of the file in
 * which something was refused gets none: what was refused may be what the advice would miss. */
#include "base/jq.h"
#include "config/check.h"
#include "model/event.h"
#include "model/source.h"

/* ---- where something was refused ---- */

/* The last line on which anything of the tree begins. */
static uint32_t last_line(const struct tree *tree) {
    uint32_t last = tree->mark.line;
    for (size_t i = 0; i < tree->count; i++) {
        uint32_t below = last_line(tree->items[i]);
        if (below > last) last = below;
    }
    return last;
}

/* Whether nothing was refused in a map of a section, from the line of its name on. */
static bool is_sound(const struct checker *checker, struct str section, struct str name) {
    const struct tree *map = name.p ? tree_get(checker->document, section) : checker->document;
    struct str wanted = name.p ? name : section;
    for (size_t i = 0; map && map->kind == TREE_MAP && i < map->count; i++) {
        if (!str_eq(map->names[i], wanted)) continue;
        uint32_t first = map->name_marks[i].line, last = last_line(map->items[i]);
        for (const struct finding *at = checker->findings->first; at; at = at->next)
            if (!at->warning && str_eq(at->file, checker->file) && at->mark.line >= first && at->mark.line <= last)
                return false;
    }
    return true;
}

/* ---- advice ---- */

static bool is_used(const struct settings *settings, size_t destination) {
    for (size_t i = 0; i < settings->route_count; i++)
        for (size_t j = 0; j < settings->routes[i].step_count; j++)
            if (settings->routes[i].steps[j].destination == destination) return true;
    return false;
}

/* A file without routes is not yet finished. */
static void advise_unused(struct checker *checker) {
    const struct settings *settings = checker->settings;
    if (!is_sound(checker, STR("routes"), STR_NONE)) return;
    for (size_t i = 0; settings->route_count && i < settings->destination_count; i++)
        if (checker->targets[i].known && !is_used(settings, i))
            check_report(checker, settings->destinations[i].mark, CODE_UNUSED, "no route uses destination '%.*s'",
                         STR_ARG(settings->destinations[i].name));
}

/* Nothing but the destination was written. */
static bool is_plain(const struct route_step *step) {
    return !step->when.n && !step->unless.n && !step->key.n && !step->after_us &&
           (!step->params || (step->params->kind == TREE_MAP && !step->params->count));
}

static void advise_twice(struct checker *checker) {
    const struct settings *settings = checker->settings;
    for (size_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        if (!is_sound(checker, STR("routes"), route->name)) continue;
        for (size_t j = 1; j < route->step_count; j++) {
            const struct route_step *step = &route->steps[j];
            size_t other = 0;
            while (other < j && !(is_plain(step) && is_plain(&route->steps[other]) &&
                                  route->steps[other].destination == step->destination &&
                                  str_eq(route->steps[other].action, step->action)))
                other++;
            if (other < j)
                check_report(checker, step->mark, CODE_SENT_TWICE,
                             "route '%.*s' names '%.*s' twice: it gets the same thing twice for each event",
                             STR_ARG(route->name), STR_ARG(settings->destinations[step->destination].name));
        }
    }
}

/* .plan = "gold" gives the payload with another plan, and no payload is false. */
static void advise_condition(struct checker *checker, struct tree_mark mark, const char *key, struct str text) {
    if (text.n && jq_assigns(text))
        check_report(checker, mark, CODE_ASSIGNS, "'%s' changes a value and so is always true; == compares", key);
}

static void advise_conditions(struct checker *checker) {
    const struct settings *settings = checker->settings;
    for (size_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        if (!is_sound(checker, STR("routes"), route->name)) continue;
        advise_condition(checker, route->when_mark, "when", route->when);
        for (size_t j = 0; j < route->step_count; j++) {
            advise_condition(checker, route->steps[j].when_mark, "when", route->steps[j].when);
            advise_condition(checker, route->steps[j].unless_mark, "unless", route->steps[j].unless);
        }
    }
}

#define NAMED_MAX 3

/* Once for all, at the first: it is one question, and a file may have many such destinations. */
static void advise_doubles(struct checker *checker) {
    const struct settings *settings = checker->settings;
    const struct destination_settings *named[NAMED_MAX];
    size_t count = 0;
    if (!is_sound(checker, STR("routes"), STR_NONE)) return; /* it is not known yet which are used */
    for (size_t i = 0; i < settings->destination_count; i++) {
        const struct destination_settings *destination = &settings->destinations[i];
        if (destination->refused || checker->targets[i].entry || destination->on_unknown || !is_used(settings, i))
            continue;
        if (count < NAMED_MAX) named[count] = destination;
        count++;
    }
    if (!count) return;
    struct buf names = {.arena = checker->arena};
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        buf_fmt(&names, "%s'%.*s'", !i ? "" : i + 1 == count ? " or " : ", ", STR_ARG(named[i]->name));
    if (count > NAMED_MAX) buf_fmt(&names, " or %zu more", count - NAMED_MAX);
    check_report(checker, named[0]->mark, CODE_MAY_DOUBLE,
                 "if an answer from %.*s gets lost, the same thing is sent again and may happen twice: say "
                 "'on_unknown: retry' if that is fine, 'on_unknown: hold' to be asked first",
                 STR_ARG(buf_str(&names)));
}

/* Behind a proxy on this machine all have its address, or none that can be told. */
static void advise_proxies(struct checker *checker) {
    const struct settings *settings = checker->settings;
    struct str host = settings->server.listen_host;
    bool is_local = str_starts(host, STR("127.")) || str_eq(host, STR("::1")) || str_eq(host, STR("localhost"));
    if (!settings->server.url.n || !is_local || settings->server.proxies.count) return;
    if (!is_sound(checker, STR("server"), STR_NONE)) return;
    for (size_t i = 0; i < settings->source_count; i++)
        if (settings->sources[i].kind == SOURCE_FORM) {
            check_report(checker, settings->sources[i].mark, CODE_NO_PROXY,
                         "the limit of form '%.*s' knows no addresses: 'url' says that the world reaches this server, "
                         "and 'proxies' in 'server' does not name who passes its requests on",
                         STR_ARG(settings->sources[i].name));
            return;
        }
}

/* ---- events that no route takes ---- */

/* The type of all events that a source makes; "" when only each request says it. */
static struct str made_type(const struct source_settings *source) {
    switch (source->kind) {
    case SOURCE_FORM:
        return source->form.event;
    case SOURCE_SCHEDULE:
        return source->schedule.event;
    case SOURCE_FOLDER:
        return source->folder.event;
    default:
        return STR_NONE;
    }
}

static bool takes_type(const struct route_settings *route, struct str type) {
    for (size_t i = 0; i < route->from_count; i++)
        if (event_type_fits(route->from[i], type)) return true;
    return false;
}

/* The name that a pattern begins with: "post" of "post.*". */
static struct str pattern_name(struct str pattern) {
    size_t end = 0;
    while (end < pattern.n && pattern.p[end] != '.' && pattern.p[end] != '*' && pattern.p[end] != '?') end++;
    return str_sub(pattern, 0, end);
}

/* Whether the pattern is right for another source, and so no slip. */
static bool is_made(const struct settings *settings, struct str pattern) {
    for (size_t i = 0; i < settings->source_count; i++)
        if (event_type_fits(pattern, made_type(&settings->sources[i]))) return true;
    return false;
}

/* The `from` that was probably meant for the source, and its route: it looks like the type, or begins like the source's
 * name. NULL = none. */
static const struct route_settings *near_route(const struct settings *settings, const struct source_settings *source,
                                               struct str *ret_from) {
    struct suggestion by_type = {.wrong = made_type(source)}, by_name = {.wrong = source->name};
    const struct route_settings *type_route = NULL, *name_route = NULL;
    struct str name_from = STR_NONE;
    for (size_t i = 0; i < settings->route_count; i++)
        for (size_t j = 0; j < settings->routes[i].from_count; j++) {
            struct str from = settings->routes[i].from[j];
            const char *type_was = by_type.best.p, *name_was = by_name.best.p;
            if (is_made(settings, from)) continue;
            suggestion_consider(&by_type, from);
            if (by_type.best.p != type_was) type_route = &settings->routes[i];
            suggestion_consider(&by_name, pattern_name(from));
            if (by_name.best.p == name_was) continue;
            name_route = &settings->routes[i];
            name_from = from;
        }
    *ret_from = type_route ? by_type.best : name_from;
    return type_route ? type_route : name_route;
}

/* What is to be done about a source whose events nobody takes, as the rest of a sentence. */
static struct str not_taken_hint(struct checker *checker, const struct source_settings *source) {
    const struct settings *settings = checker->settings;
    struct str type = made_type(source), from;
    for (size_t i = 0; i < settings->route_count; i++)
        if (takes_type(&settings->routes[i], type))
            return str_fmt(checker->arena, "route '%.*s' takes this type only from source '%.*s'",
                           STR_ARG(settings->routes[i].name), STR_ARG(settings->routes[i].source));
    const struct route_settings *near = near_route(settings, source, &from);
    if (near)
        return str_fmt(checker->arena, "'from' of route '%.*s' is '%.*s'; did you mean '%.*s'?", STR_ARG(near->name),
                       STR_ARG(from), STR_ARG(type));
    return str_fmt(checker->arena, "write 'from: %.*s' in the route that shall", STR_ARG(type));
}

/* A misspelt `from` loses nothing and sends nothing: without this nobody would learn of it. */
static void advise_not_taken(struct checker *checker) {
    const struct settings *settings = checker->settings;
    if (!settings->route_count || !is_sound(checker, STR("routes"), STR_NONE)) return;
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct source_settings *source = &settings->sources[i];
        struct str type = made_type(source);
        bool taken = !type.n || !is_sound(checker, STR("sources"), source->name);
        for (size_t j = 0; !taken && j < settings->route_count; j++) {
            const struct route_settings *route = &settings->routes[j];
            taken = (!route->source.n || str_eq(route->source, source->name)) && takes_type(route, type);
        }
        if (taken) continue;
        struct str hint = not_taken_hint(checker, source);
        check_report(checker, source->mark, CODE_NOT_TAKEN, "no route takes '%.*s', which %s '%.*s' makes: %.*s",
                     STR_ARG(type), source_kind_type(source->kind), STR_ARG(source->name), STR_ARG(hint));
    }
}

static void mark_refused(struct checker *checker) {
    for (size_t i = 0; i < checker->settings->destination_count; i++) {
        struct destination_settings *destination = &checker->settings->destinations[i];
        destination->refused = !checker->targets[i].known || !is_sound(checker, STR("destinations"), destination->name);
    }
}

void check_advise(struct checker *checker) {
    mark_refused(checker);
    advise_unused(checker);
    advise_twice(checker);
    advise_conditions(checker);
    advise_doubles(checker);
    advise_proxies(checker);
    advise_not_taken(checker);
}
