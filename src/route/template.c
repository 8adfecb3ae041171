/* route/template.c - see template.h. The tree is written once, as JSON with
 * holes; what is between two holes is one segment. */
#include "route/template.h"

#include "base/arena.h"
#include "base/jq.h"
#include "base/json.h"
#include "model/code.h"

#include <math.h>
#include <string.h>

#define NUMBER_MAX 9007199254740991.0 /* 2^53 - 1 */
/* How much of an expression a finding repeats. */
#define SHOWN_BYTES_MAX 60

struct program_writer {
    const struct template_input *input;
    struct buf buf; /* JSON since the last hole */
    struct template template;
};

static void write_node(struct program_writer *writer, const struct tree *tree);

static void report(const struct program_writer *writer, const struct tree *tree, enum code code, const char *text) {
    const struct template_input *input = writer->input;
    finding_add(input->findings, input->expressions->file, tree->mark, code_text(code), "%s, in %.*s", text,
                STR_ARG(input->where));
}

/* [A-Z][A-Z0-9_]*, as secrets are named. */
static bool is_secret(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        bool letter = text.p[i] >= 'A' && text.p[i] <= 'Z';
        bool further = (text.p[i] >= '0' && text.p[i] <= '9') || text.p[i] == '_';
        if (!letter && (i == 0 || !further)) return false;
    }
    return text.n > 0;
}

static struct str shown(struct arena *arena, struct str expression) {
    if (expression.n <= SHOWN_BYTES_MAX) return expression;
    return str_fmt(arena, "%.*s...", STR_ARG(str_head(expression, SHOWN_BYTES_MAX)));
}

/* ---- scalars ---- */

static void add_segment(struct program_writer *writer, struct segment segment) {
    struct template *template = &writer->template;
    if (template->count == template->room) {
        size_t room = template->room ? template->room * 2 : 8;
        struct segment *grown = arena_array(writer->buf.arena, struct segment, room);
        if (template->count) memcpy(grown, template->segments, template->count * sizeof *grown);
        template->segments = grown;
        template->room = room;
    }
    template->segments[template->count++] = segment;
    template->jq_count += segment.kind == SEGMENT_JQ;
}

static void end_json(struct program_writer *writer) {
    if (!writer->buf.n) return;
    add_segment(writer, (struct segment){.text = buf_str(&writer->buf)});
    writer->buf = (struct buf){.arena = writer->buf.arena};
}

static void write_expression(struct program_writer *writer, const struct tree *tree, struct str text, bool inside) {
    const struct template_input *input = writer->input;
    struct arena *arena = input->expressions->arena;
    struct segment segment = {.inside = inside};
    struct str piece = shown(arena, text);
    if (is_secret(text)) {
        report(writer, tree, CODE_ROUTE_SECRET,
               str_fmt(input->findings->arena, "secrets are not allowed in routes: ${%.*s}", STR_ARG(piece)).p);
        return;
    }
    end_json(writer);
    if (path_parse(arena, text, &segment.path)) {
        segment.kind = SEGMENT_PATH;
        segment.text = text;
    } else {
        struct str where = str_fmt(arena, "${%.*s} for %.*s", STR_ARG(piece), STR_ARG(input->where));
        (void)expression_add(input->expressions, (struct expression){text, tree->mark, where}, input->findings);
        segment.kind = SEGMENT_JQ;
        segment.text = str_fmt(arena, inside ? "(drumbeat_one((%.*s\n)) | drumbeat_text)" : "drumbeat_one((%.*s\n))",
                               STR_ARG(text));
    }
    add_segment(writer, segment);
}

/* A value inside a text; rest begins with "${". Gives what stands behind the closing brace. */
static struct str write_reference(struct program_writer *writer, const struct tree *tree, struct str rest) {
    struct str inside = str_sub(rest, 2, rest.n);
    size_t length = jq_closing_brace(inside);
    if (length == SIZE_MAX) {
        report(writer, tree, CODE_ROUTE_UNCLOSED, "'${' has no closing '}'");
        return STR_NONE;
    }
    write_expression(writer, tree, str_sub(inside, 0, length), true);
    return str_sub(inside, length + 1, inside.n);
}

/* As it stands between the quotes of a JSON text. */
static void add_quoted(struct buf *buf, struct str text) {
    struct buf quoted = {.arena = buf->arena};
    json_quote(&quoted, text);
    buf_add(buf, str_sub(buf_str(&quoted), 1, quoted.n - 2));
}

static void write_text(struct program_writer *writer, const struct tree *tree) {
    struct buf literal = {.arena = writer->buf.arena};
    buf_byte(&writer->buf, '"');
    for (struct str rest = tree->text; rest.n;) {
        if (str_starts(rest, STR("$${"))) {
            buf_add(&literal, STR("${"));
            rest = str_sub(rest, 3, rest.n);
        } else if (str_starts(rest, STR("${"))) {
            add_quoted(&writer->buf, buf_str(&literal));
            literal.n = 0;
            rest = write_reference(writer, tree, rest);
        } else {
            buf_byte(&literal, rest.p[0]);
            rest = str_sub(rest, 1, rest.n);
        }
    }
    add_quoted(&writer->buf, buf_str(&literal));
    buf_byte(&writer->buf, '"');
}

