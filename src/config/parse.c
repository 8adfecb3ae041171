/* config/parse.c - YAML to tree; the one file that knows libfyaml.
 *
 * The library is read event by event and the tree is built here, because the
 * limits must hold while it grows and a second key of one name must be told
 * where the first one is. Scalars stay text: no type is guessed.
 */
#include "config/config.h"
#include "config/syntax.h"
#include "model/code.h"

#include <libfyaml.h>
#include <string.h>

#define DEPTH_MAX   ((size_t)48) /* below the library's own 64, and with aliases spelt out */
#define ALIASES_MAX 100

struct yaml_reader {
    struct arena *arena;
    struct findings *findings;
    struct str file, text;
    struct fy_parser *parser;
    struct tree_mark last; /* of the last thing that had a place */
    size_t nodes, aliases;
    struct map anchors; /* name -> struct anchor */
};

struct anchor {
    const struct tree *tree;
    size_t nodes, height;
};

/* One event of the library, copied out of it. */
struct yaml_item {
    enum fy_event_type type;
    struct tree_mark mark;
    bool placed; /* else the mark is of the last thing before it */
    struct str text, anchor;
    bool quoted, tagged;
};

#define reader_report(reader, mark, code, ...)                                                                         \
    finding_add((reader)->findings, (reader)->file, (mark), code_text(code), __VA_ARGS__)

static struct str token_text(struct yaml_reader *reader, struct fy_token *token) {
    size_t length = 0;
    const char *text = token ? fy_token_get_text(token, &length) : NULL;
    return text ? str_dup(reader->arena, (struct str){text, length}) : STR_NONE;
}

