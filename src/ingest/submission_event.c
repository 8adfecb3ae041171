/* ingest/submission_event.c - what somebody filled in becomes an event; see submission.h. */
#include "ingest/submission.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/form_page.h"

#define UTM_MAX 200 /* bytes of a value */

/* ---- the payload ---- */

/* A value whose field was refused is a text: it need not be a number. */
static void write_entry(struct buf *buf, const struct submission *submission, const struct entry *entry) {
    int32_t kind = entry->field->kind;
    json_quote(buf, entry->field->name);
    buf_byte(buf, ':');
    if (entry->several)
        form_write_values(buf, &submission->form, entry->member);
    else if (kind == FORM_TICK)
        buf_add(buf, entry->value.n ? STR("true") : STR("false"));
    else if (kind == FORM_NUMBER && !entry->problem)
        buf_add(buf, entry->value);
    else
        json_quote(buf, entry->value);
}

/* The fields without a brace at the end. What was left empty is left out, so that `// "nothing"` in a route finds it
 * so. */
static void write_fields(struct buf *buf, const struct submission *submission) {
    buf_byte(buf, '{');
    for (size_t i = 0; i < submission->entry_count; i++) {
        const struct entry *entry = &submission->entries[i];
        if (!entry->value.n && entry->field->kind != FORM_TICK) continue;
        if (buf->p[buf->n - 1] != '{') buf_byte(buf, ',');
        write_entry(buf, submission, entry);
    }
}

static void write_member(struct buf *buf, const char *name, struct str text) {
    if (!text.n) return;
    if (buf->p[buf->n - 1] != '{') buf_byte(buf, ',');
    buf_fmt(buf, "\"%s\":", name);
    json_quote(buf, text);
}

/* The first of: a member of the form, the query that it was posted with, the query of the page. */
static struct str utm_value(const struct submission *submission, const struct request *request, struct str name,
                            struct arena *arena) {
    size_t question = str_find(submission->page, '?');
    struct str query = question == SIZE_MAX ? STR("") : str_sub(submission->page, question + 1, submission->page.n);
    const struct request page = {.query = str_sub(query, 0, str_find(query, '#'))};
    struct str value = form_value(&submission->form, name);
    if (!value.n) value = request_query(request, name, arena);
    if (!value.n) value = request_query(&page, name, arena);
    return value.n <= UTM_MAX && str_is_utf8(value) && str_find(value, '\0') == SIZE_MAX ? value : STR("");
}

static void write_utm(struct buf *buf, const struct submission *submission, const struct request *request) {
    static const char *const names[] = {"source", "medium", "campaign", "term", "content"};
    struct buf utm = {.arena = buf->arena};
    buf_byte(&utm, '{');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_member(&utm, names[i],
                     utm_value(submission, request, str_fmt(buf->arena, "utm_%s", names[i]), buf->arena));
    if (utm.n == 1) return;
    if (buf->p[buf->n - 1] != '{') buf_byte(buf, ',');
    buf_fmt(buf, "\"utm\":%.*s}", STR_ARG(buf_str(&utm)));
}

static void write_consent(struct buf *buf, const struct submission *submission, int64_t wall_us) {
    const struct form_settings *settings = &submission->source->form;
    if (!settings->consent.n) return;
    buf_fmt(buf, "%s\"consent\":{\"given\":%s", buf->p[buf->n - 1] == '{' ? "" : ",",
            submission->consents ? "true" : "false");
    write_member(buf, "text", settings->consent);
    write_member(buf, "at", when_str(buf->arena, wall_us));
    write_member(buf, "page", submission->page);
    buf_byte(buf, '}');
}

/* What a submission would have been refused for, had it not been kept as spam: releasing it is refused for the same. */
static void write_problems(struct buf *buf, const struct submission *submission) {
    if (!submission->problem_count) return;
    buf_add(buf, STR(",\"problems\":["));
    for (size_t i = 0; i < submission->entry_count; i++) {
        const struct entry *entry = &submission->entries[i];
        if (!entry->problem) continue;
        buf_fmt(buf, "%s{\"field\":", buf->p[buf->n - 1] == '[' ? "" : ",");
        json_quote(buf, entry->field->name);
        write_member(buf, "detail", form_problem_text(submission->source, entry, buf->arena));
        buf_byte(buf, '}');
    }
    buf_byte(buf, ']');
}

static struct str payload_of(const struct intake_context *context, const struct request *request,
                             const struct submission *submission) {
    struct buf buf = {.arena = context->arena};
    write_fields(&buf, submission);
    write_consent(&buf, submission, context->wall_us);
    write_utm(&buf, submission, request);
    buf_fmt(&buf, "%s\"form\":{", buf.p[buf.n - 1] == '{' ? "" : ",");
    write_member(&buf, "page", submission->page);
    write_member(&buf, "referrer", submission->referrer);
    write_member(&buf, "language", str_from(form_language_code(submission->source->form.language)));
    buf_add(&buf, STR("}}"));
    return buf_str(&buf);
}

/* ---- the key ---- */

/* Of the words that were filled in, with the page's token, or else with the window in which they came: so a second
 * click is the same fact, also when the person went back and the page is the old one, and other words are another. */
