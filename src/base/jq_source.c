/* base/jq_source.c - jq as text: the lexical look at one expression and the
 * program that holds them all. Knows jq's lexer, not libjq.
 *
 * Every expression stands in parentheses in the program, so one that closed a
 * bracket it did not open could change its neighbours: the scan below follows
 * jq's own lexical rules (src/lexer.l of jq 1.6 and 1.7) and refuses that.
 */
#include "base/arena.h"
#include "base/jq.h"

#include <string.h>

#define NESTING_MAX        256
#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))

/* What the program offers to all functions. What is taken away must be defined here too, or jq would find its own. */
static const char prelude[] =
    "def env: {}; def input: error(\"input is not available\"); def inputs: input; "
    "def debug: .; def debug(f): .; def stderr: .; def input_filename: null; def input_line_number: 0; "
    "def halt: error(\"halt is not available\"); def halt_error: halt; def halt_error($code): halt; "
    "def get_search_list: []; def modulemeta: error(\"modulemeta is not available\"); "
    "def localtime: gmtime; def strflocaltime(f): strftime(f); "
    "def drumbeat_text: if . == null then \"\" elif type == \"string\" then . else tojson end; "
    "def drumbeat_one(f): first(f, null);\n"
    "{} as $ENV | . as [$drumbeat_function, $drumbeat_input, $event] | "
    "def now: if $event == null then error(\"now is not available without an event\") "
    "else $event.scheduled_at | (.[0:19] + \"Z\" | fromdate) + (\"0\" + .[19:-1] | tonumber) end;\n"
    "$drumbeat_input | ";

size_t jq_add(struct jq_source *source, struct str expression) {
    for (size_t i = 0; i < source->count; i++)
        if (str_eq(source->texts[i], expression)) return i;
    if (source->count == JQ_FUNCTIONS_MAX) return SIZE_MAX;
    if (source->count == source->room) {
        size_t room = source->room ? source->room * 2 : 16;
        struct str *grown = arena_array(source->arena, struct str, room);
        if (source->count) memcpy(grown, source->texts, source->count * sizeof *grown);
        source->texts = grown;
        source->room = room;
    }
    source->texts[source->count] = expression;
    return source->count++;
}

/* A tree of comparisons over the functions from first to last. The newline ends a comment of the expression. Each
 * branch is a function of jq's own, since libjq takes at most 65,536 words of code in one. */
static void program_dispatch(const struct jq_source *source, size_t first, size_t last, struct buf *buf) {
    if (first == last) {
        buf_byte(buf, '(');
        buf_add(buf, source->texts[first]);
        buf_add(buf, STR("\n)"));
        return;
    }
    size_t middle = first + (last - first) / 2 + 1;
    buf_fmt(buf, "(def drumbeat_branch: if $drumbeat_function < %zu then ", middle);
    program_dispatch(source, first, middle - 1, buf);
    buf_add(buf, STR(" else "));
    program_dispatch(source, middle, last, buf);
    buf_add(buf, STR(" end; drumbeat_branch)"));
}

struct str jq_program(const struct jq_source *source, struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, (struct str){prelude, sizeof prelude - 1});
    if (source->count)
        program_dispatch(source, 0, source->count - 1, &buf);
    else
        buf_add(&buf, STR("null"));
    return buf_str(&buf);
}

/* ---- the scan ---- */

/* Inside a text the innermost open thing is its '"'; inside \( … ) it is an 'i'. */
struct scan {
    struct str text;
    size_t at;
    size_t depth;
    char kinds[NESTING_MAX];
    size_t places[NESTING_MAX];
};
enum scan_end { SCAN_GOES_ON, SCAN_CLOSED, SCAN_DEEP, SCAN_STRANGE, SCAN_WORD, SCAN_BACKSLASH };

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
}

static char scan_peek(const struct scan *scan, size_t ahead) {
    return ahead < scan->text.n - scan->at ? scan->text.p[scan->at + ahead] : 0;
}

static enum scan_end scan_open(struct scan *scan, char kind, size_t bytes) {
    if (scan->depth == NESTING_MAX) return SCAN_DEEP;
    scan->kinds[scan->depth] = kind;
    scan->places[scan->depth++] = scan->at;
    scan->at += bytes;
    return SCAN_GOES_ON;
}

