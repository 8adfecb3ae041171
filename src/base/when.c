/* base/when.c - see when.h. The calendar is proleptic Gregorian, counted in
 * eras of 400 years that begin on 1 March, so that the leap day comes last. */
#include "base/when.h"

#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#define DAYS_PER_ERA     146097
#define DAYS_TO_1970     719468 /* from 0000-03-01 */
#define YEAR_9999_END_US (253402300800 * US_PER_S)

int64_t civil_to_days(struct civil c) {
    int64_t year = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

struct civil civil_from_days(int64_t days) {
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (int)((5 * day_of_year + 2) / 153);
    int month = month_from_march + (month_from_march < 10 ? 3 : -9);
    int day = (int)(day_of_year - (153 * month_from_march + 2) / 5) + 1;
    return (struct civil){year_of_era + era * 400 + (month <= 2), month, day};
}

int civil_month_days(int64_t year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* The pieces of a date as written. */
struct moment {
    int year, month, day, hour, minute, second;
    int64_t fraction_us;
    int offset_minutes; /* east of UTC */
};

/* A leap second (23:59:60 UTC at the end of a month) is the first second of the next day, as POSIX time counts. */
static bool moment_to_us(const struct moment *m, int64_t *ret_us) {
    if (m->month < 1 || m->month > 12 || m->day < 1 || m->day > civil_month_days(m->year, m->month)) return false;
    if (m->hour > 23 || m->minute > 59 || m->second > 60) return false;
    int64_t days = civil_to_days((struct civil){m->year, m->month, m->day});
    int64_t minutes = days * 1440 + m->hour * 60 + m->minute - m->offset_minutes;
    int64_t seconds = minutes * 60 + m->second;
    if (m->second == 60 && (seconds % 86400 || civil_from_days(seconds / 86400).day != 1)) return false;
    int64_t us = seconds * US_PER_S + m->fraction_us;
    if (us < 0 || us >= YEAR_9999_END_US) return false;
    *ret_us = us;
    return true;
}

/* The readers below take what they name off the front of *rest and say whether it was there. */

static bool take_number(struct str *rest, size_t digits, int *ret_number) {
    uint64_t number;
    if (rest->n < digits || !str_to_u64(str_sub(*rest, 0, digits), &number)) return false;
    *rest = str_sub(*rest, digits, rest->n);
    *ret_number = (int)number;
    return true;
}

static bool take_text(struct str *rest, struct str text) {
    if (!str_starts(*rest, text)) return false;
    *rest = str_sub(*rest, text.n, rest->n);
    return true;
}

/* One of two bytes. */
static bool take_either(struct str *rest, char a, char b) {
    if (!rest->n || (rest->p[0] != a && rest->p[0] != b)) return false;
    *rest = str_sub(*rest, 1, rest->n);
    return true;
}

/* hh:mm:ss */
static bool take_time(struct str *rest, struct moment *m) {
    return take_number(rest, 2, &m->hour) && take_text(rest, STR(":")) && take_number(rest, 2, &m->minute) &&
           take_text(rest, STR(":")) && take_number(rest, 2, &m->second);
}

/* Any number of digits; those after the sixth are dropped. */
static bool take_fraction(struct str *rest, int64_t *ret_us) {
    if (!take_text(rest, STR("."))) return true;
    int64_t us = 0, weight = US_PER_S / 10;
    size_t digits = 0;
    for (; digits < rest->n && rest->p[digits] >= '0' && rest->p[digits] <= '9'; digits++, weight /= 10)
        us += (rest->p[digits] - '0') * weight;
    *rest = str_sub(*rest, digits, rest->n);
    *ret_us = us;
    return digits > 0;
}

/* Z or +hh:mm */
static bool take_offset(struct str *rest, int *ret_minutes) {
    if (take_either(rest, 'Z', 'z')) return true;
    bool west = rest->n && rest->p[0] == '-';
    int hours, minutes;
    if (!take_either(rest, '+', '-') || !take_number(rest, 2, &hours) || !take_text(rest, STR(":"))) return false;
    if (!take_number(rest, 2, &minutes) || hours > 23 || minutes > 59) return false;
    *ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

bool when_parse(struct str text, int64_t *ret_us) {
    struct moment m = {0};
    bool read = take_number(&text, 4, &m.year) && take_text(&text, STR("-")) && take_number(&text, 2, &m.month) &&
                take_text(&text, STR("-")) && take_number(&text, 2, &m.day) && take_either(&text, 'T', 't') &&
                take_time(&text, &m) && take_fraction(&text, &m.fraction_us) && take_offset(&text, &m.offset_minutes);
    return read && !text.n && moment_to_us(&m, ret_us);
}

bool when_parse_local(struct str text, int64_t *ret_us) {
    struct moment m = {0};
    bool read = take_number(&text, 4, &m.year) && take_text(&text, STR("-")) && take_number(&text, 2, &m.month) &&
                take_text(&text, STR("-")) && take_number(&text, 2, &m.day) &&
                (take_either(&text, 'T', 't') || take_text(&text, STR(" "))) && take_number(&text, 2, &m.hour) &&
                take_text(&text, STR(":")) && take_number(&text, 2, &m.minute);
    if (read && text.n) read = take_text(&text, STR(":")) && take_number(&text, 2, &m.second) && m.second < 60;
    return read && !text.n && moment_to_us(&m, ret_us);
}

void when_format(int64_t us, char ret_text[WHEN_TEXT_ROOM]) {
    int64_t seconds = us / US_PER_S - (us % US_PER_S < 0);
    int fraction_us = (int)((uint64_t)us - (uint64_t)seconds * (uint64_t)US_PER_S);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int second = (int)(seconds - days * 86400);
    struct civil c = civil_from_days(days);
    int length = snprintf(ret_text, WHEN_TEXT_ROOM, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)c.year, c.month,
                          c.day, second / 3600, second / 60 % 60, second % 60);
    size_t room = WHEN_TEXT_ROOM - (size_t)length;
    if (fraction_us)
        snprintf(ret_text + length, room, ".%06dZ", fraction_us);
    else
        snprintf(ret_text + length, room, "Z");
}

struct str when_str(struct arena *arena, int64_t us) {
    char text[WHEN_TEXT_ROOM];
    when_format(us, text);
    return str_dup(arena, str_from(text));
}

/* The place of the name in a list of three-letter names, from 1; 0 when it is not there. */
static int take_name(struct str *rest, const char *names) {
    for (int i = 0; names[i * 3]; i++)
        if (take_text(rest, (struct str){names + i * 3, 3})) return i + 1;
    return 0;
}

#define DAY_NAMES   "MonTueWedThuFriSatSun"
#define MONTH_NAMES "JanFebMarAprMayJunJulAugSepOctNovDec"

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool read_imf_date(struct str text, struct moment *m) {
    return take_name(&text, DAY_NAMES) && take_text(&text, STR(", ")) && take_number(&text, 2, &m->day) &&
           take_text(&text, STR(" ")) && (m->month = take_name(&text, MONTH_NAMES)) && take_text(&text, STR(" ")) &&
           take_number(&text, 4, &m->year) && take_text(&text, STR(" ")) && take_time(&text, m) &&
           str_eq(text, STR(" GMT"));
}

/* Sunday, 06-Nov-94 08:49:37 GMT. There is no clock here to tell the century, so a year below 70 is taken for one of
 * this century: no moment before 1970 can be meant. */
static bool read_rfc850_date(struct str text, struct moment *m) {
    static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
    bool day = false;
    for (size_t i = 0; i < sizeof days / sizeof *days && !day; i++) day = take_text(&text, str_from(days[i]));
    bool read = day && take_text(&text, STR(", ")) && take_number(&text, 2, &m->day) && take_text(&text, STR("-")) &&
                (m->month = take_name(&text, MONTH_NAMES)) && take_text(&text, STR("-")) &&
                take_number(&text, 2, &m->year) && take_text(&text, STR(" ")) && take_time(&text, m) &&
                str_eq(text, STR(" GMT"));
    m->year += m->year < 70 ? 2000 : 1900;
    return read;
}

/* Nov  6 08:49:37 */
static bool take_asctime(struct str *rest, struct moment *m) {
    if (!(m->month = take_name(rest, MONTH_NAMES)) || !take_text(rest, STR(" "))) return false;
    if (!take_number(rest, take_text(rest, STR(" ")) ? 1 : 2, &m->day)) return false;
    return take_text(rest, STR(" ")) && take_time(rest, m);
}

/* Sun Nov  6 08:49:37 1994 */
static bool read_asctime_date(struct str text, struct moment *m) {
    return take_name(&text, DAY_NAMES) && take_text(&text, STR(" ")) && take_asctime(&text, m) &&
           take_text(&text, STR(" ")) && take_number(&text, 4, &m->year) && !text.n;
}

bool when_parse_openssl(struct str text, int64_t *ret_us) {
    struct moment m = {0};
    bool read = take_asctime(&text, &m) && take_fraction(&text, &m.fraction_us) && take_text(&text, STR(" ")) &&
                take_number(&text, 4, &m.year) && str_eq(text, STR(" GMT"));
    return read && moment_to_us(&m, ret_us);
}

bool when_parse_http(struct str text, int64_t *ret_us) {
    static bool (*const forms[])(struct str, struct moment *) = {read_imf_date, read_rfc850_date, read_asctime_date};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct moment m = {0};
        if (forms[i](text, &m)) return moment_to_us(&m, ret_us);
    }
    return false;
}
