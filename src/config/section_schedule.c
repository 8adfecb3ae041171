/* config/section_schedule.c - sources that make their events themselves: schedules and folders; see section_source.h.
 * How a schedule is written is judged with its zone (schedule/schedules.h). */
#include "config/section_source.h"

#include "model/event.h"

/* The type of a source's events: the one that is given, else the source's name with an ending. */
static void check_event(struct checker *checker, const struct tree *map, const struct source_settings *source,
                        const char *ending, struct str *event) {
    const struct settings *settings = checker->settings;
    bool declared = settings->type_count == 0;
    if (!event->n) *event = str_fmt(checker->arena, "%.*s.%s", STR_ARG(source->name), ending);
    for (size_t i = 0; i < settings->type_count; i++) declared |= str_eq(settings->types[i], *event);
    if (!event_type_valid(*event))
        check_report(checker, check_key_mark(map, STR("event")), CODE_VALUE,
                     "'event'%.*s takes an event type such as LEAD_CAPTURE", STR_ARG(checker->where));
    else if (!declared)
        check_report(checker, check_key_mark(map, STR("event")), CODE_UNDECLARED,
                     "the type '%.*s' of the events%.*s is not declared under types", STR_ARG(*event),
                     STR_ARG(checker->where));
}

static bool refuse_references(struct checker *checker, struct str subject, const struct tree *tree) {
    if (tree->kind == TREE_SCALAR) return expand_refuse(checker, subject, tree);
    for (size_t i = 0; i < tree->count; i++)
        if (!refuse_references(checker, subject, tree->items[i])) return false;
    return true;
}

void check_payload(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str subject = check_subject(checker, key->name);
    const struct tree *map = check_is_map(checker, subject, value, value->mark);
    if (map && refuse_references(checker, subject, map))
        *(const struct tree **)(void *)((char *)owner + key->place) = map;
}

static void check_is_there(struct checker *checker, const struct tree *map, const struct source_settings *source,
                           const char *name, const char *what) {
    if (!tree_get(map, str_from(name)))
        check_report(checker, source->mark, CODE_MISSING, "'%s' is missing%.*s: %s", name, STR_ARG(checker->where),
                     what);
}

void check_schedule(struct checker *checker, const struct tree *map, struct source_settings *source) {
    struct schedule_settings *schedule = &source->schedule;
    check_is_there(checker, map, source, "schedule", "when it is due, as in Tue 09:00");
    check_event(checker, map, source, "due", &schedule->event);
    schedule->mark = check_key_mark(map, STR("schedule"));
}

void check_folder(struct checker *checker, const struct tree *map, struct source_settings *source) {
    struct folder_settings *folder = &source->folder;
    check_is_there(checker, map, source, "path", "the folder with the files");
    check_event(checker, map, source, "post", &folder->event);
    if (folder->path.n) folder->path = check_beside(checker, folder->path);
    const struct tree *path = tree_get(map, STR("path"));
    folder->path_mark = path ? path->mark : source->mark;
}
