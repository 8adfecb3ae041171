/* base/span.c - lengths of time as text; see when.h. */
#include "base/arena.h"
#include "base/when.h"

struct span_unit {
    const char *name, *spoken;
    int64_t us;
};

/* Largest first. */
static const struct span_unit units[] = {
    {"d", "d", US_PER_DAY}, {"h", "h", US_PER_HOUR}, {"m", "min", US_PER_MIN},
    {"s", "s", US_PER_S},   {"ms", "ms", US_PER_MS}, {"us", "us", 1},
};
/* A hundred years: a moment of this century and a span make a moment that can be counted and written. */
#define SPAN_MAX_US ((int64_t)36500 * US_PER_DAY)
#define UNIT_COUNT  (sizeof units / sizeof *units)

bool span_parse(struct str text, int64_t *ret_us) {
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') digits++;
    struct str name = str_sub(text, digits, text.n);
    int64_t number;
    if (!str_to_i64(str_sub(text, 0, digits), &number)) return false;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        int64_t us;
        if (!str_eq(name, str_from(units[i].name))) continue;
        if (__builtin_mul_overflow(number, units[i].us, &us) || us > SPAN_MAX_US) return false;
        *ret_us = us;
        return true;
    }
    return false;
}

struct str span_str(struct arena *arena, int64_t us) {
    if (us == 0) return str_dup(arena, STR("0s"));
    const struct span_unit *unit = units;
    while (us % unit->us) unit++;
    return str_fmt(arena, "%lld%s", (long long)(us / unit->us), unit->name);
}

/* The largest unit, and the next one only while there are few of the first. */
struct str span_human(struct arena *arena, int64_t us) {
    if (us == 0) return str_dup(arena, STR("0 s"));
    const char *sign = us < 0 ? "-" : "";
    uint64_t length_us = us < 0 ? -(uint64_t)us : (uint64_t)us;
    const struct span_unit *unit = units;
    while (length_us < (uint64_t)unit->us) unit++;
    unsigned long long whole = length_us / (uint64_t)unit->us;
    uint64_t rest_us = length_us % (uint64_t)unit->us;
    if (unit->us <= US_PER_S) {
        unsigned tenths = (unsigned)(rest_us * 10 / (uint64_t)unit->us);
        if (whole < 10 && tenths) return str_fmt(arena, "%s%llu.%u %s", sign, whole, tenths, unit->spoken);
        return str_fmt(arena, "%s%llu %s", sign, whole, unit->spoken);
    }
    unsigned long long second = rest_us / (uint64_t)unit[1].us;
    if (whole < 10 && second)
        return str_fmt(arena, "%s%llu %s %llu %s", sign, whole, unit->spoken, second, unit[1].spoken);
    return str_fmt(arena, "%s%llu %s", sign, whole, unit->spoken);
}
