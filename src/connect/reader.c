/* connect/reader.c - see reader.h. */
#include "connect/reader.h"

#include "base/when.h"

#include <string.h>

/* A suggestion is worth making up to so many wrong letters. */
#define NEAR_MAX 2
#define KEYS_MAX 24

void reader_complain(struct document_reader *reader, const struct tree *tree, struct tree_mark mark, enum code code,
                     const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct str text = str_vfmt(reader->arena, format, args);
    va_end(args);
    finding_add(reader->findings, tree->file, mark, code_text(code), "%.*s", STR_ARG(text));
}

struct str reader_suggestion(struct arena *arena, struct str word, const struct str *words, size_t count) {
    size_t best = NEAR_MAX + 1, at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t distance = str_distance(word, words[i], NEAR_MAX);
        if (distance < best && distance < words[i].n) {
            best = distance;
            at = i;
        }
    }
    return best > NEAR_MAX ? STR_NONE : str_fmt(arena, "; did you mean '%.*s'?", STR_ARG(words[at]));
}

static unsigned kind_of(const struct tree *tree) {
    static const unsigned kinds[] = {
        [TREE_NULL] = 0, [TREE_SCALAR] = KEY_TEXT, [TREE_LIST] = KEY_LIST, [TREE_MAP] = KEY_MAP};
    return kinds[tree->kind];
}

static const char *kinds_text(unsigned kinds) {
    static const char *const texts[] = {"nothing", "one text",           "a map",           "one text or a map",
                                        "a list",  "one text or a list", "a map or a list", "a value"};
    return texts[kinds];
}

static void check_key(struct document_reader *reader, const struct tree *tree, size_t at, const struct key_rule *rules,
                      size_t count, struct str where) {
    struct str names[KEYS_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct tree *value = tree->items[at];
        names[i] = str_from(rules[i].name);
        if (!str_eq(names[i], tree->names[at])) continue;
        if (!(kind_of(value) & rules[i].kinds))
            reader_complain(reader, value, value->mark, CODE_CONNECT_SHAPE, "'%s' in %.*s takes %s", rules[i].name,
                            STR_ARG(where), kinds_text(rules[i].kinds));
        return;
    }
    struct str suggestion = reader_suggestion(reader->arena, tree->names[at], names, count);
    reader_complain(reader, tree, tree->name_marks[at], CODE_CONNECT_UNKNOWN_KEY, "unknown key '%.*s' in %.*s%.*s",
                    STR_ARG(tree->names[at]), STR_ARG(where), STR_ARG(suggestion));
}

bool reader_keys(struct document_reader *reader, const struct tree *tree, const struct key_rule *rules, size_t count,
                 struct str where) {
    if (tree->kind != TREE_MAP) {
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_SHAPE, "%.*s must be a map of keys", STR_ARG(where));
        return false;
    }
    for (size_t i = 0; i < tree->count; i++) check_key(reader, tree, i, rules, count, where);
    for (size_t i = 0; i < count; i++)
        if (rules[i].required && !tree_get(tree, str_from(rules[i].name)))
            reader_complain(reader, tree, tree->mark, CODE_CONNECT_MISSING, "'%s' is missing in %.*s", rules[i].name,
                            STR_ARG(where));
    return true;
}

const struct tree *reader_get(const struct tree *map, const char *name, unsigned kinds) {
    const struct tree *value = tree_get(map, str_from(name));
    return value && kind_of(value) & kinds ? value : NULL;
}

static void complain_value(struct document_reader *reader, const struct tree *value, struct str wanted) {
    reader_complain(reader, value, value->mark, CODE_CONNECT_VALUE, "'%.*s' is not %.*s", STR_ARG(value->text),
                    STR_ARG(wanted));
}

size_t reader_word(struct document_reader *reader, const struct tree *tree, const char *const *words, size_t count) {
    struct buf list = {.arena = reader->arena};
    struct str *names = arena_array(reader->arena, struct str, count);
    for (size_t i = 0; i < count; i++) {
        names[i] = str_from(words[i]);
        if (str_eq(names[i], tree->text)) return i;
        buf_fmt(&list, "%s%s", i ? ", " : "one of ", words[i]);
    }
    buf_add(&list, reader_suggestion(reader->arena, tree->text, names, count));
    complain_value(reader, tree, buf_str(&list));
    return count;
}

