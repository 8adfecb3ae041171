/* api/forms.c - what people fill in: POST /f/NAME. */
#include "api/handlers.h"
#include "ingest/submission.h"
#include "observe/metrics.h"

static enum err refuse(struct call *call, struct str name, const struct refusal *refusal) {
    metrics_source(call->metrics, name, SOURCE_INVALID, 1);
    serve_log_refused(call, name, refusal->err, refusal->detail);
    serve_refuse(call, refusal);
    return ERR_NONE;
}

enum err api_form_take(struct call *call) {
    enum err err;
    struct str name;
    struct refusal refusal = {0};
    struct intake_item item;
    const struct source_settings *source = source_named(call, true, &name);
    if (!source) return serve_problem(call, ERR_NOT_FOUND, STR("there is no form of this name"), NULL);
    if (events_refused(call, &err)) return err;
    const struct intake_context context = events_context(call);
    if (submission_take(&context, source, call->request, &item, &refusal)) return refuse(call, name, &refusal);
    call->own = (void *)(uintptr_t)source;
    call->events = arena_array(call->arena, struct event, 1);
    call->events[call->event_count++] = item.event;
    return ERR_NONE;
}

/* Pages of the form itself know no scripts; what asks for JSON is one. */
static bool wants_json(const struct request *request) {
    return str_starts(request_header(request, STR("Accept")), STR("application/json")) ||
           str_starts(request_header(request, STR("Content-Type")), STR("application/json"));
}

static void answer_json(struct call *call, bool is_fresh) {
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(is_fresh ? call->events[0].id : call->verdicts[0].event_id, id);
    (void)serve_json(call, 200,
                     str_fmt(call->arena,
                             "{\"success\":true,\"accepted\":%d,\"duplicates\":%d,\"invalid\":0,\"eventIds\":[\"%s\"]}",
                             is_fresh, !is_fresh, id));
}

/* To the page that the configuration names, and to no other: nothing of a request can lead elsewhere. */
static void answer_page(struct call *call, const struct form_settings *form) {
    call->reply = (struct reply){.status = form->thanks.n ? 303 : 200};
    if (form->thanks.n) {
        reply_header(&call->reply, STR("Location"), form->thanks);
        return;
    }
    call->reply.content_type = STR("text/html; charset=utf-8");
    call->reply.body = STR("<!doctype html><title>Thank you</title><p>Thank you. We have received your message.</p>");
}

/* Twice the same is once: who clicks twice sees what he saw. */
void api_form_answer(struct call *call) {
    const struct source_settings *source = call->own;
    bool is_fresh = call->verdicts[0].verdict == APPEND_FRESH;
    metrics_source(call->metrics, call->events[0].source, is_fresh ? SOURCE_ACCEPTED : SOURCE_DUPLICATE, 1);
    metrics_event(call->metrics, is_fresh ? METRIC_ACCEPTED : METRIC_DUPLICATE, 1);
    metrics_ingest_seconds(call->metrics, call->now_us - call->request->arrived_us);
    if (wants_json(call->request))
        answer_json(call, is_fresh);
    else
        answer_page(call, &source->form);
}
