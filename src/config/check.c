/* config/check.c - tree to settings by the table of keys; see check.h. */
#include "config/check.h"

#include "base/when.h"

#include <string.h>

#define SHOWN_MAX 60

struct tree_mark check_key_mark(const struct tree *map, struct str name) {
    for (size_t i = 0; i < map->count; i++)
        if (str_eq(map->names[i], name)) return map->name_marks[i];
    return map->mark;
}

struct str check_subject(struct checker *checker, struct str name) {
    return str_fmt(checker->arena, "'%.*s'%.*s", STR_ARG(name), STR_ARG(checker->where));
}

struct str check_shown(struct checker *checker, struct str text) {
    struct buf shown = {.arena = checker->arena};
    size_t at = 0;
    while (at < text.n && at < SHOWN_MAX) {
        size_t length = str_utf8_length(text, at);
        if (!length || (unsigned char)text.p[at] < ' ' || text.p[at] == 0x7f)
            buf_byte(&shown, ' ');
        else
            buf_add(&shown, str_sub(text, at, length));
        at += length ? length : 1;
    }
    if (at < text.n) buf_add(&shown, STR("..."));
    return buf_str(&shown);
}

const struct tree *check_is_map(struct checker *checker, struct str subject, const struct tree *value,
                                struct tree_mark mark) {
    if (value->kind == TREE_MAP || value->kind == TREE_NULL) {
        struct tree *map = arena_copy(checker->arena, value, sizeof *value);
        map->kind = TREE_MAP;
        map->mark = mark;
        return map;
    }
    check_report(checker, value->mark, CODE_SHAPE, "%.*s takes a map of keys, each on a line of its own below it",
                 STR_ARG(subject));
    return NULL;
}

