/* ingest/webhook.c - see webhook.h. */
#include "ingest/webhook.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/form.h"
#include "ingest/mapping.h"
#include "ingest/place.h"
#include "ingest/signature.h"

#define TYPE_MAX 64
#define KEY_MAX  255

struct taking {
    const struct intake_context *context;
    const struct source_settings *source;
    const struct request *request;
    struct str body; /* as JSON */
    bool notice;     /* it is no message of the sender's users: its type is its own `Type` */
};

/* ---- names ---- */

/* The values at places joined by '+', joined by a separator. Whether all of them were there is told apart, because half
 * a key would make two facts one. */
static struct str joined(const struct taking *taking, struct str item, struct str places, char separator,
                         bool *ret_whole) {
    struct arena *arena = taking->context->arena;
    struct buf text = {.arena = arena};
    *ret_whole = places.n > 0;
    for (struct str rest = places, place; str_next(&rest, '+', &place);) {
        struct str value =
            place_text(taking->source->webhook.scheme, taking->request, item, str_dup(arena, place).p, arena);
        *ret_whole &= value.n > 0;
        if (!value.n) continue;
        if (text.n) buf_byte(&text, separator);
        buf_add(&text, value);
    }
    return buf_str(&text);
}

/* What the source's map, else its scheme, says of a part. mapped: what jq said, where the map is jq. */
static struct str part_of(const struct taking *taking, struct str item, const struct mapped *mapped, enum map_part part,
                          bool *ret_whole) {
    const struct webhook_settings *webhook = &taking->source->webhook;
    const struct {
        struct str map;
        const char *own;
        char separator;
    } rows[MAP_COUNT] = {
        [MAP_TYPE] = {webhook->map_type, webhook->scheme->type, '.'},
        [MAP_KEY] = {webhook->map_key, webhook->scheme->key, ':'},
        [MAP_AT] = {webhook->map_at, "", ' '},
    };
    struct str map = rows[part].map;
    if (taking->notice && part == MAP_TYPE) return joined(taking, item, STR("/Type"), '.', ret_whole);
    if (!webhook_map_is_jq(map))
        return joined(taking, item, map.n ? map : str_from(rows[part].own), rows[part].separator, ret_whole);
    *ret_whole = mapped->values[part].n > 0;
    return mapped->values[part];
}

/* "orders/create" becomes shop.orders.create; what an event type may not have becomes '_'. */
static struct str type_of(const struct taking *taking, struct str what) {
    const struct source_settings *source = taking->source;
    struct buf type = {.arena = taking->context->arena};
    buf_fmt(&type, "%.*s.", STR_ARG(source->name));
    buf_add(&type, what.n ? what : STR("event"));
    if (type.n > TYPE_MAX) type.n = TYPE_MAX;
    for (size_t i = source->name.n; i < type.n; i++) {
        char c = type.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '/' || c == ':')
            type.p[i] = '.';
        else if (!letter && c != '_' && c != '.' && c != '-')
            type.p[i] = '_';
    }
    return buf_str(&type);
}

/* A key that is not all there, too long or not printable is replaced by the digest of what was sent: that is the same
 * in each try of a sender that repeats itself. */
static struct str key_of(const struct taking *taking, struct str item, struct str id, bool whole, bool *ret_unkeyed) {
    const struct intake_context *context = taking->context;
    const struct source_settings *source = taking->source;
    struct buf named = {.arena = context->arena};
    buf_fmt(&named, "%.*s:", STR_ARG(source->name));
    buf_add(&named, id); /* it may hold a NUL, which makes it no key */
    struct str key = buf_str(&named);
    bool fits = whole && key.n <= KEY_MAX && event_key_valid(key);
    *ret_unkeyed = !fits && source->webhook.map_key.n > 0; /* a sender without ids is known by digests, as was meant */
    if (fits) return key;
    uint8_t digest[SHA256_BYTES];
    hash_sha256(context->hasher, item, digest);
    return str_fmt(context->arena, "%.*s:sha256:%.*s", STR_ARG(source->name),
                   STR_ARG(hex_encode(context->arena, digest, sizeof digest)));
}

/* ---- events ---- */

static enum err refused(enum err err, struct refusal *ret_refusal, struct str detail) {
    *ret_refusal = (struct refusal){err, detail, STR_NONE};
    return err;
}

/* Whether it is JSON, and what is wrong with it. */
static bool is_sound(const struct taking *taking, struct str text, struct json **ret_root, struct refusal *refusal) {
    struct json_error error;
    if (!json_parse(text, JSON_DEPTH_MAX, ret_root, &error)) return true;
    *refusal = (struct refusal){
        ERR_BAD_JSON,
        str_fmt(taking->context->arena, "no JSON at line %zu, column %zu: %s", error.line, error.column, error.text),
        STR("")};
    return false;
}

