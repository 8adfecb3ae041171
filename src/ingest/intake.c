#include "ingest/intake.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/sf.h"
#include "base/when.h"
#include "ingest/cloudevent.h"

/* The members an event may have, and no others. */
enum event_field { FIELD_TYPE, FIELD_SOURCE, FIELD_KEY, FIELD_PAYLOAD, FIELD_SCHEDULED, FIELD_COUNT };
static const struct {
    const char *name, *pointer;
    enum json_type type;
    bool required;
} fields[FIELD_COUNT] = {
    [FIELD_TYPE] = {"type", "/type", JSON_STRING, true},
    [FIELD_SOURCE] = {"source", "/source", JSON_STRING, true},
    [FIELD_KEY] = {"idempotency_key", "/idempotency_key", JSON_STRING, false},
    [FIELD_PAYLOAD] = {"payload", "/payload", JSON_OBJECT, true},
    [FIELD_SCHEDULED] = {"scheduled_at", "/scheduled_at", JSON_STRING, false},
};

static const char *const type_words[] = {
    [JSON_STRING] = "a string",
    [JSON_OBJECT] = "an object",
};

static bool refuse(struct refusal *refusal, enum err err, struct str detail, struct str pointer) {
    *refusal = (struct refusal){err, detail, pointer};
    return false;
}

/* What a caller means by a field of his own is the payload, most of the time. */
static bool refuse_unknown(struct arena *arena, struct str name, struct refusal *refusal) {
    struct buf pointer = {.arena = arena}, detail = {.arena = arena};
    json_point_add(&pointer, name);
    buf_fmt(&detail, "unknown field '%.*s'; an event takes ", STR_ARG(name));
    for (int i = 0; i < FIELD_COUNT; i++) buf_fmt(&detail, "%s'%s'", i ? ", " : "", fields[i].name);
    buf_add(&detail, STR(", and everything else inside 'payload'"));
    return refuse(refusal, ERR_BAD_FIELD, buf_str(&detail), buf_str(&pointer));
}

static bool find_fields(const struct intake_context *context, const struct json *root,
                        const struct json *found[FIELD_COUNT], struct refusal *refusal) {
    struct arena *arena = context->arena;
    if (json_type(root) != JSON_OBJECT)
        return refuse(refusal, ERR_BAD_FIELD, STR("an event is a JSON object"), STR(""));
    void *cursor = NULL;
    struct str name;
    for (const struct json *value; (value = json_next(root, &cursor, &name));) {
        int at = 0;
        while (at < FIELD_COUNT && !str_eq(name, str_from(fields[at].name))) at++;
        if (at == FIELD_COUNT) return refuse_unknown(arena, name, refusal);
        if (json_type(value) != fields[at].type)
            return refuse(refusal, ERR_BAD_FIELD,
                          str_fmt(arena, "'%s' must be %s", fields[at].name, type_words[fields[at].type]),
                          str_from(fields[at].pointer));
        found[at] = value;
    }
    for (int i = 0; i < FIELD_COUNT; i++)
        if (fields[i].required && !found[i])
            return refuse(refusal, ERR_BAD_FIELD, str_fmt(arena, "'%s' is missing", fields[i].name),
                          str_from(fields[i].pointer));
    return true;
}

static bool type_declared(const struct settings *settings, struct str type) {
    if (settings->type_count == 0) return true;
    for (size_t i = 0; i < settings->type_count; i++)
        if (str_eq(settings->types[i], type)) return true;
    return false;
}

static bool refuse_own(struct refusal *refusal, struct str pointer) {
    return refuse(refusal, ERR_BAD_FIELD, STR("types that begin with '" EVENT_OWN "' are drumbeat's own"), pointer);
}