bool reader_truth(struct document_reader *reader, const struct tree *map, const char *name) {
    static const char *const words[] = {"false", "true"};
    const struct tree *value = reader_get(map, name, KEY_TEXT);
    return value && reader_word(reader, value, words, 2) == 1;
}

int64_t reader_span(struct document_reader *reader, const struct tree *map, const char *name, int64_t least_us,
                    int64_t most_us, int64_t otherwise_us) {
    const struct tree *value = reader_get(map, name, KEY_TEXT);
    int64_t span_us;
    if (!value) return otherwise_us;
    if (span_parse(value->text, &span_us) && span_us >= least_us && span_us <= most_us) return span_us;
    complain_value(reader, value,
                   str_fmt(reader->arena, "a length of time from %.*s to %.*s, such as 30s 5m 2h 3d",
                           STR_ARG(span_str(reader->arena, least_us)), STR_ARG(span_str(reader->arena, most_us))));
    return otherwise_us;
}

int32_t reader_count(struct document_reader *reader, const struct tree *map, const char *name, int32_t least,
                     int32_t most, int32_t otherwise) {
    const struct tree *value = reader_get(map, name, KEY_TEXT);
    int64_t count;
    if (!value) return otherwise;
    if (str_to_i64(value->text, &count) && count >= least && count <= most) return (int32_t)count;
    complain_value(reader, value, str_fmt(reader->arena, "a whole number from %d to %d", least, most));
    return otherwise;
}

size_t reader_size(struct document_reader *reader, const struct tree *map, const char *name, size_t least, size_t most,
                   size_t otherwise) {
    const struct tree *value = reader_get(map, name, KEY_TEXT);
    if (!value) return otherwise;
    struct str digits = value->text;
    size_t unit = str_ends(digits, STR("KiB")) ? 1 << 10 : str_ends(digits, STR("MiB")) ? 1 << 20 : 0;
    uint64_t count = 0;
    if (unit && str_to_u64(str_sub(digits, 0, digits.n - 3), &count) && count <= most / unit && count * unit >= least)
        return count * unit;
    complain_value(reader, value, str_fmt(reader->arena, "a size from %zuKiB to %zuKiB", least / 1024, most / 1024));
    return otherwise;
}

static void remember(struct connectors *connectors, const struct tree *tree, struct str text) {
    if (connectors->expression_count == connectors->expression_room) {
        size_t room = connectors->expression_room ? connectors->expression_room * 2 : 32;
        struct connector_jq *grown = arena_array(connectors->arena, struct connector_jq, room);
        if (connectors->expression_count)
            memcpy(grown, connectors->expressions, connectors->expression_count * sizeof *grown);
        connectors->expressions = grown;
        connectors->expression_room = room;
    }
    connectors->expressions[connectors->expression_count++] = (struct connector_jq){tree->file, text, tree->mark};
}

/* The newline ends a comment of the expression. */
static struct str with_variables(struct arena *arena, struct str expression) {
    return str_fmt(arena,
                   "$event as {status: $status, headers: $headers, delivery: $delivery, params: $params} | (%.*s\n)",
                   STR_ARG(expression));
}

size_t reader_jq_own(struct document_reader *reader, struct str expression) {
    return jq_add(reader->connectors->source, with_variables(reader->arena, expression));
}

size_t reader_jq(struct document_reader *reader, const struct tree *map, const char *name) {
    const struct tree *value = reader_get(map, name, KEY_TEXT);
    if (!value) return JQ_NONE;
    const char *problem = jq_lex_problem(reader->arena, value->text);
    if (problem) {
        finding_add(reader->findings, value->file, value->mark, err_code(ERR_JQ_COMPILE), "in '%s': %s", name, problem);
        return JQ_NONE;
    }
    struct str text = with_variables(reader->arena, value->text);
    size_t number = jq_add(reader->connectors->source, text);
    if (number == SIZE_MAX)
        reader_complain(reader, value, value->mark, CODE_CONNECT_FULL, "there is too much jq in all");
    remember(reader->connectors, value, text);
    return number;
}
