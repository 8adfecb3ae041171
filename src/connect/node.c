/* connect/node.c - see node.h. */
#include "connect/node.h"

#include "base/json.h"
#include "connect/reader.h"
#include "connect/value.h"

#include <string.h>

#define SPREAD    ((struct str){"...", 3})
#define CONDITION ((struct str){"?", 1})

/* ---- reading ---- */

static struct body_node *read_node(struct document_reader *reader, const struct tree *tree, enum scope scope,
                                   size_t depth);

static bool is_json_word(struct str text) {
    double number;
    return str_eq(text, STR("true")) || str_eq(text, STR("false")) || str_eq(text, STR("null")) ||
           str_to_double(text, &number);
}

static struct body_node *read_scalar(struct document_reader *reader, const struct tree *tree, enum scope scope) {
    struct body_node *node = arena_new(reader->arena, struct body_node);
    node->kind = NODE_LITERAL;
    if (tree->kind == TREE_NULL)
        node->literal = STR("null");
    else if (!tree->quoted && is_json_word(tree->text))
        node->literal = tree->text;
    else {
        node->kind = NODE_TEXT;
        text_read(reader, tree, scope, &node->text);
    }
    return node;
}

static bool is_special(struct str name) {
    return str_eq(name, SPREAD) || str_eq(name, CONDITION);
}

static void check_special(struct document_reader *reader, const struct tree *tree, struct str name,
                          const struct body_node *item) {
    if (item->kind == NODE_TEXT && item->text.whole) return;
    reader_complain(reader, tree, tree->mark, CODE_CONNECT_SHAPE, "'%.*s' takes one reference%s: \"${.name}\"",
                    STR_ARG(name), str_eq(name, SPREAD) ? " to an object" : "");
}

/* Most maps have literal names alone, so that nothing is filled for them. */
static void read_names(struct document_reader *reader, const struct tree *map, enum scope scope,
                       struct body_node *node) {
    for (size_t i = 0; i < map->count; i++) {
        struct tree name = {.kind = TREE_SCALAR, .text = map->names[i], .mark = map->name_marks[i], .file = map->file};
        if (str_find(name.text, '$') == SIZE_MAX) continue;
        if (!node->name_texts) node->name_texts = arena_array(reader->arena, struct text, map->count);
        text_read(reader, &name, scope, &node->name_texts[i]);
    }
}

static struct body_node *read_node(struct document_reader *reader, const struct tree *tree, enum scope scope,
                                   size_t depth) {
    if (tree->kind == TREE_SCALAR || tree->kind == TREE_NULL) return read_scalar(reader, tree, scope);
    struct body_node *node = arena_new(reader->arena, struct body_node);
    if (depth == NODE_DEPTH_MAX) {
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_FULL, "a body is at most %d levels deep",
                        NODE_DEPTH_MAX);
        return node;
    }
    node->kind = tree->kind == TREE_MAP ? NODE_MAP : NODE_LIST;
    node->count = tree->count;
    node->names = tree->names;
    node->items = arena_array(reader->arena, struct body_node *, tree->count);
    if (node->kind == NODE_MAP) read_names(reader, tree, scope, node);
    for (size_t i = 0; i < tree->count; i++) {
        node->items[i] = read_node(reader, tree->items[i], scope, depth + 1);
        if (node->kind == NODE_MAP && is_special(node->names[i]))
            check_special(reader, tree->items[i], node->names[i], node->items[i]);
    }
    return node;
}

struct body_node *node_read(struct document_reader *reader, const struct tree *tree, enum scope scope) {
    return read_node(reader, tree, scope, 0);
}

static size_t names_find(const struct str *names, size_t count, struct str name) {
    size_t at = 0;
    while (at < count && !str_eq(names[at], name)) at++;
    return at;
}

static struct body_node **find_member(const struct body_node *map, struct str name) {
    size_t at = names_find(map->names, map->count, name);
    return at < map->count ? &map->items[at] : NULL;
}

static struct body_node **add_member(struct arena *arena, struct body_node *map, struct str name) {
    struct body_node **items = arena_array(arena, struct body_node *, map->count + 1);
    struct str *names = arena_array(arena, struct str, map->count + 1);
    if (map->count) memcpy(items, map->items, map->count * sizeof *items);
    if (map->count) memcpy(names, map->names, map->count * sizeof *names);
    names[map->count] = name;
    if (map->name_texts) {
        struct text *texts = arena_array(arena, struct text, map->count + 1);
        memcpy(texts, map->name_texts, map->count * sizeof *texts);
        map->name_texts = texts;
    }
    map->items = items;
    map->names = names;
    return &map->items[map->count++];
}

struct body_node **node_place(struct arena *arena, struct body_node *root, struct str pointer) {
    struct body_node *map = root, **place = NULL;
    struct str name;
    if (!str_starts(pointer, STR("/"))) return NULL;
    pointer = str_sub(pointer, 1, pointer.n);
    while (str_next(&pointer, '/', &name)) {
        if (place && !*place) {
            *place = arena_new(arena, struct body_node);
            (*place)->kind = NODE_MAP;
        }
        if (place) map = *place;
        if (map->kind != NODE_MAP || !name.n) return NULL;
        place = find_member(map, name);
        if (place && !pointer.n) return NULL;
        if (!place) place = add_member(arena, map, name);
    }
    return place;
}

