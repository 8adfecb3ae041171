/* config/schema_connectors.c - the schemas of destinations and deliveries, which the connectors' fields and parameters
 * extend; see schema.h. */
#include "base/json.h"
#include "config/schema.h"

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
        struct json *property = any_value ? json_object() : schema_scalar();
        json_set_str(property, "description", names[i].help);
        set_property(schema, names[i].name, property);
        if (names[i].required) require(schema, names[i].name);
    }
}

static struct json *when_type(struct json_schema *schema, struct str type, struct json *otherwise) {
    struct str definition = str_fmt(schema->arena, "destination-%.*s", STR_ARG(type));
    return schema_when_type(type, schema_referring(schema, definition), otherwise);
}

/* Picks a definition by the written `type`; otherwise gives the definition of when there is none. */
static struct json *destination_by_type(struct json_schema *schema, struct str otherwise) {
    const struct catalog *catalog = schema->catalog;
    struct json *choice = when_type(schema, STR("http"), schema_referring(schema, otherwise));
    for (size_t i = 0; i < catalog->count; i++)
        if (!str_eq(catalog->entries[i].name, STR("http")))
            choice = when_type(schema, catalog->entries[i].name, choice);
    return choice;
}

struct json *schema_destinations(struct json_schema *schema, const struct key *key) {
    struct json *destinations = schema_named_map_of(destination_by_type(schema, STR("destination-http")));
    struct json *named = json_object(), *http = schema_keys(schema, key);
    require(http, STR("url"));
    json_set(schema->definitions, STR("destination-http"), http);
    for (size_t i = 0; i < schema->catalog->count; i++) {
        const struct catalog_entry *entry = &schema->catalog->entries[i];
        if (str_eq(entry->name, STR("http"))) continue;
        struct str definition = str_fmt(schema->arena, "destination-%.*s", STR_ARG(entry->name));
        struct json *destination = schema_keys(schema, key);
        add_names(destination, entry->fields, entry->field_count, false);
        json_set(schema->definitions, definition, destination);
        json_set(named, entry->name, destination_by_type(schema, definition));
    }
    json_set(destinations, STR("properties"), named);
    json_set(schema->definitions, STR("destinations"), destinations);
    return schema_referring(schema, STR("destinations"));
}

/* A delivery to a destination of another name than its connector's may hold any parameter. */
static struct json *open_delivery(struct json_schema *schema, const struct key *key) {
    struct json *delivery = schema_keys(schema, key);
    json_set(delivery, STR("additionalProperties"), json_bool(true));
    return schema_any_of(delivery, schema_typed("null"));
}

static void add_needs(struct json *delivery, const struct catalog_action *action) {
    struct json *needs = json_object();
    for (size_t i = 0; i < action->param_count; i++) {
        const struct str_list *names = &action->params[i].needs;
        struct json *list = names->count ? json_array() : NULL;
        for (size_t j = 0; j < names->count; j++) json_push(list, json_str(names->items[j]));
        if (list) json_set(needs, action->params[i].name, list);
    }
    if (json_size(needs))
        json_set(delivery, STR("dependentRequired"), needs);
    else
        json_free(needs);
}

static void add_actions(struct json_schema *schema, const struct key *key, const struct catalog_entry *entry,
                        struct json *named) {
    for (size_t i = 0; i < entry->action_count; i++) {
        const struct catalog_action *action = &entry->actions[i];
        if (!action->name.n) continue;
        struct json *delivery = schema_keys(schema, key);
        add_names(delivery, action->params, action->param_count, true);
        add_needs(delivery, action);
        json_set(named, str_fmt(schema->arena, "%.*s.%.*s", STR_ARG(entry->name), STR_ARG(action->name)), delivery);
    }
}

struct json *schema_steps(struct json_schema *schema, const struct key *key) {
    struct json *step = schema_map_of(open_delivery(schema, key)), *named = json_object();
    for (size_t i = 0; i < schema->catalog->count; i++) add_actions(schema, key, &schema->catalog->entries[i], named);
    json_set(step, STR("properties"), named);
    json_set_int(step, "minProperties", 1);
    json_set_int(step, "maxProperties", 1);
    struct json *items = schema_list_of(schema_any_of(schema_typed("string"), step));
    json_set(schema->definitions, STR("steps"), schema_any_of(schema_typed("string"), items));
    return schema_referring(schema, STR("steps"));
}