static struct tree_mark mark_from(const struct fy_mark *mark) {
    return (struct tree_mark){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

static void warn_of_comment(struct yaml_reader *reader, struct fy_event *event, struct tree_mark mark) {
    const struct fy_mark *start = fy_event_start_mark(event), *end = fy_event_end_mark(event);
    if (!start || !end || end->input_pos > reader->text.n || start->input_pos > end->input_pos) return;
    struct str value = str_sub(reader->text, start->input_pos, end->input_pos - start->input_pos);
    if (syntax_comment_cuts(value, str_sub(reader->text, end->input_pos, reader->text.n)))
        reader_report(reader, mark, CODE_COMMENT,
                      "' #' ends this text and begins a comment: put the text in quotes if they belong together");
}

static void take_scalar(struct yaml_reader *reader, struct fy_event *event, struct yaml_item *item) {
    enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
    item->text = token_text(reader, event->scalar.value);
    item->anchor = token_text(reader, event->scalar.anchor);
    item->tagged = event->scalar.tag;
    item->quoted = style != FYSS_PLAIN;
    if (style == FYSS_PLAIN) warn_of_comment(reader, event, item->mark);
    /* The library's place of a block text is its first line's begin, that of a quoted text is behind its quote. */
    if (style == FYSS_LITERAL || style == FYSS_FOLDED) item->placed = false;
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && item->mark.column > 1) item->mark.column--;
}

static void take_event(struct yaml_reader *reader, struct fy_event *event, struct yaml_item *item) {
    const struct fy_mark *start = fy_event_start_mark(event);
    if (start) reader->last = mark_from(start);
    *item = (struct yaml_item){.type = event->type, .mark = reader->last, .placed = start};
    if (event->type == FYET_SCALAR) {
        take_scalar(reader, event, item);
    } else if (event->type == FYET_MAPPING_START) {
        item->anchor = token_text(reader, event->mapping_start.anchor);
        item->tagged = event->mapping_start.tag;
    } else if (event->type == FYET_SEQUENCE_START) {
        item->anchor = token_text(reader, event->sequence_start.anchor);
        item->tagged = event->sequence_start.tag;
    } else if (event->type == FYET_ALIAS) {
        item->text = token_text(reader, event->alias.anchor);
        if (item->mark.column > 1) item->mark.column--; /* its '*' */
    }
}

/* false at the end of the text and at an error of syntax. */
static bool next_item(struct yaml_reader *reader, struct yaml_item *ret_item) {
    struct fy_event *event = fy_parser_parse(reader->parser);
    if (!event) return false;
    take_event(reader, event, ret_item);
    fy_parser_event_free(reader->parser, event);
    return true;
}

static struct tree *new_tree(struct yaml_reader *reader, enum tree_kind kind, struct tree_mark mark) {
    struct tree *tree = arena_new(reader->arena, struct tree);
    *tree = (struct tree){.kind = kind, .mark = mark, .file = reader->file};
    return tree;
}

static void *grown(struct arena *arena, const void *from, size_t count, size_t size) {
    void *larger = arena_alloc(arena, size * (count ? count * 2 : 4));
    if (count) memcpy(larger, from, size * count);
    return larger;
}

/* name is used in maps only. Arrays double at 4, 8, 16... */
static void push_child(struct yaml_reader *reader, struct tree *tree, const struct yaml_item *name,
                       struct tree *child) {
    size_t count = tree->count;
    if (count == 0 || (count >= 4 && (count & (count - 1)) == 0)) {
        tree->items = grown(reader->arena, tree->items, count, sizeof *tree->items);
        if (tree->kind == TREE_MAP) {
            tree->names = grown(reader->arena, tree->names, count, sizeof *tree->names);
            tree->name_marks = grown(reader->arena, tree->name_marks, count, sizeof *tree->name_marks);
        }
    }
    tree->items[count] = child;
    if (tree->kind == TREE_MAP) {
        tree->names[count] = name->text;
        tree->name_marks[count] = name->mark;
    }
    tree->count++;
}

/* A node as read: NULL when reading stopped (a finding says why, or the library will). */
struct yaml_node {
    struct tree *tree;
    size_t height; /* levels below it */
};

static struct yaml_node read_node(struct yaml_reader *reader, const struct yaml_item *item, size_t depth);

static struct yaml_node read_list(struct yaml_reader *reader, struct tree *list, size_t depth) {
    struct yaml_node result = {list, 0};
    struct yaml_item item;
    while (next_item(reader, &item)) {
        if (item.type == FYET_SEQUENCE_END) return result;
        struct yaml_node child = read_node(reader, &item, depth + 1);
        if (!child.tree) return child;
        push_child(reader, list, NULL, child.tree);
        if (child.height >= result.height) result.height = child.height + 1;
    }
    return (struct yaml_node){0};
}

static bool key_is_plain(struct yaml_reader *reader, const struct yaml_item *key) {
    if (key->type == FYET_SCALAR && key->text.n && !key->tagged && !key->anchor.n) return true;
    reader_report(reader, key->mark, CODE_SYNTAX, "a key must be a plain text");
    return false;
}

/* true when the key is new in its map. */
static bool key_is_new(struct yaml_reader *reader, struct map *seen, const struct yaml_item *key) {
    const struct tree_mark *first = map_get(seen, key->text);
    if (!first) {
        map_set(seen, key->text, arena_copy(reader->arena, &key->mark, sizeof key->mark));
        return true;
    }
    reader_report(reader, key->mark, CODE_TWICE, "key '%.*s' is written twice: it stands on line %u already",
                  STR_ARG(key->text), first->line);
    return false;
}

static struct yaml_node read_map(struct yaml_reader *reader, struct tree *map, size_t depth) {
    struct yaml_node result = {map, 0};
    struct map seen = {.arena = reader->arena};
    struct yaml_item key, value;
    while (next_item(reader, &key)) {
        if (key.type == FYET_MAPPING_END) return result;
        if (!key_is_plain(reader, &key) || !next_item(reader, &value)) break;
        if (!value.placed) value.mark = key.mark;
        struct yaml_node child = read_node(reader, &value, depth + 1);
        if (!child.tree) return child;
        if (key_is_new(reader, &seen, &key)) push_child(reader, map, &key, child.tree);
        if (child.height >= result.height) result.height = child.height + 1;
    }
    return (struct yaml_node){0};
}

/* Counts what was added, and refuses more than the limits allow. */
static bool within_limits(struct yaml_reader *reader, const struct yaml_item *item, size_t nodes, size_t depth) {
    reader->nodes += nodes;
    if (reader->nodes > CONFIG_NODES_MAX)
        reader_report(reader, item->mark, CODE_TOO_MUCH, "more than %d values", CONFIG_NODES_MAX);
    else if (depth > DEPTH_MAX)
        reader_report(reader, item->mark, CODE_TOO_MUCH, "more than %zu levels", DEPTH_MAX);
    else if (reader->aliases > ALIASES_MAX)
        reader_report(reader, item->mark, CODE_TOO_MUCH, "more than %d aliases", ALIASES_MAX);
    else
        return true;
    return false;
}

/* An alias shares the tree of its anchor, which is never changed again. */
static struct yaml_node read_alias(struct yaml_reader *reader, const struct yaml_item *item, size_t depth) {
    const struct anchor *anchor = map_get(&reader->anchors, item->text);
    if (!anchor) {
        reader_report(reader, item->mark, CODE_SYNTAX,
                      "there is no anchor '&%.*s' above; put a text that begins with '*' in quotes",
                      STR_ARG(item->text));
        return (struct yaml_node){0};
    }
    reader->aliases++;
    if (!within_limits(reader, item, anchor->nodes, depth + anchor->height)) return (struct yaml_node){0};
    struct tree *tree = arena_copy(reader->arena, anchor->tree, sizeof *anchor->tree);
    tree->mark = item->mark;
    return (struct yaml_node){tree, anchor->height};
}

static struct yaml_node read_scalar(struct yaml_reader *reader, const struct yaml_item *item) {
    bool nothing = !item->quoted && (!item->text.n || str_eq(item->text, STR("~")) || str_eq(item->text, STR("null")));
    struct tree *tree = new_tree(reader, nothing ? TREE_NULL : TREE_SCALAR, item->mark);
    tree->text = nothing ? STR_NONE : item->text;
    tree->quoted = item->quoted;
    return (struct yaml_node){tree, 0};
}

static struct yaml_node read_value(struct yaml_reader *reader, const struct yaml_item *item, size_t depth) {
    if (item->type == FYET_MAPPING_START) return read_map(reader, new_tree(reader, TREE_MAP, item->mark), depth);
    if (item->type == FYET_SEQUENCE_START) return read_list(reader, new_tree(reader, TREE_LIST, item->mark), depth);
    return read_scalar(reader, item);
}

static struct yaml_node read_node(struct yaml_reader *reader, const struct yaml_item *item, size_t depth) {
    if (item->type == FYET_ALIAS) return read_alias(reader, item, depth);
    if (item->tagged) {
        reader_report(reader, item->mark, CODE_SYNTAX,
                      "tags have no meaning here; put a text that begins with '!' in quotes");
        return (struct yaml_node){0};
    }
    size_t nodes_before = reader->nodes;
    if (!within_limits(reader, item, 1, depth)) return (struct yaml_node){0};
    struct yaml_node node = read_value(reader, item, depth);
    if (node.tree && item->anchor.n) {
        struct anchor anchor = {node.tree, reader->nodes - nodes_before, node.height};
        map_set(&reader->anchors, item->anchor, arena_copy(reader->arena, &anchor, sizeof anchor));
    }
    return node;
}

/* The document; an empty text gives a TREE_NULL. */
static struct tree *read_document(struct yaml_reader *reader) {
    struct tree *root = NULL;
    struct yaml_item item;
    while (next_item(reader, &item)) {
        if (item.type == FYET_STREAM_END) return root ? root : new_tree(reader, TREE_NULL, (struct tree_mark){1, 1});
        if (item.type == FYET_STREAM_START || item.type == FYET_DOCUMENT_START || item.type == FYET_DOCUMENT_END)
            continue;
        if (root) {
            reader_report(reader, item.mark, CODE_SYNTAX, "a second document begins here: one file holds one document");
            return NULL;
        }
        root = read_node(reader, &item, 1).tree;
        if (!root) return NULL;
    }
    return NULL;
}

/* Reports what the library complained about, each place once. */
static size_t report_syntax(struct yaml_reader *reader, struct fy_diag *diag) {
    struct tree_mark last = {0};
    size_t count = 0;
    void *at = NULL;
    for (struct fy_diag_error *error; (error = fy_diag_errors_iterate(diag, &at)); count++) {
        struct tree_mark mark = {(uint32_t)(error->line > 0 ? error->line : 1),
                                 (uint32_t)(error->column > 0 ? error->column : 1)};
        if (mark.line == last.line && mark.column == last.column) continue;
        last = mark;
        struct syntax_problem problem = syntax_explain(reader->arena, reader->text, mark, str_from(error->msg));
        reader_report(reader, problem.mark, CODE_SYNTAX, "%.*s", STR_ARG(problem.text));
    }
    return count;
}

static struct tree *read_text(struct yaml_reader *reader) {
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL; /* by default it would print to stderr */
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (!diag) return NULL;
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_MMAP_OPT, .diag = diag};
    struct tree *root = NULL;
    reader->parser = fy_parser_create(&cfg);
    if (reader->parser && fy_parser_set_string(reader->parser, reader->text.p, reader->text.n) == 0)
        root = read_document(reader);
    if (report_syntax(reader, diag)) root = NULL;
    if (reader->parser) fy_parser_destroy(reader->parser);
    fy_diag_destroy(diag);
    return root;
}

