/* config/explain.c - what is said about a configuration: findings, help on one key or code, and the reference of all;
 * see config.h. */
#include "base/json.h"
#include "base/roff.h"
#include "config/section.h"

#include <string.h>

#define LINE_MAX_CHARACTERS 78

/* ---- findings ---- */

static const char *finding_word(const struct finding *finding) {
    return finding->warning ? "warning" : "error";
}

struct str findings_text(struct arena *arena, const struct findings *findings) {
    struct buf text = {.arena = arena};
    for (const struct finding *finding = findings->first; finding; finding = finding->next)
        buf_fmt(&text, "%.*s:%u:%u: %s %s: %.*s\n", STR_ARG(finding->file), finding->mark.line, finding->mark.column,
                finding_word(finding), finding->code, STR_ARG(finding->text));
    if (findings->errors + findings->warnings > FINDINGS_MAX)
        buf_fmt(&text, "and %zu more\n", findings->errors + findings->warnings - FINDINGS_MAX);
    return buf_str(&text);
}

struct str findings_json(struct arena *arena, const struct findings *findings) {
    struct json *list = json_array();
    for (const struct finding *finding = findings->first; finding; finding = finding->next) {
        struct json *item = json_object();
        json_set_str(item, "level", str_from(finding_word(finding)));
        json_set_str(item, "code", str_from(finding->code));
        json_set_str(item, "file", finding->file);
        json_set_int(item, "line", finding->mark.line);
        json_set_int(item, "column", finding->mark.column);
        json_set_str(item, "text", finding->text);
        json_push(list, item);
    }
    struct str text = json_dump(arena, list);
    json_free(list);
    return text;
}

/* ---- one key ---- */

/* Folds words into lines. The first begins with a prefix, the others with as many blanks. */
static void add_folded(struct buf *text, const char *prefix, struct str words) {
    int indent = (int)strlen(prefix);
    struct str word;
    size_t column = 0;
    while (str_next(&words, ' ', &word)) {
        bool begins = !column || column + 1 + word.n > LINE_MAX_CHARACTERS;
        if (!column)
            buf_fmt(text, "%s%.*s", prefix, STR_ARG(word));
        else if (begins)
            buf_fmt(text, "\n%*s%.*s", indent, "", STR_ARG(word));
        else
            buf_fmt(text, " %.*s", STR_ARG(word));
        column = begins ? (size_t)indent + word.n : column + 1 + word.n;
    }
    buf_byte(text, '\n');
}

/* Takes the part behind the last dot off *rest; false when nothing is left. */
static bool last_part(struct str *rest, struct str *ret_part) {
    if (!rest->p) return false;
    size_t dot = rest->n;
    while (dot && rest->p[dot - 1] != '.') dot--;
    *ret_part = str_sub(*rest, dot, rest->n);
    *rest = dot ? str_sub(*rest, 0, dot - 1) : STR_NONE;
    return true;
}

/* Whether a path ends with what was asked for, part by part. A * in the path stands for any name, but not for the
 * first part that was asked for: server.limit is not destinations.*.limit. */
static bool path_ends(struct str path, struct str asked) {
    struct str part, wanted;
    while (last_part(&asked, &wanted)) {
        if (!last_part(&path, &part)) return false;
        bool any = asked.p && str_eq(part, STR("*"));
        if (!any && !str_eq(part, wanted)) return false;
    }
    return true;
}

static const char *fallback_text(const struct key *key) {
    if (!key->fallback) return "none: it must be there";
    if (!*key->fallback) return "not set";
    return strcmp(key->fallback, "{}") ? key->fallback : "the defaults of its keys";
}

/* "a whole number from 1 to 256" */
static struct str takes_text(struct arena *arena, const struct key *key) {
    struct str bounds = scalar_bounds(arena, key);
    if (key->choices.n) return key->choices;
    return str_fmt(arena, "%s%s%.*s", key_what(key), bounds.n ? ", " : "", STR_ARG(bounds));
}

