/* config/diff.c - what a reload would change; see config.h.
 *
 * Every value is written out in one form and the texts are compared, so a
 * value counts as changed when what it does changes, not how it is written.
 * Keys that may hold a secret are named and their texts dropped.
 */
#include "base/when.h"
#include "config/check.h"
#include "model/exchange.h"

#define SHOWN_MAX 80

struct diff {
    struct arena *arena;
    const struct settings *before, *after;
    struct change **end;
};

/* ---- values as text ---- */

static void add_text(struct buf *text, struct str part) {
    buf_fmt(text, "%zu:%.*s ", part.n, STR_ARG(part));
}

static void add_list(struct buf *text, const struct str *items, size_t count) {
    for (size_t i = 0; i < count; i++) buf_fmt(text, "%s%.*s", i ? ", " : "", STR_ARG(items[i]));
}

static void add_limits(struct buf *text, const struct destination_settings *destination) {
    for (size_t i = 0; i < destination->limit_count; i++) {
        const struct limit_rule *rule = &destination->limits[i];
        struct str window = span_str(text->arena, rule->window_us);
        bool one = str_starts(window, STR("1")) && window.n == 2;
        buf_fmt(text, "%s%lld/%.*s", i ? ", " : "", (long long)rule->count,
                STR_ARG(one ? str_sub(window, 1, 1) : window));
    }
}

static void add_headers(struct buf *text, const struct destination_settings *destination) {
    for (size_t i = 0; i < destination->header_count; i++) {
        add_text(text, destination->headers[i].name);
        add_text(text, destination->headers[i].value);
    }
}

static void add_tree(struct buf *text, const struct tree *tree) {
    if (!tree) return;
    buf_fmt(text, "%d%d(", (int)tree->kind, (int)tree->quoted);
    add_text(text, tree->text);
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->kind == TREE_MAP) add_text(text, tree->names[i]);
        add_tree(text, tree->items[i]);
    }
    buf_byte(text, ')');
}

static void add_value(struct buf *text, const struct key *key, const void *owner);

static void add_section(struct buf *text, enum section section, const void *owner) {
    const char *before = "{";
    for (const struct key *key = NULL; (key = key_next(section, key)); before = ", ") {
        buf_fmt(text, "%s%.*s: ", before, STR_ARG(key->name));
        add_value(text, key, owner);
    }
    buf_byte(text, '}');
}

static void add_steps(struct buf *text, const struct settings *settings, const struct route_settings *route) {
    for (size_t i = 0; i < route->step_count; i++) {
        const struct route_step *step = &route->steps[i];
        add_text(text, settings->destinations[step->destination].name);
        add_text(text, step->action);
        add_section(text, SECTION_DELIVERY, step);
        add_tree(text, step->params);
    }
}

static void add_choice(struct buf *text, const struct key *key, unsigned number) {
    struct str word, rest = key->choices;
    for (unsigned i = 1; str_next(&rest, '|', &word); i++)
        if (i == number) buf_add(text, word);
}

static void add_special(struct buf *text, const struct key *key, const void *owner) {
    const void *place = (const char *)owner + key->place;
    const struct settings *settings = owner;
    const struct route_settings *route = owner;
    const struct server_settings *server = owner;
    if (key->type == KEY_TYPES)
        add_list(text, settings->types, settings->type_count);
    else if (key->type == KEY_PATTERNS)
        add_list(text, route->from, route->from_count);
    else if (key->type == KEY_LISTEN)
        buf_fmt(text, "%.*s:%u", STR_ARG(server->listen_host), server->listen_port);
    else if (key->type == KEY_LIMITS)
        add_limits(text, owner);
    else if (key->type == KEY_HEADERS)
        add_headers(text, owner);
    else if (key->type == KEY_RETRY || key->type == KEY_BATCH)
        add_section(text, key_section(key->type), place);
    else if (key->type == KEY_BREAKER && ((const struct breaker_rule *)place)->on)
        add_section(text, SECTION_BREAKER, place);
    else if (key->type == KEY_BREAKER)
        buf_add(text, STR("off"));
}

static void add_value(struct buf *text, const struct key *key, const void *owner) {
    const void *place = (const char *)owner + key->place;
    switch (key->type) {
    case KEY_WHOLE:
        buf_fmt(text, "%d", *(const int32_t *)place);
        break;
    case KEY_PERCENT:
        buf_fmt(text, "%d%%", *(const int32_t *)place);
        break;
    case KEY_SPAN:
        buf_add(text, span_str(text->arena, *(const int64_t *)place));
        break;
    case KEY_SIZE:
        buf_add(text, size_str(text->arena, *(const int64_t *)place));
        break;
    case KEY_FLAG:
        buf_add(text, *(const bool *)place ? STR("true") : STR("false"));
        break;
    case KEY_CHOICE:
        add_choice(text, key, *(const unsigned *)place);
        break;
    case KEY_TEXT:
    case KEY_SECRET:
    case KEY_JQ:
    case KEY_ACCOUNT:
    case KEY_ZONE:
    case KEY_STORE:
    case KEY_DSN:
    case KEY_REDIS_URL:
    case KEY_URL:
        buf_add(text, *(const struct str *)place);
        break;
    default:
        add_special(text, key, owner);
    }
}

/* ---- changes ---- */

