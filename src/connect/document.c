/* connect/document.c - a connector document as a whole; see document.h. */
#include "connect/document.h"

#include "base/when.h"

#define NAME_BYTES_MAX 40
#define ACTIONS_MAX    64

bool name_valid(struct str name, struct str marks) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || str_find(marks, c) != SIZE_MAX;
        if (!letter && (i == 0 || !other)) return false;
    }
    return name.n > 0 && name.n <= NAME_BYTES_MAX;
}

bool name_reserved(struct str name, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_from(words[i]))) return true;
    return false;
}

static const struct key_rule document_keys[] = {
    {"version", KEY_TEXT, true},
    {"name", KEY_TEXT, true},
    {"about", KEY_TEXT, false},
    {"docs", KEY_TEXT | KEY_LIST, false},
    {"checked", KEY_TEXT, false},
    {"fields", KEY_MAP, false},
    {"auth", KEY_MAP, false},
    {"headers", KEY_MAP, false},
    {"limits", KEY_TEXT | KEY_LIST, false},
    {"concurrency", KEY_TEXT, false},
    {"penalty", KEY_MAP, false},
    {"limits_from", KEY_MAP | KEY_LIST, false},
    {"error", KEY_TEXT, false},
    {"actions", KEY_MAP, true},
};

/* The language's version, and the day on which somebody last compared the file with the provider. */
static void read_facts(struct reader *reader, const struct tree *document) {
    const struct tree *version = reader_get(document, "version", KEY_TEXT);
    const struct tree *checked = reader_get(document, "checked", KEY_TEXT);
    int64_t day_us;
    if (version && !str_eq(version->text, STR("1")))
        reader_complain(reader, version, version->mark, CODE_CONNECT_VALUE,
                        "'%.*s' is no version of the language; it is 1", STR_ARG(version->text));
    if (!checked) return;
    struct str moment = str_fmt(reader->arena, "%.*sT00:00:00Z", STR_ARG(checked->text));
    if (!when_parse(moment, &day_us))
        reader_complain(reader, checked, checked->mark, CODE_CONNECT_VALUE, "'%.*s' is no date such as 2026-11-24",
                        STR_ARG(checked->text));
}

static struct str read_name(struct reader *reader, const struct tree *document) {
    const struct tree *name = reader_get(document, "name", KEY_TEXT);
    if (!name) return STR_NONE;
    if (str_eq(name->text, STR("http")))
        reader_complain(reader, name, name->mark, CODE_CONNECT_NAME, "'http' is built in and cannot be described");
    else if (!name_valid(name->text, STR("-")))
        reader_complain(reader, name, name->mark, CODE_CONNECT_NAME,
                        "'%.*s' is no name: a small letter, then small letters, digits and '-', 40 at most",
                        STR_ARG(name->text));
    return name->text;
}

static void read_actions(struct reader *reader, const struct tree *map, struct catalog_entry *entry) {
    struct connector *connector = reader->connector;
    if (!map) return;
    if (!map->count || map->count > ACTIONS_MAX) {
        reader_complain(reader, map, map->mark, CODE_CONNECT_FULL, "a connector has 1 to %d actions", ACTIONS_MAX);
        return;
    }
    connector->actions = arena_array(reader->arena, struct action, map->count);
    entry->actions = arena_array(reader->arena, struct catalog_action, map->count);
    for (size_t i = 0; i < map->count; i++) {
        if (!name_valid(map->names[i], STR("-_")))
            reader_complain(reader, map, map->name_marks[i], CODE_CONNECT_NAME, "'%.*s' is no name for an action",
                            STR_ARG(map->names[i]));
        read_action(reader, map->items[i], map->names[i], &connector->actions[i], &entry->actions[i]);
    }
    connector->action_count = entry->action_count = map->count;
}

static void read_parts(struct reader *reader, const struct tree *document, struct catalog_entry *entry) {
    const struct tree *fields = reader_get(document, "fields", KEY_MAP);
    const struct tree *auth = reader_get(document, "auth", KEY_MAP);
    const struct tree *headers = reader_get(document, "headers", KEY_MAP);
    const struct tree *limits = reader_get(document, "limits", KEY_TEXT | KEY_LIST);
    const struct tree *penalty = reader_get(document, "penalty", KEY_MAP);
    const struct tree *limits_from = reader_get(document, "limits_from", KEY_MAP | KEY_LIST);
    if (fields) read_fields(reader, fields, entry);
    if (auth) read_auth(reader, auth);
    if (headers) read_headers(reader, headers, SCOPE_SHARED, &reader->connector->headers);
    if (limits) read_limits(reader, limits);
    if (penalty) read_penalty(reader, penalty);
    if (limits_from) read_limit_fields(reader, limits_from);
    reader->connector->concurrency = reader_count(reader, document, "concurrency", 1, 256, 0);
    reader->connector->error = reader_jq(reader, document, "error");
    read_actions(reader, reader_get(document, "actions", KEY_MAP), entry);
}

void connectors_add(struct connectors *connectors, const struct tree *document, struct findings *findings) {
    struct connector *connector = arena_new(connectors->arena, struct connector);
    struct catalog_entry entry = {0};
    struct reader reader = {.connectors = connectors,
                            .connector = connector,
                            .entry = &entry,
                            .findings = findings,
                            .arena = connectors->arena};
    size_t errors = findings->errors;
    if (!READER_KEYS(&reader, document, document_keys, STR("the connector"))) return;
    read_facts(&reader, document);
    entry.name = connector->name = read_name(&reader, document);
    read_parts(&reader, document, &entry);
    if (findings->errors == errors) connectors_put(connectors, connector, entry);
}
