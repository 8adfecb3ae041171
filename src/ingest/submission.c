/* ingest/submission.c - what came is read and judged; see submission.h. */
#include "ingest/submission.h"

#include <string.h>

#include "base/address.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/multipart.h"

#define NAMES_MAX    100 /* of a form that declares no fields */
#define NAME_MAX     100 /* bytes */
#define ANYTHING_MAX 65536
#define PLACE_MAX    2000 /* bytes of an address of a page */

static enum err refused(enum err err, struct refusal *ret_refusal, struct str detail, struct str pointer) {
    *ret_refusal = (struct refusal){err, detail, pointer};
    return err;
}

/* A name that the form does not know, fit for a log and an answer: whoever sends it chooses how long it is. */
static struct str short_name(struct str name) {
    return str_head(name, NAME_MAX);
}

/* ---- what came, as members ---- */

/* The text of a value of JSON; false: it is no text. */
static bool value_text(const struct json *value, struct arena *arena, struct str *ret_text) {
    enum json_type type = json_type(value);
    if (type == JSON_ARRAY || type == JSON_OBJECT) return false;
    *ret_text = type == JSON_STRING ? str_dup(arena, json_text(value)) : json_dump(arena, value);
    return true;
}

static bool add_value(struct form *form, struct str name, const struct json *value, struct arena *arena) {
    struct str text;
    if (json_type(value) == JSON_NULL) return true; /* as if it were not there */
    if (!value_text(value, arena, &text) || form->count == FORM_MEMBERS_MAX) return false;
    form->members[form->count++] = (struct form_member){name, text};
    return true;
}

/* An object of texts, numbers and truths; a list is a name with several values. */
static enum err read_object(const struct json *root, struct arena *arena, struct form *ret_form,
                            struct refusal *ret_refusal) {
    struct form form = {.members = arena_array(arena, struct form_member, FORM_MEMBERS_MAX)};
    void *cursor = NULL;
    struct str name;
    if (json_type(root) != JSON_OBJECT)
        return refused(ERR_BAD_FIELD, ret_refusal, STR("a form is a JSON object"), STR(""));
    for (const struct json *value; (value = json_next(root, &cursor, &name));) {
        bool fine = true;
        bool is_list = json_type(value) == JSON_ARRAY;
        name = str_dup(arena, name);
        if (!is_list) fine = add_value(&form, name, value, arena);
        for (size_t i = 0; is_list && i < json_size(value); i++)
            fine = fine && add_value(&form, name, json_at(value, i), arena);
        if (fine) continue;
        struct buf pointer = {.arena = arena};
        json_point_add(&pointer, short_name(name));
        return refused(ERR_BAD_FIELD, ret_refusal, STR("a field of a form is a text, a number, or true or false"),
                       buf_str(&pointer));
    }
    *ret_form = form;
    return ERR_NONE;
}

static enum err read_json(struct str body, struct arena *arena, struct form *ret_form, struct refusal *ret_refusal) {
    struct json *root;
    struct json_error error;
    if (json_parse(body, JSON_DEPTH_MAX, &root, &error))
        return refused(ERR_BAD_JSON, ret_refusal,
                       str_fmt(arena, "line %zu, column %zu: %s", error.line, error.column, error.text), STR(""));
    enum err err = read_object(root, arena, ret_form, ret_refusal);
    json_free(root);
    return err;
}

static enum err read_members(const struct request *request, struct arena *arena, struct form *ret_form,
                             struct refusal *ret_refusal) {
    struct str value = request_header(request, STR("Content-Type")), problem, file = STR("");
    struct str media = str_trim(str_sub(value, 0, str_find(value, ';')));
    if (str_eq_nocase(media, STR("application/json"))) return read_json(request->body, arena, ret_form, ret_refusal);
    bool several = str_eq_nocase(media, STR("multipart/form-data"));
    if (!several && !str_eq_nocase(media, STR("application/x-www-form-urlencoded")))
        return refused(
            ERR_BAD_MEDIA, ret_refusal,
            STR("send application/x-www-form-urlencoded, multipart/form-data without files, or application/json"),
            STR_NONE);
    if (several ? multipart_read(value, request->body, arena, ret_form, &file, &problem)
                : form_read(request->body, arena, ret_form, &problem))
        return ERR_NONE;
    if (!file.n) return refused(ERR_BAD_REQUEST, ret_refusal, problem, STR_NONE);
    struct buf pointer = {.arena = arena};
    file = short_name(file);
    json_point_add(&pointer, file);
    return refused(ERR_BAD_MEDIA, ret_refusal,
                   str_fmt(arena, "the field '%.*s' brings a file, and files are not taken", STR_ARG(file)),
                   buf_str(&pointer));
}

