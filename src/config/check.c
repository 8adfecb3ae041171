/* config/check.c - tree to settings by the table of keys; see check.h.
 *
 * WHAT  Walks a tree and the table of keys side by side and writes each value into the struct its section belongs to.
 * PROMISE  Every mistake of a file is found in one go, each at its own place; a file that passes leaves no member of
 *   the settings unset.
 * WHY IT HOLDS  check_known goes by the table and not by the file: a key that is absent is read from its fallback as
 *   if it had been written, so there is one path to every default. check_unknown goes by the file and not by the
 *   table: whatever no row has is refused with the nearest name. A reader reports and returns; it never stops the
 *   walk, and leaves its member as it was. Rules between two keys stand in the reader of the section that holds both,
 *   after its keys were read, and skip what was refused already, so that one slip gives one finding.
 * WHAT BREAKS IT  A key that relies on one further down in keys.def: the table's order is the order of reading. A
 *   reader that changes checker->where or takes_secrets and returns without putting them back.
 * HOW TO SEE IT  `drumbeat check FILE`.
 * TESTED BY  test/unit/config/test_check.c, and test/unit/config/bad: a file for each kind of mistake, with the
 *   findings it must give.
 */
#include "config/section.h"

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
    return str_shown(checker->arena, text, SHOWN_MAX);
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

static void check_version(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    (void)owner;
    struct str text;
    if (scalar_text(checker, key, value, &text) && !str_eq(text, STR("1")))
        scalar_refuse(checker, key, value, CODE_BOUNDS);
}

/* Keeps a delivery's body as it was written: what it holds is compiled by the routes. */
static void check_body(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    (void)checker;
    *(const struct tree **)(void *)((char *)owner + key->place) = value;
}

/* The readers by type. A type that is not listed is one text, which scalar_read reads. */
static check_reader *const readers[KEY_TYPE_COUNT] = {
    [KEY_VERSION] = check_version,     [KEY_ZONE] = check_zone,
    [KEY_STORE] = check_store,         [KEY_DSN] = check_dsn,
    [KEY_REDIS_URL] = check_redis_url, [KEY_LISTEN] = check_listen,
    [KEY_TYPES] = check_types,         [KEY_PATTERNS] = check_patterns,
    [KEY_HEADERS] = check_headers,     [KEY_LIMITS] = check_limits,
    [KEY_BODY] = check_body,           [KEY_LIST] = scalar_read_list,
    [KEY_RATE] = check_rate,           [KEY_DELIVERIES] = check_alert_steps,
    [KEY_DAYTIME] = check_daytime,     [KEY_PAYLOAD] = check_payload,
};

static void read_key(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    check_reader *read = key->type == KEY_SECTION ? section_row(key_section(key))->read : readers[key->type];
    (read ? read : scalar_read)(checker, key, value, owner);
}

/* Reads the fallback as if it had been written where the map begins. */
static void read_fallback(struct checker *checker, const struct key *key, const struct tree *map, void *owner) {
    struct tree *value = arena_new(checker->arena, struct tree);
    bool is_map = !strcmp(key->fallback, "{}");
    *value = (struct tree){.kind = is_map ? TREE_MAP : TREE_SCALAR, .mark = map->mark, .file = checker->file};
    if (!is_map) value->text = str_from(key->fallback);
    read_key(checker, key, value, owner);
}

/* Reads the keys in the table's order, so that a key may rely on those above it. The caller has reported a value that
 * is not a map. */
void check_known(struct checker *checker, enum section section, const struct tree *map, void *owner) {
    for (const struct key *key = NULL; (key = key_next(section, key));) {
        const struct tree *value = tree_get(map, key->name);
        if (value)
            read_key(checker, key, value, owner);
        else if (key->fallback && *key->fallback)
            read_fallback(checker, key, map, owner);
        else if (!key->fallback && map->kind == TREE_MAP)
            check_report(checker, map->mark, CODE_MISSING, "'%.*s' is missing%.*s: it takes %s", STR_ARG(key->name),
                         STR_ARG(checker->where), key_what(key));
    }
}

void check_refuse_key(struct checker *checker, enum section section, enum section part, const struct tree *map,
                      size_t at) {
    struct suggestion near = {.wrong = map->names[at], .all = {.arena = checker->arena}};
    for (const struct key *key = NULL; (key = key_next(section, key));) suggestion_consider(&near, key->name);
    for (const struct key *key = NULL; part != section && (key = key_next(part, key));)
        suggestion_consider(&near, key->name);
    struct str hint = suggestion_text(checker->arena, &near), shown = check_shown(checker, map->names[at]);
    check_report(checker, map->name_marks[at], CODE_UNKNOWN_KEY, "unknown key '%.*s'%.*s%.*s", STR_ARG(shown),
                 STR_ARG(checker->where.n ? checker->where : STR(" at the top level")), STR_ARG(hint));
}

void check_unknown(struct checker *checker, enum section section, const struct tree *map) {
    for (size_t i = 0; map->kind == TREE_MAP && i < map->count; i++)
        if (!key_find(section, map->names[i])) check_refuse_key(checker, section, section, map, i);
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
        .missing = {.arena = arena},
    };
    settings->file = tree->file;
    if (tree->kind != TREE_MAP)
        check_report(&checker, tree->mark, CODE_SHAPE, "the file must hold a map of keys, the first one 'version: 1'");
    check_known(&checker, SECTION_TOP, tree, settings);
    check_unknown(&checker, SECTION_TOP, tree);
    check_advise(&checker);
    return settings;
}
