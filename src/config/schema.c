/* config/schema.c - JSON Schema (2020-12) of drumbeat.yaml, from the table of keys; see schema.h and config.h. */
#include "base/json.h"
#include "config/section_source.h"

#include <string.h>

#define SPAN_PATTERN    "^[0-9]+(us|ms|s|m|h|d)$"
#define SIZE_PATTERN    "^[0-9]+(B|KiB|MiB|GiB)$"
#define RATE_PATTERN    "^[0-9]+/[0-9]*(us|ms|s|m|h|d)$"
#define LIMIT_PATTERN   "^[0-9]+/[0-9]*(us|ms|s|m|h|d)( per [A-Za-z_][A-Za-z0-9_-]*)?$"
#define NAME_PATTERN    "^[a-z][a-z0-9-]{0,39}$"
#define ACCOUNT_PATTERN "^[a-z][a-z0-9_-]{0,39}$"
#define TYPE_PATTERN    "^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
#define GLOB_PATTERN    "^[A-Za-z0-9_.*?-]{1,64}$"

/* ---- pieces ---- */

struct json *schema_typed(const char *type) {
    struct json *schema = json_object();
    json_set_str(schema, "type", str_from(type));
    return schema;
}

static struct json *patterned(const char *pattern) {
    struct json *schema = schema_typed("string");
    json_set_str(schema, "pattern", str_from(pattern));
    return schema;
}

struct json *schema_referring(struct json_schema *schema, struct str definition) {
    struct json *reference = json_object();
    json_set_str(reference, "$ref", str_fmt(schema->arena, "#/$defs/%.*s", STR_ARG(definition)));
    return reference;
}

static struct json *one_of_words(struct str words, char separator) {
    struct json *schema = json_object(), *list = json_array();
    struct str word;
    while (str_next(&words, separator, &word)) json_push(list, json_str(word));
    json_set(schema, STR("enum"), list);
    return schema;
}

struct json *schema_any_of(struct json *first, struct json *second) {
    struct json *schema = json_object(), *list = json_array();
    json_push(list, first);
    json_push(list, second);
    json_set(schema, STR("anyOf"), list);
    return schema;
}

struct json *schema_list_of(struct json *items) {
    struct json *schema = schema_typed("array");
    json_set_int(schema, "minItems", 1);
    json_set(schema, STR("items"), items);
    return schema;
}

/* Any scalar: the program takes its text. */
struct json *schema_scalar(void) {
    struct json *schema = json_object(), *types = json_array();
    json_push(types, json_str(STR("string")));
    json_push(types, json_str(STR("number")));
    json_push(types, json_str(STR("boolean")));
    json_set(schema, STR("type"), types);
    return schema;
}

struct json *schema_map_of(struct json *values) {
    struct json *schema = schema_typed("object");
    json_set(schema, STR("additionalProperties"), values);
    return schema;
}

struct json *schema_named_map_of(struct json *values) {
    struct json *schema = schema_map_of(values);
    json_set(schema, STR("propertyNames"), patterned(NAME_PATTERN));
    return schema;
}

struct json *schema_when_type(struct str type, struct json *then, struct json *otherwise) {
    struct json *is_type = json_object(), *properties = json_object(), *test = json_object(), *choice = json_object();
    struct json *required = json_array();
    json_set_str(is_type, "const", type);
    json_set(properties, STR("type"), is_type);
    json_push(required, json_str(STR("type")));
    json_set(test, STR("properties"), properties);
    json_set(test, STR("required"), required);
    json_set(choice, STR("if"), test);
    json_set(choice, STR("then"), then);
    json_set(choice, STR("else"), otherwise);
    return choice;
}

/* ---- keys ---- */

static struct json *whole_schema(const struct key *key) {
    struct json *schema = schema_typed("integer");
    json_set_int(schema, "minimum", key->min);
    json_set_int(schema, "maximum", key->max);
    return schema;
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
        return schema_typed("boolean");
    case KEY_CHOICE:
        return one_of_words(key->choices, '|');
    case KEY_ACCOUNT:
        return patterned(ACCOUNT_PATTERN);
    case KEY_TYPES:
        return schema_list_of(patterned(TYPE_PATTERN));
    case KEY_PATTERNS:
        return schema_any_of(patterned(GLOB_PATTERN), schema_list_of(patterned(GLOB_PATTERN)));
    case KEY_RATE:
        return patterned(RATE_PATTERN);
    case KEY_LIST:
        return schema_any_of(schema_scalar(), schema_list_of(schema_scalar()));
    case KEY_LIMITS:
        return schema_any_of(patterned(LIMIT_PATTERN), schema_list_of(patterned(LIMIT_PATTERN)));
    case KEY_HEADERS:
        return schema_map_of(schema_scalar());
    case KEY_DAYTIME:
        return patterned("^([01][0-9]|2[0-3]):[0-5][0-9]$");
    case KEY_PAYLOAD:
        return schema_typed("object");
    case KEY_BODY:
        return json_bool(true);
    default:
        return schema_scalar();
    }
}