static struct intake_item event_of(const struct taking *taking, struct str text, const struct mapped *mapped) {
    const struct intake_context *context = taking->context;
    struct intake_item item = {.problem = STR("")};
    struct json *root;
    bool whole, has_key;
    if (!is_sound(taking, text, &root, &item.refusal)) return item;
    struct str what = part_of(taking, text, mapped, MAP_TYPE, &whole);
    struct str id = part_of(taking, text, mapped, MAP_KEY, &has_key);
    struct str at = part_of(taking, text, mapped, MAP_AT, &whole);
    item.event = (struct event){.type = type_of(taking, what),
                                .source = taking->source->name,
                                .key = key_of(taking, text, id, has_key, &item.unkeyed),
                                .payload = text,
                                .scheduled_us = context->wall_us};
    item.problem = mapped->problems[MAP_KEY].n ? mapped->problems[MAP_KEY] : mapped->problems[MAP_TYPE];
    if (mapped->problems[MAP_AT].n)
        item.refusal = (struct refusal){
            ERR_BAD_FIELD,
            str_fmt(context->arena, "'at' in 'map' gives no moment: %.*s", STR_ARG(mapped->problems[MAP_AT])), STR("")};
    else if (at.n && !when_parse(at, &item.event.scheduled_us))
        item.refusal = (struct refusal){
            ERR_BAD_FIELD, STR("the moment that 'map' names for 'at' is no RFC 3339"),
            webhook_map_is_jq(taking->source->webhook.map_at) ? STR("") : taking->source->webhook.map_at};
    else
        item.valid = intake_finish(context, root, &item.event, &item.refusal);
    json_free(root);
    return item;
}

/* What jq says of the texts, those aside that are no JSON: jq could read none of them then. */
static enum err ask_jq(const struct taking *taking, const struct str *texts, size_t count, struct mapped *ret_mapped,
                       struct str *ret_words) {
    struct mapping *mapping = mapping_find(taking->context, taking->source);
    struct arena *arena = taking->context->arena;
    if (!mapping) return ERR_NONE;
    struct str *sound = arena_array(arena, struct str, count);
    size_t *places = arena_array(arena, size_t, count), sound_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct json *root;
        struct refusal unused;
        if (!is_sound(taking, texts[i], &root, &unused)) continue;
        json_free(root);
        places[sound_count] = i;
        sound[sound_count++] = texts[i];
    }
    if (!sound_count) return ERR_NONE;
    struct mapped *mapped = arena_array(arena, struct mapped, sound_count);
    TRY(mapping_run(mapping, taking->context, sound, sound_count, mapped, ret_words));
    for (size_t i = 0; i < sound_count; i++) ret_mapped[places[i]] = mapped[i];
    return ERR_NONE;
}

static enum err read_texts(const struct taking *taking, const struct str *texts, size_t count,
                           struct intake *ret_intake, struct refusal *ret_refusal) {
    struct arena *arena = taking->context->arena;
    struct mapped *mapped = arena_array(arena, struct mapped, count);
    struct str words;
    for (size_t i = 0; i < count; i++) mapped[i] = (struct mapped){0};
    enum err err = ask_jq(taking, texts, count, mapped, &words);
    if (err) return refused(err, ret_refusal, words);
    ret_intake->items = arena_array(arena, struct intake_item, count);
    ret_intake->count = count;
    for (size_t i = 0; i < count; i++) ret_intake->items[i] = event_of(taking, texts[i], &mapped[i]);
    return ERR_NONE;
}

static enum err read_items(const struct taking *taking, struct str items, struct intake *ret_intake,
                           struct refusal *ret_refusal) {
    const struct intake_context *context = taking->context;
    size_t room, count = 0, cursor = 0;
    if (!json_slice_count(items, &room) || room > INTAKE_BATCH_MAX) {
        *ret_refusal = (struct refusal){ERR_BAD_JSON,
                                        str_fmt(context->arena, "%s sends a list of at most %d events",
                                                taking->source->webhook.scheme->whose, INTAKE_BATCH_MAX),
                                        str_from(taking->source->webhook.scheme->items)};
        return ERR_BAD_JSON;
    }
    struct str *texts = arena_array(context->arena, struct str, room);
    while (count < room && json_slice_item(items, &cursor, &texts[count])) count++;
    ret_intake->batch = true;
    return read_texts(taking, texts, count, ret_intake, ret_refusal);
}

static enum err read_events(const struct taking *taking, struct intake *ret_intake, struct refusal *ret_refusal) {
    const struct scheme *scheme = taking->source->webhook.scheme;
    if (scheme->items) {
        struct str items = place_json(taking->body, str_from(scheme->items), taking->context->arena);
        return read_items(taking, items, ret_intake, ret_refusal);
    }
    TRY(read_texts(taking, &taking->body, 1, ret_intake, ret_refusal));
    *ret_refusal = ret_intake->items[0].refusal;
    return ret_intake->items[0].valid ? ERR_NONE : ret_refusal->err;
}

/* ---- greetings ---- */

