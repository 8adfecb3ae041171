/* connect/text.c - see text.h. */
#include "connect/text.h"

#include "connect/reader.h"
#include "connect/value.h"

#define REF_TEXT_MAX 256

static const struct ref_word {
    const char *word;
    unsigned scopes;
} ref_words[REF_COUNT] = {
#define REF_ROW(name, word, scopes) {word, scopes},
    REF_LIST(REF_ROW)
#undef REF_ROW
};

/* ---- reading ---- */

/* One text with references, as it is read. */
struct text_scan {
    struct document_reader *reader;
    const struct tree *tree;
    enum scope scope;
};

static bool is_word(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '-'))) return false;
    }
    return text.n > 0;
}

static bool split_path(struct str path, struct ref *ref) {
    struct str name;
    if (path.n && path.p[path.n - 1] == '.') return false;
    while (str_next(&path, '.', &name)) {
        if (ref->path_count == REF_PATH_MAX || !is_word(name)) return false;
        ref->path[ref->path_count++] = name;
    }
    return true;
}

static void complain_unknown(const struct text_scan *scan, const char *what, struct str name,
                             const struct catalog_name *names, size_t count) {
    struct arena *arena = scan->reader->arena;
    struct str *words = arena_array(arena, struct str, count);
    for (size_t i = 0; i < count; i++) words[i] = names[i].name;
    struct str suggestion = reader_suggestion(arena, name, words, count);
    reader_complain(scan->reader, scan->tree, scan->tree->mark, CODE_CONNECT_REFERENCE, "there is no %s '%.*s'%.*s",
                    what, STR_ARG(name), STR_ARG(suggestion));
}

static bool is_named(const struct catalog_name *names, size_t count, struct str name) {
    for (size_t i = 0; i < count; i++)
        if (str_eq(names[i].name, name)) return true;
    return false;
}

/* What follows the word of a PARAM or FIELD must be declared. */
static bool check_name(const struct text_scan *scan, const struct ref *ref) {
    const struct catalog_action *action = scan->reader->action;
    const struct catalog_entry *entry = scan->reader->entry;
    struct str name = ref->path[0];
    if (!ref->path_count) return true;
    if (ref->kind == REF_PARAM && !is_named(action->params, action->param_count, name)) {
        complain_unknown(scan, "parameter", name, action->params, action->param_count);
        return false;
    }
    if (ref->kind == REF_FIELD && !is_named(entry->fields, entry->field_count, name)) {
        complain_unknown(scan, "field", name, entry->fields, entry->field_count);
        return false;
    }
    return true;
}

static enum ref_kind ref_find(struct str text) {
    for (size_t i = 0; i < REF_COUNT; i++) {
        struct str word = str_from(ref_words[i].word);
        bool goes_on = i == REF_PARAM || i == REF_FIELD;
        if (goes_on ? str_starts(text, word) : str_eq(text, word)) return (enum ref_kind)i;
    }
    return REF_COUNT;
}

static bool refuse(const struct text_scan *scan, struct str text, const char *why) {
    reader_complain(scan->reader, scan->tree, scan->tree->mark, CODE_CONNECT_REFERENCE, "'%.*s' %s", STR_ARG(text),
                    why);
    return false;
}

static bool read_referred(const struct text_scan *scan, struct str text, struct ref *ref) {
    ref->kind = ref_find(text);
    if (ref->kind == REF_COUNT)
        return refuse(scan, text,
                      "is nothing that can be referred to: .param field.NAME key delivery.id delivery.tid "
                      "delivery.sent_at event.id event.type event.key event.source event.created_at items "
                      "item.index token token.refresh jwt now login.code login.verifier login.state login.redirect");
    if (!(ref_words[ref->kind].scopes & scan->scope)) return refuse(scan, text, "cannot be referred to at this place");
    if (ref->kind != REF_PARAM && ref->kind != REF_FIELD) return true;
    struct str path = str_sub(text, str_from(ref_words[ref->kind].word).n, text.n);
    bool fits = split_path(path, ref) && (ref->kind == REF_PARAM || ref->path_count == 1);
    return fits ? check_name(scan, ref) : refuse(scan, text, "is not a name: letters, digits, '_' and '-'");
}

