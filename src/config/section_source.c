/* config/section_source.c - the section `sources`; see check.h. */
#include "config/section.h"

/* Sources are checked and not kept. */
void check_sources(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    (void)owner;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    for (size_t i = 0; map && i < map->count; i++) {
        struct source_settings source = {0};
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