struct str submission_key(const struct intake_context *context, const struct submission *submission, int ago) {
    struct arena *arena = context->arena;
    const struct source_settings *source = submission->source;
    int64_t window_us = source->form.window_us;
    uint8_t digest[SHA256_BYTES];
    struct buf words = {.arena = arena};
    struct str mark = submission->token;
    if (!mark.n && window_us)
        mark = str_fmt(arena, "%lld", (long long)(context->wall_us / window_us - ago));
    else if (!mark.n)
        mark = str_fmt(arena, "%llx", (unsigned long long)rng_u64(context->rng)); /* each is another */
    write_fields(&words, submission);
    buf_fmt(&words, "}%d%.*s", submission->consents, STR_ARG(mark));
    hash_sha256(context->hasher, buf_str(&words), digest);
    return str_fmt(arena, "%.*s:%s%.*s", STR_ARG(source->name), submission->spam ? "spam:" : "",
                   STR_ARG(hex_encode(arena, digest, 16)));
}

/* ---- the event ---- */

static struct intake_item finished(const struct intake_context *context, struct event event) {
    struct intake_item item = {.event = event};
    struct json *root;
    struct json_error error;
    if (json_parse(event.payload, JSON_DEPTH_MAX, &root, &error)) {
        item.refusal = (struct refusal){ERR_BAD_JSON, str_dup(context->arena, str_from(error.text)), STR("")};
        return item;
    }
    item.valid = intake_finish(context, root, &item.event, &item.refusal);
    json_free(root);
    return item;
}

struct intake_item submission_event(const struct intake_context *context, const struct request *request,
                                    const struct submission *submission) {
    const struct source_settings *source = submission->source;
    struct event event = {.type = source->form.event,
                          .source = source->name,
                          .key = submission_key(context, submission, 0),
                          .payload = payload_of(context, request, submission),
                          .scheduled_us = context->wall_us};
    if (!submission->spam) return finished(context, event);
    struct buf kept = {.arena = context->arena};
    buf_add(&kept, STR("{\"why\":"));
    json_quote(&kept, str_from(submission->spam));
    buf_add(&kept, STR(",\"type\":"));
    json_quote(&kept, event.type);
    write_problems(&kept, submission);
    buf_fmt(&kept, ",\"payload\":%.*s}", STR_ARG(event.payload));
    event.payload = buf_str(&kept);
    event.type = str_fmt(context->arena, EVENT_SPAM "%.*s", STR_ARG(source->name));
    return finished(context, event);
}

/* The first of what is wrong with it, as the page would have said; true: there is something. */
static bool has_problem(const struct json *spam, struct arena *arena, struct refusal *ret_refusal) {
    const struct json *first = json_at(json_get(spam, STR("problems")), 0);
    struct buf pointer = {.arena = arena};
    if (!first) return false;
    json_point_add(&pointer, json_text(json_get(first, STR("field"))));
    *ret_refusal = (struct refusal){
        ERR_NOT_FILLED,
        str_fmt(arena,
                "%.*s The form refuses it, so it cannot be released as it is: look at it, and send what it should be "
                "with drumbeat send",
                STR_ARG(json_text(json_get(first, STR("detail"))))),
        buf_str(&pointer)};
    return true;
}

bool submission_release(const struct intake_context *context, const struct event *spam, struct event *ret_event,
                        struct refusal *ret_refusal) {
    const struct str mark = STR(":spam:");
    struct json *root = NULL;
    struct str name = spam->source, key = spam->key;
    struct event event = {.source = name, .scheduled_us = context->wall_us};
    bool is_spam = str_starts(spam->type, STR(EVENT_SPAM)) && str_starts(str_sub(key, name.n, key.n), mark) &&
                   json_slice(spam->payload, STR("payload"), &event.payload) &&
                   !json_parse(spam->payload, JSON_DEPTH_MAX, &root, NULL);
    if (is_spam) {
        event.type = str_dup(context->arena, json_text(json_get(root, STR("type"))));
        event.key = str_fmt(context->arena, "%.*s:%.*s", STR_ARG(name), STR_ARG(str_sub(key, name.n + mark.n, key.n)));
        is_spam = event_type_valid(event.type);
    }
    bool is_wrong = is_spam && has_problem(root, context->arena, ret_refusal);
    json_free(root);
    if (is_wrong) return false;
    if (!is_spam) {
        *ret_refusal = (struct refusal){ERR_NOT_NOW, STR("it was not kept as spam"), STR_NONE};
        return false;
    }
    struct intake_item item = finished(context, event);
    *ret_event = item.event;
    *ret_refusal = item.refusal;
    return item.valid;
}

/* ---- samples ---- */

static const char *sample_of(enum form_kind kind) {
    static const char *const texts[] = {[FORM_TEXT] = "sample",
                                        [FORM_EMAIL] = "ada@example.com",
                                        [FORM_TEL] = "+49 30 123456",
                                        [FORM_URL] = "https://example.com",
                                        [FORM_NUMBER] = "1",
                                        [FORM_AREA] = "sample",
                                        [FORM_TICK] = "on"};
    return texts[kind];
}

void submission_sample(const struct source_settings *source, const struct sample_wish *wish, struct arena *arena,
                       struct request *ret_request) {
    const struct form_settings *form = &source->form;
    for (size_t i = 0; i < form->field_count; i++) {
        const struct form_field *field = &form->fields[i];
        bool is_choice = field->kind == FORM_CHOICE;
        if (!field->required || json_get(wish->fields, field->name)) continue;
        struct str text = is_choice ? field->choices.items[0] : str_from(sample_of((enum form_kind)field->kind));
        json_set(wish->fields, field->name, json_str(text));
    }
    *ret_request = (struct request){.method = STR("POST"),
                                    .path = str_fmt(arena, "/f/%.*s", STR_ARG(source->name)),
                                    .headers = arena_new(arena, struct header),
                                    .header_count = 1,
                                    .body = json_dump(arena, wish->fields)};
    ret_request->headers[0] = (struct header){STR("Content-Type"), STR("application/json")};
}
