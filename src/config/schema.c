/* config/schema.c - JSON Schema (2020-12) of drumbeat.yaml, for editors; see config.h.
 *
 * Editors read `8` as a number and `yes` as a boolean, so a key that takes a
 * text takes those too. What a schema cannot say (names that must be defined
 * elsewhere) is left to `drumbeat check`.
 */
#include "base/json.h"
#include "config/check.h"

#include <string.h>

#define SPAN_PATTERN    "^[0-9]+(us|ms|s|m|h|d)$"
#define SIZE_PATTERN    "^[0-9]+(B|KiB|MiB|GiB)$"
#define LIMIT_PATTERN   "^[0-9]+/[0-9]*(us|ms|s|m|h|d)$"
#define NAME_PATTERN    "^[a-z][a-z0-9-]{0,39}$"
#define ACCOUNT_PATTERN "^[a-z][a-z0-9_-]{0,39}$"
#define TYPE_PATTERN    "^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
#define GLOB_PATTERN    "^[A-Za-z0-9_.*?-]{1,64}$"

/* ---- pieces ---- */

static struct json *typed(const char *type) {
    struct json *schema = json_object();
    json_set_str(schema, "type", str_from(type));
    return schema;
}

static struct json *patterned(const char *pattern) {
    struct json *schema = typed("string");
    json_set_str(schema, "pattern", str_from(pattern));
    return schema;
}

static struct json *referring(struct arena *arena, struct str definition) {
    struct json *schema = json_object();
    json_set_str(schema, "$ref", str_fmt(arena, "#/$defs/%.*s", STR_ARG(definition)));
    return schema;
}

static struct json *one_of_words(struct str words, char separator) {
    struct json *schema = json_object(), *list = json_array();
    struct str word;
    while (str_next(&words, separator, &word)) json_push(list, json_str(word));
    json_set(schema, STR("enum"), list);
    return schema;
}

static struct json *any_of(struct json *first, struct json *second) {
    struct json *schema = json_object(), *list = json_array();
    json_push(list, first);
    json_push(list, second);
    json_set(schema, STR("anyOf"), list);
    return schema;
}

static struct json *list_of(struct json *items) {
    struct json *schema = typed("array");
    json_set_int(schema, "minItems", 1);
    json_set(schema, STR("items"), items);
    return schema;
}

/* Any scalar: the program takes its text. */
static struct json *scalar(void) {
    struct json *schema = json_object(), *types = json_array();
    json_push(types, json_str(STR("string")));
    json_push(types, json_str(STR("number")));
    json_push(types, json_str(STR("boolean")));
    json_set(schema, STR("type"), types);
    return schema;
}

static struct json *map_of(struct json *values) {
    struct json *schema = typed("object");
    json_set(schema, STR("additionalProperties"), values);
    return schema;
}

static struct json *named_map_of(struct json *values) {
    struct json *schema = map_of(values);
    json_set(schema, STR("propertyNames"), patterned(NAME_PATTERN));
    return schema;
}

/* ---- keys ---- */

static struct json *section_schema(struct arena *arena, enum section section);

static struct json *whole_schema(const struct key *key) {
    struct json *schema = typed("integer");
    json_set_int(schema, "minimum", key->min);
    json_set_int(schema, "maximum", key->max);
    return schema;
}

/* on and off are booleans to some editors. */
static struct json *breaker_schema(struct arena *arena) {
    struct json *words = any_of(one_of_words(STR("on off"), ' '), typed("boolean"));
    return any_of(words, section_schema(arena, SECTION_BREAKER));
}

static struct json *simple_schema(const struct key *key) {
    switch (key->type) {
    case KEY_VERSION: {
        struct json *schema = json_object();
        json_set_int(schema, "const", 1);
        return schema;
    }
    case KEY_WHOLE:
        return whole_schema(key);
    case KEY_SPAN:
        return patterned(SPAN_PATTERN);
    case KEY_SIZE:
        return patterned(SIZE_PATTERN);
    case KEY_PERCENT:
        return patterned("^[0-9]+%$");
    case KEY_FLAG:
        return typed("boolean");
    case KEY_CHOICE:
        return one_of_words(key->choices, '|');
    case KEY_ACCOUNT:
        return patterned(ACCOUNT_PATTERN);
    case KEY_TYPES:
        return list_of(patterned(TYPE_PATTERN));
    case KEY_PATTERNS:
        return any_of(patterned(GLOB_PATTERN), list_of(patterned(GLOB_PATTERN)));
    case KEY_LIMITS:
        return any_of(patterned(LIMIT_PATTERN), list_of(patterned(LIMIT_PATTERN)));
    case KEY_HEADERS:
        return map_of(scalar());
    case KEY_BODY:
        return json_bool(true);
    default:
        return scalar();
    }
}

static struct json *type_schema(struct arena *arena, const struct key *key) {
    if (key->type == KEY_BREAKER) return breaker_schema(arena);
    if (key->type == KEY_DESTINATIONS) return referring(arena, STR("destinations"));
    if (key->type == KEY_STEPS) return referring(arena, STR("steps"));
    enum section below = key_section(key->type);
    if (key->type == KEY_SOURCES || key->type == KEY_ROUTES) return named_map_of(section_schema(arena, below));
    return below == SECTION_COUNT ? simple_schema(key) : section_schema(arena, below);
}

/* A default that is a number or a boolean to an editor is one in the schema. */
static struct json *default_value(const struct key *key) {
    struct str text = str_from(key->fallback);
    int64_t number;
    if (key->type == KEY_FLAG) return json_bool(str_eq(text, STR("true")));
    return key->type == KEY_WHOLE && str_to_i64(text, &number) ? json_int(number) : json_str(text);
}

