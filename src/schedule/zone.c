/* schedule/zone.c - see zone.h.
 *
 * WHAT. Reads a TZif file, and turns instants into local times and back.
 * PROMISE. The same answers as zic's own data, for every instant: also beyond the last change that a file lists, and
 * for zones whose summer time is negative (Europe/Dublin).
 * WHY IT HOLDS.
 * 1. A zone is a row of spans, each with one offset (next_span): those that the file lists, and behind the last one
 *    those that the file's last line describes for all years to come (RFC 9636, 3.3).
 * 2. Local times only ever jump between two spans. The first instant at which a clock shows L or later is therefore
 *    found by going through the spans from a moment at which no offset could have brought the clock that far.
 * 3. The latest time shown is found likewise: the highest end of a span up to now.
 * WHAT BREAKS IT. An offset of 26 hours or more; RFC 9636 allows none beyond -25 to +26, and those are refused.
 * TESTED BY. test/unit/schedule/test_zone.c; test/e2e/test_schedules.py compares every change of every zone with
 * Python's zoneinfo. */
#include "schedule/zone.h"

#include "base/when.h"

#include <string.h>

#define OFFSET_MAX (26 * 3600)
#define HEADER     44
#define NEVER      INT64_MAX
#define EVER       INT64_MIN

/* When in a year clocks change: a rule of the last line. */
struct turning {
    enum { TURN_MONTH, TURN_JULIAN, TURN_DAY } kind; /* Mm.w.d, Jn (no 29 February), n */
    int month, week, day;
    int32_t time_s;
};

struct zone {
    size_t count;
    int64_t *at_s;      /* where spans begin */
    int32_t *offsets_s; /* of the span that begins there */
    int32_t first_s;    /* before the first of them */
    bool has_rule;      /* else the last span has no end */
    int32_t standard_s, summer_s;
    bool has_summer;
    struct turning into, out_of;
};

/* ---- spans ---- */

static int64_t turning_day(const struct turning *turning, int64_t year) {
    if (turning->kind == TURN_DAY) return civil_to_days((struct civil){year, 1, 1}) + turning->day;
    if (turning->kind == TURN_JULIAN) { /* counted as if in a year without a leap day */
        int month = 1, day = turning->day;
        while (day > civil_month_days(2001, month)) day -= civil_month_days(2001, month++);
        return civil_to_days((struct civil){year, month, day});
    }
    int64_t first = civil_to_days((struct civil){year, turning->month, 1});
    int64_t weekday = ((first + 4) % 7 + 7) % 7;
    int64_t day = (turning->day - weekday + 7) % 7 + (turning->week - 1) * 7;
    while (day >= civil_month_days(year, turning->month)) day -= 7;
    return first + day;
}

/* The instant at which clocks turn in a year, and what they show from then on. */
static int64_t turning_at(const struct zone *zone, int64_t year, bool into, int32_t *ret_offset_s) {
    const struct turning *turning = into ? &zone->into : &zone->out_of;
    *ret_offset_s = into ? zone->summer_s : zone->standard_s;
    return turning_day(turning, year) * 86400 + turning->time_s - (into ? zone->standard_s : zone->summer_s);
}

struct zone_span {
    int64_t until_s; /* exclusive; NEVER */
    int32_t offset_s;
};

/* The span of an instant by the last line: the latest change before it, and the next one. */
static struct zone_span rule_span(const struct zone *zone, int64_t utc_s) {
    struct zone_span span = {NEVER, zone->standard_s};
    if (!zone->has_summer) return span;
    int64_t year = civil_from_days(utc_s / 86400 - (utc_s % 86400 < 0)).year, latest = EVER;
    for (int64_t y = year - 1; y <= year + 1; y++)
        for (int into = 0; into < 2; into++) {
            int32_t offset_s;
            int64_t at = turning_at(zone, y, into, &offset_s);
            if (at <= utc_s && at >= latest) {
                latest = at;
                span.offset_s = offset_s;
            }
            if (at > utc_s && at < span.until_s) span.until_s = at;
        }
    return span;
}

