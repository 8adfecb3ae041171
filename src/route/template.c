/* route/template.c - see template.h. The tree is written once, as jq text;
 * JSON is jq, so without an expression in it the same text is the JSON. */
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
    struct buf buf;
    bool is_jq;
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
    size_t n = SHOWN_BYTES_MAX;
    while (n && ((uint8_t)expression.p[n] & 0xc0) == 0x80) n--;
    return str_fmt(arena, "%.*s...", (int)n, expression.p);
}

/* ---- scalars ---- */

static void write_expression(struct program_writer *writer, const struct tree *tree, struct str text, struct str before,
                             struct str behind, struct buf *out) {
    const struct template_input *input = writer->input;
    struct arena *arena = input->expressions->arena;
    struct str piece = shown(arena, text);
    if (is_secret(text)) {
        report(writer, tree, CODE_ROUTE_SECRET,
               str_fmt(input->findings->arena, "secrets are not allowed in routes: ${%.*s}", STR_ARG(piece)).p);
        return;
    }
    struct str where = str_fmt(arena, "${%.*s} for %.*s", STR_ARG(piece), STR_ARG(input->where));
    (void)expression_add(input->expressions, (struct expression){text, tree->mark, where}, input->findings);
    buf_add(out, before);
    buf_fmt(out, "drumbeat_one((%.*s\n))", STR_ARG(text));
    buf_add(out, behind);
    writer->is_jq = true;
}

/* A term of the sum; rest begins with "${". Gives what stands behind the closing brace. */
static struct str write_reference(struct program_writer *writer, const struct tree *tree, struct str rest,
                                  struct buf *sum) {
    struct str inside = str_sub(rest, 2, rest.n);
    size_t length = jq_closing_brace(inside);
    if (length == SIZE_MAX) {
        report(writer, tree, CODE_ROUTE_UNCLOSED, "'${' has no closing '}'");
        return STR_NONE;
    }
    write_expression(writer, tree, str_sub(inside, 0, length), STR("("), STR(" | drumbeat_text) + "), sum);
    return str_sub(inside, length + 1, inside.n);
}

/* A text with references in it is written as a sum that ends in a text: ("Dear " + … + ""). */
static void write_text(struct program_writer *writer, const struct tree *tree) {
    struct buf sum = {.arena = writer->buf.arena}, literal = sum;
    for (struct str rest = tree->text; rest.n;) {
        if (str_starts(rest, STR("$${"))) {
            buf_add(&literal, STR("${"));
            rest = str_sub(rest, 3, rest.n);
        } else if (str_starts(rest, STR("${"))) {
            if (literal.n) json_quote(&sum, buf_str(&literal));
            if (literal.n) buf_add(&sum, STR(" + "));
            literal.n = 0;
            rest = write_reference(writer, tree, rest, &sum);
        } else {
            buf_byte(&literal, rest.p[0]);
            rest = str_sub(rest, 1, rest.n);
        }
    }
    if (sum.n) buf_fmt(&writer->buf, "(%.*s", STR_ARG(buf_str(&sum)));
    json_quote(&writer->buf, buf_str(&literal));
    if (sum.n) buf_byte(&writer->buf, ')');
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
        write_expression(writer, tree, str_sub(text, 2, text.n - 3), STR(""), STR(""), &writer->buf);
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
    return (struct template){.is_jq = writer.is_jq, .text = buf_str(&writer.buf)};
}
