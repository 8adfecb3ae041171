/* api/forms.c - what people fill in: GET and POST /f/NAME, and what was kept as spam.
 *
 * WHAT. Gives the page of a form, and takes what is posted to it: an event, spam, or a page that says what is wrong.
 * PROMISE. What was answered like success is stored. Nothing of a request says where the browser goes next. Who is
 * taken for a machine sees what a person sees, and what it sent can be found and released.
 * WHY IT HOLDS.
 * 1. The thanks go out in the second phase, after the commit. They lead to the page that the configuration names.
 * 2. Spam takes the same way as an event: another type, which no route takes by a pattern, and another key.
 * 3. A second click has the key of the first (submission_event). Where the page carried no token, the window before is
 *    looked up in the same transaction: then no boundary between two windows makes two of it.
 * WHAT BREAKS IT. A proxy that is not named in server.proxies: then all who come through it share one limit.
 * HOW TO SEE IT. drumbeat_source_requests_total by result; the log line source_refused; `drumbeat sources show NAME`,
 * `drumbeat events list --type spam.NAME`.
 * TESTED BY. test/unit/ingest/test_submission.c, test_form_page.c; test/unit/api/test_throttle.c;
 * test/e2e/test_forms.py, test_forms_browser.py.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/throttle.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/form_page.h"
#include "observe/metrics.h"

/* ---- replies ---- */

/* A script asks for JSON, or sends it. */
static bool wants_json(const struct request *request) {
    return str_starts(request_header(request, STR("Accept")), STR("application/json")) ||
           str_starts(request_header(request, STR("Content-Type")), STR("application/json"));
}

static bool wants_page(const struct request *request) {
    struct str accept = request_header(request, STR("Accept")), part;
    while (!wants_json(request) && str_next(&accept, ',', &part))
        if (str_eq_nocase(str_trim(str_sub(part, 0, str_find(part, ';'))), STR("text/html"))) return true;
    return false;
}

/* "https://example.com" of an address. */
static struct str origin_of(struct str url) {
    size_t at = str_starts(url, STR("https://")) ? 8 : 7;
    while (at < url.n && url.p[at] != '/' && url.p[at] != '?' && url.p[at] != '#') at++;
    return str_sub(url, 0, at);
}

/* The policy of a page: its own style and nothing else. Browsers hold the page of thanks against form-action too. */
static struct str policy_of(struct call *call, const struct form_settings *form) {
    struct buf policy = {.arena = call->arena};
    uint8_t digest[SHA256_BYTES];
    hash_sha256(call->hasher, form_style, digest);
    struct str code = base64_encode(call->arena, (struct str){(const char *)digest, sizeof digest});
    buf_fmt(&policy,
            "default-src 'none'; style-src 'sha256-%.*s'; base-uri 'none'; form-action 'self' %.*s; "
            "frame-ancestors 'self'",
            STR_ARG(code), STR_ARG(origin_of(form->thanks)));
    for (size_t i = 0; i < form->origins.count; i++) buf_fmt(&policy, " %.*s", STR_ARG(form->origins.items[i]));
    return buf_str(&policy);
}

static void reply_page(struct call *call, const struct form_settings *form, int status, struct str body) {
    call->reply = (struct reply){.status = status, .content_type = STR("text/html; charset=utf-8"), .body = body};
    reply_header(&call->reply, STR("Content-Security-Policy"), policy_of(call, form));
    reply_header(&call->reply, STR("Cache-Control"), STR("no-store"));
    reply_header(&call->reply, STR("X-Content-Type-Options"), STR("nosniff"));
}

/* ---- pages of other sites ---- */

static bool is_listed(const struct form_settings *form, struct str origin) {
    for (size_t i = 0; i < form->origins.count; i++)
        if (str_eq_nocase(form->origins.items[i], origin)) return true;
    return false;
}