static void add_change(struct diff *diff, bool needs_restart, struct str text) {
    struct change *change = arena_new(diff->arena, struct change);
    *change = (struct change){.text = text, .needs_restart = needs_restart};
    *diff->end = change;
    diff->end = &change->next;
}

static struct str shown(struct arena *arena, struct str text) {
    if (!text.n) return STR("none");
    return text.n <= SHOWN_MAX ? text : str_fmt(arena, "%.*s...", SHOWN_MAX, text.p);
}

/* subject: "destination crm: ", "server." */
static void compare_texts(struct diff *diff, const struct key *key, struct str subject, struct str before,
                          struct str after) {
    if (str_eq(before, after)) return;
    struct str values = STR(" changed");
    if (!key_is_hidden(key->type)) {
        struct str from = shown(diff->arena, before), to = shown(diff->arena, after);
        values = str_fmt(diff->arena, " %.*s -> %.*s", STR_ARG(from), STR_ARG(to));
    }
    add_change(diff, key->restart,
               str_fmt(diff->arena, "%.*s%.*s%.*s", STR_ARG(subject), STR_ARG(key->name), STR_ARG(values)));
}

static void compare_section(struct diff *diff, enum section section, struct str subject, const void *before,
                            const void *after) {
    for (const struct key *key = NULL; (key = key_next(section, key));) {
        struct buf from = {.arena = diff->arena}, to = {.arena = diff->arena};
        if (key->type == KEY_STEPS) {
            add_steps(&from, diff->before, before);
            add_steps(&to, diff->after, after);
        } else {
            add_value(&from, key, before);
            add_value(&to, key, after);
        }
        compare_texts(diff, key, subject, buf_str(&from), buf_str(&to));
    }
}

/* A field that is a key of the table as well (url) was compared there. */
static void compare_fields(struct diff *diff, struct str subject, const struct map *before, const struct map *after) {
    for (size_t i = 0; i < after->count; i++) {
        if (key_find(SECTION_DESTINATION, after->slots[i].key)) continue;
        const struct str *old = map_get(before, after->slots[i].key), *new = after->slots[i].value;
        if (!old || !str_eq(*old, *new))
            add_change(diff, false,
                       str_fmt(diff->arena, "%.*s%.*s changed", STR_ARG(subject), STR_ARG(after->slots[i].key)));
    }
    for (size_t i = 0; i < before->count; i++)
        if (!map_get(after, before->slots[i].key) && !key_find(SECTION_DESTINATION, before->slots[i].key))
            add_change(diff, false,
                       str_fmt(diff->arena, "%.*s%.*s removed", STR_ARG(subject), STR_ARG(before->slots[i].key)));
}

static void compare_destinations(struct diff *diff) {
    const struct settings *before = diff->before, *after = diff->after;
    for (size_t i = 0; i < after->destination_count; i++) {
        const struct destination_settings *new = &after->destinations[i];
        size_t at = settings_destination(before, new->name);
        if (at == SIZE_MAX) {
            add_change(diff, false, str_fmt(diff->arena, "destination %.*s added", STR_ARG(new->name)));
            continue;
        }
        struct str subject = str_fmt(diff->arena, "destination %.*s: ", STR_ARG(new->name));
        compare_section(diff, SECTION_DESTINATION, subject, &before->destinations[at], new);
        compare_fields(diff, subject, &before->destinations[at].fields, &new->fields);
    }
    for (size_t i = 0; i < before->destination_count; i++)
        if (settings_destination(after, before->destinations[i].name) == SIZE_MAX)
            add_change(diff, false,
                       str_fmt(diff->arena, "destination %.*s removed", STR_ARG(before->destinations[i].name)));
}

static const struct route_settings *route_find(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->route_count; i++)
        if (str_eq(settings->routes[i].name, name)) return &settings->routes[i];
    return NULL;
}

static void compare_routes(struct diff *diff) {
    const struct settings *before = diff->before, *after = diff->after;
    for (size_t i = 0; i < after->route_count; i++) {
        const struct route_settings *new = &after->routes[i], *old = route_find(before, new->name);
        if (old)
            compare_section(diff, SECTION_ROUTE, str_fmt(diff->arena, "route %.*s: ", STR_ARG(new->name)), old, new);
        else
            add_change(diff, false, str_fmt(diff->arena, "route %.*s added", STR_ARG(new->name)));
    }
    for (size_t i = 0; i < before->route_count; i++)
        if (!route_find(after, before->routes[i].name))
            add_change(diff, false, str_fmt(diff->arena, "route %.*s removed", STR_ARG(before->routes[i].name)));
}

struct change *config_diff(struct arena *arena, const struct settings *before, const struct settings *after) {
    struct change *first = NULL;
    struct diff diff = {arena, before, after, &first};
    compare_section(&diff, SECTION_TOP, STR(""), before, after);
    compare_section(&diff, SECTION_SERVER, STR("server."), &before->server, &after->server);
    compare_section(&diff, SECTION_POSTGRES, STR("postgres."), &before->postgres, &after->postgres);
    compare_section(&diff, SECTION_REDIS, STR("redis."), &before->redis, &after->redis);
    compare_destinations(&diff);
    compare_routes(&diff);
    compare_section(&diff, SECTION_KEEP, STR("keep."), before, after);
    return first;
}
