/* base/json_point.c - places in documents as RFC 6901 pointers. Works through
 * json.h alone. */
#include "base/json.h"

/* Whether the reference token names this member: ~1 stands for '/', ~0 for '~', no other ~ is valid. */
static bool token_names(struct str token, struct str name) {
    size_t at = 0;
    for (size_t i = 0; i < token.n; i++, at++) {
        char c = token.p[i];
        if (c == '~') {
            char code = ++i < token.n ? token.p[i] : 0;
            if (code != '0' && code != '1') return false;
            c = code == '0' ? '~' : '/';
        }
        if (at == name.n || name.p[at] != c) return false;
    }
    return at == name.n;
}

static const struct json *point_member(const struct json *object, struct str token) {
    if (str_find(token, '~') == SIZE_MAX) return json_get(object, token);
    struct str name;
    const struct json *child;
    for (void *cursor = NULL; (child = json_next(object, &cursor, &name));)
        if (token_names(token, name)) return child;
    return NULL;
}

static const struct json *point_item(const struct json *array, struct str token) {
    uint64_t index;
    if (token.n > 1 && token.p[0] == '0') return NULL;
    return str_to_u64(token, &index) ? json_at(array, index) : NULL;
}

const struct json *json_point(const struct json *root, struct str pointer) {
    const struct json *node = root;
    while (node && pointer.n) {
        if (pointer.p[0] != '/') return NULL;
        pointer = str_sub(pointer, 1, pointer.n);
        size_t slash = str_find(pointer, '/');
        struct str token = str_sub(pointer, 0, slash);
        pointer = str_sub(pointer, token.n, pointer.n);
        node = json_type(node) == JSON_ARRAY ? point_item(node, token) : point_member(node, token);
    }
    return node;
}

void json_point_add(struct buf *pointer, struct str name) {
    buf_byte(pointer, '/');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '~')
            buf_add(pointer, STR("~0"));
        else if (name.p[i] == '/')
            buf_add(pointer, STR("~1"));
        else
            buf_byte(pointer, name.p[i]);
    }
}

/* The find_ functions leave the place in path when they find a difference, else path as it was. */
static bool find_difference(struct buf *path, const struct json *a, const struct json *b);

static bool find_in_items(struct buf *path, const struct json *a, const struct json *b) {
    size_t a_size = json_size(a), b_size = json_size(b), path_n = path->n;
    for (size_t i = 0; i < a_size || i < b_size; i++) {
        buf_fmt(path, "/%zu", i);
        if (i >= a_size || i >= b_size || find_difference(path, json_at(a, i), json_at(b, i))) return true;
        path->n = path_n;
    }
    return false;
}

static bool find_in_members(struct buf *path, const struct json *a, const struct json *b) {
    size_t path_n = path->n;
    struct str name;
    const struct json *child, *other;
    for (void *cursor = NULL; (child = json_next(a, &cursor, &name));) {
        json_point_add(path, name);
        other = json_get(b, name);
        if (!other || find_difference(path, child, other)) return true;
        path->n = path_n;
    }
    for (void *cursor = NULL; json_next(b, &cursor, &name);) {
        if (json_get(a, name)) continue;
        json_point_add(path, name);
        return true;
    }
    return false;
}

static bool find_difference(struct buf *path, const struct json *a, const struct json *b) {
    enum json_type type = json_type(a);
    if (type != json_type(b)) return true;
    if (type == JSON_ARRAY) return find_in_items(path, a, b);
    if (type == JSON_OBJECT) return find_in_members(path, a, b);
    if (type == JSON_STRING) return !str_eq(json_text(a), json_text(b));
    if (type != JSON_NUMBER) return false;
    return json_number(a, 0) != json_number(b, 0) || !str_eq(json_digits(a), json_digits(b));
}

struct str json_first_difference(struct arena *arena, const struct json *a, const struct json *b) {
    struct buf path = {.arena = arena};
    return find_difference(&path, a, b) ? buf_str(&path) : STR_NONE;
}