/* ---- whether a value is what its field takes ---- */

static bool is_in(char c, const char *set) {
    return c && strchr(set, c);
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* As mail servers take it, and not all that RFC 5321 would allow: no quotes, no comments, no host without a dot. Bytes
 * of UTF-8 are letters (RFC 6531). */
static bool is_email(struct str text) {
    size_t at = str_find(text, '@');
    if (at == SIZE_MAX || !at || at > 64 || text.n > 254) return false;
    struct str local = str_sub(text, 0, at), host = str_sub(text, at + 1, text.n), label;
    for (size_t i = 0; i < local.n; i++) {
        char c = local.p[i];
        bool dot_alone = c == '.' && i && i + 1 < local.n && local.p[i - 1] != '.';
        if (!is_letter(c) && !(c & 0x80) && !dot_alone && !is_in(c, "!#$%&'*+/=?^_`{|}~-")) return false;
    }
    size_t labels = 0;
    bool name = false;
    if (str_ends(host, STR("."))) return false;
    while (str_next(&host, '.', &label)) {
        if (!label.n || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-') return false;
        name = false; /* of the last label: no address of digits */
        for (size_t i = 0; i < label.n; i++) {
            if (!is_letter(label.p[i]) && !(label.p[i] & 0x80) && label.p[i] != '-') return false;
            name = name || label.p[i] < '0' || label.p[i] > '9';
        }
        labels++;
    }
    return labels > 1 && name;
}

static bool is_tel(struct str text) {
    size_t digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] >= '0' && text.p[i] <= '9')
            digits++;
        else if (!is_in(text.p[i], "+-()/. "))
            return false;
    }
    return digits >= 3 && digits <= 20;
}

static bool is_url(struct str text) {
    struct str host;
    bool is_private;
    const char *reason;
    return url_check(text, &host, &is_private, &reason);
}

static bool is_number(struct str text) {
    double value;
    return str_to_double(text, &value);
}

/* Lines and tabs are text; no keyboard makes the others, and stores refuse some of them. */
static bool has_control(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if (((unsigned char)text.p[i] < ' ' && !is_in(text.p[i], "\n\t")) || text.p[i] == 0x7f) return true;
    return false;
}

static bool is_choice(const struct form_field *field, struct str value) {
    for (size_t i = 0; i < field->choices.count; i++)
        if (str_eq(field->choices.items[i], value)) return true;
    return false;
}

static enum entry_problem problem_of(const struct form_field *field, struct str value) {
    static const struct {
        bool (*fits)(struct str text);
        enum entry_problem problem;
    } kinds[] = {[FORM_EMAIL] = {is_email, ENTRY_NO_EMAIL},
                 [FORM_TEL] = {is_tel, ENTRY_NO_TEL},
                 [FORM_URL] = {is_url, ENTRY_NO_URL},
                 [FORM_NUMBER] = {is_number, ENTRY_NO_NUMBER},
                 [FORM_TICK] = {NULL, ENTRY_FINE}};
    if (!value.n) return field->required ? ENTRY_MISSING : ENTRY_FINE;
    if (value.n > (size_t)field->max) return ENTRY_LONG;
    if (has_control(value)) return ENTRY_CONTROL;
    if (field->kind == FORM_CHOICE) return is_choice(field, value) ? ENTRY_FINE : ENTRY_NO_CHOICE;
    return kinds[field->kind].fits && !kinds[field->kind].fits(value) ? kinds[field->kind].problem : ENTRY_FINE;
}

/* ---- entries ---- */