static void explain_key(struct buf *text, const struct key *key) {
    struct str path = key_path(text->arena, key), takes = takes_text(text->arena, key);
    enum section below = key_section(key);
    const struct section_row *row = section_row(key->section);
    buf_fmt(text, "%s%.*s", text->n ? "\n" : "", STR_ARG(path));
    buf_fmt(text, row->read ? "\n" : ", %s\n", row->what);
    add_folded(text, "  ", str_from(key->help));
    buf_fmt(text, "\n  takes    %.*s\n", STR_ARG(takes));
    buf_fmt(text, "  default  %s\n", fallback_text(key));
    buf_fmt(text, "  changes  %s\n", key->restart ? "take a restart" : "apply to the running server");
    if (below == SECTION_COUNT) return;
    struct buf names = {.arena = text->arena};
    for (const struct key *each = NULL; (each = key_next(below, each));)
        buf_fmt(&names, "%s%.*s", names.n ? " " : "", STR_ARG(each->name));
    add_folded(text, "  keys     ", buf_str(&names));
}

struct str config_explain(struct arena *arena, struct str asked) {
    struct buf text = {.arena = arena};
    struct str code = code_explain(asked);
    if (code.n) {
        buf_fmt(&text, "%.*s\n", STR_ARG(asked));
        add_folded(&text, "  ", code);
        return buf_str(&text);
    }
    for (enum section section = 0; asked.n && section < SECTION_COUNT; section++)
        for (const struct key *each = NULL; (each = key_next(section, each));)
            if (path_ends(key_path(arena, each), asked)) explain_key(&text, each);
    return text.n ? buf_str(&text) : STR_NONE;
}

struct str config_suggest(struct arena *arena, struct str asked) {
    struct suggestion near = {.wrong = asked};
    for (enum section section = 0; section < SECTION_COUNT; section++)
        for (const struct key *key = NULL; (key = key_next(section, key));) {
            suggestion_consider(&near, key->name);
            suggestion_consider(&near, key_path(arena, key));
        }
    return suggestion_text(arena, &near);
}

/* ---- all keys ---- */

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "This page is made from the table of keys in `src/config/keys.def`: it says what the program reads.\n"
    "`drumbeat check` finds every mistake at once, each with its line and column; `drumbeat explain KEY` and\n"
    "`drumbeat explain CODE` print the entries below.\n"
    "\n";

/* Items of a list, each of which begins with "- " and goes on with blanks. */
static const char rules[] =
    "- Without `-c FILE` the file is `$DRUMBEAT_CONFIG`, then `./drumbeat.yaml`, then `/etc/drumbeat/drumbeat.yaml`.\n"
    "- Every value is read as text and converted by its key: `no`, `12:30` and `1e3` mean what is written.\n"
    "- Lengths of time carry their unit, `500ms 30s 5m 2h 3d`; sizes too, `64KiB 8MiB`. A bare number is refused.\n"
    "- Names begin with a small letter and go on with small letters, digits and hyphens, 40 characters at most.\n"
    "- `${NAME}`, in capitals, is a secret. It is allowed in `store` and in the sections that say where something is\n"
    "  and how it is called, never under `routes`. It is looked up in `$CREDENTIALS_DIRECTORY` (`NAME`,\n"
    "  then `drumbeat_NAME`), `/run/secrets`, `secrets/` beside the file (mode 0600) and the environment, in this "
    "order.\n"
    "  One that is nowhere is an error. It may be a part of a text, as in\n"
    "  `postgres://drumbeat:${DB_PASSWORD}@db/drumbeat`; in a URL it stands as URLs want it, with `%40` for `@`.\n"
    "- `${.field}` is jq on the event's payload, with the whole event as `$event`. It is allowed in the content of a\n"
    "  route's deliveries.\n"
    "- `$${` stands for the two characters `${`.\n"
    "- Where a delivery goes to a connector, the keys below it that are none of a delivery's own are the parameters "
    "of\n"
    "  the action. A connector with one action may be named without it.\n";

/* A '|' would end the cell. */
static void add_cell(struct buf *text, struct str cell) {
    for (size_t i = 0; i < cell.n; i++) {
        if (cell.p[i] == '|') buf_byte(text, '\\');
        buf_byte(text, cell.p[i]);
    }
}

