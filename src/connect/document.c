/* connect/document.c - a connector document: its names, its limits, and the whole of it; see document.h. */
#include "connect/document.h"

#include "base/json.h"
#include "base/when.h"
#include "connect/token.h"

#include <string.h>

#define NAMES_MAX             128
#define LIMIT_COUNT_MAX       100000
#define LIMIT_FIELDS_MAX      8
#define WINDOW_MAX_US         (31 * US_PER_DAY)
#define UNIT_WORD(name, word) word,
#define NAME_BYTES_MAX        40
#define ACTIONS_MAX           64

/* ---- names ---- */

/* A name as destinations, parameters and fields have it: a small letter, then small letters, digits and one of the
 * marks, at most 40. */
static bool name_valid(struct str name, struct str marks) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || str_find(marks, c) != SIZE_MAX;
        if (!letter && (i == 0 || !other)) return false;
    }
    return name.n > 0 && name.n <= NAME_BYTES_MAX;
}

/* Whether it is one of the words, so that it cannot be used. */
static bool name_reserved(struct str name, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_from(words[i]))) return true;
    return false;
}

/* ---- fields and parameters ---- */

/* Words that mean something to every destination; `url` is one that a connector may take over. */
static const char *const destination_words[] = {"type",        "headers",    "signing_secret", "limit",   "account",
                                                "concurrency", "timeout",    "retry",          "give_up", "queue",
                                                "breaker",     "on_unknown", "allow_private",  "ca",      "proxy"};
/* Words that mean something in every delivery of a route. */
static const char *const delivery_words[] = {"after", "when", "unless", "key", "order_by", "late", "batch"};

static bool names_fit(struct document_reader *reader, const struct tree *map, const char *what) {
    if (map->count <= NAMES_MAX) return true;
    reader_complain(reader, map, map->mark, CODE_CONNECT_FULL, "more than %d %s", NAMES_MAX, what);
    return false;
}

static void check_name(struct document_reader *reader, const struct tree *map, size_t at, const char *what,
                       const char *const *words, size_t count) {
    struct str name = map->names[at];
    if (!name_valid(name, STR("_")))
        reader_complain(reader, map, map->name_marks[at], CODE_CONNECT_NAME,
                        "'%.*s' is no name for a %s: a small letter, then small letters, digits and '_'", STR_ARG(name),
                        what);
    else if (name_reserved(name, words, count))
        reader_complain(reader, map, map->name_marks[at], CODE_CONNECT_NAME,
                        "a %s cannot be called '%.*s': the word has a meaning", what, STR_ARG(name));
}

static void read_field(struct document_reader *reader, const struct tree *spec, struct str name, struct field *field,
                       struct catalog_name *catalog) {
    static const struct key_rule keys[] = {{"secret", KEY_TEXT, false},
                                           {"required", KEY_TEXT, false},
                                           {"default", KEY_TEXT, false},
                                           {"lines", KEY_TEXT, false},
                                           {"help", KEY_TEXT, false}};
    struct str where = str_fmt(reader->arena, "field '%.*s'", STR_ARG(name));
    *catalog = (struct catalog_name){.name = name};
    *field = (struct field){.name = name};
    if (!READER_KEYS(reader, spec, keys, where)) return;
    catalog->secret = field->secret = reader_truth(reader, spec, "secret");
    catalog->help = tree_text(spec, STR("help"));
    field->required = reader_truth(reader, spec, "required");
    field->lines = reader_truth(reader, spec, "lines");
    catalog->fallback = field->fallback = tree_text(spec, STR("default"));
    if (field->required && field->fallback.n)
        reader_complain(reader, spec, spec->mark, CODE_CONNECT_CLASH, "%.*s has a default, so it is not required",
                        STR_ARG(where));
    catalog->required = field->required;
}

static void read_fields(struct document_reader *reader, const struct tree *map, struct catalog_entry *entry) {
    struct connector *connector = reader->connector;
    if (!names_fit(reader, map, "fields")) return;
    connector->fields = arena_array(reader->arena, struct field, map->count);
    entry->fields = arena_array(reader->arena, struct catalog_name, map->count);
    for (size_t i = 0; i < map->count; i++) {
        check_name(reader, map, i, "field", destination_words, sizeof destination_words / sizeof *destination_words);
        read_field(reader, map->items[i], map->names[i], &connector->fields[i], &entry->fields[i]);
    }
    connector->field_count = entry->field_count = map->count;
}

