/* schedule/schedules.h - the schedules and folders of a configuration, made ready, and the events that schedules make.
 * Pure: zones are read by whoever has the machine's list. */
#ifndef SCHEDULE_SCHEDULES_H
#define SCHEDULE_SCHEDULES_H

#include "model/event.h"
#include "model/settings.h"
#include "model/source.h"
#include "schedule/schedule.h"

/* The machine's list of zones: gives the bytes of a zone's file. read NULL = there is UTC alone. */
struct zone_list {
    bool (*read)(void *self, struct str name, struct arena *arena, struct str *ret_bytes);
    void *self;
};

struct schedule_entry {
    const struct source_settings *source;
    const struct schedule *schedule;
    struct str zone;    /* its name */
    struct str said;    /* how it is written, and its zone: with other words it is another schedule, and begins anew */
    struct str payload; /* the members that the configuration gives, as JSON behind a comma; "" = none */
};
struct folder_entry {
    const struct source_settings *source;
    const struct zone *zone;
};
struct schedules {
    struct schedule_entry *list;
    struct folder_entry *folders;
    size_t count, folder_count;
    const struct zone *zone; /* the file's own */
};

/* NULL when the list has no such zone, or a file that is none. */
const struct zone *zone_find(const struct zone_list *zones, struct str name, struct arena *arena);

/* Reports what is wrong with a source; that one is left out. Borrows the settings. */
const struct schedules *schedules_compile(const struct settings *settings, struct str file,
                                          const struct zone_list *zones, struct findings *findings,
                                          struct arena *arena);
/* An event of a firing: type, source, key, payload and moment; intake adds the rest. The key is the source's name and
 * the nominal time, so that whoever makes it again makes the same event. */
struct event schedule_event(const struct schedule_entry *entry, struct firing firing, struct arena *arena);

#endif