/* Checks all members but the payload. header_key wins over the body's. */
static bool check_texts(const struct intake_context *context, const struct json *const found[FIELD_COUNT],
                        struct str header_key, struct event *event, struct refusal *refusal) {
    struct arena *arena = context->arena;
    event->type = json_text(found[FIELD_TYPE]);
    event->source = json_text(found[FIELD_SOURCE]);
    event->key = header_key.p ? header_key : json_text(found[FIELD_KEY]);
    if (!event_type_valid(event->type))
        return refuse(refusal, ERR_BAD_FIELD,
                      STR("'type' must be a letter followed by up to 63 letters, digits, '_', '.' or '-'"),
                      STR("/type"));
    if (str_starts(event->type, STR(EVENT_OWN))) return refuse_own(refusal, STR("/type"));
    if (!type_declared(context->settings, event->type))
        return refuse(refusal, ERR_BAD_TYPE,
                      str_fmt(arena, "type '%.*s' is not declared under types", STR_ARG(event->type)), STR("/type"));
    if (!event_source_valid(event->source))
        return refuse(refusal, ERR_BAD_FIELD, STR("'source' must be 1 to 64 printable characters"), STR("/source"));
    if (!event->key.p)
        return refuse(refusal, ERR_BAD_KEY,
                      STR("an Idempotency-Key header or the field 'idempotency_key' is needed: it names the fact"),
                      STR("/idempotency_key"));
    if (!event_key_valid(event->key))
        return refuse(refusal, ERR_BAD_KEY, STR("the idempotency key must be 1 to 255 printable characters"),
                      STR("/idempotency_key"));
    event->scheduled_us = context->wall_us;
    if (found[FIELD_SCHEDULED] && !when_parse(json_text(found[FIELD_SCHEDULED]), &event->scheduled_us))
        return refuse(refusal, ERR_BAD_FIELD,
                      STR("'scheduled_at' must be RFC 3339 with an offset, as 2026-12-01T09:00:00+01:00"),
                      STR("/scheduled_at"));
    return true;
}

void intake_complete(const struct intake_context *context, const struct json *payload, struct event *event) {
    struct buf canonical = {.arena = context->arena};
    json_canonical(&canonical, payload);
    uint8_t digest[SHA256_BYTES];
    hash_sha256(context->hasher, buf_str(&canonical), digest);
    event->fingerprint = hex_encode(context->arena, digest, sizeof digest);
    event->id = uuid_v7(context->wall_us, context->rng, context->last_id);
    event->created_us = event->updated_us = context->wall_us;
    event->status = EVENT_PENDING;
    event->last_error = STR("");
}

static bool fits_event(const struct intake_context *context, int64_t bytes, struct refusal *refusal) {
    int64_t max_bytes = context->settings->server.max_event_bytes;
    if (bytes <= max_bytes) return true;
    return refuse(refusal, ERR_TOO_LARGE,
                  str_fmt(context->arena, "one event may have %lld bytes (server.max_event), this one has %lld",
                          (long long)max_bytes, (long long)bytes),
                  STR(""));
}

bool intake_finish(const struct intake_context *context, const struct json *root, struct event *event,
                   struct refusal *refusal) {
    if (!fits_event(context, (int64_t)event->payload.n, refusal)) return false;
    if (json_type(root) != JSON_OBJECT)
        return refuse(refusal, ERR_BAD_FIELD, STR("an event's payload is a JSON object"), STR(""));
    if (str_starts(event->type, STR(EVENT_OWN))) return refuse_own(refusal, STR(""));
    if (!str_starts(event->type, STR(EVENT_SPAM)) && !type_declared(context->settings, event->type))
        return refuse(refusal, ERR_BAD_TYPE,
                      str_fmt(context->arena, "type '%.*s' is not declared under types", STR_ARG(event->type)),
                      STR(""));
    intake_complete(context, root, event);
    return true;
}

/* text is the event's own JSON, root its parsed form. */
static struct intake_item intake_event(const struct intake_context *context, struct str text, const struct json *root,
                                       struct str header_key) {
    struct intake_item item = {0};
    const struct json *found[FIELD_COUNT] = {0};
    if (!fits_event(context, (int64_t)text.n, &item.refusal)) return item;
    if (!find_fields(context, root, found, &item.refusal)) return item;
    if (!check_texts(context, found, header_key, &item.event, &item.refusal)) return item;
    if (!json_slice(text, STR("payload"), &item.event.payload)) {
        refuse(&item.refusal, ERR_BAD_JSON, STR("the payload cannot be told apart"), STR("/payload"));
        return item;
    }
    intake_complete(context, found[FIELD_PAYLOAD], &item.event);
    item.valid = true;
    return item;
}

/* Copies the texts of an event, because they are borrowed from its parsed form, which ends here. */
static void own_texts(struct arena *arena, struct event *event) {
    event->type = str_dup(arena, event->type);
    event->source = str_dup(arena, event->source);
    event->key = str_dup(arena, event->key);
}

static struct refusal bad_json(struct arena *arena, const struct json_error *error) {
    return (struct refusal){
        ERR_BAD_JSON, str_fmt(arena, "line %zu, column %zu: %s", error->line, error->column, error->text), STR("")};
}