/* The first byte that belongs into no text, or text.n. */
static size_t first_bad_byte(struct str text) {
    for (size_t at = 0; at < text.n;) {
        size_t length = str_utf8_length(text, at);
        bool control = (unsigned char)text.p[at] < ' ' && !memchr("\t\n\r", text.p[at], 3);
        if (!length || control) return at;
        at += length;
    }
    return text.n;
}

/* Columns count characters. */
static struct tree_mark mark_at(struct str text, size_t offset) {
    struct tree_mark mark = {1, 1};
    for (size_t at = 0; at < offset; at += str_utf8_length(text, at)) {
        mark.column++;
        if (text.p[at] == '\n') mark = (struct tree_mark){mark.line + 1, 1};
    }
    return mark;
}

struct tree *config_parse(struct arena *arena, struct str file, struct str text, struct findings *findings) {
    struct yaml_reader reader = {
        .arena = arena, .findings = findings, .file = file, .text = text, .last = {1, 1}, .anchors = {.arena = arena}};
    size_t errors = findings->errors;
    size_t bad = text.n > CONFIG_TEXT_MAX ? 0 : first_bad_byte(text);
    struct tree *root = NULL;
    if (text.n > CONFIG_TEXT_MAX)
        reader_report(&reader, reader.last, CODE_TOO_MUCH, "the file is larger than %zu KiB", CONFIG_TEXT_MAX / 1024);
    else if (bad < text.n)
        reader_report(&reader, mark_at(text, bad), CODE_SYNTAX, "byte 0x%02x is %s",
                      (unsigned)(unsigned char)text.p[bad],
                      str_utf8_length(text, bad) ? "a control character" : "not UTF-8");
    else if (!text.n)
        root = new_tree(&reader, TREE_NULL, reader.last);
    else
        root = read_text(&reader);
    if (!root && findings->errors == errors)
        reader_report(&reader, reader.last, CODE_SYNTAX, "not valid YAML from here on");
    return root;
}
