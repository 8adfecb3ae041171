/* base/json_read.c - a text becomes a document in one pass; see json.h.
 *
 * The text is copied once, into the document's arena, with a NUL behind it.
 * Strings and names are slices of that copy: a NUL takes the place of their
 * closing quote, and escapes are read in place, because what they stand for is
 * never longer than they are. No byte of a JSON text outside of strings can be
 * NUL, so the NUL at the end stops every loop.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_node.h"

#define EXACT_DIGITS 15 /* so many decimal digits are an integer that a double holds */
#define NEAR_BYTES   20 /* of the text, in an error */

struct reader {
    struct str text; /* as it was given: for errors */
    char *start, *at;
    size_t depth, level;
    struct arena *arena;
    struct json_error *error;
};

/* ---- errors ---- */

static void locate(struct json_error *error, struct str text, size_t offset) {
    error->offset = offset;
    error->line = 1;
    error->column = 1;
    for (size_t at = 0; at < offset; at++) {
        bool line_end = text.p[at] == '\n';
        error->line += line_end;
        error->column = line_end ? 1 : error->column + 1;
    }
}

/* The word or number at this place as far as it goes, else one byte: what an error shows. */
static struct str near_text(struct str text, size_t offset) {
    size_t end = offset;
    while (end < text.n && end - offset < NEAR_BYTES && text.p[end] > ' ' && text.p[end] < 0x7f &&
           str_find(STR("{}[],:\""), text.p[end]) == SIZE_MAX)
        end++;
    return str_sub(text, offset, end > offset ? end - offset : 1);
}

/* Always NULL, which is how the functions below tell of a failure. */
static void *fail(struct reader *reader, const char *at, const char *words) {
    struct json_error *error = reader->error;
    size_t offset = (size_t)(at - reader->start);
    locate(error, reader->text, offset);
    struct str near = near_text(reader->text, offset);
    if (offset == reader->text.n)
        snprintf(error->text, sizeof error->text, "%s at the end of the text", words);
    else if (near.p[0] >= ' ' && near.p[0] < 0x7f)
        snprintf(error->text, sizeof error->text, "%s near '%.*s'", words, STR_ARG(near));
    else
        snprintf(error->text, sizeof error->text, "%s near byte 0x%02x", words, (uint8_t)near.p[0]);
    return NULL;
}

static void *fail_deep(struct reader *reader) {
    locate(reader->error, reader->text, (size_t)(reader->at - reader->start));
    snprintf(reader->error->text, sizeof reader->error->text, "nested deeper than %zu levels", reader->depth);
    return NULL;
}

/* ---- texts ---- */