static struct json *type_schema(struct json_schema *schema, const struct key *key) {
    if (key->type == KEY_DELIVERIES) return schema_steps(schema, key_find(SECTION_ROUTE, STR("to")));
    return key->type == KEY_SECTION ? section_row(key_section(key))->schema(schema, key) : simple_schema(key);
}

/* A default that an editor takes for a number or a boolean is one in the schema too. */
static struct json *default_value(const struct key *key) {
    struct str text = str_from(key->fallback);
    int64_t number;
    if (key->type == KEY_FLAG) return json_bool(str_eq(text, STR("true")));
    return key->type == KEY_WHOLE && str_to_i64(text, &number) ? json_int(number) : json_str(text);
}

static struct json *key_schema(struct json_schema *schema, const struct key *key) {
    struct json *value = type_schema(schema, key);
    if (key->type == KEY_BODY) return value;
    json_set_str(value, "description", str_from(key->help));
    if (key->fallback && *key->fallback && strcmp(key->fallback, "{}") != 0)
        json_set(value, STR("default"), default_value(key));
    return value;
}

/* ---- sections ---- */

static void add_keys(struct json_schema *schema, enum section section, struct json *properties, struct json *required) {
    for (const struct key *key = NULL; (key = key_next(section, key));) {
        json_set(properties, key->name, key_schema(schema, key));
        if (!key->fallback) json_push(required, json_str(key->name));
    }
}

/* The schema of a section, or of one and a part of it. additionalProperties is false, which refuses every other key. */
static struct json *schema_parts(struct json_schema *schema, enum section section, enum section part) {
    struct json *map = schema_typed("object"), *properties = json_object(), *required = json_array();
    add_keys(schema, section, properties, required);
    if (part != section) add_keys(schema, part, properties, required);
    json_set(map, STR("properties"), properties);
    json_set(map, STR("required"), required);
    json_set(map, STR("additionalProperties"), json_bool(false));
    return map;
}

static struct json *schema_section(struct json_schema *schema, enum section section) {
    return schema_parts(schema, section, section);
}

struct json *schema_keys(struct json_schema *schema, const struct key *key) {
    return schema_section(schema, key_section(key));
}

struct json *schema_names(struct json_schema *schema, const struct key *key) {
    return schema_named_map_of(schema_section(schema, key_section(key)));
}

struct json *schema_fields(struct json_schema *schema, const struct key *key) {
    struct json *words = one_of_words(STR("required optional"), ' ');
    return schema_map_of(schema_any_of(words, schema_section(schema, key_section(key))));
}

struct json *schema_sources(struct json_schema *schema, const struct key *key) {
    struct json *source = NULL;
    (void)key;
    for (enum source_kind kind = SOURCE_WEBHOOK; kind < SOURCE_KIND_COUNT; kind++) {
        const char *type = source_kind_type(kind);
        struct str definition = str_fmt(schema->arena, "source-%s", type ? type : "webhook");
        struct json *reference = schema_referring(schema, definition);
        json_set(schema->definitions, definition, schema_parts(schema, SECTION_SOURCE, source_section(kind)));
        source = type ? schema_when_type(str_from(type), reference, source) : reference;
    }
    return schema_named_map_of(source);
}

/* on and off are booleans to some editors. */
struct json *schema_breaker(struct json_schema *schema, const struct key *key) {
    struct json *words = schema_any_of(one_of_words(STR("on off"), ' '), schema_typed("boolean"));
    return schema_any_of(words, schema_keys(schema, key));
}

struct str config_schema(struct arena *arena, const struct catalog *catalog) {
    struct json_schema schema = {arena, catalog, json_object()};
    struct json *top = schema_section(&schema, SECTION_TOP);
    json_set_str(top, "$schema", STR("https://json-schema.org/draft/2020-12/schema"));
    json_set_str(top, "title", STR("drumbeat.yaml"));
    json_set(top, STR("$defs"), schema.definitions);
    struct str text = json_dump_pretty(arena, top);
    json_free(top);
    return text;
}