static enum scan_end scan_close(struct scan *scan, char closer) {
    char open = scan->depth ? scan->kinds[scan->depth - 1] : 0;
    bool fits = closer == ')' ? open == '(' || open == 'i' : closer == ']' ? open == '[' : open == '{';
    if (!fits) return SCAN_CLOSED;
    scan->depth--;
    scan->at++;
    return SCAN_GOES_ON;
}

static enum scan_end scan_in_text(struct scan *scan) {
    char c = scan_peek(scan, 0);
    if (c == '\\' && scan_peek(scan, 1) == '(') return scan_open(scan, 'i', 2);
    if (c == '"') scan->depth--;
    scan->at += c == '\\' && scan->at + 1 < scan->text.n ? 2 : 1;
    return SCAN_GOES_ON;
}

/* jq 1.7 continues a comment behind a backslash at the end of its line, 1.6 does not: such a comment is refused. */
static enum scan_end scan_comment(struct scan *scan) {
    while (scan->at < scan->text.n && scan->text.p[scan->at] != '\n') {
        char next = scan_peek(scan, 1);
        if (scan->text.p[scan->at] == '\\' && (next == '\n' || next == '\r' || next == 0)) return SCAN_BACKSLASH;
        scan->at++;
    }
    return SCAN_GOES_ON;
}

/* include and import reach for files; $__loc__ would change whenever a neighbour does. */
static enum scan_end scan_word(struct scan *scan) {
    static const char *const refused[] = {"include", "import", "__loc__"};
    size_t from = scan->at, length = 0;
    while (is_word(scan_peek(scan, length))) length++;
    struct str word = str_sub(scan->text, from, length);
    size_t next = length;
    while (scan_peek(scan, next) && strchr(" \t\r\n", scan_peek(scan, next))) next++;
    bool is_field = from > 0 && scan->text.p[from - 1] == '.';
    bool is_name = scan_peek(scan, next) == ':';
    for (size_t i = 0; !is_field && !is_name && i < ARRAY_COUNT(refused); i++)
        if (str_eq(word, str_from(refused[i]))) return SCAN_WORD;
    scan->at += length;
    return SCAN_GOES_ON;
}

/* One lexical step; anything but GOES_ON leaves scan->at on the culprit. */
static enum scan_end scan_step(struct scan *scan) {
    if (scan->depth && scan->kinds[scan->depth - 1] == '"') return scan_in_text(scan);
    char c = scan_peek(scan, 0);
    if (c == 0) return SCAN_STRANGE;
    if (is_letter(c)) return scan_word(scan);
    if (c == '#') return scan_comment(scan);
    if (c == '"' || c == '(' || c == '[' || c == '{') return scan_open(scan, c, 1);
    if (c == ')' || c == ']' || c == '}') return scan_close(scan, c);
    bool is_known = is_word(c) || strchr(" \t\r\n.?=;,:|+-*/%$<>", c) || (c == '!' && scan_peek(scan, 1) == '=') ||
                    (c == '@' && is_word(scan_peek(scan, 1)));
    if (!is_known) return SCAN_STRANGE;
    scan->at++;
    return SCAN_GOES_ON;
}

/* This passes over whatever else is wrong before the brace, because jq_lex_problem has better words for it. */
size_t jq_closing_brace(struct str text) {
    struct scan scan = {.text = text};
    while (scan.at < text.n) {
        enum scan_end end = scan_step(&scan);
        if (end == SCAN_CLOSED && text.p[scan.at] == '}') return scan.at;
        if (end != SCAN_GOES_ON) scan.at++;
    }
    return SIZE_MAX;
}

/* With these, what stands behind an = at the top may be a part of something else. */
static bool is_keyword(const struct scan *scan) {
    static const char *const keywords[] = {"def", "if", "reduce", "foreach", "try", "as", "label"};
    size_t length = 0;
    if (scan->at && (is_word(scan->text.p[scan->at - 1]) || scan->text.p[scan->at - 1] == '.')) return false;
    while (is_word(scan_peek(scan, length))) length++;
    for (size_t i = 0; i < ARRAY_COUNT(keywords); i++)
        if (str_eq(str_sub(scan->text, scan->at, length), str_from(keywords[i]))) return true;
    return false;
}

/* = and its like bind weaker than all but |, `,` and //, so that one at the top is what its stage of the pipe is, and
 * what stands in the last stage is what comes out. */
