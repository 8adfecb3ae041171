/* base/str.c - see str.h. */
#include "base/str.h"

#include "base/arena.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts longer than this are not "nearly" anything. */
#define DISTANCE_TEXT_MAX 128
/* A number as text; more digits say nothing that a double could hold. */
#define NUMBER_TEXT_MAX 400
#define BUF_FIRST_BYTES ((size_t)64)

static void buf_vfmt(struct buf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

struct str str_from(const char *c_text) {
    return c_text ? (struct str){c_text, strlen(c_text)} : STR_NONE;
}

bool str_eq(struct str a, struct str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_list_has(struct str_list list, struct str text) {
    for (size_t i = 0; i < list.count; i++)
        if (str_eq(list.items[i], text)) return true;
    return false;
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) return false;
    return true;
}

int str_cmp(struct str a, struct str b) {
    size_t shared = a.n < b.n ? a.n : b.n;
    int order = shared ? memcmp(a.p, b.p, shared) : 0;
    if (order) return order;
    return (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix) {
    return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix) {
    return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

size_t str_find(struct str s, char byte) {
    const char *found = s.n ? memchr(s.p, byte, s.n) : NULL;
    return found ? (size_t)(found - s.p) : SIZE_MAX;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s) {
    while (s.n && is_blank(s.p[0])) s = str_sub(s, 1, s.n - 1);
    while (s.n && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

struct str str_sub(struct str s, size_t from, size_t count) {
    if (from > s.n) from = s.n;
    if (count > s.n - from) count = s.n - from;
    return (struct str){s.p ? s.p + from : NULL, count};
}

struct str str_head(struct str s, size_t bytes) {
    if (s.n <= bytes) return s;
    while (bytes && ((uint8_t)s.p[bytes] & 0xc0) == 0x80) bytes--;
    return str_sub(s, 0, bytes);
}

bool str_next(struct str *rest, char separator, struct str *ret_part) {
    if (!rest->n) return false;
    size_t at = str_find(*rest, separator);
    size_t length = at == SIZE_MAX ? rest->n : at;
    *ret_part = str_sub(*rest, 0, length);
    *rest = str_sub(*rest, length + 1, rest->n);
    return true;
}

bool str_to_u64(struct str s, uint64_t *ret_value) {
    uint64_t value = 0;
    if (!s.n) return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (digit > 9) return false;
        if (__builtin_mul_overflow(value, 10U, &value) || __builtin_add_overflow(value, digit, &value)) return false;
    }
    *ret_value = value;
    return true;
}

bool str_to_i64(struct str s, int64_t *ret_value) {
    bool negative = s.n && s.p[0] == '-';
    uint64_t size;
    if (!str_to_u64(str_sub(s, negative, s.n), &size)) return false;
    if (size > (uint64_t)INT64_MAX + negative) return false;
    *ret_value = negative ? (int64_t)-size : (int64_t)size;
    return true;
}

static size_t count_digits(struct str s, size_t from) {
    size_t at = from;
    while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9') at++;
    return at - from;
}

/* RFC 8259, 6: [ "-" ] int [ frac ] [ exp ] */
static bool is_json_number(struct str s) {
    size_t at = s.n && s.p[0] == '-';
    size_t whole = count_digits(s, at);
    if (!whole || (whole > 1 && s.p[at] == '0')) return false;
    at += whole;
    if (at < s.n && s.p[at] == '.') {
        size_t fraction = count_digits(s, at + 1);
        if (!fraction) return false;
        at += 1 + fraction;
    }
    if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
        at++;
        if (at < s.n && (s.p[at] == '+' || s.p[at] == '-')) at++;
        size_t exponent = count_digits(s, at);
        if (!exponent) return false;
        at += exponent;
    }
    return at == s.n;
}

bool str_to_double(struct str s, double *ret_value) {
    char text[NUMBER_TEXT_MAX + 1];
    if (s.n > NUMBER_TEXT_MAX || !is_json_number(s)) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double value = strtod(text, NULL);
    if (!isfinite(value)) return false;
    *ret_value = value;
    return true;
}

struct str str_shown(struct arena *arena, struct str s, size_t max_bytes) {
    struct buf shown = {.arena = arena};
    size_t at = 0;
    while (at < s.n && at < max_bytes) {
        size_t length = str_utf8_length(s, at);
        if (!length || (unsigned char)s.p[at] < ' ' || s.p[at] == 0x7f)
            buf_byte(&shown, ' ');
        else
            buf_add(&shown, str_sub(s, at, length));
        at += length ? length : 1;
    }
    if (at < s.n) buf_add(&shown, STR("..."));
    return buf_str(&shown);
}

struct str str_dup(struct arena *arena, struct str s) {
    char *copy = arena_take(arena, s.n + 1);
    if (s.n) memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return (struct str){copy, s.n};
}

struct str str_vfmt(struct arena *arena, const char *format, va_list args) {
    struct buf buf = {.arena = arena};
    buf_vfmt(&buf, format, args);
    return buf_str(&buf);
}

struct str str_fmt(struct arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct str text = str_vfmt(arena, format, args);
    va_end(args);
    return text;
}

/* One row of the table at a time: row[j] is the distance of a's first i bytes and b's first j. */
size_t str_distance(struct str a, struct str b, size_t limit) {
    size_t row[DISTANCE_TEXT_MAX + 1];
    if (str_eq(a, b)) return 0;
    size_t apart = a.n > b.n ? a.n - b.n : b.n - a.n;
    if (a.n > DISTANCE_TEXT_MAX || b.n > DISTANCE_TEXT_MAX || apart > limit) return limit + 1;
    for (size_t j = 0; j <= b.n; j++) row[j] = j;
    for (size_t i = 0; i < a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.n; j++) {
            size_t replace = diagonal + (a.p[i] != b.p[j]);
            size_t one_more = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            diagonal = row[j + 1];
            row[j + 1] = replace < one_more ? replace : one_more;
        }
    }
    return row[b.n] > limit ? limit + 1 : row[b.n];
}

/* Only the last '*' ever needs to be tried again with a longer run, so this takes at most pattern x text steps. */
bool str_glob(struct str pattern, struct str s) {
    size_t p = 0, at = 0, star = SIZE_MAX, run_end = 0;
    while (at < s.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            run_end = at;
        } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == s.p[at])) {
            p++;
            at++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            at = ++run_end;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

/* For each range of lead bytes, the length of the sequence and the range of its second byte (RFC 3629, 4). */
static const struct utf8_form {
    uint8_t lead_first, lead_last, length, second_first, second_last;
} utf8_forms[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

size_t str_utf8_length(struct str s, size_t at) {
    const uint8_t *b = (const uint8_t *)s.p + at;
    if (b[0] < 0x80) return 1;
    for (size_t i = 0; i < sizeof utf8_forms / sizeof *utf8_forms; i++) {
        const struct utf8_form *form = &utf8_forms[i];
        if (b[0] < form->lead_first || b[0] > form->lead_last) continue;
        if (s.n - at < form->length || b[1] < form->second_first || b[1] > form->second_last) return 0;
        for (size_t j = 2; j < form->length; j++)
            if ((b[j] & 0xc0) != 0x80) return 0;
        return form->length;
    }
    return 0;
}

/* Whether eight bytes from there on are ASCII: most of all texts is. */
static bool is_ascii_word(struct str s, size_t at) {
    uint64_t word;
    if (s.n - at < sizeof word) return false;
    memcpy(&word, s.p + at, sizeof word);
    return !(word & 0x8080808080808080u);
}

bool str_is_utf8(struct str s) {
    for (size_t at = 0, length; at < s.n; at += length) {
        length = is_ascii_word(s, at) ? sizeof(uint64_t) : str_utf8_length(s, at);
        if (!length) return false;
    }
    return true;
}

/* Room for more bytes and the NUL behind them. */
static void buf_reserve(struct buf *buf, size_t more) {
    if (buf->room - buf->n > more) return;
    size_t room = buf->room ? buf->room * 2 : BUF_FIRST_BYTES;
    while (room - buf->n <= more) room *= 2;
    char *grown = arena_alloc(buf->arena, room);
    if (buf->n) memcpy(grown, buf->p, buf->n);
    buf->p = grown;
    buf->room = room;
}

void buf_add(struct buf *buf, struct str s) {
    buf_reserve(buf, s.n);
    if (s.n) memcpy(buf->p + buf->n, s.p, s.n);
    buf->n += s.n;
}

void buf_byte(struct buf *buf, char byte) {
    buf_reserve(buf, 1);
    buf->p[buf->n++] = byte;
}

/* Mostly the text fits at the first try; only a longer one is formatted twice. */
static void buf_vfmt(struct buf *buf, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    buf_reserve(buf, 0);
    int length = vsnprintf(buf->p + buf->n, buf->room - buf->n, format, args);
    assert(length >= 0);
    if ((size_t)length >= buf->room - buf->n) {
        buf_reserve(buf, (size_t)length);
        vsnprintf(buf->p + buf->n, buf->room - buf->n, format, again);
    }
    va_end(again);
    buf->n += (size_t)length;
}

void buf_fmt(struct buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_vfmt(buf, format, args);
    va_end(args);
}

struct str buf_str(struct buf *buf) {
    buf_reserve(buf, 0);
    buf->p[buf->n] = 0;
    return (struct str){buf->p, buf->n};
}