/* What a parameter is where a delivery does not set it. It is of the parameter's own type. */
static void read_fallback(struct document_reader *reader, const struct tree *spec, struct catalog_name *param) {
    const struct tree *value = reader_get(spec, "default", KEY_ANY);
    struct buf buf = {.arena = reader->arena};
    struct json_error error;
    struct json *json = NULL;
    if (!value) return;
    tree_json(&buf, value);
    param->fallback = buf_str(&buf);
    if (json_parse(param->fallback, JSON_DEPTH_MAX, &json, &error) || !param_type_takes(param->type, json))
        reader_complain(reader, value, value->mark, CODE_CONNECT_VALUE, "the default of parameter '%.*s' must be %s",
                        STR_ARG(param->name), param_type_what(param->type));
    json_free(json);
    if (param->required)
        reader_complain(reader, spec, spec->mark, CODE_CONNECT_CLASH,
                        "parameter '%.*s' has a default, so it is not required", STR_ARG(param->name));
}

/* The names of parameters, one or a list of them. */
static struct str_list read_names(struct document_reader *reader, const struct tree *tree,
                                  const struct catalog_action *action) {
    struct tree *one[] = {(struct tree *)tree};
    struct tree *const *items = tree->kind == TREE_LIST ? tree->items : one;
    size_t count = tree->kind == TREE_LIST ? tree->count : 1;
    struct str_list names = {arena_array(reader->arena, struct str, count), 0};
    for (size_t i = 0; i < count; i++) {
        if (items[i]->kind == TREE_SCALAR && catalog_param(action, items[i]->text))
            names.items[names.count++] = items[i]->text;
        else
            reader_complain(reader, items[i], items[i]->mark, CODE_CONNECT_REFERENCE, "there is no parameter '%.*s'",
                            STR_ARG(items[i]->text));
    }
    return names;
}

static void read_needs(struct document_reader *reader, const struct tree *map, struct catalog_action *action) {
    for (size_t i = 0; i < map->count; i++) {
        const struct tree *needs = map->items[i]->kind == TREE_MAP ? tree_get(map->items[i], STR("needs")) : NULL;
        if (needs) action->params[i].needs = read_names(reader, needs, action);
    }
}

void read_any_of(struct document_reader *reader, const struct tree *list, struct catalog_action *action) {
    bool nested = list->count && list->items[0]->kind == TREE_LIST;
    size_t count = nested ? list->count : 1;
    action->any_of = arena_array(reader->arena, struct str_list, count);
    for (size_t i = 0; i < count; i++) {
        const struct tree *names = nested ? list->items[i] : list;
        action->any_of[action->any_of_count++] = read_names(reader, names, action);
        if (names->kind != TREE_LIST || names->count < 2)
            reader_complain(reader, names, names->mark, CODE_CONNECT_VALUE,
                            "'any_of' takes a list of two parameters or more, or several such lists");
    }
}

/* `required`, `optional`, or a map with type, default, help and what it needs. */
static void read_param(struct document_reader *reader, const struct tree *spec, struct catalog_name *param) {
    static const char *const words[] = {"optional", "required"};
    static const struct key_rule keys[] = {{"required", KEY_TEXT, false},
                                           {"type", KEY_TEXT, false},
                                           {"default", KEY_ANY, false},
                                           {"needs", KEY_TEXT | KEY_LIST, false},
                                           {"help", KEY_TEXT, false}};
    const char *types[PARAM_TYPE_COUNT];
    for (enum param_type type = 0; type < PARAM_TYPE_COUNT; type++) types[type] = param_type_word(type);
    if (spec->kind == TREE_SCALAR) {
        param->required = reader_word(reader, spec, words, 2) == 1;
        return;
    }
    if (!READER_KEYS(reader, spec, keys, str_fmt(reader->arena, "parameter '%.*s'", STR_ARG(param->name)))) return;
    const struct tree *type = reader_get(spec, "type", KEY_TEXT);
    size_t word = type ? reader_word(reader, type, types, PARAM_TYPE_COUNT) : PARAM_ANY;
    param->type = word == PARAM_TYPE_COUNT ? PARAM_ANY : (enum param_type)word;
    param->required = reader_truth(reader, spec, "required");
    read_fallback(reader, spec, param);
    param->help = tree_text(spec, STR("help"));
}

