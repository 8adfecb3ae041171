/* schedule/schedules.c - see schedules.h. */
#include "schedule/schedules.h"

#include "base/json.h"
#include "base/when.h"
#include "model/code.h"
#include "schedule/day.h"

/* The members of a payload that the schedule itself gives. */
static const char *const own[] = {"nominal", "zone", "due_at"};
#define OWN_BYTES_MAX ((size_t)256)

struct schedule_compiler {
    const struct settings *settings;
    struct str file;
    const struct zone_list *zones;
    struct findings *findings;
    struct arena *arena;
};

const struct zone *zone_find(const struct zone_list *zones, struct str name, struct arena *arena) {
    struct str bytes;
    if (str_eq(name, STR("UTC"))) return zone_utc();
    if (!zones->read || !zones->read(zones->self, name, arena, &bytes)) return NULL;
    return zone_read(arena, bytes);
}

static bool check_payload(const struct schedule_compiler *compiler, const struct source_settings *source,
                          struct str text) {
    const struct tree *payload = source->schedule.payload;
    bool good = (int64_t)(text.n + OWN_BYTES_MAX) <= compiler->settings->server.max_event_bytes;
    if (!good)
        finding_add(compiler->findings, compiler->file, payload->mark, code_text(CODE_SCHEDULE),
                    "'payload' in source '%.*s' makes events that are larger than 'max_event' in 'server'",
                    STR_ARG(source->name));
    for (size_t i = 0; payload && i < payload->count; i++)
        for (size_t j = 0; j < sizeof own / sizeof *own; j++) {
            if (!str_eq(payload->names[i], str_from(own[j]))) continue;
            finding_add(compiler->findings, compiler->file, payload->name_marks[i], code_text(CODE_SCHEDULE),
                        "'%s' in 'payload' in source '%.*s' is a member that the schedule gives itself", own[j],
                        STR_ARG(source->name));
            good = false;
        }
    return good;
}

static struct str payload_of(const struct schedule_compiler *compiler, const struct source_settings *source) {
    struct buf buf = {.arena = compiler->arena};
    if (!source->schedule.payload || !source->schedule.payload->count) return STR("");
    tree_json(&buf, source->schedule.payload);
    buf.p[0] = ',';
    return str_sub(buf_str(&buf), 0, buf.n - 1);
}

/* The zone of a source, by its name; NULL after a finding. */
static const struct zone *zone_of(const struct schedule_compiler *compiler, const struct source_settings *source,
                                  struct str name) {
    const struct zone *zone = zone_find(compiler->zones, name, compiler->arena);
    if (!name.n) return zone_utc(); /* what is wrong with it was reported */
    if (!zone)
        finding_add(compiler->findings, compiler->file, source->mark, code_text(CODE_SCHEDULE_ZONE),
                    "source '%.*s' goes by the zone '%.*s', and this machine cannot read it: install tzdata",
                    STR_ARG(source->name), STR_ARG(name));
    return zone;
}

static bool compile_schedule(const struct schedule_compiler *compiler, const struct source_settings *source,
                             struct schedule_entry *entry) {
    const struct schedule_settings *given = &source->schedule;
    struct str name = given->zone.n ? given->zone : compiler->settings->zone, problem = STR_NONE;
    const struct zone *zone = zone_of(compiler, source, name);
    *entry = (struct schedule_entry){
        .source = source,
        .schedule = schedule_read(compiler->arena, given->schedule, zone, (enum catch_up)given->catch_up, &problem),
        .zone = name,
        .said = str_fmt(compiler->arena, "%.*s %.*s", STR_ARG(given->schedule), STR_ARG(name)),
        .payload = payload_of(compiler, source)};
    if (!entry->schedule)
        finding_add(compiler->findings, compiler->file, given->mark, code_text(CODE_SCHEDULE),
                    "'schedule' in source '%.*s' cannot be '%.*s': %.*s", STR_ARG(source->name),
                    STR_ARG(given->schedule), STR_ARG(problem));
    return check_payload(compiler, source, entry->payload) && zone && entry->schedule;
}

static bool compile_folder(const struct schedule_compiler *compiler, const struct source_settings *source,
                           struct folder_entry *entry) {
    const struct settings *settings = compiler->settings;
    struct str name = source->folder.zone.n ? source->folder.zone : settings->zone;
    *entry = (struct folder_entry){source, zone_of(compiler, source, name)};
    if (source->folder.late_us <= settings->keep_events_us) return entry->zone;
    finding_add(
        compiler->findings, compiler->file, source->mark, code_text(CODE_BOUNDS),
        "'late' in source '%.*s' is longer than 'events' in 'keep': what was published is not known for so long",
        STR_ARG(source->name));
    return false;
}

const struct schedules *schedules_compile(const struct settings *settings, struct str file,
                                          const struct zone_list *zones, struct findings *findings,
                                          struct arena *arena) {
    const struct schedule_compiler compiler = {settings, file, zones, findings, arena};
    struct schedules *schedules = arena_new(arena, struct schedules);
    schedules->list = arena_array(arena, struct schedule_entry, settings->source_count);
    schedules->folders = arena_array(arena, struct folder_entry, settings->source_count);
    schedules->zone = zone_find(zones, settings->zone, arena); /* NULL = the machine has no such file: UTC's days */
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct source_settings *source = &settings->sources[i];
        if (source->kind == SOURCE_SCHEDULE && source->schedule.schedule.n) { /* else that was reported */
            schedules->count += compile_schedule(&compiler, source, &schedules->list[schedules->count]);
        } else if (source->kind == SOURCE_FOLDER) {
            schedules->folder_count += compile_folder(&compiler, source, &schedules->folders[schedules->folder_count]);
        }
    }
    return schedules;
}

struct event schedule_event(const struct schedule_entry *entry, struct firing firing, struct arena *arena) {
    const struct source_settings *source = entry->source;
    struct str nominal = nominal_str(arena, firing.nominal_min);
    struct buf payload = {.arena = arena};
    buf_fmt(&payload, "{\"nominal\":\"%.*s\",\"zone\":", STR_ARG(nominal));
    json_quote(&payload, entry->zone);
    buf_fmt(&payload, ",\"due_at\":\"%.*s\"%.*s}", STR_ARG(when_str(arena, firing.at_us)), STR_ARG(entry->payload));
    return (struct event){.type = source->schedule.event,
                          .source = source->name,
                          .key = str_fmt(arena, "%.*s:%.*s", STR_ARG(source->name), STR_ARG(nominal)),
                          .payload = buf_str(&payload),
                          .scheduled_us = firing.at_us};
}

/* ---- days (day.h) ---- */

static const struct zone *own_zone(const struct schedules *schedules) {
    return schedules && schedules->zone ? schedules->zone : zone_utc();
}

int64_t day_reached(const struct schedules *schedules, int64_t wall_us) {
    return zone_reached(own_zone(schedules), wall_us / US_PER_S) / (US_PER_DAY / US_PER_S);
}

int64_t day_moment(const struct schedules *schedules, int64_t day, int64_t minutes) {
    return zone_instant(own_zone(schedules), day * (US_PER_DAY / US_PER_S) + minutes * (US_PER_MIN / US_PER_S)) *
           US_PER_S;
}
