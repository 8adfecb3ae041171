/* api/sources.c - what senders post to /in/NAME, and the sources in force. */
#include "api/handlers.h"
#include "api/notes.h"
#include "base/json.h"
#include "ingest/webhook.h"
#include "observe/metrics.h"

#define IDS_MAX 10 /* in one answer: who asks for them posts by hand */

/* ---- POST /in/{source} ---- */

struct visitor {
    const struct source_settings *source;
    struct posting posting;
};

/* The part behind /in/. */
static const struct source_settings *find_source(const struct call *call, struct str *ret_name) {
    const struct settings *settings = call->standing->settings;
    struct str rest = call->request->path, part = STR_NONE;
    for (int i = 0; i < 3; i++) (void)str_next(&rest, '/', &part);
    *ret_name = part;
    for (size_t i = 0; i < settings->source_count; i++)
        if (str_eq(settings->sources[i].name, part)) return &settings->sources[i];
    return NULL;
}

static enum err refuse(struct call *call, const struct source_settings *source, struct str name,
                       const struct refusal *refusal, struct str words) {
    bool foreign = refusal->err == ERR_UNSIGNED || refusal->err == ERR_STALE;
    metrics_source(call->metrics, source ? source->name : STR_NONE, foreign ? SOURCE_REFUSED : SOURCE_INVALID, 1);
    serve_log_refused(call, source ? source->name : name, refusal->err, words.n ? words : refusal->detail);
    serve_refuse(call, refusal);
    return ERR_NONE;
}

/* Items of a list that can be no event are counted and named in the log; the others are taken. To refuse the list would
 * only have it sent again, whole, until its sender gives up. */
static void keep_valid(struct call *call, const struct source_settings *source, const struct intake *intake) {
    call->events = arena_array(call->arena, struct event, intake->count);
    for (size_t i = 0; i < intake->count; i++) {
        const struct intake_item *item = &intake->items[i];
        if (item->valid)
            call->events[call->event_count++] = item->event;
        else
            serve_log_refused(call, source->name, item->refusal.err, item->refusal.detail);
        if (!item->valid || !item->unkeyed) continue;
        metrics_source(call->metrics, source->name, SOURCE_UNKEYED, 1);
        serve_log_unkeyed(call, source->name, source->map_key);
    }
    metrics_source(call->metrics, source->name, SOURCE_INVALID, intake->count - call->event_count);
}

enum err api_source_take(struct call *call) {
    enum err err;
    struct str name, words = STR("");
    struct refusal refusal = {0};
    const struct source_settings *source = find_source(call, &name);
    if (events_refused(call, &err)) return err;
    const struct intake_context context = events_context(call);
    struct visitor *visitor = arena_new(call->arena, struct visitor);
    visitor->source = source;
    if (webhook_take(&context, source, call->request, &visitor->posting, &refusal, &words))
        return refuse(call, source, name, &refusal, words);
    call->own = visitor;
    if (!visitor->posting.greeted) {
        keep_valid(call, source, &visitor->posting.intake);
        return ERR_NONE;
    }
    metrics_source(call->metrics, source->name, SOURCE_GREETED, 1);
    call->reply.status = 200;
    call->reply.content_type = visitor->posting.content_type;
    call->reply.body = visitor->posting.text;
    return ERR_NONE;
}

/* A sender's second try may differ in a counter or a time and is the same fact: its key says so. */
void api_source_answer(struct call *call) {
    const struct visitor *visitor = call->own;
    size_t fresh = 0;
    for (size_t i = 0; i < call->event_count; i++) fresh += call->verdicts[i].verdict == APPEND_FRESH;
    size_t again = call->event_count - fresh;
    metrics_source(call->metrics, visitor->source->name, SOURCE_ACCEPTED, fresh);
    metrics_source(call->metrics, visitor->source->name, SOURCE_DUPLICATE, again);
    metrics_event(call->metrics, METRIC_ACCEPTED, fresh);
    metrics_event(call->metrics, METRIC_DUPLICATE, again);
    metrics_ingest_seconds(call->metrics, call->now_us - call->request->arrived_us);
    if (visitor->source->scheme->reply == REPLY_XML) {
        call->reply.status = 200;
        call->reply.content_type = STR("text/xml");
        call->reply.body = STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response></Response>");
        return;
    }
    struct buf buf = {.arena = call->arena};
    buf_fmt(&buf, "{\"success\":true,\"accepted\":%zu,\"duplicates\":%zu,\"invalid\":%zu,\"eventIds\":[", fresh, again,
            visitor->posting.intake.count - call->event_count);
    for (size_t i = 0; i < call->event_count && i < IDS_MAX; i++) {
        char id[UUID_TEXT_LENGTH + 1];
        bool is_fresh = call->verdicts[i].verdict == APPEND_FRESH;
        uuid_format(is_fresh ? call->events[i].id : call->verdicts[i].event_id, id);
        buf_fmt(&buf, "%s\"%s\"", i ? "," : "", id);
    }
    buf_add(&buf, STR("]}"));
    (void)serve_json(call, 200, buf_str(&buf));
}

/* ---- GET /v1/sources ---- */

static void encode_source(const struct call *call, struct buf *buf, const struct source_settings *source) {
    const struct scheme *scheme = source->scheme;
    struct str url = call->standing->settings->server.url;
    struct str path = scheme->proof == PROOF_PATH ? STR("/SECRET") : STR("");
    uint64_t counts[SOURCE_OUTCOMES];
    metrics_source_counts(call->metrics, source->name, counts);
    buf_add(buf, STR("{\"name\":"));
    json_quote(buf, source->name);
    encode_text(buf, "type", source->type);
    encode_text(buf, "sender", str_from(scheme->whose));
    encode_text(buf, "address",
                str_fmt(call->arena, "%.*s/in/%.*s%.*s", STR_ARG(url), STR_ARG(source->name), STR_ARG(path)));
    encode_text(buf, "facts", str_from(scheme->source));
    buf_fmt(buf, ",\"old_secret\":%s", source->old_secret.n ? "true" : "false");
    for (size_t i = 0; i < SOURCE_OUTCOMES; i++)
        buf_fmt(buf, ",\"%s\":%llu", source_outcome_text((enum source_outcome)i), (unsigned long long)counts[i]);
    const struct note *note = serve_note(call, source->name);
    if (!note || !note->code) {
        buf_add(buf, STR(",\"last_refused\":null}"));
        return;
    }
    buf_fmt(buf, ",\"last_refused\":{\"code\":\"%s\"", note->code);
    encode_time(buf, "at", note->at_us);
    encode_text(buf, "why", str_from(note->why));
    buf_add(buf, STR("}}"));
}

enum err api_sources_show(struct call *call) {
    const struct settings *settings = call->standing->settings;
    for (size_t i = 0; i < settings->source_count; i++) {
        struct buf buf = {.arena = call->arena};
        if (!str_eq(settings->sources[i].name, call->part)) continue;
        encode_source(call, &buf, &settings->sources[i]);
        return serve_json(call, 200, buf_str(&buf));
    }
    return serve_problem(call, ERR_NOT_FOUND, STR("there is no source of this name"), NULL);
}

enum err api_sources_list(struct call *call) {
    const struct settings *settings = call->standing->settings;
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < settings->source_count; i++) {
        if (i) buf_byte(&buf, ',');
        encode_source(call, &buf, &settings->sources[i]);
    }
    return reply_list(call, &buf, 0);
}