void read_params(struct document_reader *reader, const struct tree *map, struct catalog_action *action) {
    if (!names_fit(reader, map, "parameters")) return;
    action->params = arena_array(reader->arena, struct catalog_name, map->count);
    action->param_count = map->count;
    for (size_t i = 0; i < map->count; i++) {
        check_name(reader, map, i, "parameter", delivery_words, sizeof delivery_words / sizeof *delivery_words);
        action->params[i].name = map->names[i];
        read_param(reader, map->items[i], &action->params[i]);
    }
    read_needs(reader, map, action);
}

/* ---- limits, silence after a refusal, and the headers that tell ---- */

static bool limit_fits(const struct limit_rule *rule) {
    return rule->count >= 1 && rule->count <= LIMIT_COUNT_MAX && rule->window_us >= US_PER_MS &&
           rule->window_us <= WINDOW_MAX_US;
}

static void read_limit(struct document_reader *reader, const struct tree *tree) {
    struct connector *connector = reader->connector;
    struct limit_rule rule;
    struct str meter;
    if (tree->kind != TREE_SCALAR || !limit_rule_parse(tree->text, &rule, &meter) || !limit_fits(&rule))
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_VALUE,
                        "'%.*s' is no limit such as 10/s, 300/15m or 1/s per channel", STR_ARG(tree->text));
    else if (connector->limit_count + connector->meter_limit_count == LIMIT_RULES_MAX)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_FULL, "more than %d limits", LIMIT_RULES_MAX);
    else if (!meter.n)
        connector->limits[connector->limit_count++] = rule;
    else if (connector->meter.n && !str_eq(connector->meter, meter))
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_CLASH, "limits are per '%.*s' or per '%.*s', not both",
                        STR_ARG(connector->meter), STR_ARG(meter));
    else {
        connector->meter = meter;
        connector->meter_limits[connector->meter_limit_count++] = rule;
    }
}

static void read_limits(struct document_reader *reader, const struct tree *tree) {
    if (tree->kind == TREE_SCALAR) read_limit(reader, tree);
    for (size_t i = 0; tree->kind == TREE_LIST && i < tree->count; i++) read_limit(reader, tree->items[i]);
}

static void read_penalty(struct document_reader *reader, const struct tree *map) {
    static const struct key_rule keys[] = {{"after", KEY_TEXT | KEY_LIST, true}, {"wait", KEY_TEXT, true}};
    if (!READER_KEYS(reader, map, keys, STR("'penalty'"))) return;
    const struct tree *after = reader_get(map, "after", KEY_TEXT | KEY_LIST);
    if (after) read_status(reader, after, &reader->connector->penalty_after);
    reader->connector->penalty_us = reader_span(reader, map, "wait", US_PER_S, US_PER_DAY, 0);
}

static const char *const unit_words[RESET_COUNT] = {RESET_LIST(UNIT_WORD)
#undef UNIT_WORD
};

static struct str header_name(struct document_reader *reader, const struct tree *map, const char *key) {
    const struct tree *value = reader_get(map, key, KEY_TEXT);
    if (!value) return STR_NONE;
    if (!header_name_valid(value->text))
        reader_complain(reader, value, value->mark, CODE_CONNECT_VALUE, "'%.*s' is no name of a header",
                        STR_ARG(value->text));
    return value->text;
}

static void read_limit_field(struct document_reader *reader, const struct tree *map, struct limit_field *field) {
    static const struct key_rule keys[] = {{"remaining", KEY_TEXT, false},
                                           {"reset", KEY_TEXT, false},
                                           {"unit", KEY_TEXT, false},
                                           {"structured", KEY_TEXT, false}};
    if (!READER_KEYS(reader, map, keys, STR("'limits_from'"))) return;
    const struct tree *unit = reader_get(map, "unit", KEY_TEXT);
    struct str structured = header_name(reader, map, "structured");
    field->remaining = header_name(reader, map, "remaining");
    field->reset = header_name(reader, map, "reset");
    size_t word = unit ? reader_word(reader, unit, unit_words, RESET_COUNT) : RESET_AUTO;
    field->unit = word == RESET_COUNT ? RESET_AUTO : (enum reset_unit)word;
    bool alone = structured.n && !field->reset.n && !field->remaining.n && !unit;
    if (structured.n ? !alone : !field->reset.n)
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH,
                        "'limits_from' names either 'structured' or a 'reset'");
    if (structured.n) field->remaining = structured;
}

