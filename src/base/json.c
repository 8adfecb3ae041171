/* base/json.c - nodes are looked at and built; see json.h and json_node.h. */
#include "base/json_node.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking ---- */

enum json_type json_type(const struct json *node) {
    return node ? (enum json_type)node->type : JSON_NULL;
}

int json_name_cmp(struct str a, struct str b) {
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

static const struct json *find_sorted(const struct json *object, struct str name) {
    struct json *const *index = object->children.all + object->size;
    size_t from = 0, to = object->size;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = json_name_cmp(index[middle]->name, name);
        if (order == 0) return index[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Where the member is, or the object's size. */
static size_t find_member(const struct json *object, struct str name) {
    size_t at = 0;
    while (at < object->size && !str_eq(object->children.all[at]->name, name)) at++;
    return at;
}

const struct json *json_get(const struct json *object, struct str name) {
    if (json_type(object) != JSON_OBJECT) return NULL;
    if (object->sorted) return find_sorted(object, name);
    size_t at = find_member(object, name);
    return at < object->size ? object->children.all[at] : NULL;
}

const struct json *json_at(const struct json *array, size_t index) {
    return json_type(array) == JSON_ARRAY && index < array->size ? array->children.all[index] : NULL;
}

size_t json_size(const struct json *node) {
    return node ? node->size : 0;
}

struct str json_text(const struct json *node) {
    return json_type(node) == JSON_STRING ? node->text : STR_NONE;
}

double json_number(const struct json *node, double otherwise) {
    return json_type(node) == JSON_NUMBER ? node->number : otherwise;
}

struct str json_digits(const struct json *node) {
    if (json_type(node) != JSON_NUMBER || !node->digits) return STR_NONE;
    size_t n = node->digits[0] == '-';
    while (node->digits[n] >= '0' && node->digits[n] <= '9') n++;
    return (struct str){node->digits, n};
}

int64_t json_integer(const struct json *node, int64_t otherwise) {
    const double bound = 9223372036854775808.0; /* 2^63 */
    double value = json_number(node, NAN);
    return value >= -bound && value < bound ? (int64_t)value : otherwise;
}

bool json_true(const struct json *node) {
    return json_type(node) == JSON_TRUE;
}

/* The cursor is behind the member that was given last. */
const struct json *json_next(const struct json *object, void **cursor, struct str *ret_name) {
    if (json_type(object) != JSON_OBJECT || object->size == 0) return NULL;
    struct json **at = *cursor ? *cursor : object->children.all;
    if (at == object->children.all + object->size) return NULL;
    *cursor = at + 1;
    *ret_name = (*at)->name;
    return *at;
}

/* ---- building ---- */

/* Makes a node of its own, with text_bytes behind it. */
static struct json *build(enum json_type type, size_t text_bytes) {
    struct json *node = calloc(1, sizeof *node + text_bytes);
    assert(node);
    node->type = (uint8_t)type;
    node->home = HOME_BUILT;
    return node;
}

void json_free(struct json *root) {
    if (!root) return;
    assert(root->home != HOME_DOCUMENT); /* it ends with its root */
    if (root->home == HOME_ROOT) {
        struct arena arena = ((struct json_document *)root)->arena;
        arena_free(&arena);
        return;
    }
    bool parent = root->type == JSON_OBJECT || root->type == JSON_ARRAY;
    for (size_t i = 0; i < root->size; i++) json_free(root->children.all[i]);
    if (parent) free(root->children.all);
    free((void *)(uintptr_t)root->name.p);
    free(root);
}

struct json *json_object(void) {
    return build(JSON_OBJECT, 0);
}

struct json *json_array(void) {
    return build(JSON_ARRAY, 0);
}

/* Each byte that is not UTF-8 becomes U+FFFD. */
static struct str text_mended(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    for (size_t at = 0; at < text.n;) {
        size_t length = str_utf8_length(text, at);
        buf_add(&buf, length ? str_sub(text, at, length) : STR("\xef\xbf\xbd"));
        at += length ? length : 1;
    }
    return buf_str(&buf);
}

struct json *json_str(struct str text) {
    struct arena arena = ARENA_EMPTY;
    if (!str_is_utf8(text)) text = text_mended(&arena, text);
    struct json *node = build(JSON_STRING, text.n + 1);
    char *copy = (char *)(node + 1);
    if (text.n) memcpy(copy, text.p, text.n);
    node->text = (struct str){copy, text.n};
    arena_free(&arena);
    return node;
}

struct json *json_num(double value) {
    struct json *node = build(isfinite(value) ? JSON_NUMBER : JSON_NULL, 0);
    node->number = value;
    return node;
}

struct json *json_int(int64_t value) {
    return json_num((double)value);
}

struct json *json_bool(bool value) {
    return build(value ? JSON_TRUE : JSON_FALSE, 0);
}

static void grow(struct json *parent) {
    assert(parent->home == HOME_BUILT && parent->size < UINT32_MAX);
    if (parent->size < parent->children.room) return;
    parent->children.room = parent->children.room ? 2 * parent->children.room : 4;
    parent->children.all = realloc(parent->children.all, parent->children.room * sizeof(struct json *));
    assert(parent->children.all);
}

static struct str name_copy(struct str name) {
    char *copy = malloc(name.n + 1);
    assert(copy);
    if (name.n) memcpy(copy, name.p, name.n);
    copy[name.n] = '\0';
    return (struct str){copy, name.n};
}

static void name_set(struct json *child, struct str name) {
    assert(child->home != HOME_DOCUMENT && !child->name.p);
    struct arena arena = ARENA_EMPTY;
    if (!str_is_utf8(name)) name = text_mended(&arena, name);
    child->name = child->home == HOME_BUILT ? name_copy(name) : str_dup(&((struct json_document *)child)->arena, name);
    arena_free(&arena);
}

void json_set(struct json *object, struct str name, struct json *child) {
    assert(json_type(object) == JSON_OBJECT);
    if (!child) child = build(JSON_NULL, 0);
    name_set(child, name);
    size_t at = find_member(object, child->name);
    if (at < object->size)
        json_free(object->children.all[at]);
    else {
        grow(object);
        object->size++;
    }
    object->children.all[at] = child;
}

void json_push(struct json *array, struct json *child) {
    assert(json_type(array) == JSON_ARRAY);
    grow(array);
    array->children.all[array->size++] = child ? child : build(JSON_NULL, 0);
}

static struct json *number_copy(const struct json *node) {
    struct str digits = json_digits(node);
    struct json *copy = build(JSON_NUMBER, digits.n + 1);
    copy->number = node->number;
    if (digits.n) copy->digits = memcpy(copy + 1, digits.p, digits.n);
    return copy;
}

struct json *json_copy(const struct json *node) {
    enum json_type type = json_type(node);
    if (type == JSON_STRING) return json_str(node->text);
    if (type == JSON_NUMBER) return number_copy(node);
    struct json *copy = build(type, 0);
    for (size_t i = 0; i < json_size(node); i++) {
        const struct json *child = node->children.all[i];
        grow(copy);
        copy->children.all[i] = json_copy(child);
        if (type == JSON_OBJECT) name_set(copy->children.all[i], child->name);
        copy->size++;
    }
    return copy;
}
