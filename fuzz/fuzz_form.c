/* fuzz/fuzz_form.c - any bytes as what somebody filled in. The first line is the media type, the second the query, the
 * rest the body. Whatever is taken is an event whose payload is valid JSON, the same each time; the page that shows it
 * again has no tag and no quote of the request's; and what is kept as spam can be released. */
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/form_page.h"

#include <assert.h>
#include <string.h>

#define NOW_US ((int64_t)1795526439 * US_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str choices[] = {{"a", 1}, {"b", 1}};
static struct form_field fields[] = {
    {.name = {"email", 5}, .kind = FORM_EMAIL, .required = true, .max = 200},
    {.name = {"n", 1}, .kind = FORM_NUMBER, .max = 200},
    {.name = {"plan", 4}, .kind = FORM_CHOICE, .choices = {choices, 2}, .max = 200},
    {.name = {"ok", 2}, .kind = FORM_TICK, .max = 200},
    {.name = {"tel", 3}, .kind = FORM_TEL, .max = 200},
    {.name = {"site", 4}, .kind = FORM_URL, .max = 200},
    {.name = {"text", 4}, .kind = FORM_AREA, .max = 2000},
};

/* Outside of tags there is no '<', and within one all quotes are the page's own: they come in pairs. */
static void check_page(struct str page) {
    bool in_tag = false, quoted = false;
    size_t from = (size_t)((const char *)memmem(page.p, page.n, "<main>", 6) - page.p);
    for (size_t i = from; i < page.n; i++) {
        char c = page.p[i];
        if (in_tag && c == '"') quoted = !quoted;
        if (quoted) continue;
        assert(!(in_tag && c == '<') && !(!in_tag && c == '"'));
        if (c == '<') in_tag = true;
        if (c == '>') in_tag = false;
    }
    assert(!in_tag && !quoted);
    assert(!memmem(page.p, page.n, "<script", 7));
}

static void check_event(const struct intake_context *context, const struct request *request,
                        const struct submission *submission) {
    struct intake_item item = submission_event(context, request, submission), again;
    struct event released;
    struct refusal refusal;
    struct json *root;
    if (!item.valid) return;
    assert(event_key_valid(item.event.key) && event_type_valid(item.event.type));
    assert(!json_parse(item.event.payload, JSON_DEPTH_MAX, &root, NULL));
    json_free(root);
    again = submission_event(context, request, submission);
    assert(str_eq(item.event.key, again.event.key) && str_eq(item.event.payload, again.event.payload));
    bool is = submission_release(context, &item.event, &released, &refusal);
    assert(is == (submission->spam != NULL && !submission->problem_count));
}

static void take(const struct intake_context *context, const struct source_settings *source,
                 const struct request *request) {
    struct submission submission;
    struct refusal refusal = {0};
    if (submission_read(context, source, request, &submission, &refusal)) {
        assert(refusal.err);
        return;
    }
    const struct form_view view = {source, &submission, request, STR("/f/contact"), submission.token};
    if (!submission.problem_count || submission.spam) check_event(context, request, &submission);
    check_page(form_page(&view, context->arena));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct hasher *hasher;
    struct arena arena = ARENA_EMPTY;
    struct settings settings = {.server = {.max_event_bytes = 65536}};
    struct rng rng;
    struct uuid last = {0};
    struct str rest = {(const char *)data, size}, media = STR(""), query = STR("");
    struct source_settings source = {.name = STR("contact"), .type = STR("form"), .kind = SOURCE_FORM};
    if (!hasher) hasher = hasher_new();
    rng_seed(&rng, 1);
    (void)str_next(&rest, '\n', &media);
    (void)str_next(&rest, '\n', &query);
    struct header headers[] = {{STR("Content-Type"), media}, {STR("Referer"), query}};
    const struct request request = {.method = STR("POST"),
                                    .path = STR("/f/contact"),
                                    .query = query,
                                    .headers = headers,
                                    .header_count = 2,
                                    .body = rest};
    const struct intake_context context = {&settings, NOW_US, hasher, &rng, &last, &arena, NULL, NULL, NULL};
    source.form = (struct form_settings){.event = STR("LEAD"),
                                         .consent = STR("yes & <no>"),
                                         .language = FORM_ENGLISH,
                                         .least_us = US_PER_S,
                                         .window_us = US_PER_S};
    take(&context, &source, &request);
    source.form.fields = fields;
    source.form.field_count = sizeof fields / sizeof *fields;
    take(&context, &source, &request);
    arena_free(&arena);
    return 0;
}