static bool is_tick(struct str value) {
    static const char *const nothing[] = {"", "false", "off", "no", "0"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (str_eq_nocase(value, str_from(nothing[i]))) return false;
    return true;
}

/* Lines end with LF, whatever a browser sends; around the text is nothing. Where there is one line, line breaks become
 * a blank: a browser takes them out before it sends (HTML, 4.10.5.1.2), and what is no browser must not bring two lines
 * to who expects one, a header of a mail for instance. */
static struct str clean(struct str value, bool one_line, struct arena *arena) {
    struct buf out = {.arena = arena};
    value = str_trim(value);
    if (str_find(value, '\r') == SIZE_MAX && (!one_line || str_find(value, '\n') == SIZE_MAX)) return value;
    for (size_t i = 0; i < value.n; i++) {
        bool breaks = is_in(value.p[i], "\r\n");
        if (value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n') continue;
        buf_byte(&out, !breaks ? value.p[i] : one_line ? ' ' : '\n');
    }
    return buf_str(&out);
}

/* What has no form and what a store may refuse stands there as U+FFFD, so that a person sees that something was. */
static struct str visible(struct str value, struct arena *arena) {
    struct buf out = {.arena = arena};
    if (!has_control(value)) return value;
    for (size_t i = 0; i < value.n; i++)
        if (has_control(str_sub(value, i, 1)))
            buf_add(&out, STR("\xef\xbf\xbd"));
        else
            buf_byte(&out, value.p[i]);
    return buf_str(&out);
}

static void add_entry(struct submission *submission, const struct form_field *field, struct str value, size_t member,
                      struct arena *arena) {
    struct entry *entry = &submission->entries[submission->entry_count++];
    bool one_line = submission->source->form.field_count && field->kind != FORM_AREA;
    value = clean(value, one_line, arena);
    if (field->kind == FORM_TICK) value = is_tick(value) ? STR("on") : STR("");
    *entry = (struct entry){field, visible(value, arena), member, false, problem_of(field, value)};
    submission->problem_count += entry->problem != ENTRY_FINE;
}

/* Names that mean something else than a field. */
static bool is_own(const struct form_settings *settings, struct str name) {
    static const char *const own[] = {"utm",          "form",     "utm_source", "utm_medium",
                                      "utm_campaign", "utm_term", "utm_content"};
    if (!name.n || name.p[0] == '_' || (settings->consent.n && str_eq(name, STR("consent")))) return true;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (str_eq(name, str_from(own[i]))) return true;
    return false;
}

/* The entry of this name, if one was made; NULL else. */
static struct entry *entry_named(const struct submission *submission, struct str name) {
    for (size_t i = 0; i < submission->entry_count; i++)
        if (str_eq(submission->entries[i].field->name, name)) return &submission->entries[i];
    return NULL;
}

/* Each name that came is a field of this form; what is more than it may have is no field of a form. */
static enum err take_anything(struct submission *submission, struct arena *arena, struct refusal *ret_refusal) {
    const struct form *form = &submission->form;
    submission->entries = arena_array(arena, struct entry, NAMES_MAX);
    for (size_t i = 0; i < form->count; i++) {
        struct str name = form->members[i].name;
        struct entry *first = entry_named(submission, name);
        struct str value = form->members[i].value;
        form->members[i].value = visible(clean(value, false, arena), arena); /* as the event has it */
        if (is_own(&submission->source->form, name)) continue;
        if (first) { /* another value of it */
            bool fine = first->problem || !has_control(clean(value, false, arena));
            submission->problem_count += !fine;
            if (!fine) first->problem = ENTRY_CONTROL;
            first->several = true;
            continue;
        }
        if (submission->entry_count == NAMES_MAX || name.n > NAME_MAX || has_control(name))
            return refused(
                ERR_BAD_REQUEST, ret_refusal,
                str_fmt(arena, "a form has at most %d fields, with names of at most %d bytes", NAMES_MAX, NAME_MAX),
                STR_NONE);
        struct form_field *field = arena_new(arena, struct form_field);
        bool is_email_field = str_eq(name, STR("email"));
        *field =
            (struct form_field){.name = name, .kind = is_email_field ? FORM_EMAIL : FORM_TEXT, .max = ANYTHING_MAX};
        add_entry(submission, field, value, i, arena);
    }
    return ERR_NONE;
}

/* What buttons and captchas send, and no person wrote. */
static bool is_of_the_page(struct str name) {
    static const char *const names[] = {"submit", "g-recaptcha-response", "h-captcha-response",
                                        "cf-turnstile-response"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(name, str_from(names[i]))) return true;
    return false;
}

static void note_unknown(struct submission *submission, struct str name) {
    name = short_name(name);
    for (size_t i = 0; i < submission->unknown_count; i++)
        if (str_eq(submission->unknown[i], name)) return;
    if (submission->unknown_count < UNKNOWN_MAX) submission->unknown[submission->unknown_count++] = name;
}

static void take_fields(struct submission *submission, struct arena *arena) {
    const struct form_settings *settings = &submission->source->form;
    const struct form *form = &submission->form;
    submission->entries = arena_array(arena, struct entry, settings->field_count);
    for (size_t i = 0; i < settings->field_count; i++)
        add_entry(submission, &settings->fields[i], form_value(form, settings->fields[i].name), 0, arena);
    for (size_t i = 0; i < form->count; i++) {
        struct str name = form->members[i].name;
        bool known = is_own(settings, name) || is_of_the_page(name) || !form->members[i].value.n;
        for (size_t j = 0; j < settings->field_count; j++) known |= str_eq(settings->fields[j].name, name);
        if (!known) note_unknown(submission, name);
    }
}

/* ---- the page's own fields ---- */

/* An address of a page, as browsers name it; anything else is none. */
static struct str page_of(struct str text) {
    bool http = str_starts(text, STR("https://")) || str_starts(text, STR("http://"));
    return http && text.n <= PLACE_MAX && !has_control(text) && str_is_utf8(text) ? text : STR("");
}

/* Why it is no person, as far as the page can tell. A token of version 7 was made by this server when it gave the page,
 * and holds that time; one that a page's script makes is of another version, and _elapsed says how long it took there,
 * where the clock may be wrong and the difference is not. */
static const char *spam_of(const struct submission *submission, int64_t wall_us) {
    const struct form *form = &submission->form;
    int64_t least_us = submission->source->form.least_us, elapsed_ms;
    struct uuid token;
    if (form_value(form, STR("_gotcha")).n) return "the field that no person sees was filled in";
    if (str_to_i64(form_value(form, STR("_elapsed")), &elapsed_ms) && elapsed_ms >= 0 &&
        elapsed_ms < least_us / US_PER_MS)
        return "it was filled in faster than a person can";
    if (!uuid_parse(submission->token, &token) || token.b[6] >> 4 != 7) return NULL;
    int64_t made_ms = 0;
    for (int i = 0; i < 6; i++) made_ms = made_ms << 8 | token.b[i];
    int64_t took_us = wall_us - made_ms * US_PER_MS;
    return took_us >= 0 && took_us < least_us ? "it was filled in faster than a person can" : NULL;
}

enum err submission_read(const struct intake_context *context, const struct source_settings *source,
                         const struct request *request, struct submission *ret_submission,
                         struct refusal *ret_refusal) {
    struct submission submission = {.source = source};
    const struct form_settings *settings = &source->form;
    struct uuid token;
    TRY(read_members(request, context->arena, &submission.form, ret_refusal));
    if (settings->field_count)
        take_fields(&submission, context->arena);
    else
        TRY(take_anything(&submission, context->arena, ret_refusal));
    const struct form *form = &submission.form;
    submission.consents = settings->consent.n && is_tick(form_value(form, STR("consent")));
    submission.token = form_value(form, STR("_token"));
    if (!uuid_parse(submission.token, &token)) submission.token = STR("");
    submission.page = page_of(form_value(form, STR("_page")));
    if (!submission.page.n) submission.page = page_of(request_header(request, STR("Referer")));
    submission.referrer = page_of(form_value(form, STR("_referrer")));
    submission.spam = spam_of(&submission, context->wall_us);
    *ret_submission = submission;
    return ERR_NONE;
}