/* Whether the page that sent this may. Without an Origin it is none of a browser's. */
static bool may_send(const struct call *call, const struct form_settings *form) {
    struct str origin = request_header(call->request, STR("Origin"));
    struct str url = call->standing->settings->server.url, host = request_header(call->request, STR("Host"));
    if (!form->origins.count || !origin.p || is_listed(form, origin)) return true;
    size_t slashes = str_starts(origin, STR("https://")) ? 8 : 7;
    bool own_host = host.n && str_eq_nocase(str_sub(origin, slashes, origin.n), host);
    return own_host || (url.n && str_eq_nocase(origin, origin_of(url)));
}

/* Lets a script of a listed page read the answer. */
static void share(struct call *call, const struct form_settings *form) {
    struct str origin = request_header(call->request, STR("Origin"));
    if (form->origins.count) reply_header(&call->reply, STR("Vary"), STR("Origin"));
    if (is_listed(form, origin)) reply_header(&call->reply, STR("Access-Control-Allow-Origin"), origin);
}

enum err api_form_options(struct call *call) {
    struct str name;
    const struct source_settings *source = source_named(call, true, &name);
    if (!source) return serve_problem(call, ERR_NOT_FOUND, STR("there is no form of this name"), NULL);
    call->reply = (struct reply){.status = 204};
    share(call, &source->form);
    if (!is_listed(&source->form, request_header(call->request, STR("Origin")))) return ERR_NONE;
    reply_header(&call->reply, STR("Access-Control-Allow-Methods"), STR("POST"));
    reply_header(&call->reply, STR("Access-Control-Allow-Headers"), STR("Content-Type"));
    reply_header(&call->reply, STR("Access-Control-Max-Age"), STR("600"));
    return ERR_NONE;
}

/* ---- the page ---- */

static struct form_view view_of(struct call *call, const struct source_settings *source,
                                const struct submission *typed) {
    struct uuid last = {0};
    struct form_view view = {.source = source, .typed = typed, .request = call->request};
    view.action = str_fmt(call->arena, "/f/%.*s", STR_ARG(source->name));
    view.token = typed ? typed->token : uuid_str(call->arena, uuid_v7(call->wall_us, call->rng, &last));
    return view;
}

enum err api_form_show(struct call *call) {
    struct str name;
    const struct source_settings *source = source_named(call, true, &name);
    if (!source) return serve_problem(call, ERR_NOT_FOUND, STR("there is no form of this name"), NULL);
    if (!source->form.field_count)
        return serve_problem(call, ERR_NOT_FOUND, STR("the form declares no fields, so it has no page of its own"),
                             NULL);
    struct form_view view = view_of(call, source, NULL);
    reply_page(call, &source->form, 200, form_page(&view, call->arena));
    return ERR_NONE;
}

/* ---- what is posted ---- */

static enum err refuse(struct call *call, const struct source_settings *source, const struct refusal *refusal,
                       enum form_text words) {
    bool is_foreign = refusal->err == ERR_FOREIGN || refusal->err == ERR_TOO_OFTEN;
    metrics_source(call->metrics, source->name, is_foreign ? SOURCE_REFUSED : SOURCE_INVALID, 1);
    serve_note_refused(call, source->name, refusal->err, refusal->detail);
    if (wants_page(call->request))
        reply_page(call, &source->form, err_http(refusal->err),
                   form_note(source->form.language, FORM_SAYS_SORRY, words, call->arena));
    else
        serve_refuse(call, refusal);
    share(call, &source->form);
    return ERR_NONE;
}

/* Each field that is wrong with its own sentence. */
static struct str problems_json(struct call *call, const struct submission *submission) {
    struct buf buf = {.arena = call->arena};
    buf_fmt(&buf, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":422,\"code\":\"%s\",\"detail\":",
            err_text(ERR_NOT_FILLED), err_code(ERR_NOT_FILLED));
    json_quote(&buf, str_from(form_says(submission->source->form.language, FORM_SAYS_MISTAKES)));
    buf_add(&buf, STR(",\"request_id\":"));
    json_quote(&buf, call->request_id);
    buf_add(&buf, STR(",\"errors\":["));
    for (size_t i = 0, written = 0; i < submission->entry_count; i++) {
        const struct entry *entry = &submission->entries[i];
        struct buf pointer = {.arena = call->arena};
        if (!entry->problem) continue;
        json_point_add(&pointer, entry->field->name);
        buf_add(&buf, written++ ? STR(",{\"pointer\":") : STR("{\"pointer\":"));
        json_quote(&buf, buf_str(&pointer));
        buf_add(&buf, STR(",\"detail\":"));
        json_quote(&buf, form_problem_text(submission->source, entry, call->arena));
        buf_byte(&buf, '}');
    }
    buf_add(&buf, STR("]}"));
    return buf_str(&buf);
}

