/* base/json.c - documents as jansson keeps them; see json.h. */
#include <jansson.h>

/* What base/json.h has under the same name is kept here under another, before that header is read. */
enum { RAW_OBJECT = JSON_OBJECT, RAW_ARRAY = JSON_ARRAY, RAW_STRING = JSON_STRING, RAW_INTEGER = JSON_INTEGER };
enum { RAW_REAL = JSON_REAL, RAW_TRUE = JSON_TRUE, RAW_FALSE = JSON_FALSE, RAW_NULL = JSON_NULL };

static json_t *raw_object(void) {
    return json_object();
}

static json_t *raw_array(void) {
    return json_array();
}

static json_t *raw_integer(json_int_t value) {
    return json_integer(value);
}

static json_t *raw_boolean(int value) {
    return json_boolean(value);
}

#include "base/arena.h"
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static json_t *raw(const struct json *node) {
    return (json_t *)node;
}

static const struct json *node_of(const json_t *value) {
    return (const struct json *)value;
}

/* A new value; jansson gives NULL only when memory is out, as all that could be wrong was looked at before. */
static struct json *root_of(json_t *value) {
    assert(value);
    return (struct json *)value;
}

/* Says where the text first goes deeper than allowed, SIZE_MAX when nowhere. Looked for before parsing, because
 * jansson calls itself for each level. */
static size_t find_too_deep(struct str text, size_t depth) {
    bool quoted = false;
    size_t level = 0;
    for (size_t at = 0; at < text.n; at++) {
        char c = text.p[at];
        if (c == '"')
            quoted = !quoted;
        else if (quoted)
            at += c == '\\';
        else if (c == '{' || c == '[') {
            if (level++ == depth) return at;
        } else if (c == '}' || c == ']')
            level -= level > 0;
    }
    return SIZE_MAX;
}

static void error_at(struct json_error *error, struct str text, size_t offset) {
    error->offset = offset;
    error->line = 1;
    error->column = 1;
    for (size_t at = 0; at < offset; at++) {
        bool line_end = text.p[at] == '\n';
        error->line += line_end;
        error->column = line_end ? 1 : error->column + 1;
    }
}

static void error_from(struct json_error *error, const json_error_t *problem) {
    snprintf(error->text, sizeof error->text, "%s", problem->text);
    error->line = problem->line > 0 ? (size_t)problem->line : 1;
    error->column = problem->column > 0 ? (size_t)problem->column : 1;
    error->offset = problem->position > 0 ? (size_t)problem->position : 0;
}

enum err json_parse(struct str text, size_t depth, struct json **ret_root, struct json_error *error) {
    struct json_error unread;
    if (!error) error = &unread;
    size_t deep = find_too_deep(text, depth);
    if (deep != SIZE_MAX) {
        error_at(error, text, deep);
        snprintf(error->text, sizeof error->text, "nested deeper than %zu levels", depth);
        return ERR_BAD_JSON;
    }
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    const char *bytes = text.n ? text.p : "";
    json_error_t problem;
    json_t *value = json_loadb(bytes, text.n, flags, &problem);
    /* An integer past int64. As all integers are doubles where it matters, reading them as such is no loss. */
    if (!value && json_error_code(&problem) == json_error_numeric_overflow)
        value = json_loadb(bytes, text.n, flags | JSON_DECODE_INT_AS_REAL, &problem);
    if (!value) {
        error_from(error, &problem);
        return ERR_BAD_JSON;
    }
    *ret_root = (struct json *)value;
    return ERR_NONE;
}

void json_free(struct json *root) {
    json_decref(raw(root));
}

enum json_type json_type(const struct json *node) {
    static const enum json_type types[] = {
        [RAW_OBJECT] = JSON_OBJECT, [RAW_ARRAY] = JSON_ARRAY, [RAW_STRING] = JSON_STRING, [RAW_INTEGER] = JSON_NUMBER,
        [RAW_REAL] = JSON_NUMBER,   [RAW_TRUE] = JSON_TRUE,   [RAW_FALSE] = JSON_FALSE,   [RAW_NULL] = JSON_NULL,
    };
    return node ? types[json_typeof(raw(node))] : JSON_NULL;
}

const struct json *json_get(const struct json *object, struct str name) {
    return node_of(json_object_getn(raw(object), name.n ? name.p : "", name.n));
}

const struct json *json_at(const struct json *array, size_t index) {
    return node_of(json_array_get(raw(array), index));
}

size_t json_size(const struct json *node) {
    enum json_type type = json_type(node);
    return type == JSON_OBJECT ? json_object_size(raw(node)) : type == JSON_ARRAY ? json_array_size(raw(node)) : 0;
}

struct str json_text(const struct json *node) {
    if (json_type(node) != JSON_STRING) return STR_NONE;
    return (struct str){json_string_value(raw(node)), json_string_length(raw(node))};
}

double json_number(const struct json *node, double otherwise) {
    return json_type(node) == JSON_NUMBER ? json_number_value(raw(node)) : otherwise;
}

int64_t json_integer(const struct json *node, int64_t otherwise) {
    const double bound = 9223372036854775808.0; /* 2^63 */
    double value = json_number(node, NAN);
    return value >= -bound && value < bound ? (int64_t)value : otherwise;
}

bool json_true(const struct json *node) {
    return json_type(node) == JSON_TRUE;
}

const struct json *json_next(const struct json *object, void **cursor, struct str *ret_name) {
    *cursor = *cursor ? json_object_iter_next(raw(object), *cursor) : json_object_iter(raw(object));
    if (!*cursor) return NULL;
    *ret_name = (struct str){json_object_iter_key(*cursor), json_object_iter_key_len(*cursor)};
    return node_of(json_object_iter_value(*cursor));
}

struct json *json_object(void) {
    return root_of(raw_object());
}

struct json *json_array(void) {
    return root_of(raw_array());
}

/* The text with each byte that is not UTF-8 as U+FFFD. */
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
    if (!text.n) return root_of(json_stringn("", 0));
    if (str_is_utf8(text)) return root_of(json_stringn_nocheck(text.p, text.n));
    struct arena arena = ARENA_EMPTY;
    struct json *string = json_str(text_mended(&arena, text));
    arena_free(&arena);
    return string;
}

struct json *json_num(double value) {
    return root_of(isfinite(value) ? json_real(value) : json_null());
}

struct json *json_int(int64_t value) {
    return root_of(raw_integer(value));
}

struct json *json_bool(bool value) {
    return root_of(raw_boolean(value));
}

struct json *json_copy(const struct json *node) {
    return root_of(node ? json_deep_copy(raw(node)) : json_null());
}

void json_set(struct json *object, struct str name, struct json *child) {
    struct arena arena = ARENA_EMPTY;
    if (!str_is_utf8(name)) name = text_mended(&arena, name);
    json_t *value = child ? raw(child) : json_null();
    int failed = json_object_setn_new_nocheck(raw(object), name.n ? name.p : "", name.n, value);
    assert(!failed);
    arena_free(&arena);
}

void json_push(struct json *array, struct json *child) {
    int failed = json_array_append_new(raw(array), child ? raw(child) : json_null());
    assert(!failed);
}
