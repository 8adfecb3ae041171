/* api/sources.c - the sources in force. */
#include "api/handlers.h"
#include "api/notes.h"
#include "base/json.h"
#include "model/scheme.h"
#include "model/settings.h"
#include "model/source.h"
#include "observe/metrics.h"

const struct source_settings *source_named(const struct call *call, bool form, struct str *ret_name) {
    const struct settings *settings = call->standing->settings;
    struct str rest = call->request->path, part = STR_NONE;
    for (int i = 0; i < 3; i++) (void)str_next(&rest, '/', &part);
    *ret_name = part;
    for (size_t i = 0; i < settings->source_count; i++)
        if (settings->sources[i].kind == (form ? SOURCE_FORM : SOURCE_WEBHOOK) &&
            str_eq(settings->sources[i].name, part))
            return &settings->sources[i];
    return NULL;
}

/* ---- GET /v1/sources ---- */

/* Where its events come from, in a word. */
static struct str sender_of(const struct source_settings *source) {
    static const char *const senders[SOURCE_KIND_COUNT] = {
        [SOURCE_FORM] = "people", [SOURCE_SCHEDULE] = "the clock", [SOURCE_FOLDER] = "files"};
    return str_from(senders[source->kind] ? senders[source->kind] : source->webhook.scheme->whose);
}

/* Where it is posted to; "" where nobody posts. */
static struct str address_of(const struct call *call, const struct source_settings *source) {
    static const char *const paths[SOURCE_KIND_COUNT] = {[SOURCE_WEBHOOK] = "in", [SOURCE_FORM] = "f"};
    const struct scheme *scheme = source->webhook.scheme;
    struct str url = call->standing->settings->server.url;
    if (!paths[source->kind]) return STR("");
    return str_fmt(call->arena, "%.*s/%s/%.*s%s", STR_ARG(url), paths[source->kind], STR_ARG(source->name),
                   scheme && scheme->proof == PROOF_PATH ? "/SECRET" : "");
}

struct str source_words(const struct call *call, struct str name, struct str otherwise) {
    static const char *const kinds[SOURCE_KIND_COUNT] = {[SOURCE_WEBHOOK] = "it is no form; its sender posts to",
                                                         [SOURCE_FORM] = "it is a form, with the address",
                                                         [SOURCE_SCHEDULE] =
                                                             "it is a schedule, and nobody posts to one",
                                                         [SOURCE_FOLDER] = "it is a folder, and nobody posts to one"};
    const struct settings *settings = call->standing->settings;
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct source_settings *source = &settings->sources[i];
        struct str address = address_of(call, source);
        if (!str_eq(source->name, name)) continue;
        return str_fmt(call->arena, "%s%s%.*s", kinds[source->kind], address.n ? " " : "", STR_ARG(address));
    }
    return otherwise;
}

bool form_declares(const struct source_settings *source, struct str name) {
    for (size_t i = 0; i < source->form.field_count; i++)
        if (str_eq(source->form.fields[i].name, name)) return true;
    return !source->form.field_count;
}

/* What came and is not kept, but for what the form declares by now. */
static void encode_unkept(struct buf *buf, const struct source_settings *source, const struct note *note) {
    const char *comma = "";
    buf_add(buf, STR(",\"unkept\":["));
    for (size_t i = 0; note && i < UNKEPT_MAX; i++) {
        const struct unkept *unkept = &note->unkept[i];
        if (!unkept->count || form_declares(source, str_from(unkept->name))) continue;
        buf_fmt(buf, "%s{\"field\":", comma);
        json_quote(buf, str_from(unkept->name));
        buf_fmt(buf, ",\"count\":%lld", (long long)unkept->count);
        encode_time(buf, "first_at", unkept->first_us);
        encode_time(buf, "last_at", unkept->last_us);
        buf_byte(buf, '}');
        comma = ",";
    }
    buf_byte(buf, ']');
}

static void encode_source(const struct call *call, struct buf *buf, const struct source_settings *source, bool whole) {
    const struct scheme *scheme = source->webhook.scheme;
    uint64_t counts[SOURCE_OUTCOMES];
    metrics_source_counts(call->metrics, source->name, counts);
    buf_add(buf, STR("{\"name\":"));
    json_quote(buf, source->name);
    encode_text(buf, "type", source->type);
    encode_text(buf, "sender", sender_of(source));
    encode_text(buf, "address", address_of(call, source));
    encode_text(buf, "facts", scheme ? str_from(scheme->source) : STR(""));
    buf_fmt(buf, ",\"old_secret\":%s", source->webhook.old_secret.n ? "true" : "false");
    encode_time(buf, "counted_since", call->wall_us - (call->now_us - call->standing->started_us));
    for (size_t i = 0; i < SOURCE_OUTCOMES; i++)
        buf_fmt(buf, ",\"%s\":%llu", source_outcome_text((enum source_outcome)i), (unsigned long long)counts[i]);
    encode_folder(call, buf, source->name, whole);
    encode_schedule(call, buf, source->name);
    const struct note *note = serve_note(call, source->name);
    encode_unkept(buf, source, note);
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
        encode_source(call, &buf, &settings->sources[i], true);
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
        encode_source(call, &buf, &settings->sources[i], false);
    }
    return reply_list(call, &buf, 0);
}

void encode_made_again(const struct call *call, struct buf *buf, bool stale) {
    const struct settings *settings = call->standing->settings; /* NULL where no server runs */
    size_t count = 0;
    buf_add(buf, STR(",\"made_again\":["));
    for (size_t i = 0; stale && settings && i < settings->source_count; i++) {
        const struct source_settings *source = &settings->sources[i];
        if (source->kind != SOURCE_SCHEDULE && source->kind != SOURCE_FOLDER) continue;
        if (count++) buf_byte(buf, ',');
        json_quote(buf, source->name);
    }
    buf_byte(buf, ']');
}
