/* config/expand.c - ${NAME} in the texts of a configuration; see check.h.
 *
 * Values are put in after the YAML was read, into one scalar each, so a value
 * can never become a key or a second value. It is never read again: a value
 * that holds '${' stays as it is.
 */
#include "config/section.h"

#include <string.h>

enum reference { REFERENCE_NONE, REFERENCE_SECRET, REFERENCE_EVENT, REFERENCE_ESCAPE, REFERENCE_BROKEN };

static bool is_secret_name(struct str name) {
    if (!name.n || name.p[0] < 'A' || name.p[0] > 'Z') return false;
    for (size_t i = 0; i < name.n; i++)
        if (!name.p[i] || !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", name.p[i])) return false;
    return true;
}

static enum reference reference_kind(struct str name) {
    if (is_secret_name(name)) return REFERENCE_SECRET;
    return name.n && (name.p[0] == '.' || name.p[0] == '$') ? REFERENCE_EVENT : REFERENCE_BROKEN;
}

/* Takes everything up to the end of the next reference off *rest. ret_before: what stands before it. */
static enum reference next_reference(struct str *rest, struct str *ret_before, struct str *ret_name) {
    const char *open = rest->n ? memmem(rest->p, rest->n, "${", 2) : NULL;
    *ret_before = *rest;
    *ret_name = STR_NONE;
    if (!open) {
        *rest = STR_NONE;
        return REFERENCE_NONE;
    }
    size_t at = (size_t)(open - rest->p);
    bool escaped = at && rest->p[at - 1] == '$';
    *ret_before = str_sub(*rest, 0, escaped ? at - 1 : at);
    *rest = str_sub(*rest, at + 2, rest->n);
    if (escaped) return REFERENCE_ESCAPE;
    size_t close = str_find(*rest, '}');
    if (close == SIZE_MAX) return REFERENCE_BROKEN;
    *ret_name = str_sub(*rest, 0, close);
    *rest = str_sub(*rest, close + 1, rest->n);
    return reference_kind(*ret_name);
}

static void refuse_reference(struct checker *checker, struct str subject, struct tree_mark mark, enum reference kind,
                             struct str name) {
    struct str shown = check_shown(checker, name), places = section_secret_places(checker->arena);
    if (kind == REFERENCE_EVENT)
        check_report(checker, mark, CODE_EVENT_PLACE,
                     "%.*s cannot take a value of the event: ${.field} is for the content of a route's deliveries",
                     STR_ARG(subject));
    else if (kind == REFERENCE_SECRET)
        check_report(checker, mark, CODE_SECRET_PLACE, "%.*s takes no secret: ${%.*s} is allowed under %.*s",
                     STR_ARG(subject), STR_ARG(name), STR_ARG(places));
    else if (!name.p)
        check_report(checker, mark, CODE_REFERENCE, "%.*s has a '${' without its '}'; write '$${' for the characters",
                     STR_ARG(subject));
    else
        check_report(checker, mark, CODE_REFERENCE,
                     "%.*s: '${%.*s}' is no secret's name, which is of capitals, digits and _; write '$${' for the "
                     "characters",
                     STR_ARG(subject), STR_ARG(shown));
}

bool expand_lookup(struct checker *checker, struct str name, struct str *ret_value, struct str *ret_note) {
    const struct secret_source *source = checker->secrets;
    return source && source->lookup(source->self, name, checker->arena, ret_value, ret_note);
}

/* Asks for a secret once, however often it is named. */
static bool secret_value(struct checker *checker, struct str subject, struct tree_mark mark, struct str name,
                         struct str *ret_value) {
    struct str *known = map_get(&checker->looked_up, name);
    if (known) {
        *ret_value = *known;
        return true;
    }
    struct str value = STR_NONE, note = STR_NONE;
    if (!expand_lookup(checker, name, &value, &note)) {
        check_report(checker, mark, CODE_SECRET_MISSING, "%.*s: the secret %.*s was not found%s%.*s", STR_ARG(subject),
                     STR_ARG(name), note.n ? ": " : "", STR_ARG(note));
        return false;
    }
    if (note.n)
        check_report(checker, mark, CODE_SECRET_OPEN, "%.*s: the secret %.*s comes %.*s", STR_ARG(subject),
                     STR_ARG(name), STR_ARG(note));
    map_set(&checker->looked_up, name, arena_copy(checker->arena, &value, sizeof value));
    *ret_value = value;
    return true;
}

/* "$TOKEN", also behind a scheme as in "Bearer $TOKEN": a shell would take it for a reference. */
static bool forgets_braces(struct str text, struct str *ret_name) {
    size_t dollar = str_find(text, '$');
    if (dollar == SIZE_MAX || (dollar && text.p[dollar - 1] != ' ')) return false;
    struct str name = str_trim(str_sub(text, dollar + 1, text.n));
    *ret_name = name;
    return is_secret_name(name);
}

bool expand_secrets(struct checker *checker, struct str subject, const struct tree *value, struct str *ret_text) {
    struct buf text = {.arena = checker->arena};
    struct str rest = value->text, before, name, secret;
    bool fine = true;
    if (forgets_braces(rest, &name)) {
        check_report(checker, value->mark, CODE_REFERENCE, "%.*s: a secret is written with braces: ${%.*s}",
                     STR_ARG(subject), STR_ARG(name));
        return false;
    }
    while (rest.n) {
        enum reference kind = next_reference(&rest, &before, &name);
        buf_add(&text, before);
        if (kind == REFERENCE_ESCAPE) {
            buf_add(&text, STR("${"));
        } else if (kind == REFERENCE_SECRET) {
            if (secret_value(checker, subject, value->mark, name, &secret))
                buf_add(&text, secret);
            else
                fine = false;
        } else if (kind != REFERENCE_NONE) {
            refuse_reference(checker, subject, value->mark, kind, name);
            fine = false;
        }
    }
    if (fine) *ret_text = buf_str(&text);
    return fine;
}

bool expand_refuse(struct checker *checker, struct str subject, const struct tree *value) {
    struct str rest = value->text, before, name;
    while (rest.n) {
        enum reference kind = next_reference(&rest, &before, &name);
        if (kind == REFERENCE_NONE || kind == REFERENCE_ESCAPE) continue;
        refuse_reference(checker, subject, value->mark, kind, name);
        return false;
    }
    return true;
}

static bool looks_like_token(struct str text) {
    static const char *const prefixes[] = {"sk_",  "rk_",  "xoxb-",       "xoxp-",  "xoxa-", "xapp-", "pat-",
                                           "key-", "ghp_", "github_pat_", "glpat-", "SG.",   "AKIA",  "shpat_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (str_starts(text, str_from(prefixes[i])) && text.n > strlen(prefixes[i])) return true;
    return false;
}

void expand_refuse_literal(struct checker *checker, struct str subject, const struct tree *value) {
    struct str text = value->text;
    size_t blank = str_find(text, ' ');
    /* "Bearer sk_..." */
    if (blank != SIZE_MAX) text = str_trim(str_sub(text, blank, text.n));
    if (!looks_like_token(text) && !looks_like_token(value->text)) return;
    check_report(checker, value->mark, CODE_LITERAL_SECRET,
                 "%.*s holds a token in plain text: write ${NAME} and keep the value outside this file",
                 STR_ARG(subject));
}

bool expand_refuse_plain(struct checker *checker, struct str subject, const struct tree *value) {
    struct str rest = value->text, before, name;
    while (rest.n)
        if (next_reference(&rest, &before, &name) == REFERENCE_SECRET) return true;
    check_report(checker, value->mark, CODE_LITERAL_SECRET,
                 "%.*s is a secret in plain text: write ${NAME} and keep the value outside this file",
                 STR_ARG(subject));
    return false;
}
