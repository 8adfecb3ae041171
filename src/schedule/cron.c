/* schedule/cron.c - see cron.h. */
#include "schedule/cron.h"

#include "base/arena.h"
#include "base/when.h"

#include <string.h>

/* A 29 February on a given weekday comes every 28 years, and after 40 where a century has no leap day. */
#define DAYS_MAX  (41 * 366)
#define EVERY_DAY 0xfffffffeu
#define WEEKDAYS  0x7f

static bool refuse(struct arena *arena, struct str *ret_problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct arena *arena, struct str *ret_problem, const char *format, ...) {
    va_list args;
    va_start(args, format);
    *ret_problem = str_vfmt(arena, format, args);
    va_end(args);
    return false;
}

/* ---- walking ---- */

static bool day_fits(const struct cron *cron, int64_t day) {
    struct civil civil = civil_from_days(day);
    if (!(cron->months >> civil.month & 1)) return false;
    int last = civil_month_days(civil.year, civil.month), weekday = (int)((day % 7 + 11) % 7);
    bool date = cron->dates >> civil.day & 1 || (cron->dates & 1 && civil.day == last);
    bool week =
        !cron->weeks || cron->weeks >> ((civil.day - 1) / 7 + 1) & 1 || (cron->weeks & 1 && civil.day + 7 > last);
    bool weekday_fits = cron->weekdays >> weekday & 1 && week;
    return cron->either ? date || weekday_fits : date && weekday_fits;
}

/* The first minute of a day from this one on, or CRON_DAY. */
static int time_from(const struct cron *cron, int minute) {
    while (minute < CRON_DAY) {
        uint64_t rest = cron->times[minute / 64] >> (minute % 64);
        if (rest) return minute + __builtin_ctzll(rest);
        minute = (minute / 64 + 1) * 64;
    }
    return CRON_DAY;
}

/* The last minute of a day up to this one, or -1. */
static int time_upto(const struct cron *cron, int minute) {
    while (minute >= 0) {
        uint64_t rest = cron->times[minute / 64] << (63 - minute % 64);
        if (rest) return minute - __builtin_clzll(rest);
        minute = minute / 64 * 64 - 1;
    }
    return -1;
}

static int64_t day_of(int64_t minutes) {
    return minutes / CRON_DAY - (minutes % CRON_DAY < 0);
}

int64_t cron_next(const struct cron *cron, int64_t after_min) {
    int64_t day = day_of(++after_min);
    int minute = (int)(after_min - day * CRON_DAY);
    for (int64_t i = 0; i < DAYS_MAX; i++, day++, minute = 0) {
        int time = time_from(cron, minute);
        if (time < CRON_DAY && day_fits(cron, day)) return day * CRON_DAY + time;
    }
    return INT64_MAX;
}

int64_t cron_last(const struct cron *cron, int64_t upto_min) {
    int64_t day = day_of(upto_min);
    int minute = (int)(upto_min - day * CRON_DAY);
    for (int64_t i = 0; i < DAYS_MAX; i++, day--, minute = CRON_DAY - 1) {
        int time = time_upto(cron, minute);
        if (time >= 0 && day_fits(cron, day)) return day * CRON_DAY + time;
    }
    return INT64_MIN;
}

/* ---- words ---- */

static const char *const day_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};

/* The place of a name in a list, whole or by its first three letters; -1 when it is none. */
static int find_name(struct str text, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (str_eq_nocase(text, str_from(names[i])) || str_eq_nocase(text, (struct str){names[i], 3})) return i;
    return -1;
}

static bool next_word(struct str *rest, struct str *ret_word) {
    *rest = str_trim(*rest);
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t') n++;
    *ret_word = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return n > 0;
}

/* ---- five fields ---- */

struct cron_field {
    const char *name;
    int least, most;
    const char *const *names; /* of least and what follows; NULL = numbers alone */
    int name_count;
};
enum { MINUTE, HOUR, DATE, MONTH, WEEKDAY, FIELDS };
static const struct cron_field fields[FIELDS] = {
    {"minute", 0, 59, NULL, 0},        {"hour", 0, 23, NULL, 0},        {"day of the month", 1, 31, NULL, 0},
    {"month", 1, 12, month_names, 12}, {"weekday", 0, 7, day_names, 7},
};

struct field_reader {
    const struct cron_field *field;
    struct arena *arena;
    struct str *problem;
};

