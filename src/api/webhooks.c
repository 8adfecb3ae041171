/* api/webhooks.c - what senders post: /in/NAME. */
#include "api/handlers.h"
#include "ingest/webhook.h"
#include "observe/metrics.h"

#define IDS_MAX 10 /* in one answer: who asks for them posts by hand */

struct visitor {
    const struct source_settings *source;
    struct posting posting;
};

/* Who opens the address of a sender that posts, as browsers and scanners do, says nothing of the source. */
static enum err refuse(struct call *call, const struct source_settings *source, struct str name,
                       const struct posting *posting, const struct refusal *refusal, struct str words) {
    bool foreign = refusal->err == ERR_UNSIGNED || refusal->err == ERR_STALE;
    metrics_source(call->metrics, source ? source->name : STR_NONE,
                   foreign                                      ? SOURCE_REFUSED
                   : err_class(refusal->err) == ERR_CLASS_RETRY ? SOURCE_PUT_OFF
                                                                : SOURCE_INVALID,
                   1);
    struct str why = words.n ? words : refusal->detail;
    if (!source) why = source_words(call, name, why);
    (posting->stray ? serve_log_refused : serve_note_refused)(call, source ? source->name : name, refusal->err, why);
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
            serve_note_refused(call, source->name, item->refusal.err, item->refusal.detail);
        if (item->valid && item->unkeyed) {
            metrics_source(call->metrics, source->name, SOURCE_UNKEYED, 1);
            serve_log_unmapped(call, source->name, "key", source->webhook.map_key, item->problem);
        } else if (item->valid && item->problem.n) {
            serve_log_unmapped(call, source->name, "type", source->webhook.map_type, item->problem);
        }
    }
    metrics_source(call->metrics, source->name, SOURCE_INVALID, intake->count - call->event_count);
}

/* A confirmation becomes an event once it was made; a refused request has none. */
static void fetch(struct call *call, const struct source_settings *source, const struct posting *posting) {
    struct fetch_wish *wish = arena_new(call->arena, struct fetch_wish);
    *wish = (struct fetch_wish){.need = posting->fetch, .source = source};
    if (posting->fetch.what == FETCH_CONFIRMATION && posting->intake.count)
        wish->event = &posting->intake.items[0].event;
    call->fetch = wish;
}

enum err api_source_take(struct call *call) {
    enum err err;
    struct str name, words = STR("");
    struct refusal refusal = {0};
    const struct source_settings *source = source_named(call, false, &name);
    if (events_refused(call, &err)) return err;
    const struct intake_context context = events_context(call);
    struct visitor *visitor = arena_new(call->arena, struct visitor);
    visitor->source = source;
    err = webhook_take(&context, source, call->request, &visitor->posting, &refusal, &words);
    bool is_wanted = visitor->posting.fetch.what == FETCH_CERTIFICATE || (!err && visitor->posting.fetch.what);
    if (is_wanted) fetch(call, source, &visitor->posting);
    if (err) return refuse(call, source, name, &visitor->posting, &refusal, words);
    if (visitor->posting.fetch.what == FETCH_CONFIRMATION) {
        metrics_source(call->metrics, source->name, SOURCE_PUT_OFF, 1);
        return serve_problem(call, ERR_CONFIRMING, STR("its SubscribeURL is being called"), NULL);
    }
    call->own = visitor;
    if (!visitor->posting.greeted) {
        keep_valid(call, source, &visitor->posting.intake);
        return ERR_NONE;
    }
    metrics_source(call->metrics, source->name, SOURCE_GREETED, 1);
    serve_note_taken(call, source->name);
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
    if (call->event_count) serve_note_taken(call, visitor->source->name);
    metrics_source(call->metrics, visitor->source->name, SOURCE_ACCEPTED, fresh);
    metrics_source(call->metrics, visitor->source->name, SOURCE_DUPLICATE, again);
    metrics_event(call->metrics, METRIC_ACCEPTED, fresh);
    metrics_event(call->metrics, METRIC_DUPLICATE, again);
    if (visitor->source->webhook.scheme->reply == REPLY_XML) {
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