static struct intake_item parse_event(const struct intake_context *context, struct str text, struct str header_key) {
    struct intake_item item = {0};
    struct json *root;
    struct json_error error;
    if (json_parse(text, JSON_DEPTH_MAX, &root, &error)) {
        item.refusal = bad_json(context->arena, &error);
        return item;
    }
    item = intake_event(context, text, root, header_key);
    if (item.valid) own_texts(context->arena, &item.event);
    json_free(root);
    return item;
}

static enum err too_many(const struct intake_context *context, struct refusal *ret_refusal) {
    *ret_refusal = (struct refusal){
        ERR_TOO_LARGE, str_fmt(context->arena, "one request may bring %d events", INTAKE_BATCH_MAX), STR("")};
    return ERR_TOO_LARGE;
}

typedef struct intake_item item_reader(const struct intake_context *context, struct str text);

static struct intake_item read_item(const struct intake_context *context, struct str text) {
    return parse_event(context, text, STR_NONE);
}

/* Each item is read by itself: what is wrong in one refuses that one. */
static enum err read_array(const struct intake_context *context, struct str body, item_reader *read,
                           struct intake *ret_intake, struct refusal *ret_refusal) {
    size_t count, cursor = 0;
    if (!json_slice_count(body, &count)) {
        struct json *root = NULL;
        struct json_error error = {.text = "this is not an array of events", .line = 1, .column = 1};
        (void)!json_parse(body, JSON_DEPTH_MAX + 1, &root, &error);
        json_free(root);
        *ret_refusal = bad_json(context->arena, &error);
        return ERR_BAD_JSON;
    }
    if (count > INTAKE_BATCH_MAX) return too_many(context, ret_refusal);
    struct intake intake = {true, arena_array(context->arena, struct intake_item, count), count};
    for (size_t i = 0; i < count; i++) {
        struct str text = STR_NONE;
        (void)json_slice_item(body, &cursor, &text);
        intake.items[i] = read(context, text);
    }
    *ret_intake = intake;
    return ERR_NONE;
}

/* One event in the form of CloudEvents, in headers or in JSON. */
static enum err read_cloudevent(const struct intake_context *context, struct intake_item found,
                                struct intake *ret_intake) {
    struct intake_item *item = arena_new(context->arena, struct intake_item);
    *item = found;
    *ret_intake = (struct intake){false, item, 1};
    return ERR_NONE;
}

static enum err read_one(const struct intake_context *context, struct str body, struct str header_key,
                         struct intake *ret_intake, struct refusal *ret_refusal) {
    struct json *root;
    struct json_error error;
    if (json_parse(body, JSON_DEPTH_MAX, &root, &error)) {
        *ret_refusal = bad_json(context->arena, &error);
        return ERR_BAD_JSON;
    }
    struct intake_item *item = arena_new(context->arena, struct intake_item);
    *item = intake_event(context, str_trim(body), root, header_key);
    if (item->valid) own_texts(context->arena, &item->event);
    *ret_intake = (struct intake){false, item, 1};
    json_free(root);
    return ERR_NONE;
}

static enum err read_json(const struct intake_context *context, struct str body, struct str header_key,
                          struct intake *ret_intake, struct refusal *ret_refusal) {
    if (!str_starts(str_trim(body), STR("["))) return read_one(context, body, header_key, ret_intake, ret_refusal);
    if (!header_key.p) return read_array(context, body, read_item, ret_intake, ret_refusal);
    *ret_refusal = (struct refusal){
        ERR_BAD_KEY, STR("an Idempotency-Key header names one event: give each item its own idempotency_key"), STR("")};
    return ERR_BAD_KEY;
}

static size_t count_lines(struct str body) {
    size_t count = 0;
    for (struct str rest = body, line; str_next(&rest, '\n', &line);) count += str_trim(line).n > 0;
    return count;
}

static enum err read_ndjson(const struct intake_context *context, struct str body, struct intake *ret_intake,
                            struct refusal *ret_refusal) {
    size_t count = count_lines(body);
    if (count > INTAKE_BATCH_MAX) return too_many(context, ret_refusal);
    struct intake intake = {true, arena_array(context->arena, struct intake_item, count), 0};
    for (struct str rest = body, line; str_next(&rest, '\n', &line);) {
        line = str_trim(line);
        if (line.n > 0) intake.items[intake.count++] = parse_event(context, line, STR_NONE);
    }
    *ret_intake = intake;
    return ERR_NONE;
}