static bool read_number(const struct field_reader *reader, struct str text, int *ret_number) {
    const struct cron_field *field = reader->field;
    uint64_t number;
    int name = field->names ? find_name(text, field->names, field->name_count) : -1;
    if (name >= 0) {
        *ret_number = field->least + name;
        return true;
    }
    if (!str_to_u64(text, &number))
        return refuse(reader->arena, reader->problem, "the %s '%.*s' is no number%s", field->name, STR_ARG(text),
                      field->names ? " and no name" : "");
    if (number < (uint64_t)field->least || number > (uint64_t)field->most)
        return refuse(reader->arena, reader->problem, "the %s '%.*s' is not from %d to %d", field->name, STR_ARG(text),
                      field->least, field->most);
    *ret_number = (int)number;
    return true;
}

/* One item of a field's list: '*', 'n', 'a-b', and each with '/step'. */
static bool read_range(const struct field_reader *reader, struct str text, uint64_t *bits) {
    const struct cron_field *field = reader->field;
    size_t slash = str_find(text, '/'), dash;
    struct str range = slash == SIZE_MAX ? text : str_sub(text, 0, slash);
    int first = field->least, last = field->most;
    uint64_t step = 1;
    if (slash != SIZE_MAX && (!str_to_u64(str_sub(text, slash + 1, text.n), &step) || !step || step > 60))
        return refuse(reader->arena, reader->problem, "the %s '%.*s' has no step from 1 to 60 behind its '/'",
                      field->name, STR_ARG(text));
    if (!str_eq(range, STR("*"))) {
        dash = str_find(range, '-');
        if (!read_number(reader, dash == SIZE_MAX ? range : str_sub(range, 0, dash), &first)) return false;
        last = first;
        if (dash == SIZE_MAX && slash != SIZE_MAX)
            return refuse(reader->arena, reader->problem, "the %s '%.*s' is a step without a range: write '%d-%d/%llu'",
                          field->name, STR_ARG(text), first, field->most, (unsigned long long)step);
        if (dash != SIZE_MAX && !read_number(reader, str_sub(range, dash + 1, range.n), &last)) return false;
        if (field->names == day_names && last == 0 && first > 0) last = 7; /* Fri-Sun */
        if (last < first)
            return refuse(reader->arena, reader->problem, "the %s '%.*s' ends before it begins: write two ranges",
                          field->name, STR_ARG(text));
    }
    for (int i = first; i <= last; i += (int)step) *bits |= 1ull << i;
    return true;
}

static bool read_field(const struct field_reader *reader, struct str text, uint64_t *ret_bits) {
    uint64_t bits = 0;
    for (struct str rest = text, item; str_next(&rest, ',', &item);)
        if (!read_range(reader, item, &bits)) return false;
    *ret_bits = bits;
    return true;
}

static bool read_fields(const struct str words[FIELDS], struct arena *arena, struct cron *cron,
                        struct str *ret_problem) {
    uint64_t bits[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        const struct field_reader reader = {&fields[i], arena, ret_problem};
        if (!read_field(&reader, words[i], &bits[i])) return false;
    }
    for (int hour = 0; hour < 24; hour++)
        for (int minute = 0; minute < 60; minute++)
            if (bits[HOUR] >> hour & 1 && bits[MINUTE] >> minute & 1)
                cron->times[(hour * 60 + minute) / 64] |= 1ull << ((hour * 60 + minute) % 64);
    cron->dates = (uint32_t)bits[DATE];
    cron->months = (uint16_t)bits[MONTH];
    cron->weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & WEEKDAYS);
    cron->either = !str_starts(words[DATE], STR("*")) && !str_starts(words[WEEKDAY], STR("*"));
    return true;
}

/* ---- days and times ---- */

/* "9" and "9:5" are times whose minute is not written as it must be. */
static struct str time_meant(struct str hour, struct str minute, struct arena *arena) {
    uint64_t hours, minutes = 0;
    bool known = str_to_u64(hour, &hours) && hours <= 23 && hour.n <= 2 && minute.n <= 1;
    if (!known || (minute.n && !str_to_u64(minute, &minutes))) return STR("");
    return str_fmt(arena, "; write %02d:%02d", (int)hours, (int)minutes);
}

