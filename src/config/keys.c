/* config/keys.c - see keys.h. */
#include "config/keys.h"

#include "base/arena.h"
#include "base/when.h"
#include "config/section.h"
#include "model/source.h"

#define REQUIRED          NULL
#define NOWHERE           0
#define AT(owner, member) offsetof(struct owner, member)
#define LIVE              false
#define RESTART           true

static const struct key keys[] = {
#define X(section_, name_, type_, fallback_, min_, max_, choices_, reload_, place_, help_)                             \
    {.section = SECTION_##section_,                                                                                    \
     .name = {#name_, sizeof #name_ - 1},                                                                              \
     .type = KEY_##type_,                                                                                              \
     .fallback = fallback_,                                                                                            \
     .min = min_,                                                                                                      \
     .max = max_,                                                                                                      \
     .choices = {choices_, sizeof choices_ - 1},                                                                       \
     .restart = reload_,                                                                                               \
     .place = place_,                                                                                                  \
     .help = help_},
#include "config/keys.def"
#undef X
};
#define KEY_COUNT (sizeof keys / sizeof *keys)

static const char *const whats[] = {
#define X(name, what) what,
    KEY_TYPE_LIST(X)
#undef X
};

const struct key *key_next(enum section section, const struct key *previous) {
    for (const struct key *key = previous ? previous + 1 : keys; key < keys + KEY_COUNT; key++)
        if (key->section == section) return key;
    return NULL;
}

const struct key *key_find(enum section section, struct str name) {
    const struct key *key = NULL;
    while ((key = key_next(section, key)) && !str_eq(key->name, name)) continue;
    return key;
}

struct str key_path(struct arena *arena, const struct key *key) {
    const char *path = section_row(key->section)->path;
    return str_fmt(arena, "%s%s%.*s", path, *path ? "." : "", STR_ARG(key->name));
}

const char *key_what(const struct key *key) {
    enum section section = key_section(key);
    return section == SECTION_COUNT ? whats[key->type] : section_row(section)->what;
}

bool key_is_hidden(enum key_type type) {
    return type == KEY_SECRET || type == KEY_URL || type == KEY_HEADERS || type == KEY_STORE || type == KEY_DSN ||
           type == KEY_REDIS_URL;
}

/* Takes a beginning off *rest; false when it begins otherwise. */
static bool skip(struct str *rest, struct str beginning) {
    if (!str_starts(*rest, beginning)) return false;
    *rest = str_sub(*rest, beginning.n, rest->n);
    return true;
}

enum section key_section(const struct key *key) {
    if (key->type != KEY_SECTION) return SECTION_COUNT;
    struct str owner = str_from(section_row(key->section)->path);
    for (enum section section = 0; section < SECTION_COUNT; section++) {
        struct str rest = str_from(section_row(section)->path);
        if (!skip(&rest, owner) || (owner.n && !skip(&rest, STR("."))) || !skip(&rest, key->name)) continue;
        if (!rest.n || str_eq(rest, STR(".*"))) return section;
    }
    return SECTION_COUNT;
}

static size_t distance_allowed(struct str wrong) {
    return wrong.n <= 3 ? 1 : wrong.n <= 6 ? 2 : 3;
}

/* The commonest slip, which counts as two in an edit distance: two neighbours exchanged. */
static bool is_exchanged(struct str a, struct str b) {
    size_t at = 0;
    while (at < a.n && at < b.n && a.p[at] == b.p[at]) at++;
    if (a.n != b.n || at + 2 > a.n || a.p[at] != b.p[at + 1] || a.p[at + 1] != b.p[at]) return false;
    return str_eq(str_sub(a, at + 2, a.n), str_sub(b, at + 2, b.n));
}

static size_t name_distance(struct str wrong, struct str name) {
    if (str_eq_nocase(wrong, name)) return 0;
    return is_exchanged(wrong, name) ? 1 : str_distance(wrong, name, distance_allowed(wrong));
}

void suggestion_consider(struct suggestion *suggestion, struct str name) {
    if (suggestion->all.arena) buf_fmt(&suggestion->all, "%s%.*s", suggestion->all.n ? ", " : "", STR_ARG(name));
    size_t distance = name_distance(suggestion->wrong, name);
    if (distance > distance_allowed(suggestion->wrong)) return;
    if (distance && distance >= suggestion->wrong.n) return; /* nothing of the misspelt name would be left */
    if (suggestion->best.p && distance >= suggestion->distance) return;
    suggestion->best = name;
    suggestion->distance = distance;
}

struct str suggestion_text(struct arena *arena, const struct suggestion *suggestion) {
    if (str_find(suggestion->wrong, ':') != SIZE_MAX) return STR("; is a blank missing behind its ':'?");
    if (!suggestion->best.p && suggestion->all.n)
        return str_fmt(arena, "; there are %.*s", (int)suggestion->all.n, suggestion->all.p);
    if (!suggestion->best.p) return STR("");
    return str_fmt(arena, "; did you mean '%.*s'?", STR_ARG(suggestion->best));
}
