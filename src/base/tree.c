/* base/tree.c - see tree.h. */
#include "base/tree.h"

#include "base/arena.h"
#include "base/json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct tree *tree_get(const struct tree *map, struct str name) {
    if (!map || map->kind != TREE_MAP) return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (str_eq(map->names[i], name)) return map->items[i];
    return NULL;
}

struct str tree_text(const struct tree *map, struct str name) {
    const struct tree *item = tree_get(map, name);
    return item && item->kind == TREE_SCALAR ? item->text : STR_NONE;
}

static bool is_json_word(struct str text) {
    double number;
    return str_eq(text, STR("true")) || str_eq(text, STR("false")) || str_eq(text, STR("null")) ||
           str_to_double(text, &number);
}

/* It recurses as deep as the document, whose depth its parser bounds. */
void tree_json(struct buf *buf, const struct tree *tree) {
    bool map = tree->kind == TREE_MAP;
    if (tree->kind == TREE_NULL) {
        buf_add(buf, STR("null"));
    } else if (tree->kind == TREE_SCALAR) {
        if (!tree->quoted && is_json_word(tree->text))
            buf_add(buf, tree->text);
        else
            json_quote(buf, tree->text);
    } else {
        buf_byte(buf, map ? '{' : '[');
        for (size_t i = 0; i < tree->count; i++) {
            if (i) buf_byte(buf, ',');
            if (map) json_quote(buf, tree->names[i]);
            if (map) buf_byte(buf, ':');
            tree_json(buf, tree->items[i]);
        }
        buf_byte(buf, map ? '}' : ']');
    }
}

static bool finding_is_before(const struct finding *a, const struct finding *b) {
    int files = str_cmp(a->file, b->file);
    if (files) return files < 0;
    if (a->mark.line != b->mark.line) return a->mark.line < b->mark.line;
    return a->mark.column < b->mark.column;
}

void finding_add(struct findings *findings, struct str file, struct tree_mark mark, const char *code,
                 const char *format, ...) {
    bool warning = code[0] == 'W';
    size_t kept = findings->errors + findings->warnings;
    *(warning ? &findings->warnings : &findings->errors) += 1;
    if (kept >= FINDINGS_MAX) return;
    struct finding *finding = arena_new(findings->arena, struct finding);
    *finding = (struct finding){.warning = warning, .file = str_dup(findings->arena, file), .mark = mark};
    size_t code_bytes = strlen(code) + 1;
    assert(code_bytes <= sizeof finding->code);
    memcpy(finding->code, code, code_bytes);
    va_list args;
    va_start(args, format);
    finding->text = str_vfmt(findings->arena, format, args);
    va_end(args);
    /* It goes behind all findings that do not come after it, so findings of one place stay in the order they were made.
     */
    struct finding **place = &findings->first;
    while (*place && !finding_is_before(finding, *place)) place = &(*place)->next;
    finding->next = *place;
    *place = finding;
}