/* What stands between `${` and `}`. */
static const struct ref *read_ref(const struct text_scan *scan, struct str inner) {
    struct ref *ref = arena_new(scan->reader->arena, struct ref);
    struct str piece = STR_NONE;
    if (inner.n > REF_TEXT_MAX || !str_next(&inner, '|', &piece)) {
        refuse(scan, STR("${}"), "refers to nothing");
        return NULL;
    }
    if (!read_referred(scan, str_trim(piece), ref)) return NULL;
    unsigned kinds = value_kinds(ref->kind);
    while (str_next(&inner, '|', &piece)) {
        piece = str_trim(piece);
        const char *why = ref->step_count == REF_STEPS_MAX
                              ? "is one transform too many"
                              : transform_read(piece, &kinds, &ref->steps[ref->step_count]);
        if (why) {
            refuse(scan, piece, why);
            return NULL;
        }
        ref->step_count++;
    }
    return ref;
}

/* Adds a part; false after a finding. *rest is behind it then. */
static bool take_part(const struct text_scan *scan, struct str *rest, struct text_part *part) {
    static const struct str open = {"${", 2}, escaped = {"$${", 3};
    if (str_starts(*rest, escaped)) {
        *part = (struct text_part){.text = open};
        *rest = str_sub(*rest, escaped.n, rest->n);
        return true;
    }
    if (str_starts(*rest, open)) {
        size_t end = str_find(*rest, '}');
        if (end == SIZE_MAX) return refuse(scan, *rest, "begins a reference that no '}' ends");
        *part = (struct text_part){.ref = read_ref(scan, str_sub(*rest, open.n, end - open.n))};
        *rest = str_sub(*rest, end + 1, rest->n);
        return part->ref != NULL;
    }
    size_t end = 1;
    while (end < rest->n && !str_starts(str_sub(*rest, end, rest->n), open) &&
           !str_starts(str_sub(*rest, end, rest->n), escaped))
        end++;
    *part = (struct text_part){.text = str_sub(*rest, 0, end)};
    *rest = str_sub(*rest, end, rest->n);
    return true;
}

void text_read(struct document_reader *reader, const struct tree *tree, enum scope scope, struct text *ret_text) {
    const struct text_scan scan = {reader, tree, scope};
    struct str rest = tree->text;
    size_t room = 2;
    for (size_t i = 0; i + 1 < rest.n; i++) room += rest.p[i] == '$' ? 2 : 0;
    struct text text = {.parts = arena_array(reader->arena, struct text_part, room)};
    while (rest.n && take_part(&scan, &rest, &text.parts[text.count])) text.count++;
    text.whole = text.count == 1 && text.parts[0].ref;
    *ret_text = text;
}

bool text_uses(const struct text *text, enum ref_kind kind) {
    for (size_t i = 0; i < text->count; i++)
        if (text->parts[i].ref && text->parts[i].ref->kind == kind) return true;
    return false;
}

struct str text_field(const struct text *text) {
    for (size_t i = 0; i < text->count; i++)
        if (text->parts[i].ref && text->parts[i].ref->kind == REF_FIELD) return text->parts[i].ref->path[0];
    return STR_NONE;
}

/* ---- filling ---- */

static enum err part_fill(struct fill *fill, const struct text_part *part, struct buf *buf) {
    struct value value;
    struct str text = part->text;
    if (part->ref) {
        TRY(value_of(fill, part->ref, &value));
        TRY(value_text(fill, part->ref, &value, &text));
    }
    buf_add(buf, text);
    return ERR_NONE;
}

enum err text_fill(struct fill *fill, const struct text *text, struct str *ret_text, bool *ret_missing) {
    struct buf buf = {.arena = fill->context->arena};
    bool missing = false;
    if (text->whole) {
        struct value value;
        TRY(value_of(fill, text->parts[0].ref, &value));
        missing = value.kind == VALUE_NONE;
    }
    for (size_t i = 0; i < text->count && !missing; i++) TRY(part_fill(fill, &text->parts[i], &buf));
    *ret_missing = missing;
    *ret_text = buf_str(&buf);
    return ERR_NONE;
}