static enum err show_again(struct call *call, const struct submission *submission) {
    const struct source_settings *source = submission->source;
    metrics_source(call->metrics, source->name, SOURCE_INVALID, 1);
    if (wants_json(call->request)) {
        (void)serve_json(call, 422, problems_json(call, submission));
        call->reply.content_type = STR("application/problem+json");
    } else {
        struct form_view view = view_of(call, source, submission);
        reply_page(call, &source->form, 422, form_page(&view, call->arena));
    }
    share(call, &source->form);
    return ERR_NONE;
}

/* The event, under the key of the window before where that one is not over for the first of these words. */
static enum err event_of(struct call *call, const struct intake_context *context, const struct submission *submission,
                         struct intake_item *ret_item) {
    *ret_item = submission_event(context, call->request, submission);
    int64_t window_us = submission->source->form.window_us;
    if (!ret_item->valid || submission->token.n || !window_us) return ERR_NONE;
    struct str before = submission_key(context, submission, 1);
    const struct event_query query = {.status = -1, .key = before, .limit = 1};
    struct event *found;
    size_t count;
    TRY(store_event_list(call->store, &query, call->arena, &found, &count));
    if (count && found[0].created_us > call->wall_us - window_us) ret_item->event.key = before;
    return ERR_NONE;
}

struct filled {
    const struct source_settings *source;
    bool is_spam;
    const struct str *unkept; /* fields that the event lacks */
    size_t unkept_count;
};

static enum err take(struct call *call, const struct source_settings *source) {
    const struct intake_context context = events_context(call);
    struct refusal refusal = {0};
    struct submission submission;
    struct intake_item item;
    if (submission_read(&context, source, call->request, &submission, &refusal))
        return refuse(call, source, &refusal,
                      refusal.err == ERR_BAD_MEDIA && refusal.pointer.n ? FORM_SAYS_NO_FILES : FORM_SAYS_UNREADABLE);
    if (submission.unknown_count) serve_log_unkept(call, source->name, submission.unknown, submission.unknown_count);
    if (submission.problem_count && !submission.spam) return show_again(call, &submission);
    TRY(event_of(call, &context, &submission, &item));
    if (!item.valid) return refuse(call, source, &item.refusal, FORM_SAYS_UNREADABLE);
    struct filled *filled = arena_new(call->arena, struct filled);
    size_t unkept = submission.unknown_count;
    *filled =
        (struct filled){source, submission.spam != NULL,
                        unkept ? arena_copy(call->arena, submission.unknown, sizeof submission.unknown) : NULL, unkept};
    call->own = filled;
    call->events = arena_array(call->arena, struct event, 1);
    call->events[call->event_count++] = item.event;
    return ERR_NONE;
}

enum err api_form_take(struct call *call) {
    enum err err;
    struct str name;
    int64_t wait_us;
    const struct source_settings *source = source_named(call, true, &name);
    if (!source) {
        struct str why = source_words(call, name, STR_NONE);
        if (why.n) serve_note_refused(call, name, ERR_NOT_FOUND, why);
        return serve_problem(call, ERR_NOT_FOUND, STR("there is no form of this name"), NULL);
    }
    const struct form_settings *form = &source->form;
    if (events_refused(call, &err)) {
        if (!err && wants_page(call->request))
            reply_page(call, form, call->reply.status,
                       form_note(form->language, FORM_SAYS_SORRY, FORM_SAYS_LATER, call->arena));
        if (!err) share(call, form);
        return err;
    }
    const struct refusal foreign = {ERR_FOREIGN, STR("'origins' does not name the page that sent this"), STR_NONE};
    if (!may_send(call, form)) return refuse(call, source, &foreign, FORM_SAYS_ELSEWHERE);
    if (!throttle_admits(serve_throttle(call), &call->standing->settings->server, name, &form->limit, call->request,
                         call->now_us, &wait_us)) {
        const struct refusal often = {ERR_TOO_OFTEN, STR("this address sent the form too often"), STR_NONE};
        (void)refuse(call, source, &often, FORM_SAYS_SLOWER);
        reply_header(&call->reply, STR("Retry-After"),
                     str_fmt(call->arena, "%lld", (long long)(wait_us / US_PER_S + 1)));
        return ERR_NONE;
    }
    return take(call, source);
}

