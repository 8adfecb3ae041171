/* config/config.h - drumbeat.yaml, from text to settings. Pure.
 *
 * One job each: parse (text -> tree; the one file that knows YAML), keys.def
 * (THE table of keys) with check and scalar (tree -> settings), expand and
 * secret (${NAME} -> value), schema and explain (texts from the
 * same table), diff (what a reload would change).
 * All findings at once, each with line and column and, where a name is near,
 * "did you mean".
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "model/settings.h"

struct catalog;

#define CONFIG_TEXT_MAX  ((size_t)1 << 20)
#define CONFIG_NODES_MAX 100000

/* YAML to tree; every scalar stays text. Aliases are refused beyond 100. NULL when it did not parse: findings say why.
 */
struct tree *config_parse(struct arena *arena, struct str file, struct str text, struct findings *findings);

/* What a configuration asks of the machine: a secret's value by its name, and whether there is such a time zone.
 * ret_note: "" or a warning ("from the environment"). false = not found, or refused with the reason in ret_note (a
 * secrets file with an open mode). */
struct secret_source {
    bool (*lookup)(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note);
    bool (*zone_known)(void *self, struct str zone); /* whether the IANA list has it; NULL = not asked */
    void *self;
};

/* Tree to settings. Always returns something; use it only when findings->errors is 0. jq texts are not compiled here.
 * A relative store is resolved against the folder of tree->file. secrets may be NULL: then none is found. */
struct settings *config_check(struct arena *arena, const struct tree *tree, const struct catalog *catalog,
                              const struct secret_source *secrets, struct findings *findings);

/* ---- texts from the same table ---- */
struct str config_schema(struct arena *arena, const struct catalog *catalog); /* JSON Schema 2020-12 */
/* Help on a key ("limit", "server.max_body", "destinations.*.retry") or on a finding's code ("E0204"); STR_NONE when
 * there is none. */
struct str config_explain(struct arena *arena, struct str asked);
/* "; did you mean 'limit'?", or "". It looks among the keys alone, because a code that is one digit off means something
 * else. */
struct str config_suggest(struct arena *arena, struct str asked);
/* Markdown reference of every key. */
struct str config_reference(struct arena *arena);
/* The same as the source of drumbeat.yaml(5). */
struct str config_manual(struct arena *arena);

/* ---- reload ---- */
struct change {
    struct change *next;
    struct str text; /* "destination crm: limit 10/s -> 5/s" */
    struct str what; /* "destination crm: limit"; STR_NONE where it is no key's */
    bool needs_restart;
};
/* What applying `after` over `before` would change, in the order of the table; secrets are named, never shown. */
struct change *config_diff(struct arena *arena, const struct settings *before, const struct settings *after);

/* `drumbeat.yaml:31:7: error E0204: unknown key ...` one a line. */
struct str findings_text(struct arena *arena, const struct findings *findings);
/* The same as a JSON array, for -o json. */
struct str findings_json(struct arena *arena, const struct findings *findings);

#endif