static bool is_name(struct str name) {
    if (!name.n || name.n > NAME_MAX_CHARACTERS || name.p[0] < 'a' || name.p[0] > 'z') return false;
    for (size_t i = 0; i < name.n; i++)
        if (!name.p[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789-", name.p[i])) return false;
    return true;
}

void check_name(struct checker *checker, const char *noun, struct str name, struct tree_mark mark) {
    if (is_name(name)) return;
    struct str shown = check_shown(checker, name);
    check_report(checker, mark, CODE_NAME,
                 "'%.*s' is no name for a %s: small letters, digits and hyphens, a letter first, at most %d",
                 STR_ARG(shown), noun, NAME_MAX_CHARACTERS);
}

static void read_section(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str where = checker->where;
    bool takes_secrets = checker->takes_secrets;
    enum section section = key_section(key->type);
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    checker->where = str_fmt(checker->arena, " in '%.*s'%.*s", STR_ARG(key->name), STR_ARG(where));
    checker->takes_secrets = section_takes_secrets(section);
    check_known(checker, section, map, (char *)owner + key->place);
    check_unknown(checker, section, map);
    checker->where = where;
    checker->takes_secrets = takes_secrets;
}

static void check_version(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    (void)owner;
    struct str text;
    if (scalar_text(checker, key, value, &text) && !str_eq(text, STR("1")))
        scalar_refuse(checker, key, value, CODE_BOUNDS);
}

static void check_server(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    read_section(checker, key, value, owner);
    const struct server_settings *server = &checker->settings->server;
    bool refused = !server->max_body_bytes; /* its own bound is not 0 */
    if (refused || server->max_event_bytes <= server->max_body_bytes) return;
    check_report(checker, check_key_mark(value, STR("max_event")), CODE_BOUNDS,
                 "'max_event' in 'server' is larger than 'max_body'");
}

static void check_retry(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    read_section(checker, key, value, owner);
    const struct retry_rule *retry = (const void *)((char *)owner + key->place);
    bool refused = !retry->cap_us;
    if (refused || retry->base_us <= retry->cap_us) return;
    check_report(checker, check_key_mark(value, STR("base")), CODE_BOUNDS, "'base' in 'retry'%.*s is longer than 'cap'",
                 STR_ARG(checker->where));
}

/* Sources are checked and not kept. */
static void check_sources(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    (void)owner;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    for (size_t i = 0; map && i < map->count; i++) {
        struct source source = {0};
        check_name(checker, "source", map->names[i], map->name_marks[i]);
        checker->where = str_fmt(checker->arena, " in source '%.*s'", STR_ARG(map->names[i]));
        checker->takes_secrets = true;
        struct str subject = str_fmt(checker->arena, "source '%.*s'", STR_ARG(map->names[i]));
        const struct tree *keys = check_is_map(checker, subject, map->items[i], map->name_marks[i]);
        if (!keys) continue;
        check_known(checker, SECTION_SOURCE, keys, &source);
        check_unknown(checker, SECTION_SOURCE, keys);
    }
    checker->where = STR_NONE;
    checker->takes_secrets = false;
}

/* What a delivery's body holds is the routes' to compile. */
static void check_body(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    (void)checker;
    *(const struct tree **)(void *)((char *)owner + key->place) = value;
}

/* A type that is not here is one text: scalar_read. */
static void (*const readers[KEY_TYPE_COUNT])(struct checker *checker, const struct key *key, const struct tree *value,
                                             void *owner) = {
    [KEY_VERSION] = check_version,     [KEY_ZONE] = check_zone,       [KEY_STORE] = check_store,
    [KEY_LISTEN] = check_listen,       [KEY_TYPES] = check_types,     [KEY_PATTERNS] = check_patterns,
    [KEY_HEADERS] = check_headers,     [KEY_LIMITS] = check_limits,   [KEY_BREAKER] = check_breaker,
    [KEY_SERVER] = check_server,       [KEY_KEEP] = read_section,     [KEY_RETRY] = check_retry,
    [KEY_BATCH] = read_section,        [KEY_SOURCES] = check_sources, [KEY_DESTINATIONS] = check_destinations,
    [KEY_ROUTES] = check_routes,       [KEY_STEPS] = check_steps,     [KEY_BODY] = check_body,
    [KEY_POSTGRES] = read_section,     [KEY_REDIS] = read_section,    [KEY_DSN] = check_dsn,
    [KEY_REDIS_URL] = check_redis_url,
};

static void read_key(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    if (readers[key->type])
        readers[key->type](checker, key, value, owner);
    else
        scalar_read(checker, key, value, owner);
}

/* Reads the fallback as if it had been written where the map begins. */
static void read_fallback(struct checker *checker, const struct key *key, const struct tree *map, void *owner) {
    struct tree *value = arena_new(checker->arena, struct tree);
    bool is_map = !strcmp(key->fallback, "{}");
    *value = (struct tree){.kind = is_map ? TREE_MAP : TREE_SCALAR, .mark = map->mark, .file = checker->file};
    if (!is_map) value->text = str_from(key->fallback);
    read_key(checker, key, value, owner);
}

/* In the table's order, so that a key may rely on those above it. What is no map was reported by the caller. */
void check_known(struct checker *checker, enum section section, const struct tree *map, void *owner) {
    for (const struct key *key = NULL; (key = key_next(section, key));) {
        const struct tree *value = tree_get(map, key->name);
        if (value)
            read_key(checker, key, value, owner);
        else if (key->fallback && *key->fallback)
            read_fallback(checker, key, map, owner);
        else if (!key->fallback && map->kind == TREE_MAP)
            check_report(checker, map->mark, CODE_MISSING, "'%.*s' is missing%.*s: it takes %s", STR_ARG(key->name),
                         STR_ARG(checker->where), key_what(key->type));
    }
}

void check_unknown(struct checker *checker, enum section section, const struct tree *map) {
    for (size_t i = 0; map->kind == TREE_MAP && i < map->count; i++) {
        if (key_find(section, map->names[i])) continue;
        struct suggestion near = {.wrong = map->names[i]};
        for (const struct key *key = NULL; (key = key_next(section, key));) suggestion_consider(&near, key->name);
        struct str hint = suggestion_text(checker->arena, &near), shown = check_shown(checker, map->names[i]);
        check_report(checker, map->name_marks[i], CODE_UNKNOWN_KEY, "unknown key '%.*s'%.*s%.*s", STR_ARG(shown),
                     STR_ARG(checker->where.n ? checker->where : STR(" at the top level")), STR_ARG(hint));
    }
}

struct settings *config_check(struct arena *arena, const struct tree *tree, const struct catalog *catalog,
                              const struct secret_source *secrets, struct findings *findings) {
    struct settings *settings = arena_new(arena, struct settings);
    struct checker checker = {
        .arena = arena,
        .findings = findings,
        .catalog = catalog,
        .secrets = secrets,
        .settings = settings,
        .file = tree->file,
        .document = tree,
        .looked_up = {.arena = arena},
    };
    settings->file = tree->file;
    if (tree->kind != TREE_MAP)
        check_report(&checker, tree->mark, CODE_SHAPE, "the file must hold a map of keys, the first one 'version: 1'");
    check_known(&checker, SECTION_TOP, tree, settings);
    check_unknown(&checker, SECTION_TOP, tree);
    return settings;
}
