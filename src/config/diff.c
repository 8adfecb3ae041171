/* config/diff.c - values written out and compared, by the table of keys; see diff.h and config.h. */
#include "base/when.h"
#include "config/section.h"
#include "model/exchange.h"

#define SHOWN_MAX 120

/* ---- values as text ---- */

void diff_write_text(struct buf *text, struct str part) {
    buf_fmt(text, "%zu:%.*s ", part.n, STR_ARG(part));
}

static void add_list(struct buf *text, const struct str *items, size_t count) {
    for (size_t i = 0; i < count; i++) buf_fmt(text, "%s%.*s", i ? ", " : "", STR_ARG(items[i]));
}

static void add_rules(struct buf *text, const struct limit_rule *rules, size_t count, struct str meter) {
    for (size_t i = 0; i < count; i++) {
        struct str rule = limit_rule_text(text->arena, &rules[i], meter);
        buf_fmt(text, "%s%.*s", text->n ? ", " : "", STR_ARG(rule));
    }
}

static void add_limits(struct buf *text, const struct destination_settings *destination) {
    struct buf limits = {.arena = text->arena};
    add_rules(&limits, destination->limits, destination->limit_count, STR(""));
    add_rules(&limits, destination->meter_limits, destination->meter_limit_count, destination->meter);
    buf_add(text, buf_str(&limits));
}

static void add_headers(struct buf *text, const struct destination_settings *destination) {
    for (size_t i = 0; i < destination->header_count; i++) {
        diff_write_text(text, destination->headers[i].name);
        diff_write_text(text, destination->headers[i].value);
    }
}

void diff_write_tree(struct buf *text, const struct tree *tree) {
    if (!tree) return;
    buf_fmt(text, "%d%d(", (int)tree->kind, (int)tree->quoted);
    diff_write_text(text, tree->text);
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->kind == TREE_MAP) diff_write_text(text, tree->names[i]);
        diff_write_tree(text, tree->items[i]);
    }
    buf_byte(text, ')');
}

static void add_value(struct buf *text, const struct key *key, const void *owner);

void diff_write_section(struct buf *text, enum section section, const void *owner) {
    const char *before = "{";
    for (const struct key *key = NULL; (key = key_next(section, key)); before = ", ") {
        buf_fmt(text, "%s%.*s: ", before, STR_ARG(key->name));
        add_value(text, key, owner);
    }
    buf_byte(text, '}');
}

static void add_choice(struct buf *text, const struct key *key, unsigned number) {
    struct str word, rest = key->choices;
    for (unsigned i = 1; str_next(&rest, '|', &word); i++)
        if (i == number) buf_add(text, word);
}

static void add_daytime(struct buf *text, int32_t minutes) {
    if (minutes) buf_fmt(text, "%02d:%02d", (minutes - 1) / 60, (minutes - 1) % 60);
}

static void add_special(struct buf *text, const struct key *key, const void *owner) {
    const void *place = (const char *)owner + key->place;
    const struct settings *settings = owner;
    const struct route_settings *route = owner;
    const struct server_settings *server = owner;
    const struct destination_settings *destination = owner;
    if (key->type == KEY_TYPES)
        add_list(text, settings->types, settings->type_count);
    else if (key->type == KEY_PATTERNS)
        add_list(text, route->from, route->from_count);
    else if (key->type == KEY_LISTEN)
        buf_fmt(text, "%.*s:%u", STR_ARG(server->listen_host), server->listen_port);
    else if (key->type == KEY_LIMITS)
        add_limits(text, destination);
    else if (key->type == KEY_RATE)
        add_rules(text, place, 1, STR(""));
    else if (key->type == KEY_DAYTIME)
        add_daytime(text, *(const int32_t *)place);
    else if (key->type == KEY_LIST)
        add_list(text, ((const struct str_list *)place)->items, ((const struct str_list *)place)->count);
    else if (key->type == KEY_HEADERS)
        add_headers(text, owner);
    else if (key->type == KEY_SECTION)
        diff_write_section(text, key_section(key), place);
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

static void add_change(struct diff *diff, bool needs_restart, struct str what, struct str text) {
    struct change *change = arena_new(diff->arena, struct change);
    *change = (struct change){.text = text, .what = what, .needs_restart = needs_restart};
    *diff->end = change;
    diff->end = &change->next;
}

void diff_add(struct diff *diff, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_change(diff, false, STR_NONE, str_vfmt(diff->arena, format, args));
    va_end(args);
}

/* " 10/s -> 5/s". Of a text of several lines, as certificates are, and of long ones that begin alike it says nothing
 * but whether there is one: what would be shown tells nobody what changed. */
static struct str values_text(struct arena *arena, struct str before, struct str after) {
    struct str from = str_head(before, SHOWN_MAX), to = str_head(after, SHOWN_MAX);
    bool lines = str_find(before, '\n') != SIZE_MAX || str_find(after, '\n') != SIZE_MAX;
    if (lines || str_eq(from, to))
        return before.n && after.n ? STR(" changed") : after.n ? STR(" added") : STR(" removed");
    return str_fmt(arena, " %.*s%s -> %.*s%s", STR_ARG(before.n ? from : STR("none")), from.n < before.n ? "..." : "",
                   STR_ARG(after.n ? to : STR("none")), to.n < after.n ? "..." : "");
}

void diff_texts(struct diff *diff, const struct key *key, struct str subject, struct str before, struct str after) {
    if (str_eq(before, after)) return;
    struct str values = key_is_hidden(key->type) ? STR(" changed") : values_text(diff->arena, before, after);
    struct str what = str_fmt(diff->arena, "%.*s%.*s", STR_ARG(subject), STR_ARG(key->name));
    add_change(diff, key->restart, what, str_fmt(diff->arena, "%.*s%.*s", STR_ARG(what), STR_ARG(values)));
}

void diff_value(struct diff *diff, const struct key *key, struct str subject, const void *before, const void *after) {
    struct buf from = {.arena = diff->arena}, to = {.arena = diff->arena};
    add_value(&from, key, before);
    add_value(&to, key, after);
    diff_texts(diff, key, subject, buf_str(&from), buf_str(&to));
}

void diff_section(struct diff *diff, enum section section, struct str subject, const void *before, const void *after) {
    for (const struct key *key = NULL; (key = key_next(section, key));) {
        bool opens = key->type == KEY_SECTION;
        diff_comparer *compare = opens ? section_row(key_section(key))->compare : diff_value;
        if (compare) compare(diff, key, subject, before, after);
    }
}

void diff_keys(struct diff *diff, const struct key *key, struct str subject, const void *before, const void *after) {
    subject = str_fmt(diff->arena, "%.*s%.*s.", STR_ARG(subject), STR_ARG(key->name));
    diff_section(diff, key_section(key), subject, (const char *)before + key->place, (const char *)after + key->place);
}

struct change *config_diff(struct arena *arena, const struct settings *before, const struct settings *after) {
    struct change *first = NULL;
    struct diff diff = {arena, before, after, &first};
    diff_section(&diff, SECTION_TOP, STR(""), before, after);
    return first;
}
