/* test/unit/schedule/check.h - zones of this machine's list, and times as texts. */
#ifndef TEST_SCHEDULE_CHECK_H
#define TEST_SCHEDULE_CHECK_H

#include "../base/check.h"

#include "base/when.h"
#include "schedule/zone.h"

#include <stdio.h>

static inline struct str zone_bytes(struct arena *arena, const char *name) {
    char *bytes = arena_alloc(arena, 65536);
    FILE *file = fopen(str_fmt(arena, "/usr/share/zoneinfo/%s", name).p, "rb");
    if (!file) fail_msg("there is no zone %s", name);
    size_t n = fread(bytes, 1, 65536, file);
    fclose(file);
    return (struct str){bytes, n};
}

static inline const struct zone *zone_named(struct arena *arena, const char *name) {
    const struct zone *zone = zone_read(arena, zone_bytes(arena, name));
    if (!zone) fail_msg("%s was not read", name);
    return zone;
}

/* "2026-11-24T09:00" or with seconds */
static inline int64_t local_s(const char *text) {
    int64_t us = 0;
    if (!when_parse_local(str_from(text), &us)) fail_msg("%s is no local time", text);
    return us / US_PER_S;
}

static inline int64_t local_min(const char *text) {
    return local_s(text) / 60;
}

static inline int64_t utc_us(const char *text) {
    int64_t us = 0;
    if (!when_parse(str_from(text), &us)) fail_msg("%s is no instant", text);
    return us;
}

#endif
