/* api/schedules.c - when schedules are due next. */
#include "schedule/schedules.h"

#include <stdlib.h>

#include "api/handlers.h"
#include "base/json.h"
#include "base/when.h"

#define NEXT_MAX 1000 /* times of one schedule in an answer */

struct coming {
    const struct schedule_entry *entry;
    struct firing firing;
};

static int compare(const void *a, const void *b) {
    const struct coming *one = a, *other = b;
    if (one->firing.at_us != other->firing.at_us) return one->firing.at_us < other->firing.at_us ? -1 : 1;
    return str_cmp(one->entry->source->name, other->entry->source->name);
}

/* The next times of each schedule, soonest first. */
static struct coming *gather(const struct call *call, size_t next, size_t *ret_count) {
    const struct schedules *schedules = call->standing->schedules;
    struct coming *list = arena_array(call->arena, struct coming, schedules->count * next);
    size_t count = 0;
    for (size_t i = 0; i < schedules->count; i++) {
        const struct schedule_entry *entry = &schedules->list[i];
        int64_t after_min = schedule_reached(entry->schedule, call->wall_us);
        for (size_t j = 0; j < next; j++) {
            list[count] = (struct coming){entry, schedule_next(entry->schedule, after_min)};
            after_min = list[count++].firing.nominal_min;
        }
    }
    qsort(list, count, sizeof *list, compare);
    *ret_count = count;
    return list;
}

static void encode_coming(const struct call *call, struct buf *buf, const struct coming *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct schedule_settings *given = &list[i].entry->source->schedule;
        buf_add(buf, i ? STR(",{\"source\":") : STR("{\"source\":"));
        json_quote(buf, list[i].entry->source->name);
        encode_text(buf, "schedule", given->schedule);
        encode_text(buf, "zone", list[i].entry->zone);
        encode_text(buf, "event", given->event);
        encode_text(buf, "catch_up", str_from(catch_up_text((enum catch_up)given->catch_up)));
        encode_text(buf, "nominal", nominal_str(call->arena, list[i].firing.nominal_min));
        encode_time(buf, "due_at", list[i].firing.at_us);
        buf_byte(buf, '}');
    }
}

void encode_schedule(const struct call *call, struct buf *buf, struct str source) {
    const struct schedules *schedules = call->standing->schedules;
    for (size_t i = 0; i < schedules->count; i++) {
        const struct schedule_entry *entry = &schedules->list[i];
        if (!str_eq(entry->source->name, source)) continue;
        int64_t reached_min = schedule_reached(entry->schedule, call->wall_us);
        encode_text(buf, "schedule", entry->source->schedule.schedule);
        encode_text(buf, "zone", entry->zone);
        encode_time(buf, "next_at", schedule_next(entry->schedule, reached_min).at_us);
    }
}

void encode_schedules(const struct call *call, struct buf *buf, size_t most) {
    size_t count;
    const struct coming *list = gather(call, 1, &count);
    buf_add(buf, STR(",\"schedules\":["));
    encode_coming(call, buf, list, count < most ? count : most);
    buf_byte(buf, ']');
}

enum err api_schedules_list(struct call *call) {
    struct buf buf = {.arena = call->arena};
    int64_t next;
    size_t count;
    if (!serve_number(call, "next", 1, 1, NEXT_MAX, &next)) return ERR_NONE;
    const struct coming *list = gather(call, (size_t)next, &count);
    buf_add(&buf, STR("{\"items\":["));
    encode_coming(call, &buf, list, count);
    return reply_list(call, &buf, 0);
}

struct str report_zone(const struct call *call) {
    return call->standing->settings ? call->standing->settings->zone : STR("UTC");
}