/* What a string may have as it is, one byte each. */
static const bool plain[256] = {[' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... 0x7f] = true};

/* Moves one character that is not plain, an escape or a UTF-8 sequence, to `to`. Gives its length there, or 0. */
static size_t read_special(struct reader *reader, char *to) {
    size_t offset = (size_t)(reader->at - reader->start);
    struct str raw = {reader->start, reader->text.n};
    char bytes[4];
    if (*reader->at == '\\') {
        size_t length = json_unescape(raw, &offset, bytes);
        if (!length) {
            fail(reader, reader->at, "invalid escape");
            return 0;
        }
        memcpy(to, bytes, length);
        reader->at = reader->start + offset;
        return length;
    }
    size_t length = (uint8_t)*reader->at >= 0x80 ? str_utf8_length(raw, offset) : 0;
    if (!length) {
        fail(reader, reader->at, offset == raw.n ? "a string without its closing quote" : "invalid byte in a string");
        return 0;
    }
    memmove(to, reader->at, length);
    reader->at += length;
    return length;
}

/* The string that begins here. */
static bool read_text(struct reader *reader, struct str *ret_text) {
    char *from = ++reader->at, *to = from;
    for (;;) {
        char *run = reader->at;
        while (plain[(uint8_t)*reader->at]) reader->at++;
        size_t length = (size_t)(reader->at - run);
        if (to != run) memmove(to, run, length);
        to += length;
        if (*reader->at == '"') break;
        length = read_special(reader, to);
        if (!length) return false;
        to += length;
    }
    reader->at++;
    *to = '\0';
    *ret_text = (struct str){from, (size_t)(to - from)};
    return true;
}

/* ---- values ---- */

static struct json *read_value(struct reader *reader);

static struct json *new_node(struct reader *reader, enum json_type type) {
    struct json *node = arena_new(reader->arena, struct json);
    node->type = (uint8_t)type;
    return node;
}

static void skip_blanks(struct reader *reader) {
    while (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t') reader->at++;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static struct json *read_string(struct reader *reader) {
    struct str text;
    if (!read_text(reader, &text)) return NULL;
    struct json *node = new_node(reader, JSON_STRING);
    node->text = text;
    return node;
}

static bool skip_digits(char **at) {
    if (!is_digit(**at)) return false;
    while (is_digit(**at)) ++*at;
    return true;
}

/* The place behind the number that begins here, or NULL. *ret_integer: it has neither fraction nor exponent. */
static char *number_end(struct reader *reader, bool *ret_integer) {
    char *at = reader->at + (*reader->at == '-');
    if (*at == '0')
        at++;
    else if (!skip_digits(&at))
        return fail(reader, reader->at, "unexpected token");
    *ret_integer = *at != '.' && *at != 'e' && *at != 'E';
    if (*at == '.' && (at++, !skip_digits(&at))) return fail(reader, at, "a digit is missing");
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        if (!skip_digits(&at)) return fail(reader, at, "a digit is missing");
    }
    return at;
}

/* Whether an integer's digits are others than those of the double that was read from it. Both are compared without
 * their trailing zeros, which the double may write as an exponent. */
static bool loses_digits(struct reader *reader, const char *from, const char *end, double value) {
    struct buf buf = {.arena = reader->arena};
    size_t digits = 0;
    json_write_number(&buf, value);
    struct str shown = buf_str(&buf);
    while (end > from && end[-1] == '0') end--;
    for (size_t i = 0; i < shown.n && shown.p[i] != 'e'; i++) {
        if (shown.p[i] == '.') continue;
        bool behind = from + digits >= end;
        if (behind ? shown.p[i] != '0' : shown.p[i] != from[digits]) return true;
        digits++;
    }
    return from + digits < end;
}

static struct json *read_number(struct reader *reader) {
    char *from = reader->at;
    bool integer = false, negative = *from == '-';
    char *end = number_end(reader, &integer), *stopped = end;
    if (!end) return NULL;
    double value = 0;
    if (integer && end - from <= EXACT_DIGITS) {
        int64_t digits = 0;
        for (const char *at = from + negative; at < end; at++) digits = digits * 10 + (*at - '0');
        value = (double)(negative ? -digits : digits);
    } else {
        value = strtod(from, &stopped);
    }
    assert(stopped == end); /* the number's grammar is strtod's too, and the locale is C */
    if (!isfinite(value)) return fail(reader, from, "number overflow");
    reader->at = end;
    struct json *node = new_node(reader, JSON_NUMBER);
    node->number = value;
    if (integer && end - from > EXACT_DIGITS && loses_digits(reader, from, end, value)) node->digits = from;
    return node;
}

static struct json *read_word(struct reader *reader) {
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i].word);
        if (strncmp(reader->at, words[i].word, length) != 0) continue;
        reader->at += length;
        return new_node(reader, words[i].type);
    }
    return fail(reader, reader->at, "unexpected token");
}

/* ---- lists ---- */

/* The children of one object or array as they come. */
struct children {
    struct json *first, **last;
    size_t count;
};

static void list_add(struct children *list, struct json *child) {
    *list->last = child;
    list->last = &child->next;
    list->count++;
}

static bool enter(struct reader *reader) {
    if (reader->level == reader->depth) {
        fail_deep(reader);
        return false;
    }
    reader->level++;
    reader->at++;
    skip_blanks(reader);
    return true;
}

/* Stands behind a child: true when another one follows; false when the list is over or an error was found. */
static bool goes_on(struct reader *reader, char closing, bool *ret_failed) {
    skip_blanks(reader);
    if (*reader->at == ',') {
        reader->at++;
        skip_blanks(reader);
        return true;
    }
    *ret_failed = *reader->at != closing;
    if (*ret_failed) fail(reader, reader->at, closing == '}' ? "',' or '}' is missing" : "',' or ']' is missing");
    return false;
}