static struct json *key_schema(struct arena *arena, const struct key *key) {
    struct json *schema = type_schema(arena, key);
    if (key->type == KEY_BODY) return schema;
    json_set_str(schema, "description", str_from(key->help));
    if (key->fallback && *key->fallback && strcmp(key->fallback, "{}") != 0)
        json_set(schema, STR("default"), default_value(key));
    return schema;
}

/* false as additionalProperties refuses every other key. */
static struct json *section_schema(struct arena *arena, enum section section) {
    struct json *schema = typed("object"), *properties = json_object(), *required = json_array();
    for (const struct key *key = NULL; (key = key_next(section, key));) {
        json_set(properties, key->name, key_schema(arena, key));
        if (!key->fallback) json_push(required, json_str(key->name));
    }
    json_set(schema, STR("properties"), properties);
    json_set(schema, STR("required"), required);
    json_set(schema, STR("additionalProperties"), json_bool(false));
    return schema;
}

/* ---- connectors ---- */

static void set_property(struct json *schema, struct str name, struct json *property) {
    struct json *properties = json_copy(json_get(schema, STR("properties")));
    json_set(properties, name, property);
    json_set(schema, STR("properties"), properties);
}

static void require(struct json *schema, struct str name) {
    struct json *required = json_copy(json_get(schema, STR("required")));
    json_push(required, json_str(name));
    json_set(schema, STR("required"), required);
}

static void add_names(struct json *schema, const struct catalog_name *names, size_t count, bool any_value) {
    for (size_t i = 0; i < count; i++) {
        struct json *property = any_value ? json_object() : scalar();
        json_set_str(property, "description", names[i].help);
        set_property(schema, names[i].name, property);
        if (names[i].required) require(schema, names[i].name);
    }
}

static struct json *when_type(struct arena *arena, struct str type, struct json *otherwise) {
    struct json *is_type = json_object(), *properties = json_object(), *test = json_object(), *choice = json_object();
    json_set_str(is_type, "const", type);
    json_set(properties, STR("type"), is_type);
    json_set(test, STR("properties"), properties);
    json_set(test, STR("required"), json_array());
    require(test, STR("type"));
    json_set(choice, STR("if"), test);
    json_set(choice, STR("then"), referring(arena, str_fmt(arena, "destination-%.*s", STR_ARG(type))));
    json_set(choice, STR("else"), otherwise);
    return choice;
}

/* Picks a definition by the written `type`; otherwise gives the definition of when there is none. */
static struct json *destination_by_type(struct arena *arena, const struct catalog *catalog, struct str otherwise) {
    struct json *schema = when_type(arena, STR("http"), referring(arena, otherwise));
    for (size_t i = 0; i < catalog->count; i++)
        if (!str_eq(catalog->entries[i].name, STR("http"))) schema = when_type(arena, catalog->entries[i].name, schema);
    return schema;
}

static void define_destinations(struct arena *arena, const struct catalog *catalog, struct json *definitions) {
    struct json *destinations = named_map_of(destination_by_type(arena, catalog, STR("destination-http")));
    struct json *named = json_object(), *http = section_schema(arena, SECTION_DESTINATION);
    require(http, STR("url"));
    json_set(definitions, STR("destination-http"), http);
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        if (str_eq(entry->name, STR("http"))) continue;
        struct str definition = str_fmt(arena, "destination-%.*s", STR_ARG(entry->name));
        struct json *schema = section_schema(arena, SECTION_DESTINATION);
        add_names(schema, entry->fields, entry->field_count, false);
        json_set(definitions, definition, schema);
        json_set(named, entry->name, destination_by_type(arena, catalog, definition));
    }
    json_set(destinations, STR("properties"), named);
    json_set(definitions, STR("destinations"), destinations);
}

/* A delivery to a destination of another name than its connector's may hold any parameter. */
static struct json *open_delivery(struct arena *arena) {
    struct json *delivery = section_schema(arena, SECTION_DELIVERY);
    json_set(delivery, STR("additionalProperties"), json_bool(true));
    return any_of(delivery, typed("null"));
}

static void define_steps(struct arena *arena, const struct catalog *catalog, struct json *definitions) {
    struct json *step = map_of(open_delivery(arena)), *named = json_object();
    for (size_t i = 0; i < catalog->count; i++)
        for (size_t j = 0; j < catalog->entries[i].action_count; j++) {
            const struct catalog_action *action = &catalog->entries[i].actions[j];
            if (!action->name.n) continue;
            struct json *delivery = section_schema(arena, SECTION_DELIVERY);
            add_names(delivery, action->params, action->param_count, true);
            json_set(named, str_fmt(arena, "%.*s.%.*s", STR_ARG(catalog->entries[i].name), STR_ARG(action->name)),
                     delivery);
        }
    json_set(step, STR("properties"), named);
    json_set_int(step, "minProperties", 1);
    json_set_int(step, "maxProperties", 1);
    json_set(definitions, STR("steps"), any_of(typed("string"), list_of(any_of(typed("string"), step))));
}

struct str config_schema(struct arena *arena, const struct catalog *catalog) {
    struct json *schema = section_schema(arena, SECTION_TOP), *definitions = json_object();
    json_set_str(schema, "$schema", STR("https://json-schema.org/draft/2020-12/schema"));
    json_set_str(schema, "title", STR("drumbeat.yaml"));
    define_destinations(arena, catalog, definitions);
    define_steps(arena, catalog, definitions);
    json_set(schema, STR("$defs"), definitions);
    struct str text = json_dump_pretty(arena, schema);
    json_free(schema);
    return text;
}