bool node_uses(const struct body_node *node, enum ref_kind kind) {
    if (node->kind == NODE_TEXT) return text_uses(&node->text, kind);
    for (size_t i = 0; i < node->count; i++) {
        if (node->name_texts && text_uses(&node->name_texts[i], kind)) return true;
        if (node_uses(node->items[i], kind)) return true;
    }
    return false;
}

/* ---- filling ---- */

static enum err text_node_fill(struct fill *fill, const struct text *text, struct buf *buf, bool *ret_missing) {
    struct str filled;
    struct value value;
    if (!text->whole) {
        TRY(text_fill(fill, text, &filled, ret_missing));
        json_quote(buf, filled);
        return ERR_NONE;
    }
    TRY(value_of(fill, text->parts[0].ref, &value));
    *ret_missing = value.kind == VALUE_NONE;
    if (!*ret_missing) value_json(buf, &value);
    return ERR_NONE;
}

/* Begins a member or item, and gives the place to go back to when its value turns out to be missing. */
static size_t begin_item(struct buf *buf, size_t items_before, const struct str *name) {
    size_t start = buf->n;
    if (items_before) buf_byte(buf, ',');
    if (name) {
        json_quote(buf, *name);
        buf_byte(buf, ':');
    }
    return start;
}

/* The members of an object that the map does not name itself. */
static enum err spread_fill(struct fill *fill, const struct str *names, size_t name_count, const struct text *text,
                            struct buf *buf, size_t *members) {
    struct value value;
    const struct ref *ref = text->parts[0].ref;
    TRY(value_of(fill, ref, &value));
    if (value.kind == VALUE_NONE) return ERR_NONE;
    if (value.kind != VALUE_JSON || json_type(value.json) != JSON_OBJECT)
        return fill_fail(fill, "%.*s must be an object", STR_ARG(ref_name(fill->context->arena, ref)));
    void *cursor = NULL;
    struct str name;
    for (const struct json *child; (child = json_next(value.json, &cursor, &name));) {
        if (json_type(child) == JSON_NULL || names_find(names, name_count, name) < name_count) continue;
        begin_item(buf, *members, &name);
        buf_add(buf, json_dump(buf->arena, child));
        ++*members;
    }
    return ERR_NONE;
}

/* The names of a map's members, with their references filled; "" where one is missing. Two members that come to one
 * name would make a body whose meaning is up to the reader. */
static enum err names_fill(struct fill *fill, const struct body_node *map, const struct str **ret_names) {
    struct str *names = arena_array(fill->context->arena, struct str, map->count);
    bool missing;
    for (size_t i = 0; i < map->count; i++) {
        names[i] = map->names[i];
        if (map->name_texts[i].count) TRY(text_fill(fill, &map->name_texts[i], &names[i], &missing));
        if (names[i].n && names_find(names, i, names[i]) < i)
            return fill_fail(fill, "two members of the body would have the name '%.*s'", STR_ARG(names[i]));
    }
    *ret_names = names;
    return ERR_NONE;
}

static enum err items_fill(struct fill *fill, const struct body_node *node, struct buf *buf, size_t *written) {
    bool is_map = node->kind == NODE_MAP;
    const struct str *names = node->names;
    if (node->name_texts) TRY(names_fill(fill, node, &names));
    for (size_t i = 0; i < node->count; i++) {
        const struct body_node *item = node->items[i];
        bool missing = false;
        if (is_map && str_eq(node->names[i], SPREAD)) {
            TRY(spread_fill(fill, names, node->count, &item->text, buf, written));
            continue;
        }
        if (is_map && (!names[i].n || str_eq(node->names[i], CONDITION))) continue;
        size_t start = begin_item(buf, *written, is_map ? &names[i] : NULL);
        TRY(node_fill(fill, item, buf, &missing));
        if (missing)
            buf->n = start;
        else
            ++*written;
    }
    return ERR_NONE;
}

/* Whether a map's condition, if it has one, lets it stand. */
static enum err condition_fill(struct fill *fill, const struct body_node *node, bool *ret_stands) {
    struct body_node **condition = node->kind == NODE_MAP ? find_member(node, CONDITION) : NULL;
    struct value value = {.kind = VALUE_TEXT};
    if (condition) TRY(value_of(fill, (*condition)->text.parts[0].ref, &value));
    *ret_stands = value.kind != VALUE_NONE;
    return ERR_NONE;
}

enum err node_fill(struct fill *fill, const struct body_node *node, struct buf *buf, bool *ret_missing) {
    bool stands = true;
    *ret_missing = false;
    if (node->kind == NODE_TEXT) return text_node_fill(fill, &node->text, buf, ret_missing);
    if (node->kind == NODE_LITERAL) {
        buf_add(buf, node->literal);
        return ERR_NONE;
    }
    TRY(condition_fill(fill, node, &stands));
    if (!stands) {
        *ret_missing = true;
        return ERR_NONE;
    }
    size_t start = buf->n, written = 0;
    buf_byte(buf, node->kind == NODE_MAP ? '{' : '[');
    TRY(items_fill(fill, node, buf, &written));
    buf_byte(buf, node->kind == NODE_MAP ? '}' : ']');
    *ret_missing = !written && node->count;
    if (*ret_missing) buf->n = start;
    return ERR_NONE;
}