static bool is_one_reference(struct str text) {
    return str_starts(text, STR("${")) && jq_closing_brace(str_sub(text, 2, text.n)) == text.n - 3;
}

static void write_scalar(struct program_writer *writer, const struct tree *tree) {
    struct str text = tree->text;
    double number;
    bool is_word = str_eq(text, STR("true")) || str_eq(text, STR("false")) || str_eq(text, STR("null"));
    bool is_number = !tree->quoted && str_to_double(text, &number);
    bool is_whole =
        str_find(text, '.') == SIZE_MAX && str_find(text, 'e') == SIZE_MAX && str_find(text, 'E') == SIZE_MAX;
    if (is_number && is_whole && fabs(number) > NUMBER_MAX)
        report(writer, tree, CODE_ROUTE_NUMBER, "this number is too large for JSON; write it in quotes");
    if (is_number || (!tree->quoted && is_word))
        buf_add(&writer->buf, text);
    else if (is_one_reference(text))
        write_expression(writer, tree, str_sub(text, 2, text.n - 3), false);
    else
        write_text(writer, tree);
}

/* ---- lists and maps ---- */

static void write_list(struct program_writer *writer, const struct tree *tree) {
    buf_byte(&writer->buf, '[');
    for (size_t i = 0; i < tree->count; i++) {
        if (i) buf_byte(&writer->buf, ',');
        write_node(writer, tree->items[i]);
    }
    buf_byte(&writer->buf, ']');
}

static void write_map(struct program_writer *writer, const struct tree *tree) {
    buf_byte(&writer->buf, '{');
    for (size_t i = 0; i < tree->count; i++) {
        if (memmem(tree->names[i].p, tree->names[i].n, "${", 2))
            report(writer, tree->items[i], CODE_ROUTE_IN_NAME, "a name cannot hold ${…}");
        if (i) buf_byte(&writer->buf, ',');
        json_quote(&writer->buf, tree->names[i]);
        buf_byte(&writer->buf, ':');
        write_node(writer, tree->items[i]);
    }
    buf_byte(&writer->buf, '}');
}

/* It recurses as deep as the configuration, whose depth its parser bounds. */
static void write_node(struct program_writer *writer, const struct tree *tree) {
    if (tree->kind == TREE_LIST)
        write_list(writer, tree);
    else if (tree->kind == TREE_MAP)
        write_map(writer, tree);
    else if (tree->kind == TREE_SCALAR)
        write_scalar(writer, tree);
    else
        buf_add(&writer->buf, STR("null"));
}

struct template template_make(const struct template_input *input, const struct tree *tree) {
    struct program_writer writer = {.input = input, .buf = {.arena = input->expressions->arena}};
    write_node(&writer, tree);
    end_json(&writer);
    return writer.template;
}

/* ---- rendering ---- */

void template_write_jq(const struct template *template, struct buf *buf) {
    const char *separator = "[";
    for (size_t i = 0; i < template->count; i++) {
        if (template->segments[i].kind != SEGMENT_JQ) continue;
        buf_fmt(buf, "%s%.*s", separator, STR_ARG(template->segments[i].text));
        separator = ", ";
    }
    buf_byte(buf, ']');
}

/* A list or an object without the blanks between its tokens, as jq writes one. */
static struct str compact(struct arena *arena, struct str value) {
    struct buf buf = {.arena = arena};
    bool quoted = false;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (!quoted && str_find(STR(" \t\r\n"), c) != SIZE_MAX) continue;
        if (c == '"') quoted = !quoted;
        buf_byte(&buf, c);
        if (quoted && c == '\\' && i + 1 < value.n) buf_byte(&buf, value.p[++i]);
    }
    return buf_str(&buf);
}

/* Inside of quotes: nothing for null, a text without its own quotes, all else as JSON. */
static void add_inside(struct buf *buf, struct str value) {
    if (value.p[0] == '"')
        buf_add(buf, str_sub(value, 1, value.n - 2));
    else if (!str_eq(value, STR("null")))
        add_quoted(buf, compact(buf->arena, value));
}

bool template_render(const struct template *template, struct str payload, struct str jq_values, struct arena *arena,
                     struct str *ret_content, struct str *ret_problem) {
    struct buf buf = {.arena = arena};
    size_t cursor = 0;
    for (size_t i = 0; i < template->count; i++) {
        const struct segment *segment = &template->segments[i];
        struct str value = segment->text;
        if (segment->kind == SEGMENT_PATH && !path_find(&segment->path, payload, arena, &value, ret_problem))
            return false;
        if (segment->kind == SEGMENT_JQ && !json_slice_item(jq_values, &cursor, &value)) {
            *ret_problem = STR("the jq engine gave no content");
            return false;
        }
        if (segment->inside)
            add_inside(&buf, value);
        else
            buf_add(&buf, value);
    }
    *ret_content = buf_str(&buf);
    return true;
}