static bool is_greeting_of_slack(const struct taking *taking, struct posting *ret_posting) {
    const struct scheme *scheme = taking->source->webhook.scheme;
    struct arena *arena = taking->context->arena;
    if (scheme->greeting != GREETING_SLACK) return false;
    struct str type = place_text(scheme, taking->request, taking->body, "/type", arena);
    struct str challenge = place_json(taking->body, STR("/challenge"), arena);
    if (!str_eq(type, STR("url_verification")) || !str_starts(challenge, STR("\""))) return false;
    *ret_posting = (struct posting){.greeted = true,
                                    .content_type = STR("application/json"),
                                    .text = str_fmt(arena, "{\"challenge\":%.*s}", STR_ARG(challenge))};
    return true;
}

/* GET with the words that the app's owner chose; anything else by GET is not the source's. */
static enum err greet_meta(const struct taking *taking, struct posting *ret_posting, struct str *ret_words) {
    struct arena *arena = taking->context->arena;
    const struct request *request = taking->request;
    struct str token = request_query(request, STR("hub.verify_token"), arena),
               own = taking->source->webhook.verify_token;
    struct str challenge = request_query(request, STR("hub.challenge"), arena);
    if (!own.n || token.n != own.n || !hash_equal(token.p, own.p, own.n) || !challenge.n || challenge.n > KEY_MAX) {
        *ret_words = STR("hub.verify_token is not the source's verify_token");
        return ERR_UNSIGNED;
    }
    *ret_posting = (struct posting){.greeted = true, .content_type = STR("text/plain"), .text = challenge};
    return ERR_NONE;
}

/* ---- the request ---- */

static struct str media_of(const struct request *request) {
    struct str value = request_header(request, STR("Content-Type"));
    return str_trim(str_sub(value, 0, str_find(value, ';')));
}

/* Whether the body is a form. Who posts JSON with curl and names no media type says that it is one: where the form's
 * members are not what is signed, a body that begins as JSON does is read as that. */
static bool is_form(const struct request *request, const struct source_settings *source) {
    const char *message = source ? source->webhook.scheme->message : NULL;
    struct str body = str_trim(request->body);
    if (!str_eq_nocase(media_of(request), STR("application/x-www-form-urlencoded"))) return false;
    if (message && strstr(message, "{form}")) return true;
    return !source || (!str_starts(body, STR("{")) && !str_starts(body, STR("[")));
}

/* A form's member `payload` is all that Slack's interactive messages have. */
static struct str body_of_form(const struct taking *taking, const struct form *form) {
    struct str payload = form_value(form, STR("payload"));
    if (form->count == 1 && str_starts(payload, STR("{"))) return payload;
    return form_json(form, taking->context->arena);
}

/* Whether the request is the source's. Only Meta asks by GET, and only senders of events post. */
static enum err judge(struct taking *taking, const struct form *form, struct posting *ret_posting,
                      struct str *ret_words) {
    const struct intake_context *context = taking->context;
    bool asks = !str_eq(taking->request->method, STR("POST")); /* GET, or HEAD */
    if (!taking->source || (asks && taking->source->webhook.scheme->greeting != GREETING_META)) {
        signature_pretend(taking->request, context->arena);
        ret_posting->stray = asks;
        *ret_words =
            taking->source ? STR("this sender posts, and greets nobody") : STR("there is no source of this name");
        return ERR_UNSIGNED;
    }
    if (asks) return greet_meta(taking, ret_posting, ret_words);
    if (taking->source->webhook.scheme->proof == PROOF_CERTIFICATE) {
        enum err err =
            certified_check(context, taking->source, taking->request, &ret_posting->fetch, &taking->notice, ret_words);
        if (err) signature_pretend(taking->request, context->arena);
        return err;
    }
    enum err err = signature_check(taking->source, &context->settings->server, taking->request, form, context->wall_us,
                                   context->arena, ret_words);
    if (err && taking->source->webhook.scheme->proof != PROOF_SIGNATURE)
        signature_pretend(taking->request, context->arena);
    return err;
}

enum err webhook_take(const struct intake_context *context, const struct source_settings *source,
                      const struct request *request, struct posting *ret_posting, struct refusal *ret_refusal,
                      struct str *ret_words) {
    struct taking taking = {.context = context, .source = source, .request = request, .body = request->body};
    struct form form;
    struct str problem;
    bool has_form = is_form(request, source);
    bool is_read = has_form && form_read(request->body, context->arena, &form, &problem);
    *ret_posting = (struct posting){0};
    enum err err = judge(&taking, is_read ? &form : NULL, ret_posting, ret_words);
    bool is_told = err == ERR_STALE || err == ERR_UNVOUCHED;
    if (err) return refused(err, ret_refusal, is_told ? *ret_words : STR(""));
    if (ret_posting->greeted) return ERR_NONE;
    if (has_form && !is_read) return refused(ERR_BAD_REQUEST, ret_refusal, problem);
    if (has_form) taking.body = body_of_form(&taking, &form);
    if (is_greeting_of_slack(&taking, ret_posting)) return ERR_NONE;
    return read_events(&taking, &ret_posting->intake, ret_refusal);
}
