/* base/json_slice.c - parts of a JSON text as the bytes that were received,
 * for texts that json_parse has accepted. Other texts do no harm: the answer is
 * false, at the latest where such a text cannot be followed any more. */
#include "base/json_node.h"

#include <string.h>

#define NOWHERE     SIZE_MAX
#define REPLACEMENT 0xfffd /* what stands for half a pair of surrogates */

static size_t skip_blanks(struct str text, size_t at) {
    while (at < text.n && (text.p[at] == ' ' || text.p[at] == '\t' || text.p[at] == '\n' || text.p[at] == '\r')) at++;
    return at;
}

static bool is_at(struct str text, size_t at, char c) {
    return at < text.n && text.p[at] == c;
}

/* The skip_ functions start on the first byte and give the place behind the last, or NOWHERE. A quote behind an odd
 * number of backslashes does not end a string. */
static size_t skip_string(struct str text, size_t at) {
    size_t from = at + 1;
    if (!is_at(text, at, '"')) return NOWHERE;
    for (const char *quote; (quote = memchr(text.p + at + 1, '"', text.n - at - 1));) {
        size_t backslashes = 0;
        at = (size_t)(quote - text.p);
        while (at - backslashes > from && text.p[at - backslashes - 1] == '\\') backslashes++;
        if (backslashes % 2 == 0) return at + 1;
    }
    return NOWHERE;
}

static size_t skip_nested(struct str text, size_t at) {
    size_t level = 0;
    while (at < text.n) {
        char c = text.p[at];
        if (c == '"') {
            at = skip_string(text, at);
            continue;
        }
        at++;
        if (c == '{' || c == '[') level++;
        if ((c == '}' || c == ']') && --level == 0) return at;
    }
    return NOWHERE;
}

static size_t skip_value(struct str text, size_t at) {
    if (is_at(text, at, '"')) return skip_string(text, at);
    if (is_at(text, at, '{') || is_at(text, at, '[')) return skip_nested(text, at);
    size_t end = at;
    while (end < text.n && str_find(STR(",]} \t\r\n"), text.p[end]) == SIZE_MAX) end++;
    return end > at ? end : NOWHERE;
}

/* The four hexadecimal digits at this place, or -1. */
static int32_t read_hex4(struct str raw, size_t at) {
    int32_t unit = 0;
    if (at > raw.n || raw.n - at < 4) return -1;
    for (size_t i = at; i < at + 4; i++) {
        size_t digit = str_find(STR("0123456789abcdefABCDEF"), raw.p[i]);
        if (digit == SIZE_MAX) return -1;
        unit = unit * 16 + (int32_t)(digit < 16 ? digit : digit - 6);
    }
    return unit;
}

static size_t utf8_put(uint32_t code, char ret_bytes[4]) {
    static const uint32_t limits[] = {0x80, 0x800, 0x10000};
    static const uint8_t leads[] = {0x00, 0xc0, 0xe0, 0xf0};
    size_t more = 0;
    while (more < 3 && code >= limits[more]) more++;
    for (size_t i = more; i > 0; i--, code >>= 6) ret_bytes[i] = (char)(0x80 | (code & 0x3f));
    ret_bytes[0] = (char)(leads[more] | code);
    return more + 1;
}

size_t json_unescape(struct str raw, size_t *at, char ret_bytes[4]) {
    size_t place = *at + 1;
    if (place >= raw.n) return 0;
    if (raw.p[place] != 'u') {
        size_t letter = str_find(STR("\"\\/bfnrt"), raw.p[place]);
        if (letter == SIZE_MAX) return 0;
        ret_bytes[0] = "\"\\/\b\f\n\r\t"[letter];
        *at += 2;
        return 1;
    }
    int32_t unit = read_hex4(raw, place + 1);
    *at += 6;
    if (unit < 0) return 0;
    if (unit >= 0xd800 && unit <= 0xdfff) {
        int32_t low = is_at(raw, *at, '\\') && is_at(raw, *at + 1, 'u') ? read_hex4(raw, *at + 2) : -1;
        if (unit >= 0xdc00 || low < 0xdc00 || low > 0xdfff) return utf8_put(REPLACEMENT, ret_bytes);
        *at += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    return utf8_put((uint32_t)unit, ret_bytes);
}

/* Whether a name as written (without its quotes) is this name once its escapes are read. */
static bool is_name(struct str raw, struct str name) {
    if (str_find(raw, '\\') == SIZE_MAX) return str_eq(raw, name);
    for (size_t at = 0; at < raw.n;) {
        char bytes[4] = {raw.p[at]};
        size_t length = 1;
        if (raw.p[at] == '\\')
            length = json_unescape(raw, &at, bytes);
        else
            at++;
        if (!length || !str_starts(name, (struct str){bytes, length})) return false;
        name = str_sub(name, length, name.n);
    }
    return name.n == 0;
}

bool json_slice(struct str text, struct str name, struct str *ret_slice) {
    size_t at = skip_blanks(text, 0);
    if (!is_at(text, at, '{')) return false;
    do {
        size_t name_from = skip_blanks(text, at + 1);
        size_t name_end = skip_string(text, name_from);
        if (name_end == NOWHERE) return false;
        size_t colon = skip_blanks(text, name_end);
        if (!is_at(text, colon, ':')) return false;
        size_t from = skip_blanks(text, colon + 1);
        size_t end = skip_value(text, from);
        if (end == NOWHERE) return false;
        if (is_name(str_sub(text, name_from + 1, name_end - name_from - 2), name)) {
            *ret_slice = str_sub(text, from, end - from);
            return true;
        }
        at = skip_blanks(text, end);
    } while (is_at(text, at, ','));
    return false;
}

bool json_slice_item(struct str text, size_t *cursor, struct str *ret_slice) {
    size_t at = skip_blanks(text, *cursor);
    if (!is_at(text, at, *cursor ? ',' : '[')) return false;
    size_t from = skip_blanks(text, at + 1);
    size_t end = skip_value(text, from);
    if (end == NOWHERE) return false;
    *ret_slice = str_sub(text, from, end - from);
    *cursor = end;
    return true;
}

bool json_slice_count(struct str text, size_t *ret_count) {
    size_t cursor = 0, count = 0;
    struct str item;
    while (json_slice_item(text, &cursor, &item)) count++;
    size_t at = skip_blanks(text, cursor);
    if (!count && !is_at(text, at, '[')) return false;
    if (!count) at = skip_blanks(text, at + 1);
    if (!is_at(text, at, ']') || skip_blanks(text, at + 1) != text.n) return false;
    *ret_count = count;
    return true;
}