static struct json *leave(struct reader *reader, enum json_type type, const struct children *list) {
    struct json *node = new_node(reader, type);
    bool sorted = type == JSON_OBJECT && list->count > JSON_FEW;
    reader->level--;
    reader->at++;
    if (list->count == 0) return node;
    node->children.all = arena_array(reader->arena, struct json *, list->count * (sorted ? 2 : 1));
    for (struct json *child = list->first; child; child = child->next) node->children.all[node->size++] = child;
    return node;
}

static struct json *read_array(struct reader *reader) {
    struct children list = {.last = &list.first};
    bool failed = false;
    if (!enter(reader)) return NULL;
    if (*reader->at != ']') {
        do {
            struct json *child = read_value(reader);
            if (!child) return NULL;
            list_add(&list, child);
        } while (goes_on(reader, ']', &failed));
    }
    return failed ? NULL : leave(reader, JSON_ARRAY, &list);
}

static int member_cmp(const void *a, const void *b) {
    return json_name_cmp((*(struct json *const *)a)->name, (*(struct json *const *)b)->name);
}

/* The later of two members with one name, or NULL. An object of many members gets an index, which is used for this too.
 */
static const struct json *find_repeated(struct json *object) {
    struct json **all = object->children.all;
    size_t count = object->size;
    if (count <= JSON_FEW) {
        for (size_t i = 1; i < count; i++)
            for (size_t j = 0; j < i; j++)
                if (str_eq(all[i]->name, all[j]->name)) return all[i];
        return NULL;
    }
    struct json **index = all + count;
    memcpy(index, all, count * sizeof *all);
    qsort(index, count, sizeof *index, member_cmp);
    object->sorted = true;
    for (size_t i = 1; i < count; i++)
        if (member_cmp(&index[i - 1], &index[i]) == 0)
            return index[i]->name.p > index[i - 1]->name.p ? index[i] : index[i - 1];
    return NULL;
}

static struct json *read_member(struct reader *reader) {
    struct str name;
    if (*reader->at != '"') return fail(reader, reader->at, "unexpected token where a name is to be");
    char *from = reader->at;
    if (!read_text(reader, &name)) return NULL;
    if (str_find(name, '\0') != SIZE_MAX) return fail(reader, from, "a name with \\u0000 in it");
    skip_blanks(reader);
    if (*reader->at != ':') return fail(reader, reader->at, "':' is missing");
    reader->at++;
    skip_blanks(reader);
    struct json *child = read_value(reader);
    if (child) child->name = name;
    return child;
}

static struct json *read_object(struct reader *reader) {
    struct children list = {.last = &list.first};
    bool failed = false;
    if (!enter(reader)) return NULL;
    if (*reader->at != '}') {
        do {
            struct json *child = read_member(reader);
            if (!child) return NULL;
            list_add(&list, child);
        } while (goes_on(reader, '}', &failed));
    }
    if (failed) return NULL;
    struct json *object = leave(reader, JSON_OBJECT, &list);
    const struct json *repeated = find_repeated(object);
    return repeated ? fail(reader, repeated->name.p - 1, "duplicate name") : object;
}

static struct json *read_value(struct reader *reader) {
    char c = *reader->at;
    if (c == '"') return read_string(reader);
    if (c == '{') return read_object(reader);
    if (c == '[') return read_array(reader);
    return c == '-' || is_digit(c) ? read_number(reader) : read_word(reader);
}

static struct json *read_root(struct reader *reader) {
    skip_blanks(reader);
    struct json *root = read_value(reader);
    if (!root) return NULL;
    skip_blanks(reader);
    if ((size_t)(reader->at - reader->start) < reader->text.n)
        return fail(reader, reader->at, "unexpected token behind the value");
    return root;
}

enum err json_parse(struct str text, size_t depth, struct json **ret_root, struct json_error *error) {
    struct json_error unread = {0};
    struct arena arena = ARENA_EMPTY;
    struct json_document *document = arena_new(&arena, struct json_document);
    char *copy = arena_take(&arena, text.n + 1);
    if (text.n) memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    struct reader reader = {
        .text = text, .start = copy, .at = copy, .depth = depth, .arena = &arena, .error = error ? error : &unread};
    const struct json *root = text.n <= UINT32_MAX ? read_root(&reader) : fail(&reader, copy, "more than 4 GiB");
    if (!root) {
        arena_free(&arena);
        return ERR_BAD_JSON;
    }
    document->root = *root;
    document->root.home = HOME_ROOT;
    document->arena = arena;
    *ret_root = &document->root;
    return ERR_NONE;
}
