/* config/syntax.c - see syntax.h. The messages are libfyaml 0.7's; one that is
 * not in the table is passed on as it is. */
#include "config/syntax.h"

#include "base/arena.h"

#include <string.h>

/* Where the mistake is, seen from the place the library names. */
enum culprit {
    CULPRIT_HERE,
    CULPRIT_QUOTE,     /* the quote that opens the text */
    CULPRIT_NEXT_LINE, /* the line below, which was read as a part of this text */
};

static const struct {
    const char *part; /* of the library's message */
    enum culprit culprit;
    const char *text;
} messages[] = {
    {"tab", CULPRIT_HERE, "a tab cannot indent in YAML: use blanks"},
    {"invalid multiline plain key", CULPRIT_NEXT_LINE,
     "this line is indented deeper than the one above, which already has its value: indent both alike"},
    {"quoted scalar without closing quote", CULPRIT_QUOTE, "this quoted text is never closed"},
    {"wrongly indented double-quoted scalar", CULPRIT_QUOTE, "this quoted text is never closed"},
    {"wrongly indented single-quoted scalar", CULPRIT_QUOTE, "this quoted text is never closed"},
    {"invalid trailing content after single-quoted", CULPRIT_HERE,
     "the quoted text ended before this: write a ' inside it as '', or put the text in double quotes"},
    {"invalid trailing content after double-quoted", CULPRIT_HERE,
     "the quoted text ended before this: write a \" inside it as \\\""},
    {"invalid nested block mapping", CULPRIT_HERE,
     "': ' begins a key, and there is one on this line already: put the text in quotes"},
    {"missing comma in flow", CULPRIT_HERE, "a comma is missing between the entries of { } or [ ]"},
    {"flow sequence without a closing", CULPRIT_HERE, "a '[' above is never closed"},
    {"flow mapping without a closing", CULPRIT_HERE, "a '{' above is never closed"},
    {"did not find expected node content", CULPRIT_HERE, "a value is expected here: is a ',' one too many?"},
    {"did not find expected key", CULPRIT_HERE, "a key is expected here"},
    {"extra closing", CULPRIT_HERE, "this bracket closes nothing: put the text in quotes if it belongs to one"},
    {"mismatched flow", CULPRIT_HERE, "this bracket does not match the one it should close"},
    {"invalid indentation in mapping", CULPRIT_HERE,
     "this line is indented like none of the levels above: indent it as its neighbours"},
    {"wrong indendation", CULPRIT_HERE,
     "this line is indented like none of the levels above: indent it as its neighbours"},
    {"wrongly indented sequence item", CULPRIT_HERE,
     "this list item is indented like none above: put its '-' below the others"},
    {"invalid scalar at the end of block sequence", CULPRIT_HERE,
     "a list item begins with '- ': this line does not, and is indented as if it belonged to the list"},
    {"on the same line as a mapping key", CULPRIT_HERE, "a list begins on the line below its key"},
    {"invalid alias", CULPRIT_HERE, "a text that begins with '*' needs quotes"},
    {"invalid anchor", CULPRIT_HERE, "a text that begins with '&' needs quotes"},
    {"cannot start with '", CULPRIT_HERE, "a text that begins with this character needs quotes"},
    {"malformed UTF8", CULPRIT_HERE, "this text is not UTF-8"},
    {"invalid escape", CULPRIT_HERE,
     "there is no such escape in double quotes: write \\\\ for a backslash, or use single quotes"},
    {"invalid value after mapping", CULPRIT_HERE, "this line belongs to nothing above: check its indentation"},
    {"invalid mapping in plain multiline", CULPRIT_HERE,
     "a ':' without its key: the key stands on a line of its own above"},
    {"depth", CULPRIT_HERE, "the levels are nested too deep"},
};

static struct str line_at(struct str text, uint32_t number) {
    struct str line = STR_NONE, rest = text;
    for (uint32_t i = 0; i < number; i++)
        if (!str_next(&rest, '\n', &line)) return STR_NONE;
    return line;
}

/* The part of a line before a column, which counts characters. */
static struct str line_before(struct str line, uint32_t column) {
    size_t at = 0;
    for (uint32_t i = 1; i < column && at < line.n; i++) {
        size_t length = str_utf8_length(line, at);
        at += length ? length : 1;
    }
    return str_sub(line, 0, at);
}

static size_t indent_of(struct str line) {
    size_t at = 0;
    while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t')) at++;
    return at;
}

/* The first line below that has a key; the same line when there is none. */
static struct tree_mark next_key(struct str text, struct tree_mark mark) {
    for (uint32_t number = mark.line + 1;; number++) {
        struct str line = line_at(text, number);
        if (!line.p) return mark;
        struct str bare = str_trim(line);
        if (!bare.n || bare.p[0] == '#') continue;
        if (memmem(line.p, line.n, ": ", 2) || bare.p[bare.n - 1] == ':')
            return (struct tree_mark){number, (uint32_t)indent_of(line) + 1};
    }
}

static struct tree_mark moved(struct str text, struct tree_mark mark, enum culprit culprit) {
    if (culprit == CULPRIT_NEXT_LINE) return next_key(text, mark);
    if (culprit == CULPRIT_QUOTE) {
        struct str before = line_before(line_at(text, mark.line), mark.column);
        if (before.n && strchr("'\"", before.p[before.n - 1])) mark.column--;
    }
    return mark;
}

struct syntax_problem syntax_explain(struct arena *arena, struct str text, struct tree_mark mark, struct str message) {
    struct syntax_problem problem = {mark, str_fmt(arena, "not valid YAML: %.*s", STR_ARG(message))};
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        if (!memmem(message.p, message.n, messages[i].part, strlen(messages[i].part))) continue;
        problem.mark = moved(text, mark, messages[i].culprit);
        problem.text = str_from(messages[i].text);
        break;
    }
    struct str line = line_at(text, problem.mark.line);
    if (memchr(line.p ? line.p : "", '\t', indent_of(line)))
        return (struct syntax_problem){{problem.mark.line, 1}, str_from(messages[0].text)};
    if (str_ends(line_before(line, mark.column), STR("${")) ||
        (problem.mark.line == mark.line && str_ends(line_before(line, mark.column), STR("$"))))
        problem.text = STR("inside { } or [ ] a text with ${...} needs quotes, as in \"${.email}\"");
    return problem;
}

/* Neither the blank before # nor the one behind it tells for sure whether a comment was meant or a text was cut.
 * Together with where the references are, they rarely mislead. */
bool syntax_comment_cuts(struct str value, struct str rest) {
    size_t blanks = indent_of(rest);
    if (!blanks || blanks == rest.n || rest.p[blanks] != '#') return false;
    struct str comment = STR_NONE, from = str_sub(rest, blanks + 1, rest.n);
    str_next(&from, '\n', &comment);
    const char *open = value.n ? memmem(value.p, value.n, "${", 2) : NULL;
    bool in_comment = comment.n && memmem(comment.p, comment.n, "${", 2);
    if (!open) return in_comment;
    if (!memchr(open, '}', value.n - (size_t)(open - value.p))) return true;
    return comment.n && comment.p[0] != ' ' && comment.p[0] != '\t' && comment.p[0] != '#' && comment.p[0] != '\r';
}