static void read_limit_fields(struct document_reader *reader, const struct tree *tree) {
    struct connector *connector = reader->connector;
    size_t count = tree->kind == TREE_LIST ? tree->count : 1;
    if (!count || count > LIMIT_FIELDS_MAX) {
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_FULL, "'limits_from' names 1 to %d limits",
                        LIMIT_FIELDS_MAX);
        return;
    }
    connector->limit_fields = arena_array(reader->arena, struct limit_field, count);
    connector->limit_field_count = count;
    for (size_t i = 0; i < count; i++)
        read_limit_field(reader, tree->kind == TREE_LIST ? tree->items[i] : tree, &connector->limit_fields[i]);
}

/* ---- the document as a whole ---- */

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
    {"timeout", KEY_TEXT, false},
    {"answer_max", KEY_TEXT, false},
    {"penalty", KEY_MAP, false},
    {"limits_from", KEY_MAP | KEY_LIST, false},
    {"error", KEY_TEXT, false},
    {"actions", KEY_MAP, true},
};

/* Reads the language's version, and the day on which somebody last compared the file with the provider. */
static void read_facts(struct document_reader *reader, const struct tree *document) {
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

static struct str read_name(struct document_reader *reader, const struct tree *document) {
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

static void read_actions(struct document_reader *reader, const struct tree *map, struct catalog_entry *entry) {
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

static void read_parts(struct document_reader *reader, const struct tree *document, struct catalog_entry *entry) {
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
    reader->connector->timeout_us = reader_span(reader, document, "timeout", US_PER_S, US_PER_HOUR, 0);
    reader->connector->answer_max =
        reader_size(reader, document, "answer_max", EXCHANGE_ANSWER_MAX, EXCHANGE_ANSWER_MOST, 0);
    reader->connector->error = reader_jq(reader, document, "error");
    read_actions(reader, reader_get(document, "actions", KEY_MAP), entry);
    if (reader->connector->meter.n && !connector_has_param(reader->connector, reader->connector->meter))
        reader_complain(reader, limits, limits->mark, CODE_CONNECT_NAME,
                        "no action has a parameter '%.*s' of which each value could have a limit",
                        STR_ARG(reader->connector->meter));
}

void connectors_add(struct connectors *connectors, const struct tree *document, struct findings *findings) {
    struct connector *connector = arena_new(connectors->arena, struct connector);
    struct catalog_entry entry = {0};
    struct document_reader reader = {.connectors = connectors,
                                     .connector = connector,
                                     .entry = &entry,
                                     .findings = findings,
                                     .arena = connectors->arena};
    size_t errors = findings->errors;
    if (!READER_KEYS(&reader, document, document_keys, STR("the connector"))) return;
    read_facts(&reader, document);
    entry.name = connector->name = read_name(&reader, document);
    entry.about = tree_text(document, STR("about"));
    entry.checked = tree_text(document, STR("checked"));
    entry.file = document->file;
    entry.docs = reader_get(document, "docs", KEY_TEXT | KEY_LIST);
    read_parts(&reader, document, &entry);
    memcpy(entry.limits, connector->limits, sizeof connector->limits);
    entry.limit_count = connector->limit_count;
    entry.meter = connector->meter;
    memcpy(entry.meter_limits, connector->meter_limits, sizeof connector->meter_limits);
    entry.meter_limit_count = connector->meter_limit_count;
    entry.concurrency = connector->concurrency;
    entry.keeps_token = connector->token && connector->token->ways[TOKEN_REFRESH];
    entry.logs_in = connector->token && connector->token->ways[TOKEN_ASK];
    if (findings->errors == errors) connectors_put(connectors, connector, entry);
}