static bool read_times(struct str text, struct arena *arena, struct cron *cron, struct str *ret_problem) {
    for (struct str rest = text, item; str_next(&rest, ',', &item);) {
        size_t colon = str_find(item, ':');
        struct str hour = str_sub(item, 0, colon == SIZE_MAX ? item.n : colon);
        struct str minute = colon == SIZE_MAX ? STR_NONE : str_sub(item, colon + 1, item.n);
        uint64_t hours, minutes;
        if (!str_to_u64(hour, &hours) || hour.n > 2 || minute.n != 2 || !str_to_u64(minute, &minutes) || hours > 23 ||
            minutes > 59)
            return refuse(arena, ret_problem, "'%.*s' is no time of day from 00:00 to 23:59%.*s", STR_ARG(item),
                          STR_ARG(time_meant(hour, minute, arena)));
        size_t time = (size_t)(hours * 60 + minutes);
        cron->times[time / 64] |= 1ull << (time % 64);
    }
    return true;
}

/* "1st", "22nd", "last": bit 0 is the last one. */
static bool read_ordinal(struct str text, uint32_t *bits) {
    static const char *const ends[] = {"st", "nd", "rd", "th"};
    uint64_t number;
    if (str_eq_nocase(text, STR("last"))) {
        *bits |= 1;
        return true;
    }
    if (text.n < 3 || !str_to_u64(str_sub(text, 0, text.n - 2), &number) || number < 1 || number > 31) return false;
    bool teen = number / 10 == 1;
    size_t end = !teen && number % 10 >= 1 && number % 10 <= 3 ? (size_t)(number % 10 - 1) : 3;
    if (!str_eq_nocase(str_sub(text, text.n - 2, 2), str_from(ends[end]))) return false;
    *bits |= 1u << number;
    return true;
}

static bool read_ordinals(struct str text, uint32_t *ret_bits) {
    uint32_t bits = 0;
    for (struct str rest = text, item; str_next(&rest, ',', &item);)
        if (!read_ordinal(item, &bits)) return false;
    *ret_bits = bits;
    return true;
}

/* "Mon", "Mon-Fri", "Mon,Thu", "weekdays" */
static bool read_weekdays(struct str text, struct arena *arena, struct cron *cron, struct str *ret_problem) {
    const struct field_reader reader = {&fields[WEEKDAY], arena, ret_problem};
    uint64_t bits = 0;
    if (str_eq_nocase(text, STR("weekdays"))) text = STR("Mon-Fri");
    if (!read_field(&reader, text, &bits)) return false;
    cron->weekdays = (uint8_t)((bits | bits >> 7) & WEEKDAYS);
    return true;
}

static bool read_days(const struct str *words, size_t count, struct arena *arena, struct cron *cron,
                      struct str *ret_problem) {
    uint32_t ordinals;
    cron->dates = EVERY_DAY;
    cron->months = 0x1ffe;
    cron->weekdays = WEEKDAYS;
    bool counted = read_ordinals(words[0], &ordinals);
    if (count == 1 && str_eq_nocase(words[0], STR("daily"))) return true;
    if (count == 1 && counted) {
        cron->dates = ordinals;
        return true;
    }
    if (count == 1) return read_weekdays(words[0], arena, cron, ret_problem);
    if (!counted || ordinals > 0x3f)
        return refuse(arena, ret_problem, "'%.*s' before a weekday is none of 1st, 2nd, 3rd, 4th, 5th and last",
                      STR_ARG(words[0]));
    cron->weeks = (uint8_t)ordinals;
    return read_weekdays(words[1], arena, cron, ret_problem);
}

bool cron_parse(struct str text, struct arena *arena, struct cron *ret_cron, struct str *ret_problem) {
    struct str words[FIELDS] = {0}, rest = text, word;
    struct cron cron = {0};
    size_t count = 0;
    bool few = true;
    while (next_word(&rest, &word) && (few = count < FIELDS)) {
        if (str_ends(word, STR(","))) return refuse(arena, ret_problem, "'%.*s' ends in a comma", STR_ARG(word));
        words[count++] = word;
    }
    if (few && count == FIELDS) {
        if (!read_fields(words, arena, &cron, ret_problem)) return false;
    } else if (few && (count == 2 || count == 3)) {
        if (!read_days(words, count - 1, arena, &cron, ret_problem)) return false;
        if (!read_times(words[count - 1], arena, &cron, ret_problem)) return false;
    } else {
        return refuse(
            arena, ret_problem,
            "it is five fields, as in '0 9 * * Tue', or days and times, as in 'Tue 09:00', 'daily 09:00,18:30', "
            "'1st 09:00'");
    }
    if (cron_next(&cron, 0) == INT64_MAX) return refuse(arena, ret_problem, "there is no such day in any year");
    *ret_cron = cron;
    return true;
}