/* ---- what was stored ---- */

static void answer_json(struct call *call, bool is_fresh) {
    struct uuid id = is_fresh ? call->events[0].id : call->verdicts[0].event_id;
    (void)serve_json(
        call, 200,
        str_fmt(call->arena,
                "{\"success\":true,\"accepted\":%d,\"duplicates\":%d,\"invalid\":0,\"eventIds\":[\"%.*s\"]}", is_fresh,
                !is_fresh, STR_ARG(uuid_str(call->arena, id))));
}

/* To the page that the configuration names, and to no other. */
static void answer_page(struct call *call, const struct form_settings *form) {
    if (form->thanks.n) {
        call->reply = (struct reply){.status = 303};
        reply_header(&call->reply, STR("Location"), form->thanks);
        reply_header(&call->reply, STR("Cache-Control"), STR("no-store"));
        return;
    }
    reply_page(call, form, 200, form_note(form->language, FORM_SAYS_THANKS, FORM_SAYS_RECEIVED, call->arena));
}

/* Twice the same is once: who clicks twice sees what he saw. So does who was taken for a machine. */
void api_form_answer(struct call *call) {
    const struct filled *filled = call->own;
    const struct form_settings *form = &filled->source->form;
    bool is_fresh = call->verdicts[0].verdict == APPEND_FRESH;
    metrics_source(call->metrics, filled->source->name,
                   !is_fresh         ? SOURCE_DUPLICATE
                   : filled->is_spam ? SOURCE_SPAM
                                     : SOURCE_ACCEPTED,
                   1);
    metrics_event(call->metrics, is_fresh ? METRIC_ACCEPTED : METRIC_DUPLICATE, 1);
    if (filled->unkept_count && is_fresh && !filled->is_spam) {
        metrics_source(call->metrics, filled->source->name, SOURCE_UNKEPT, 1);
        serve_note_unkept(call, filled->source->name, filled->unkept, filled->unkept_count);
    }
    if (wants_json(call->request))
        answer_json(call, is_fresh);
    else
        answer_page(call, form);
    share(call, form);
}

/* ---- what was kept as spam ---- */

enum err api_events_release(struct call *call) {
    const struct intake_context context = events_context(call);
    struct refusal refusal = {0};
    struct uuid id;
    struct event spam, *event = arena_new(call->arena, struct event);
    enum err err;
    if (!body_empty(call)) return ERR_NONE;
    if (!read_id(call, store_event_by_prefix, &id, &err)) return err;
    err = store_event_get(call->store, id, call->arena, &spam);
    if (err == ERR_NOT_FOUND) return reply_no_event(call, id);
    TRY(err);
    if (events_refused(call, &err)) return err;
    if (!submission_release(&context, &spam, event, &refusal)) {
        serve_refuse(call, &refusal);
        return ERR_NONE;
    }
    TRY(store_audit(call->store, call->actor, STR("event.release"), uuid_str(call->arena, id), STR(""), call->now_us));
    call->events = event;
    call->event_count = 1;
    return ERR_NONE;
}

void api_events_released(struct call *call) {
    bool is_fresh = call->verdicts[0].verdict == APPEND_FRESH;
    struct uuid id = is_fresh ? call->events[0].id : call->verdicts[0].event_id;
    metrics_event(call->metrics, is_fresh ? METRIC_ACCEPTED : METRIC_DUPLICATE, 1);
    (void)serve_json(call, 200,
                     str_fmt(call->arena, "{\"id\":\"%.*s\",\"released\":%s}", STR_ARG(uuid_str(call->arena, id)),
                             is_fresh ? "true" : "false"));
}
