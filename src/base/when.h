/* base/when.h - instants and lengths of time as numbers, and their texts.
 *
 * An instant is int64_t microseconds since 1970 UTC; a length is int64_t
 * microseconds. No function here reads a clock. Sources: RFC 3339, RFC 9110
 * 5.6.7 (HTTP-date).
 */
#ifndef BASE_WHEN_H
#define BASE_WHEN_H

#include "base/str.h"

#define US_PER_MS      ((int64_t)1000)
#define US_PER_S       ((int64_t)1000000)
#define US_PER_MIN     (60 * US_PER_S)
#define US_PER_HOUR    (3600 * US_PER_S)
#define US_PER_DAY     (86400 * US_PER_S)
#define WHEN_NEVER     INT64_MAX
#define WHEN_TEXT_ROOM 40

/* RFC 3339 with an offset (Z or +hh:mm); a local time without one is refused. Years 1970-9999. */
bool when_parse(struct str text, int64_t *ret_us);
/* 2026-11-24T13:20:39.123456Z; the fraction is left out when zero. */
void when_format(int64_t us, char ret_text[WHEN_TEXT_ROOM]);
struct str when_str(struct arena *arena, int64_t us);
/* 2026-11-24T09:00 or 2026-11-24 09:00, with :ss or without, and nothing behind: a time on some clock, as if in UTC. */
bool when_parse_local(struct str text, int64_t *ret_us);
/* The three HTTP-date forms (IMF-fixdate, RFC 850, asctime). */
bool when_parse_http(struct str text, int64_t *ret_us);
/* "Nov  6 08:49:37 2027 GMT", as OpenSSL prints the times of a certificate. */
bool when_parse_openssl(struct str text, int64_t *ret_us);

/* The calendar, proleptic Gregorian. Days are counted from 1970-01-01, which was a Thursday. */
struct civil {
    int64_t year;
    int month, day; /* from 1 */
};
int64_t civil_to_days(struct civil c);
struct civil civil_from_days(int64_t days);
int civil_month_days(int64_t year, int month);

/* "300ms" "30s" "5m" "2h" "3d" "0s"; a bare number is refused. */
bool span_parse(struct str text, int64_t *ret_us);
/* The shortest exact form in those units. */
struct str span_str(struct arena *arena, int64_t us);
/* For people: "1.3 s", "12 min", "3 h 4 min". */
struct str span_human(struct arena *arena, int64_t us);

#endif
