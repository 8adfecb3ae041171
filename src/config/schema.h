/* config/schema.h - the JSON Schema of a section, for editors. Private to this room.
 *
 * Editors read `8` as a number and `yes` as a boolean, so a key that takes a
 * text takes those too. What a schema cannot say (names that must be defined
 * elsewhere) is left to `drumbeat check`.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/config.h"
#include "config/keys.h"
#include "model/catalog.h"

struct json;

struct json_schema {
    struct arena *arena;
    const struct catalog *catalog;
    struct json *definitions; /* $defs */
};

/* The schema of what the key that opens a section takes. */
typedef struct json *schema_maker(struct json_schema *schema, const struct key *key);
schema_maker schema_keys;         /* a map of its keys */
schema_maker schema_names;        /* a map of names to maps of its keys */
schema_maker schema_sources;      /* of each kind its keys */
schema_maker schema_fields;       /* a map of names to a word or a map of its keys */
schema_maker schema_destinations; /* schema_connectors.c: what the connectors add */
schema_maker schema_steps;
schema_maker schema_breaker;

/* ---- pieces ---- */
struct json *schema_typed(const char *type); /* {"type": "object"} */
struct json *schema_scalar(void);            /* any scalar: the program takes its text */
struct json *schema_any_of(struct json *first, struct json *second);
struct json *schema_list_of(struct json *items);
struct json *schema_map_of(struct json *values);
struct json *schema_named_map_of(struct json *values); /* its keys are names */
/* `then` for a map whose `type` is this text. */
struct json *schema_when_type(struct str type, struct json *then, struct json *otherwise);
/* {"$ref": "#/$defs/NAME"} */
struct json *schema_referring(struct json_schema *schema, struct str definition);

#endif
