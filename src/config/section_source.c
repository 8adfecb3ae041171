/* config/section_source.c - the section `sources`; see check.h and section_source.h. */
#include "config/section_source.h"

#include "base/arena.h"

/* What each kind brings. */
static const struct {
    enum section section; /* its keys */
    size_t place;         /* its struct in source_settings */
    source_checker *check;
} kinds[SOURCE_KIND_COUNT] = {
    [SOURCE_WEBHOOK] = {SECTION_WEBHOOK, offsetof(struct source_settings, webhook), check_webhook},
    [SOURCE_FORM] = {SECTION_FORM, offsetof(struct source_settings, form), check_form},
    [SOURCE_SCHEDULE] = {SECTION_SCHEDULE, offsetof(struct source_settings, schedule), check_schedule},
    [SOURCE_FOLDER] = {SECTION_FOLDER, offsetof(struct source_settings, folder), check_folder},
};

enum section source_section(enum source_kind kind) {
    return kinds[kind].section;
}

static enum source_kind kind_of(struct str type) {
    for (enum source_kind kind = SOURCE_WEBHOOK + 1; kind < SOURCE_KIND_COUNT; kind++)
        if (str_eq(type, str_from(source_kind_type(kind)))) return kind;
    return SOURCE_WEBHOOK;
}

/* The first other kind that has a key; false: none has. */
static bool other_kind(enum source_kind own, struct str name, enum source_kind *ret_kind) {
    for (enum source_kind kind = 0; kind < SOURCE_KIND_COUNT; kind++) {
        if (kind == own || !key_find(kinds[kind].section, name)) continue;
        *ret_kind = kind;
        return true;
    }
    return false;
}

/* Refuses the keys that neither every source has nor one of this kind. Of a type that is unknown, which was reported,
 * they may be any kind's. */
static void check_keys(struct checker *checker, const struct tree *map, const struct source_settings *source) {
    enum section section = kinds[source->kind].section;
    for (size_t i = 0; i < map->count; i++) {
        struct str name = map->names[i];
        enum source_kind other;
        if (key_find(SECTION_SOURCE, name) || key_find(section, name)) continue;
        bool is_known = source->kind != SOURCE_WEBHOOK || source->webhook.scheme;
        if (other_kind(source->kind, name, &other)) {
            if (!is_known) continue;
            check_report(checker, map->name_marks[i], CODE_SOURCE_KEY, "'%.*s'%.*s is for %s, and its type is %.*s",
                         STR_ARG(name), STR_ARG(checker->where), section_row(kinds[other].section)->what,
                         STR_ARG(source->type));
        } else {
            check_refuse_key(checker, SECTION_SOURCE, section, map, i);
        }
    }
}

static void check_source(struct checker *checker, const struct tree *map, struct source_settings *source) {
    check_known(checker, SECTION_SOURCE, map, source);
    bool was_refused = tree_get(map, STR("type")) && !source->type.n;
    if (!source->type.n) source->type = source->name;
    source->kind = kind_of(source->type);
    check_known(checker, kinds[source->kind].section, map, (char *)source + kinds[source->kind].place);
    if (was_refused) return; /* whose keys these are is not known */
    kinds[source->kind].check(checker, map, source);
    check_keys(checker, map, source);
}

void check_sources(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct settings *settings = owner;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    settings->sources = arena_array(checker->arena, struct source_settings, map->count);
    for (size_t i = 0; i < map->count; i++) {
        struct source_settings *source = &settings->sources[settings->source_count++];
        *source = (struct source_settings){.name = map->names[i], .mark = map->name_marks[i]};
        check_name(checker, "source", map->names[i], map->name_marks[i]);
        if (str_eq(source->name, STR("spam")))
            check_report(checker, source->mark, CODE_NAME,
                         "'spam' is no name for a source: 'spam.' begins the types of what forms keep apart");
        checker->where = str_fmt(checker->arena, " in source '%.*s'", STR_ARG(source->name));
        checker->takes_secrets = true;
        struct str subject = str_fmt(checker->arena, "source '%.*s'", STR_ARG(source->name));
        const struct tree *keys = check_is_map(checker, subject, map->items[i], source->mark);
        if (keys) check_source(checker, keys, source);
    }
    checker->where = STR_NONE;
    checker->takes_secrets = false;
}

/* ---- what a reload changes ---- */

static const struct source_settings *source_find(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->source_count; i++)
        if (str_eq(settings->sources[i].name, name)) return &settings->sources[i];
    return NULL;
}

void diff_sources(struct diff *diff, const struct key *key, struct str subject, const void *was, const void *is) {
    const struct settings *before = was, *after = is;
    (void)key;
    (void)subject;
    for (size_t i = 0; i < after->source_count; i++) {
        const struct source_settings *new = &after->sources[i], *old = source_find(before, new->name);
        if (!old) {
            diff_add(diff, "source %.*s added", STR_ARG(new->name));
            continue;
        }
        struct str name = str_fmt(diff->arena, "source %.*s: ", STR_ARG(new->name));
        diff_section(diff, SECTION_SOURCE, name, old, new);
        size_t place = kinds[new->kind].place;
        if (old->kind == new->kind) /* else the type says all */
            diff_section(diff, kinds[new->kind].section, name, (const char *)old + place, (const char *)new + place);
    }
    for (size_t i = 0; i < before->source_count; i++)
        if (!source_find(after, before->sources[i].name))
            diff_add(diff, "source %.*s removed", STR_ARG(before->sources[i].name));
}