static size_t assignment_in(struct str text) {
    struct scan scan = {.text = text};
    size_t found = SIZE_MAX;
    while (scan.at < text.n) {
        char c = scan_peek(&scan, 0), next = scan_peek(&scan, 1);
        if (!scan.depth && (c == ',' || is_keyword(&scan))) return SIZE_MAX;
        if (!scan.depth && next == '=' && strchr("=!<>", c)) { /* it compares */
            scan.at += 2;
            continue;
        }
        if (!scan.depth && c == '|') found = SIZE_MAX;
        if (!scan.depth && (c == '=' || (next == '=' && strchr("|+-*/%", c)))) {
            found = scan.at;
            scan.at += c == '=' ? 1 : 2;
            continue;
        }
        if (scan_step(&scan) != SCAN_GOES_ON) return SIZE_MAX;
    }
    return found;
}

bool jq_assigns(struct str text) {
    return assignment_in(text) != SIZE_MAX;
}

/* ---- the words ---- */

/* "column 5", or "line 2, column 5" in a text of several lines. Columns count characters. */
static const char *place_text(struct arena *arena, struct str text, size_t at) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        if (text.p[i] == '\n') {
            line++;
            column = 1;
        } else if (((uint8_t)text.p[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    bool several = str_find(text, '\n') != SIZE_MAX;
    return several ? str_fmt(arena, "line %zu, column %zu", line, column).p : str_fmt(arena, "column %zu", column).p;
}

static const char *strange_text(struct arena *arena, const struct scan *scan) {
    static const struct {
        char byte;
        const char *hint;
    } hints[] = {{'\'', "; texts stand in double quotes"},
                 {'&', "; \"and\" is the word for it"},
                 {'!', "; \"not\" is the word for it"}};
    char c = scan->text.p[scan->at];
    const char *place = place_text(arena, scan->text, scan->at);
    const char *hint = "";
    for (size_t i = 0; i < ARRAY_COUNT(hints); i++)
        if (hints[i].byte == c) hint = hints[i].hint;
    if ((uint8_t)c < ' ' || c == 0x7f) return str_fmt(arena, "unexpected control character at %s", place).p;
    size_t bytes = str_utf8_length(scan->text, scan->at);
    return str_fmt(arena, "unexpected '%.*s' at %s%s", (int)bytes, scan->text.p + scan->at, place, hint).p;
}

/* What is still open where the text ends. */
static const char *open_text(struct arena *arena, const struct scan *scan) {
    if (scan->depth == 0) return NULL;
    const char *place = place_text(arena, scan->text, scan->places[scan->depth - 1]);
    char kind = scan->kinds[scan->depth - 1];
    if (kind == '"') return str_fmt(arena, "the text that begins at %s has no closing '\"'", place).p;
    if (kind == 'i') return str_fmt(arena, "'\\(' at %s is not closed", place).p;
    return str_fmt(arena, "'%c' at %s is not closed", kind, place).p;
}

const char *jq_lex_problem(struct arena *arena, struct str expression) {
    if (!str_trim(expression).n) return "the expression is empty";
    if (expression.n > JQ_TEXT_MAX) return str_fmt(arena, "the expression is longer than %zu bytes", JQ_TEXT_MAX).p;
    if (str_find(expression, 0) != SIZE_MAX) return "the expression holds a NUL";
    if (!str_is_utf8(expression)) return "the expression is not valid UTF-8";
    struct scan scan = {.text = expression};
    enum scan_end end = SCAN_GOES_ON;
    while (end == SCAN_GOES_ON && scan.at < expression.n) end = scan_step(&scan);
    if (end == SCAN_GOES_ON) return open_text(arena, &scan);
    if (end == SCAN_STRANGE) return strange_text(arena, &scan);
    const char *place = place_text(arena, expression, scan.at);
    if (end == SCAN_CLOSED) return str_fmt(arena, "unexpected '%c' at %s", expression.p[scan.at], place).p;
    if (end == SCAN_DEEP) return str_fmt(arena, "more than %d brackets inside each other at %s", NESTING_MAX, place).p;
    if (end == SCAN_BACKSLASH) return str_fmt(arena, "a comment must not end in '\\' (%s)", place).p;
    return str_fmt(arena, "include, import and $__loc__ are not available (%s)", place).p;
}

const char *jq_condition_problem(struct arena *arena, struct str expression) {
    const char *lexical = jq_lex_problem(arena, expression);
    size_t at = lexical ? SIZE_MAX : assignment_in(expression);
    if (at == SIZE_MAX) return lexical;
    return str_fmt(arena, "'%.*s' at %s changes a value and so is always true; == compares",
                   expression.p[at] == '=' ? 1 : 2, expression.p + at, place_text(arena, expression, at))
        .p;
}
