/* connect/document_limits.c - documented limits, silence after a refusal, and
 * the headers that tell; see document.h. */
#include "connect/document.h"

#include "base/when.h"
#include "connect/headers.h"

#define LIMIT_COUNT_MAX  100000
#define LIMIT_FIELDS_MAX 8
#define WINDOW_MAX_US    (31 * US_PER_DAY)

/* `10/s`, `300/15m`. */
static bool limit_parse(struct arena *arena, struct str text, struct limit_rule *ret_rule) {
    size_t slash = str_find(text, '/');
    struct str window = slash == SIZE_MAX ? STR_NONE : str_sub(text, slash + 1, text.n);
    if (window.n && (window.p[0] < '0' || window.p[0] > '9')) window = str_fmt(arena, "1%.*s", STR_ARG(window));
    struct limit_rule rule;
    if (!str_to_i64(str_sub(text, 0, slash), &rule.count) || !span_parse(window, &rule.window_us)) return false;
    if (rule.count < 1 || rule.count > LIMIT_COUNT_MAX || rule.window_us < US_PER_MS || rule.window_us > WINDOW_MAX_US)
        return false;
    *ret_rule = rule;
    return true;
}

static void read_limit(struct reader *reader, const struct tree *tree) {
    struct connector *connector = reader->connector;
    struct limit_rule rule;
    if (tree->kind != TREE_SCALAR || !limit_parse(reader->arena, tree->text, &rule))
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_VALUE, "'%.*s' is no limit such as 10/s or 300/15m",
                        STR_ARG(tree->text));
    else if (connector->limit_count == LIMIT_RULES_MAX)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_FULL, "more than %d limits", LIMIT_RULES_MAX);
    else
        connector->limits[connector->limit_count++] = rule;
}

void read_limits(struct reader *reader, const struct tree *tree) {
    if (tree->kind == TREE_SCALAR) read_limit(reader, tree);
    for (size_t i = 0; tree->kind == TREE_LIST && i < tree->count; i++) read_limit(reader, tree->items[i]);
}

void read_penalty(struct reader *reader, const struct tree *map) {
    static const struct key_rule keys[] = {{"after", KEY_TEXT | KEY_LIST, true}, {"wait", KEY_TEXT, true}};
    if (!READER_KEYS(reader, map, keys, STR("'penalty'"))) return;
    const struct tree *after = reader_get(map, "after", KEY_TEXT | KEY_LIST);
    if (after) read_status(reader, after, &reader->connector->penalty_after);
    reader->connector->penalty_us = reader_span(reader, map, "wait", US_PER_S, US_PER_DAY, 0);
}

static const char *const unit_words[RESET_COUNT] = {
#define UNIT_WORD(name, word) word,
    RESET_LIST(UNIT_WORD)
#undef UNIT_WORD
};

static struct str header_name(struct reader *reader, const struct tree *map, const char *key) {
    const struct tree *value = reader_get(map, key, KEY_TEXT);
    if (!value) return STR_NONE;
    if (!header_name_valid(value->text))
        reader_complain(reader, value, value->mark, CODE_CONNECT_VALUE, "'%.*s' is no name of a header",
                        STR_ARG(value->text));
    return value->text;
}

static void read_limit_field(struct reader *reader, const struct tree *map, struct limit_field *field) {
    static const struct key_rule keys[] = {{"remaining", KEY_TEXT, false},
                                           {"reset", KEY_TEXT, false},
                                           {"unit", KEY_TEXT, false},
                                           {"structured", KEY_TEXT, false}};
    if (!READER_KEYS(reader, map, keys, STR("'limits_from'"))) return;
    const struct tree *unit = reader_get(map, "unit", KEY_TEXT);
    struct str structured = header_name(reader, map, "structured");
    field->remaining = header_name(reader, map, "remaining");
    field->reset = header_name(reader, map, "reset");
    size_t word = unit ? reader_word(reader, unit, unit_words, RESET_COUNT) : RESET_AUTO;
    field->unit = word == RESET_COUNT ? RESET_AUTO : (enum reset_unit)word;
    bool alone = structured.n && !field->reset.n && !field->remaining.n && !unit;
    if (structured.n ? !alone : !field->reset.n)
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH,
                        "'limits_from' names either 'structured' or a 'reset'");
    if (structured.n) field->remaining = structured;
}

void read_limit_fields(struct reader *reader, const struct tree *tree) {
    struct connector *connector = reader->connector;
    size_t count = tree->kind == TREE_LIST ? tree->count : 1;
    if (!count || count > LIMIT_FIELDS_MAX) {
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_FULL, "'limits_from' names 1 to %d limits",
                        LIMIT_FIELDS_MAX);
        return;
    }
    connector->limit_fields = arena_array(reader->arena, struct limit_field, count);
    connector->limit_field_count = count;
    for (size_t i = 0; i < count; i++)
        read_limit_field(reader, tree->kind == TREE_LIST ? tree->items[i] : tree, &connector->limit_fields[i]);
}
