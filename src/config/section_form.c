/* config/section_form.c - a source that people fill in; see section_source.h. */
#include "config/section_source.h"

#include "base/address.h"
#include "model/event.h"

#define FIELDS_MAX     100
#define FIELD_NAME_MAX 40

/* ---- fields ---- */

/* '_' begins the page's own fields. */
static bool is_field_name(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        if (!letter && !(i && other)) return false;
    }
    return name.n > 0 && name.n <= FIELD_NAME_MAX;
}

/* What stands behind a field's name: required, optional, or a map of keys. */
static void read_field(struct checker *checker, const struct tree *value, struct form_field *field) {
    struct str where = checker->where;
    struct str subject = str_fmt(checker->arena, "field '%.*s'%.*s", STR_ARG(field->name), STR_ARG(where));
    struct tree nothing = {.kind = TREE_MAP, .mark = value->mark, .file = value->file};
    bool is_word = value->kind == TREE_SCALAR, required = is_word && str_eq(value->text, STR("required"));
    if (is_word && !required && !str_eq(value->text, STR("optional")))
        check_report(checker, value->mark, CODE_VALUE, "%.*s is required, optional, or a map of keys",
                     STR_ARG(subject));
    const struct tree *map = check_is_map(checker, subject, is_word ? &nothing : value, value->mark);
    if (!map) return;
    checker->where = str_fmt(checker->arena, " in %.*s", STR_ARG(subject));
    check_known(checker, SECTION_FIELD, map, field);
    check_unknown(checker, SECTION_FIELD, map);
    field->required |= required;
    if (!field->kind) field->kind = str_eq(field->name, STR("email")) ? FORM_EMAIL : FORM_TEXT;
    if ((field->kind == FORM_CHOICE) != (field->choices.count > 0))
        check_report(checker, field->mark, field->choices.count ? CODE_VALUE : CODE_MISSING,
                     field->choices.count ? "'choices'%.*s are for kind choice" : "'choices' are missing%.*s",
                     STR_ARG(checker->where));
    checker->where = where;
}

void check_fields(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct form_settings *form = owner;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    if (map->count > FIELDS_MAX) {
        check_report(checker, value->mark, CODE_BOUNDS, "a form has at most %d fields", FIELDS_MAX);
        return;
    }
    form->fields = arena_array(checker->arena, struct form_field, map->count);
    for (size_t i = 0; i < map->count; i++) {
        struct form_field *field = &form->fields[form->field_count++];
        *field = (struct form_field){.name = map->names[i], .mark = map->name_marks[i]};
        if (!is_field_name(field->name)) {
            struct str shown = check_shown(checker, field->name);
            check_report(checker, field->mark, CODE_NAME,
                         "'%.*s' is no name for a field: letters, digits, '_', '-' and '.', a letter first, at most %d",
                         STR_ARG(shown), FIELD_NAME_MAX);
        }
        read_field(checker, map->items[i], field);
    }
}

/* ---- the form ---- */

/* Members of the payload that are no fields (ingest/submission.h). A field may be called utm_source: it is kept under
 * utm as well. */
static bool is_taken(const struct form_settings *form, struct str name) {
    return str_eq(name, STR("utm")) || str_eq(name, STR("form")) || (form->consent.n && str_eq(name, STR("consent")));
}

/* An origin as browsers send it: scheme and host, with no path behind. */
static bool is_origin(struct str text) {
    struct str host;
    bool is_private;
    const char *reason;
    size_t slashes = 0;
    for (size_t i = 0; i < text.n; i++) slashes += text.p[i] == '/';
    return slashes == 2 && url_check(text, &host, &is_private, &reason) && str_find(text, '?') == SIZE_MAX &&
           str_find(text, '#') == SIZE_MAX;
}

/* Each form that is filled in would be refused. */
static bool is_declared(const struct settings *settings, struct str type) {
    for (size_t i = 0; i < settings->type_count; i++)
        if (str_eq(settings->types[i], type)) return true;
    return settings->type_count == 0;
}

void check_form(struct checker *checker, const struct tree *map, struct source_settings *source) {
    struct form_settings *form = &source->form;
    struct str host;
    bool is_private;
    const char *reason = NULL;
    if (!form->event.n) form->event = str_fmt(checker->arena, "%.*s.submitted", STR_ARG(source->name));
    if (!event_type_valid(form->event))
        check_report(checker, check_key_mark(map, STR("event")), CODE_VALUE,
                     "'event'%.*s takes an event type such as LEAD_CAPTURE", STR_ARG(checker->where));
    else if (!is_declared(checker->settings, form->event))
        check_report(checker, tree_get(map, STR("event")) ? check_key_mark(map, STR("event")) : source->mark,
                     CODE_UNDECLARED, "the event type '%.*s'%.*s is not declared in 'types'", STR_ARG(form->event),
                     STR_ARG(checker->where));
    if (form->thanks.n && !url_check(form->thanks, &host, &is_private, &reason))
        check_report(checker, check_key_mark(map, STR("thanks")), CODE_URL, "'thanks'%.*s is no page: %s",
                     STR_ARG(checker->where), reason);
    for (size_t i = 0; i < form->origins.count; i++)
        if (!is_origin(form->origins.items[i]))
            check_report(checker, check_key_mark(map, STR("origins")), CODE_VALUE,
                         "'origins'%.*s takes sites such as https://www.example.com, without a path",
                         STR_ARG(checker->where));
    for (size_t i = 0; i < form->field_count; i++)
        if (is_taken(form, form->fields[i].name))
            check_report(checker, form->fields[i].mark, CODE_NAME,
                         "'%.*s' is what the event has of its own%.*s: give the field another name",
                         STR_ARG(form->fields[i].name), STR_ARG(checker->where));
}

/* ---- what a reload changes ---- */

static const struct form_field *field_find(const struct form_settings *form, struct str name) {
    for (size_t i = 0; i < form->field_count; i++)
        if (str_eq(form->fields[i].name, name)) return &form->fields[i];
    return NULL;
}

void diff_fields(struct diff *diff, const struct key *key, struct str subject, const void *was, const void *is) {
    const struct form_settings *before = was, *after = is;
    (void)key;
    for (size_t i = 0; i < after->field_count; i++) {
        const struct form_field *new = &after->fields[i], *old = field_find(before, new->name);
        if (old)
            diff_section(diff, SECTION_FIELD,
                         str_fmt(diff->arena, "%.*sfield %.*s: ", STR_ARG(subject), STR_ARG(new->name)), old, new);
        else
            diff_add(diff, "%.*sfield %.*s added", STR_ARG(subject), STR_ARG(new->name));
    }
    for (size_t i = 0; i < before->field_count; i++)
        if (!field_find(after, before->fields[i].name))
            diff_add(diff, "%.*sfield %.*s removed", STR_ARG(subject), STR_ARG(before->fields[i].name));
}