static struct zone_span span_of(const struct zone *zone, int64_t utc_s) {
    size_t low = 0, high = zone->count; /* how many begin at or before it */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zone->at_s[middle] <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < zone->count) return (struct zone_span){zone->at_s[low], low ? zone->offsets_s[low - 1] : zone->first_s};
    if (zone->has_rule) return rule_span(zone, utc_s);
    return (struct zone_span){NEVER, low ? zone->offsets_s[low - 1] : zone->first_s};
}

int32_t zone_offset(const struct zone *zone, int64_t utc_s) {
    return span_of(zone, utc_s).offset_s;
}

int64_t zone_instant(const struct zone *zone, int64_t local_s) {
    for (int64_t from = local_s - OFFSET_MAX;;) {
        struct zone_span span = span_of(zone, from);
        int64_t at = local_s - span.offset_s > from ? local_s - span.offset_s : from;
        if (at < span.until_s) return at;
        from = span.until_s;
    }
}

int64_t zone_reached(const struct zone *zone, int64_t utc_s) {
    int64_t reached = EVER;
    for (int64_t from = utc_s - 2 * OFFSET_MAX;;) {
        struct zone_span span = span_of(zone, from);
        int64_t shown = span.until_s > utc_s ? utc_s + span.offset_s : span.until_s - 1 + span.offset_s;
        if (shown > reached) reached = shown;
        if (span.until_s > utc_s) return reached;
        from = span.until_s;
    }
}

/* ---- the last line: `CET-1CEST,M3.5.0,M10.5.0/3` ---- */

static bool take(struct str *rest, char c) {
    if (!rest->n || rest->p[0] != c) return false;
    *rest = str_sub(*rest, 1, rest->n);
    return true;
}

static bool take_number(struct str *rest, int most, int *ret_number) {
    int number = 0;
    size_t n = 0;
    for (; n < rest->n && n < 3 && rest->p[n] >= '0' && rest->p[n] <= '9'; n++) number = number * 10 + rest->p[n] - '0';
    if (!n || number > most) return false;
    *rest = str_sub(*rest, n, rest->n);
    *ret_number = number;
    return true;
}

/* CET or <+0330> */
static bool take_name(struct str *rest) {
    size_t n = 0;
    if (take(rest, '<')) {
        size_t end = str_find(*rest, '>');
        if (end == SIZE_MAX || !end) return false;
        *rest = str_sub(*rest, end + 1, rest->n);
        return true;
    }
    while (n < rest->n && ((rest->p[n] | 32) >= 'a' && (rest->p[n] | 32) <= 'z')) n++;
    *rest = str_sub(*rest, n, rest->n);
    return n >= 3;
}

/* [+-]hh[:mm[:ss]]; hours up to 167 where a time is meant */
static bool take_time(struct str *rest, int hours_max, int32_t *ret_s) {
    bool negative = take(rest, '-');
    int hours, minutes = 0, seconds = 0;
    if (!negative) (void)take(rest, '+');
    if (!take_number(rest, hours_max, &hours)) return false;
    if (take(rest, ':') && !take_number(rest, 59, &minutes)) return false;
    if (take(rest, ':') && !take_number(rest, 59, &seconds)) return false;
    *ret_s = (hours * 3600 + minutes * 60 + seconds) * (negative ? -1 : 1);
    return true;
}

static bool take_turning(struct str *rest, struct turning *turning) {
    *turning = (struct turning){.kind = TURN_DAY, .time_s = 7200};
    if (!take(rest, ',')) return false;
    if (take(rest, 'M')) {
        turning->kind = TURN_MONTH;
        if (!take_number(rest, 12, &turning->month) || !turning->month || !take(rest, '.')) return false;
        if (!take_number(rest, 5, &turning->week) || !turning->week || !take(rest, '.')) return false;
        if (!take_number(rest, 6, &turning->day)) return false;
    } else {
        if (take(rest, 'J')) turning->kind = TURN_JULIAN;
        if (!take_number(rest, 365, &turning->day) || (turning->kind == TURN_JULIAN && !turning->day)) return false;
    }
    return !take(rest, '/') || take_time(rest, 167, &turning->time_s);
}

