/* config/section.c - see section.h. */
#include "config/section.h"

#define SECRETS true
#define PLAIN   false

static const struct section_row section_rows[] = {
#define X(name, path, what, secrets, read, compare, schema) {path, what, secrets, read, compare, schema},
#include "config/sections.def"
#undef X
};

const struct section_row *section_row(enum section section) {
    return &section_rows[section];
}

struct str section_title(struct arena *arena, enum section section) {
    const struct section_row *row = &section_rows[section];
    if (!*row->path) return STR("Top level");
    return str_fmt(arena, "`%s`%s%s", row->path, row->read ? "" : ", ", row->read ? "" : row->what);
}

/* A key of the top level that opens a section with secrets, or may be a secret itself. */
static bool takes_secrets(const struct key *key) {
    enum section section = key_section(key);
    return section == SECTION_COUNT ? key->type == KEY_STORE : section_row(section)->secrets;
}

struct str section_secret_places(struct arena *arena) {
    struct buf text = {.arena = arena};
    size_t left = 0;
    for (const struct key *key = NULL; (key = key_next(SECTION_TOP, key));) left += takes_secrets(key);
    for (const struct key *key = NULL; (key = key_next(SECTION_TOP, key));) {
        if (!takes_secrets(key)) continue;
        buf_fmt(&text, "%s%.*s", !text.n ? "" : left > 1 ? ", " : " and ", STR_ARG(key->name));
        left--;
    }
    return buf_str(&text);
}

void section_read(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str where = checker->where;
    bool takes_secrets = checker->takes_secrets;
    enum section section = key_section(key);
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    checker->where = str_fmt(checker->arena, " in '%.*s'%.*s", STR_ARG(key->name), STR_ARG(where));
    checker->takes_secrets = section_row(section)->secrets;
    check_known(checker, section, map, (char *)owner + key->place);
    check_unknown(checker, section, map);
    checker->where = where;
    checker->takes_secrets = takes_secrets;
}