/* The header's key, or STR_NONE. Two such headers, or a malformed one, are refused. */
static enum err read_key_header(const struct intake_context *context, const struct request *request,
                                struct str *ret_key, struct refusal *ret_refusal) {
    struct str value = STR_NONE;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!str_eq_nocase(request->headers[i].name, STR("Idempotency-Key"))) continue;
        if (value.p) {
            *ret_refusal = (struct refusal){ERR_BAD_KEY, STR("there are two Idempotency-Key headers"), STR("")};
            return ERR_BAD_KEY;
        }
        value = request->headers[i].value;
    }
    if (value.p && !sf_string_or_bare(context->arena, value, &value)) {
        *ret_refusal = (struct refusal){ERR_BAD_KEY, STR("the Idempotency-Key header's quotes do not match"), STR("")};
        return ERR_BAD_KEY;
    }
    *ret_key = value;
    return ERR_NONE;
}

static struct str media_type(const struct request *request) {
    struct str value = request_header(request, STR("Content-Type"));
    size_t semicolon = str_find(value, ';');
    return str_trim(semicolon == SIZE_MAX ? value : str_sub(value, 0, semicolon));
}

/* "application/json", or a format made of it, as in application/cloudevents+json. */
static bool is_json(struct str media) {
    bool made_of_it = str_eq_nocase(str_sub(media, 0, 12), STR("application/")) && media.n > 17 &&
                      str_eq_nocase(str_sub(media, media.n - 5, 5), STR("+json"));
    return made_of_it || str_eq_nocase(media, STR("application/json"));
}

enum err intake_request(const struct intake_context *context, const struct request *request, struct intake *ret_intake,
                        struct refusal *ret_refusal) {
    struct str media = media_type(request), header_key = STR_NONE;
    TRY(read_key_header(context, request, &header_key, ret_refusal));
    if (str_starts(request->body, STR("\xef\xbb\xbf"))) {
        *ret_refusal = (struct refusal){
            ERR_BAD_JSON, STR("the body begins with a byte order mark (EF BB BF): send it without one"), STR("")};
        return ERR_BAD_JSON;
    }
    if (cloudevent_is_binary(request) && is_json(media))
        return read_cloudevent(context, cloudevent_of_headers(context, request), ret_intake);
    if (str_eq_nocase(media, STR("application/cloudevents+json")))
        return read_cloudevent(context, cloudevent_of_json(context, str_trim(request->body)), ret_intake);
    if (str_eq_nocase(media, STR("application/cloudevents-batch+json")))
        return read_array(context, request->body, cloudevent_of_json, ret_intake, ret_refusal);
    if (is_json(media)) return read_json(context, request->body, header_key, ret_intake, ret_refusal);
    if (!str_eq_nocase(media, STR("application/x-ndjson"))) {
        *ret_refusal = (struct refusal){ERR_BAD_MEDIA, STR("send application/json or application/x-ndjson"), STR("")};
        return ERR_BAD_MEDIA;
    }
    if (header_key.p) {
        *ret_refusal = (struct refusal){
            ERR_BAD_KEY, STR("an Idempotency-Key header names one event: give each line its own idempotency_key"),
            STR("")};
        return ERR_BAD_KEY;
    }
    return read_ndjson(context, request->body, ret_intake, ret_refusal);
}

struct str problem_json(struct arena *arena, const struct refusal *refusal, struct str request_id) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, STR("{\"type\":\"about:blank\",\"title\":"));
    json_quote(&buf, str_from(err_text(refusal->err)));
    buf_fmt(&buf, ",\"status\":%d,\"code\":\"%s\",\"detail\":", err_http(refusal->err), err_code(refusal->err));
    json_quote(&buf, refusal->detail.n ? refusal->detail : str_from(err_text(refusal->err)));
    buf_add(&buf, STR(",\"request_id\":"));
    json_quote(&buf, request_id);
    if (refusal->pointer.p) {
        buf_add(&buf, STR(",\"errors\":[{\"pointer\":"));
        json_quote(&buf, refusal->pointer);
        buf_add(&buf, STR(",\"detail\":"));
        json_quote(&buf, refusal->detail);
        buf_add(&buf, STR("}]"));
    }
    buf_byte(&buf, '}');
    return buf_str(&buf);
}
