/* base/json_write.c - documents as text: compact, for people, and canonical
 * (RFC 8785). Works through json.h alone. */
#include "base/arena.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* Objects up to this size are sorted on the stack; they are nearly all there are. */
#define SORT_ON_STACK_MAX 24
#define INDENT_SPACES     2

struct style {
    bool sorted, pretty, doubles; /* doubles: digits that a double loses are lost */
};

static void write_value(struct buf *buf, const struct json *node, struct style style, size_t level);

/* How a byte is written inside quotes: as itself (0), by a backslash and this letter, as \u00xx ('u'), or as part of
 * a UTF-8 sequence ('8'). */
static const char escapes[256] = {
    [0x00 ... 0x07] = 'u', ['\b'] = 'b',          ['\t'] = 't', ['\n'] = 'n',  [0x0b] = 'u',          ['\f'] = 'f',
    ['\r'] = 'r',          [0x0e ... 0x1f] = 'u', ['"'] = '"',  ['\\'] = '\\', [0x80 ... 0xff] = '8',
};

void json_quote(struct buf *buf, struct str text) {
    size_t from = 0, at = 0; /* text[from, at) is written as it is */
    buf_byte(buf, '"');
    for (;;) {
        while (at < text.n && !escapes[(uint8_t)text.p[at]]) at++;
        if (at == text.n) break;
        uint8_t byte = (uint8_t)text.p[at];
        char escape = escapes[byte];
        size_t length = escape == '8' ? str_utf8_length(text, at) : 0;
        at += length;
        if (length) continue;
        buf_add(buf, str_sub(text, from, at - from));
        from = ++at;
        if (escape == '8')
            buf_add(buf, STR("\xef\xbf\xbd"));
        else if (escape == 'u')
            buf_fmt(buf, "\\u%04x", byte);
        else
            buf_add(buf, (struct str){(char[]){'\\', escape}, 2});
    }
    buf_add(buf, str_sub(text, from, at - from));
    buf_byte(buf, '"');
}

static void write_line_start(struct buf *buf, struct style style, size_t level) {
    if (!style.pretty) return;
    buf_byte(buf, '\n');
    for (size_t i = 0; i < level * INDENT_SPACES; i++) buf_byte(buf, ' ');
}

static void write_array(struct buf *buf, const struct json *array, struct style style, size_t level) {
    size_t size = json_size(array);
    buf_byte(buf, '[');
    for (size_t i = 0; i < size; i++) {
        if (i) buf_byte(buf, ',');
        write_line_start(buf, style, level + 1);
        write_value(buf, json_at(array, i), style, level + 1);
    }
    if (size) write_line_start(buf, style, level);
    buf_byte(buf, ']');
}

struct member {
    struct str name;
    const struct json *value;
};

/* UTF-8 sorts by code point. UTF-16 differs in one thing: what lies past U+FFFF is written with surrogates (D800 to
 * DFFF) and so comes before U+E000 to U+FFFF, whose lead bytes are EE and EF. */
static int utf16_rank(char byte) {
    uint8_t b = (uint8_t)byte;
    return b == 0xee || b == 0xef ? b + 0x10 : b;
}

static int utf16_cmp(struct str a, struct str b) {
    size_t shared = a.n < b.n ? a.n : b.n, at = 0;
    while (at < shared && a.p[at] == b.p[at]) at++;
    if (at < shared) return utf16_rank(a.p[at]) - utf16_rank(b.p[at]);
    return (a.n > b.n) - (a.n < b.n);
}

static int member_cmp(const void *a, const void *b) {
    return utf16_cmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static void members_sort(struct member *members, size_t count) {
    if (count > SORT_ON_STACK_MAX) {
        qsort(members, count, sizeof *members, member_cmp);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct member moved = members[i];
        size_t at = i;
        for (; at > 0 && utf16_cmp(moved.name, members[at - 1].name) < 0; at--) members[at] = members[at - 1];
        members[at] = moved;
    }
}

static void write_member(struct buf *buf, struct member member, struct style style, size_t level) {
    write_line_start(buf, style, level);
    json_quote(buf, member.name);
    buf_byte(buf, ':');
    if (style.pretty) buf_byte(buf, ' ');
    write_value(buf, member.value, style, level);
}

static void write_sorted(struct buf *buf, const struct json *object, struct style style, size_t level) {
    struct member on_stack[SORT_ON_STACK_MAX];
    size_t size = json_size(object), count = 0;
    struct member *members = size <= SORT_ON_STACK_MAX ? on_stack : arena_array(buf->arena, struct member, size);
    struct member member;
    for (void *cursor = NULL; (member.value = json_next(object, &cursor, &member.name));) members[count++] = member;
    members_sort(members, count);
    for (size_t i = 0; i < count; i++) {
        if (i) buf_byte(buf, ',');
        write_member(buf, members[i], style, level + 1);
    }
}

static void write_object(struct buf *buf, const struct json *object, struct style style, size_t level) {
    struct member member;
    size_t count = 0;
    buf_byte(buf, '{');
    if (style.sorted)
        write_sorted(buf, object, style, level);
    else {
        for (void *cursor = NULL; (member.value = json_next(object, &cursor, &member.name)); count++) {
            if (count) buf_byte(buf, ',');
            write_member(buf, member, style, level + 1);
        }
    }
    if (json_size(object)) write_line_start(buf, style, level);
    buf_byte(buf, '}');
}

static void write_value(struct buf *buf, const struct json *node, struct style style, size_t level) {
    switch (json_type(node)) {
    case JSON_NULL:
        buf_add(buf, STR("null"));
        break;
    case JSON_FALSE:
        buf_add(buf, STR("false"));
        break;
    case JSON_TRUE:
        buf_add(buf, STR("true"));
        break;
    case JSON_NUMBER:
        if (json_digits(node).n && !style.doubles)
            buf_add(buf, json_digits(node));
        else
            json_write_number(buf, json_number(node, 0));
        break;
    case JSON_STRING:
        json_quote(buf, json_text(node));
        break;
    case JSON_ARRAY:
        write_array(buf, node, style, level);
        break;
    case JSON_OBJECT:
        write_object(buf, node, style, level);
        break;
    }
}

struct str json_dump(struct arena *arena, const struct json *node) {
    struct buf buf = {.arena = arena};
    write_value(&buf, node, (struct style){0}, 0);
    return buf_str(&buf);
}

struct str json_dump_pretty(struct arena *arena, const struct json *node) {
    struct buf buf = {.arena = arena};
    write_value(&buf, node, (struct style){.pretty = true}, 0);
    return buf_str(&buf);
}

void json_canonical(struct buf *buf, const struct json *node) {
    write_value(buf, node, (struct style){.sorted = true}, 0);
}

void json_canonical_doubles(struct buf *buf, const struct json *node) {
    write_value(buf, node, (struct style){.sorted = true, .doubles = true}, 0);
}
