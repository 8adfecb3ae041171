/* base/shown.c - which characters of somebody else's text a person may be shown as they are.
 *
 * What is hidden: the control characters (Cc), the line and paragraph separators (Zl, Zp), what Unicode calls
 * Default_Ignorable_Code_Point (DerivedCoreProperties.txt: bidi controls, zero-width characters, fillers, tags), and
 * the marks of interlinear notes. Terminals obey some of them and draw none, so a key could read as another one's.
 * Three kinds are part of ordinary texts, and stay where they stand as Unicode means them: a joiner between two emoji
 * (UTS #51), a joiner within a word of a script that needs it (UAX #31, 2.3), and the choice of an emoji's form behind
 * its character. A second one in a row is hidden again, so that nothing of length can be kept in them. */
#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"

#define ZERO_WIDTH_NON_JOINER 0x200c
#define ZERO_WIDTH_JOINER     0x200d
#define TEXT_FORM             0xfe0e
#define EMOJI_FORM            0xfe0f

struct point_range {
    uint32_t first, last;
};
static const struct point_range hidden[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x061c, 0x061c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};
/* Symbols that have an emoji's form, and those that are nothing else. */
static const struct point_range symbols[] = {{0x00a9, 0x00a9}, {0x00ae, 0x00ae}, {0x203c, 0x3299}, {0x1f000, 0x1faff}};
static const struct point_range keycaps[] = {{'#', '#'}, {'*', '*'}, {'0', '9'}};
/* Arabic to Myanmar, Khmer and Mongolian, and the Arabic forms. */
static const struct point_range joined_scripts[] = {
    {0x0620, 0x109f}, {0x1780, 0x18af}, {0xfb50, 0xfdff}, {0xfe70, 0xfefc}};

#define COUNT(ranges) (sizeof(ranges) / sizeof *(ranges))

static bool is_in(const struct point_range *ranges, size_t count, uint32_t point) {
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last) return true;
    return false;
}

uint32_t str_point(struct str text, size_t at, size_t length) {
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = (uint8_t)text.p[at] & first_bits[length];
    for (size_t i = 1; i < length; i++) point = point << 6 | ((uint8_t)text.p[at + i] & 0x3f);
    return point;
}

/* The character before a place, and where it begins; 0 where there is none. */
static uint32_t point_before(struct str text, size_t at, size_t *ret_at) {
    for (size_t back = 1; back <= 4 && back <= at; back++) {
        if (str_utf8_length(text, at - back) != back) continue;
        *ret_at = at - back;
        return str_point(text, at - back, back);
    }
    return 0;
}

static uint32_t point_at(struct str text, size_t at) {
    size_t length = at < text.n ? str_utf8_length(text, at) : 0;
    return length ? str_point(text, at, length) : 0;
}

static bool is_symbol(uint32_t point) {
    return is_in(symbols, COUNT(symbols), point);
}

static bool joins(struct str text, size_t at, uint32_t point) {
    size_t before_at = at;
    uint32_t before = point_before(text, at, &before_at), after = point_at(text, at + 3); /* a joiner has 3 bytes */
    if (is_in(hidden, COUNT(hidden), after)) return false;
    if (is_in(joined_scripts, COUNT(joined_scripts), before) && is_in(joined_scripts, COUNT(joined_scripts), after))
        return !is_in(hidden, COUNT(hidden), before);
    if (before == EMOJI_FORM) before = point_before(text, before_at, &before_at);
    return point == ZERO_WIDTH_JOINER && is_symbol(before) && is_symbol(after);
}

static bool chooses_form(struct str text, size_t at) {
    size_t before_at;
    uint32_t before = point_before(text, at, &before_at);
    return is_symbol(before) ? !is_in(hidden, COUNT(hidden), before) : is_in(keycaps, COUNT(keycaps), before);
}

bool str_is_hidden(struct str text, size_t at, size_t length) {
    uint8_t byte = (uint8_t)text.p[at];
    if (length == 1) return byte < 0x20 || byte == 0x7f;
    uint32_t point = str_point(text, at, length);
    if (!is_in(hidden, COUNT(hidden), point)) return false;
    if (point == ZERO_WIDTH_JOINER || point == ZERO_WIDTH_NON_JOINER) return !joins(text, at, point);
    return (point != TEXT_FORM && point != EMOJI_FORM) || !chooses_form(text, at);
}

size_t str_escape(uint32_t point, char ret_text[ESCAPE_ROOM]) {
    if (point < 0x10000) return (size_t)snprintf(ret_text, ESCAPE_ROOM, "\\u%04x", point);
    point -= 0x10000;
    return (size_t)snprintf(ret_text, ESCAPE_ROOM, "\\u%04x\\u%04x", 0xd800 | point >> 10, 0xdc00 | (point & 0x3ff));
}

struct str str_safe(struct arena *arena, struct str text, bool one_line) {
    struct buf safe = {.arena = arena};
    size_t kept = 0;
    for (size_t at = 0, length; at < text.n; at += length ? length : 1) {
        char escape[ESCAPE_ROOM];
        length = str_utf8_length(text, at);
        if (length && !str_is_hidden(text, at, length)) continue;
        bool blank = text.p[at] == '\n' || text.p[at] == '\t';
        if (blank && !one_line) continue;
        buf_add(&safe, str_sub(text, kept, at - kept));
        kept = at + (length ? length : 1);
        if (blank || text.p[at] == '\r')
            buf_byte(&safe, ' ');
        else if (!length)
            buf_byte(&safe, '?');
        else
            buf_add(&safe, (struct str){escape, str_escape(str_point(text, at, length), escape)});
    }
    buf_add(&safe, str_sub(text, kept, text.n));
    return buf_str(&safe);
}