static void add_row(struct buf *text, const struct key *key) {
    bool value = key->fallback && *key->fallback && strcmp(key->fallback, "{}") != 0;
    buf_fmt(text, "| `%.*s` | ", STR_ARG(key->name));
    add_cell(text, takes_text(text->arena, key));
    buf_fmt(text, " | %s%s%s | %s | ", value ? "`" : "", key->fallback ? (value ? key->fallback : "") : "required",
            value ? "`" : "", key->restart ? "restart" : "");
    add_cell(text, str_from(key->help));
    buf_add(text, STR(" |\n"));
}

static void add_codes(struct buf *text) {
    buf_add(text, STR("\n## Codes of findings\n\n| code | what it means |\n| --- | --- |\n"));
    for (enum code code = 0; code < CODE_COUNT; code++) {
        struct str id = str_from(code_text(code));
        buf_fmt(text, "| %.*s | ", STR_ARG(id));
        add_cell(text, code_explain(id));
        buf_add(text, STR(" |\n"));
    }
}

struct str config_reference(struct arena *arena) {
    struct buf text = {.arena = arena};
    buf_add(&text, str_from(introduction));
    buf_add(&text, str_from(rules));
    for (enum section section = 0; section < SECTION_COUNT; section++) {
        buf_fmt(&text, "\n## %.*s\n\n", STR_ARG(section_title(arena, section)));
        buf_add(&text, STR("| key | takes | default | change | meaning |\n| --- | --- | --- | --- | --- |\n"));
        for (const struct key *key = NULL; (key = key_next(section, key));) add_row(&text, key);
    }
    add_codes(&text);
    return buf_str(&text);
}

/* ---- the manual page ---- */

static void add_rules(struct buf *text) {
    struct str rest = str_from(rules), line;
    while (str_next(&rest, '\n', &line)) {
        bool begins = str_starts(line, STR("- "));
        if (begins) buf_add(text, STR(".IP \\(bu 2\n"));
        roff_words(text, begins ? str_sub(line, 2, SIZE_MAX) : str_trim(line));
        if (line.n) buf_byte(text, '\n');
    }
}

static void add_key(struct buf *text, const struct key *key) {
    bool value = key->fallback && *key->fallback && strcmp(key->fallback, "{}") != 0;
    roff_item(text, key->name, STR(""));
    roff_words(text, str_from(key->help));
    buf_add(text, STR("\nTakes "));
    roff_words(text, takes_text(text->arena, key));
    if (!key->fallback) buf_add(text, STR("; it must be there"));
    if (value) buf_add(text, STR("; default "));
    if (value) roff_code(text, str_from(key->fallback));
    buf_add(text, key->restart ? STR("; a change takes a restart.\n") : STR(".\n"));
}

struct str config_manual(struct arena *arena) {
    struct buf text = {.arena = arena};
    buf_add(&text, STR(".TH DRUMBEAT.YAML 5 \"\" \"drumbeat " DRUMBEAT_VERSION "\"\n"
                       ".SH NAME\n"
                       "drumbeat.yaml \\- configuration of drumbeat\n"
                       ".SH DESCRIPTION\n"));
    roff_words(&text, STR("`drumbeat check` finds every mistake of this file at once, each with its line and column. "
                          "`drumbeat explain KEY` and `drumbeat explain CODE` print the entries below.\n"));
    add_rules(&text);
    for (enum section section = 0; section < SECTION_COUNT; section++) {
        const char *path = section_row(section)->path;
        roff_request(&text, ".SH", *path ? str_from(path) : STR("TOP LEVEL"));
        for (const struct key *key = NULL; (key = key_next(section, key));) add_key(&text, key);
    }
    buf_add(&text, STR(".SH CODES OF FINDINGS\n"));
    for (enum code code = 0; code < CODE_COUNT; code++) {
        roff_item(&text, str_from(code_text(code)), STR(""));
        roff_words(&text, code_explain(str_from(code_text(code))));
        buf_byte(&text, '\n');
    }
    buf_add(&text, STR(".SH SEE ALSO\n.BR drumbeat (1)\n"));
    return buf_str(&text);
}