static bool read_rule(struct str line, struct zone *zone) {
    int32_t west_s;
    if (!take_name(&line) || !take_time(&line, 24, &west_s)) return false;
    zone->standard_s = -west_s;
    zone->has_rule = true;
    if (!line.n) return true;
    zone->has_summer = true;
    if (!take_name(&line)) return false;
    zone->summer_s = zone->standard_s + 3600;
    if (line.n && line.p[0] != ',') {
        if (!take_time(&line, 24, &west_s)) return false;
        zone->summer_s = -west_s;
    }
    return take_turning(&line, &zone->into) && take_turning(&line, &zone->out_of) && !line.n;
}

/* ---- the file ---- */

static uint32_t get_u32(const char *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t get_i64(const char *p) {
    return (int64_t)((uint64_t)get_u32(p) << 32 | get_u32(p + 4));
}

/* How many there are of what, in the order of the header. */
enum { COUNT_UT, COUNT_STANDARD, COUNT_LEAPS, COUNT_TIMES, COUNT_TYPES, COUNT_CHARS, COUNTS };

static bool read_header(struct str text, uint32_t counts[COUNTS]) {
    if (text.n < HEADER || memcmp(text.p, "TZif", 4) != 0 || text.p[4] < '2') return false;
    for (int i = 0; i < COUNTS; i++) {
        counts[i] = get_u32(text.p + 20 + i * 4);
        if (counts[i] > 4096) return false;
    }
    return counts[COUNT_TYPES] > 0;
}

static size_t body_bytes(const uint32_t counts[COUNTS], size_t time) {
    return counts[COUNT_TIMES] * (time + 1) + counts[COUNT_TYPES] * 6 + counts[COUNT_CHARS] +
           counts[COUNT_LEAPS] * (time + 4) + counts[COUNT_STANDARD] + counts[COUNT_UT];
}

static bool read_spans(struct arena *arena, struct str body, const uint32_t counts[COUNTS], struct zone *zone) {
    const char *types = body.p + counts[COUNT_TIMES] * 8, *infos = types + counts[COUNT_TIMES];
    zone->count = counts[COUNT_TIMES];
    zone->at_s = arena_array(arena, int64_t, zone->count);
    zone->offsets_s = arena_array(arena, int32_t, zone->count);
    for (size_t i = 0; i < counts[COUNT_TYPES]; i++) {
        int32_t offset_s = (int32_t)get_u32(infos + i * 6);
        if (offset_s <= -OFFSET_MAX || offset_s >= OFFSET_MAX) return false;
    }
    zone->first_s = (int32_t)get_u32(infos);
    for (size_t i = 0; i < zone->count; i++) {
        uint8_t type = (uint8_t)types[i];
        zone->at_s[i] = get_i64(body.p + i * 8);
        if (type >= counts[COUNT_TYPES] || (i && zone->at_s[i] <= zone->at_s[i - 1])) return false;
        zone->offsets_s[i] = (int32_t)get_u32(infos + type * 6);
    }
    return true;
}

/* The first part is for readers of 32 bits and is skipped. Leap seconds are in the list's folder `right` alone. */
const struct zone *zone_read(struct arena *arena, struct str tzif) {
    uint32_t counts[COUNTS];
    struct zone *zone = arena_new(arena, struct zone);
    struct str rest = tzif;
    if (!read_header(rest, counts)) return NULL;
    rest = str_sub(rest, HEADER + body_bytes(counts, 4), rest.n);
    if (!read_header(rest, counts) || counts[COUNT_LEAPS]) return NULL;
    struct str body = str_sub(rest, HEADER, rest.n);
    size_t bytes = body_bytes(counts, 8);
    if (body.n < bytes || !read_spans(arena, body, counts, zone)) return NULL;
    struct str line = str_sub(body, bytes, body.n);
    if (!take(&line, '\n')) return NULL;
    size_t end = str_find(line, '\n');
    if (end == SIZE_MAX) return NULL;
    if (end && !read_rule(str_sub(line, 0, end), zone)) return NULL;
    return zone;
}

const struct zone *zone_utc(void) {
    static const struct zone utc = {0};
    return &utc;
}
