/* ingest/multipart.c - see multipart.h. */
#include "ingest/multipart.h"

#include <string.h>

#define BOUNDARY_MAX     70 /* RFC 2046, 5.1.1 */
#define PART_HEADERS_MAX 16

static const struct str line_end = {"\r\n", 2};

/* Where a text begins in another; SIZE_MAX: nowhere. */
static size_t find(struct str text, struct str part) {
    const char *at = text.n ? memmem(text.p, text.n, part.p, part.n) : NULL;
    return at ? (size_t)(at - text.p) : SIZE_MAX;
}

/* Takes a text off the front. */
static bool skip(struct str *rest, struct str text) {
    if (!str_starts(*rest, text)) return false;
    *rest = str_sub(*rest, text.n, rest->n);
    return true;
}

/* The value of a parameter of a header, a token or in quotes; false: it has none of this name. A ';' in quotes parts
 * nothing. What stands in quotes ends at the next quote: browsers write %22 for one inside. */
static bool parameter(struct str value, struct str name, struct str *ret_value) {
    size_t at = str_find(value, ';');
    while (at != SIZE_MAX && at < value.n) {
        struct str rest = str_sub(value, at + 1, value.n);
        size_t equals = str_find(rest, '=');
        if (equals == SIZE_MAX) return false;
        struct str own = str_trim(str_sub(rest, 0, equals));
        struct str text = str_trim(str_sub(rest, equals + 1, rest.n));
        bool quoted = skip(&text, STR("\""));
        size_t end = str_find(text, quoted ? '"' : ';');
        if (quoted && end == SIZE_MAX) return false;
        struct str found = str_sub(text, 0, end);
        if (str_eq_nocase(own, name)) {
            *ret_value = quoted ? found : str_trim(found);
            return true;
        }
        text = str_sub(text, found.n, text.n);
        size_t next = str_find(text, ';');
        if (next == SIZE_MAX) return false;
        at = (size_t)(text.p - value.p) + next;
    }
    return false;
}

static bool is_boundary(struct str text) {
    static const char others[] = "'()+_,-./:=? ";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (!c || !strchr(others, c))) return false;
    }
    return text.n > 0 && text.n <= BOUNDARY_MAX && text.p[text.n - 1] != ' ';
}

/* The three escapes that browsers write in names. */
static struct str unescape(struct str text, struct arena *arena) {
    static const struct {
        const char *code;
        char byte;
    } escapes[] = {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
    struct buf out = {.arena = arena};
    while (text.n) {
        size_t i = 0;
        while (i < 3 && !skip(&text, str_from(escapes[i].code))) i++;
        if (i < 3) {
            buf_byte(&out, escapes[i].byte);
            continue;
        }
        buf_byte(&out, text.p[0]);
        text = str_sub(text, 1, text.n);
    }
    return buf_str(&out);
}

struct piece {
    struct str name, value;
    bool is_file;
};

/* Takes the lines before a part's content off the front of the rest. */
static const char *read_head(struct str *rest, struct arena *arena, struct piece *part) {
    bool named = false;
    for (size_t count = 0; !skip(rest, line_end); count++) {
        size_t end = find(*rest, line_end);
        if (end == SIZE_MAX) return "a part of the body ends within its headers";
        if (count == PART_HEADERS_MAX) return "a part of the body has too many headers";
        struct str line = str_sub(*rest, 0, end), name, value, filename;
        size_t colon = str_find(line, ':');
        *rest = str_sub(*rest, end + 2, rest->n);
        name = str_sub(line, 0, colon);
        value = colon == SIZE_MAX ? STR("") : str_trim(str_sub(line, colon + 1, line.n));
        if (colon == SIZE_MAX) return "a part of the body has a line that is no header";
        if (str_eq_nocase(name, STR("Content-Transfer-Encoding")) && !str_eq_nocase(value, STR("binary")) &&
            !str_eq_nocase(value, STR("8bit")) && !str_eq_nocase(value, STR("7bit")))
            return "Content-Transfer-Encoding is not taken; send parts as they are";
        if (!str_eq_nocase(name, STR("Content-Disposition"))) continue;
        if (!str_eq_nocase(str_trim(str_sub(value, 0, str_find(value, ';'))), STR("form-data")))
            return "a part of the body is no form-data";
        if (named || !parameter(value, STR("name"), &name)) return "a part of the body has no name, or two";
        part->name = unescape(name, arena);
        part->is_file = parameter(value, STR("filename"), &filename) || parameter(value, STR("filename*"), &filename);
        named = true;
    }
    return named ? NULL : "a part of the body has no name";
}

static bool refuse(struct str *ret_problem, const char *words) {
    *ret_problem = str_from(words);
    return false;
}

bool multipart_read(struct str content_type, struct str body, struct arena *arena, struct form *ret_form,
                    struct str *ret_file, struct str *ret_problem) {
    struct str boundary, rest = body;
    struct form form = {.members = arena_array(arena, struct form_member, FORM_MEMBERS_MAX)};
    *ret_file = STR("");
    if (!parameter(content_type, STR("boundary"), &boundary) || !is_boundary(boundary))
        return refuse(ret_problem, "Content-Type names no boundary");
    struct str border = str_fmt(arena, "\r\n--%.*s", STR_ARG(boundary));
    if (!skip(&rest, str_sub(border, 2, border.n)))
        return refuse(ret_problem, "the body does not begin with its boundary");
    while (!skip(&rest, STR("--"))) {
        struct piece part = {0};
        if (!skip(&rest, line_end)) return refuse(ret_problem, "a boundary in the body is not followed by a new line");
        const char *problem = read_head(&rest, arena, &part);
        if (problem) return refuse(ret_problem, problem);
        size_t end = find(rest, border);
        if (end == SIZE_MAX) return refuse(ret_problem, "the last part of the body does not end");
        part.value = str_sub(rest, 0, end);
        rest = str_sub(rest, end + border.n, rest.n);
        if (part.is_file && !part.value.n) continue; /* nothing was chosen */
        if (!str_is_utf8(part.name) || (!part.is_file && !str_is_utf8(part.value)))
            return refuse(ret_problem, "a form's names and values must be UTF-8");
        if (part.is_file) {
            *ret_file = part.name;
            return refuse(ret_problem, "files are not taken");
        }
        if (form.count == FORM_MEMBERS_MAX) return refuse(ret_problem, "a form may have 1000 members");
        form.members[form.count++] = (struct form_member){part.name, part.value};
    }
    if (rest.n && !str_eq(rest, line_end))
        return refuse(ret_problem, "something stands behind the body's last boundary");
    *ret_form = form;
    return true;
}
