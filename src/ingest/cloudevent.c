/* ingest/cloudevent.c - see cloudevent.h. */
#include "ingest/cloudevent.h"

#include "base/json.h"

struct attributes {
    struct str version, id, source, type;
};

static struct intake_item refuse(enum err err, struct str detail, const char *pointer) {
    return (struct intake_item){.refusal = {err, detail, str_from(pointer)}};
}

bool cloudevent_is_binary(const struct request *request) {
    return request_header(request, STR("ce-specversion")).p != NULL;
}

/* The attributes that an event cannot be without. */
static struct intake_item take(const struct intake_context *context, const struct attributes *attributes,
                               struct str data, const struct json *root) {
    struct arena *arena = context->arena;
    struct intake_item item = {0};
    if (!str_eq(attributes->version, STR("1.0")))
        return refuse(ERR_BAD_FIELD, STR("'specversion' must be 1.0"), "/specversion");
    if (!event_type_valid(attributes->type))
        return refuse(ERR_BAD_FIELD,
                      STR("'type' must be a letter followed by up to 63 letters, digits, '_', '.' or '-'"), "/type");
    if (!event_source_valid(attributes->source))
        return refuse(ERR_BAD_FIELD, STR("'source' must be 1 to 64 printable characters"), "/source");
    item.event =
        (struct event){.type = str_dup(arena, attributes->type),
                       .source = str_dup(arena, attributes->source),
                       .key = str_fmt(arena, "%.*s:%.*s", STR_ARG(attributes->source), STR_ARG(attributes->id)),
                       .payload = data,
                       .scheduled_us = context->wall_us};
    if (!event_key_valid(attributes->id) || !event_key_valid(item.event.key))
        return refuse(ERR_BAD_KEY, STR("'source' and 'id' make the key: together at most 254 printable characters"),
                      "/id");
    if (!data.p || json_type(root) != JSON_OBJECT)
        return refuse(ERR_BAD_FIELD, STR("'data' must be a JSON object"), "/data");
    item.valid = intake_finish(context, root, &item.event, &item.refusal);
    return item;
}

static struct intake_item bad_json(const struct intake_context *context, const struct json_error *error) {
    return refuse(ERR_BAD_JSON,
                  str_fmt(context->arena, "line %zu, column %zu: %s", error->line, error->column, error->text), "");
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* An attribute's header has what is not printable ASCII, '"' and '%' percent-encoded (HTTP binding, 3.1.3.2). What is
 * no escape stands for itself. */
static struct str attribute_of(const struct intake_context *context, const struct request *request, struct str name) {
    struct str value = request_header(request, name);
    struct buf text = {.arena = context->arena};
    for (size_t i = 0; i < value.n; i++) {
        int high = i + 2 < value.n ? hex_value(value.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(value.p[i + 2]) : -1;
        bool escaped = value.p[i] == '%' && low >= 0;
        buf_byte(&text, escaped ? (char)(high * 16 + low) : value.p[i]);
        if (escaped) i += 2;
    }
    return value.p ? buf_str(&text) : STR_NONE;
}

struct intake_item cloudevent_of_headers(const struct intake_context *context, const struct request *request) {
    const struct attributes attributes = {
        attribute_of(context, request, STR("ce-specversion")), attribute_of(context, request, STR("ce-id")),
        attribute_of(context, request, STR("ce-source")), attribute_of(context, request, STR("ce-type"))};
    struct json *root;
    struct json_error error;
    if (json_parse(request->body, JSON_DEPTH_MAX, &root, &error)) return bad_json(context, &error);
    struct intake_item item = take(context, &attributes, str_trim(request->body), root);
    json_free(root);
    return item;
}

struct intake_item cloudevent_of_json(const struct intake_context *context, struct str text) {
    struct json *root;
    struct json_error error;
    struct str data = STR_NONE;
    if (json_parse(text, JSON_DEPTH_MAX, &root, &error)) return bad_json(context, &error);
    const struct attributes attributes = {
        json_text(json_get(root, STR("specversion"))), json_text(json_get(root, STR("id"))),
        json_text(json_get(root, STR("source"))), json_text(json_get(root, STR("type")))};
    (void)json_slice(text, STR("data"), &data);
    struct intake_item item =
        json_get(root, STR("data_base64"))
            ? refuse(ERR_BAD_FIELD, STR("'data_base64' is not taken: send JSON in 'data'"), "/data_base64")
            : take(context, &attributes, data, json_get(root, STR("data")));
    json_free(root);
    return item;
}
