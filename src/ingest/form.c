/* ingest/form.c - see form.h. */
#include "ingest/form.h"

#include <string.h>

#include "base/json.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* A '%' that no two digits follow stands for itself. */
static struct str decode(struct str text, struct arena *arena) {
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool escape =
            text.p[i] == '%' && i + 2 < text.n && hex_value(text.p[i + 1]) >= 0 && hex_value(text.p[i + 2]) >= 0;
        out[n++] = text.p[i] == '+' ? ' '
                   : escape         ? (char)(hex_value(text.p[i + 1]) * 16 + hex_value(text.p[i + 2]))
                                    : text.p[i];
        if (escape) i += 2;
    }
    out[n] = '\0';
    return (struct str){out, n};
}

bool form_read(struct str body, struct arena *arena, struct form *ret_form, struct str *ret_problem) {
    struct form form = {0};
    size_t room = 1;
    for (size_t i = 0; i < body.n; i++) room += body.p[i] == '&';
    if (room > FORM_MEMBERS_MAX) {
        *ret_problem = str_fmt(arena, "a form may have %d members", FORM_MEMBERS_MAX);
        return false;
    }
    form.members = arena_array(arena, struct form_member, room);
    for (struct str rest = body, pair; str_next(&rest, '&', &pair);) {
        size_t equals = str_find(pair, '=');
        if (!pair.n) continue;
        struct form_member member = {decode(str_sub(pair, 0, equals), arena), STR("")};
        if (equals != SIZE_MAX) member.value = decode(str_sub(pair, equals + 1, pair.n), arena);
        if (!str_is_utf8(member.name) || !str_is_utf8(member.value)) {
            *ret_problem = STR("a form's names and values must be UTF-8");
            return false;
        }
        form.members[form.count++] = member;
    }
    *ret_form = form;
    return true;
}

struct str form_value(const struct form *form, struct str name) {
    for (size_t i = 0; i < form->count; i++)
        if (str_eq(form->members[i].name, name)) return form->members[i].value;
    return STR_NONE;
}

static bool came_before(const struct form *form, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (str_eq(form->members[i].name, form->members[at].name)) return true;
    return false;
}

void form_write_values(struct buf *buf, const struct form *form, size_t at) {
    size_t count = 0, written = 0;
    for (size_t i = at; i < form->count; i++) count += str_eq(form->members[i].name, form->members[at].name);
    if (count > 1) buf_byte(buf, '[');
    for (size_t i = at; i < form->count; i++) {
        if (!str_eq(form->members[i].name, form->members[at].name)) continue;
        if (written++) buf_byte(buf, ',');
        json_quote(buf, form->members[i].value);
    }
    if (count > 1) buf_byte(buf, ']');
}

struct str form_json(const struct form *form, struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_byte(&buf, '{');
    for (size_t i = 0; i < form->count; i++) {
        if (came_before(form, i)) continue;
        if (buf.n > 1) buf_byte(&buf, ',');
        json_quote(&buf, form->members[i].name);
        buf_byte(&buf, ':');
        form_write_values(&buf, form, i);
    }
    buf_byte(&buf, '}');
    return buf_str(&buf);
}

void form_encode(struct buf *body, struct str text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c && strchr(plain, c))
            buf_byte(body, c);
        else if (c == ' ')
            buf_byte(body, '+');
        else
            buf_fmt(body, "%%%02X", (unsigned)(uint8_t)c);
    }
}
