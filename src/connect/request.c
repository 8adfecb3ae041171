/* connect/request.c - see request.h. */
#include "connect/request.h"

#include "base/hash.h"
#include "base/json.h"
#include "connect/sign.h"
#include "connect/url.h"
#include "connect/value.h"
#include "model/party.h"

#define SHOWN_MAX 60

static struct str content_type(enum body_kind kind) {
    static const struct str types[] = {
        [BODY_NONE] = {0},
        [BODY_JSON] = {"application/json", 16},
        [BODY_FORM] = {"application/x-www-form-urlencoded", 33},
        [BODY_TEXT] = {"text/plain; charset=utf-8", 25},
        [BODY_MAIL] = {0},
    };
    return types[kind];
}

/* ---- headers ---- */

static struct str basic_of(struct arena *arena, struct str pair) {
    return str_fmt(arena, "Basic %.*s", STR_ARG(base64_encode(arena, pair)));
}

static enum err pairs_to_headers(struct fill *fill, const struct pairs *pairs, struct outgoing *outgoing) {
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->items[i];
        struct str value;
        bool missing;
        TRY(text_fill(fill, &pair->value, &value, &missing));
        if (missing) continue;
        if (pair->basic) value = basic_of(fill->context->arena, value);
        if (!header_value_valid(value))
            return fill_fail(fill, "the value for the header '%.*s' holds a line break or another control character",
                             STR_ARG(pair->name));
        outgoing_put(outgoing, pair->name, value);
    }
    return ERR_NONE;
}

static enum err headers_fill(struct fill *fill, const struct request_form *request, struct outgoing *outgoing) {
    const struct destination_settings *destination = fill->context->destination;
    outgoing_header(outgoing, STR("User-Agent"), STR("drumbeat/" DRUMBEAT_VERSION));
    if (request->body != BODY_NONE) outgoing_header(outgoing, STR("Content-Type"), content_type(request->body));
    if (!request->bare) TRY(pairs_to_headers(fill, &fill->connector->headers, outgoing));
    TRY(pairs_to_headers(fill, &request->headers, outgoing));
    for (size_t i = 0; !request->bare && i < destination->header_count; i++)
        outgoing_put(outgoing, destination->headers[i].name, destination->headers[i].value);
    return ERR_NONE;
}

/* ---- query and forms ---- */

static void put_pair(struct buf *buf, char *separator, struct str name, struct str value) {
    if (*separator) buf_byte(buf, *separator);
    *separator = '&';
    url_escape(buf, name, PLACE_QUERY);
    buf_byte(buf, '=');
    url_escape(buf, value, PLACE_QUERY);
}

/* A list gives its name once for each item. */
static enum err put_list(struct fill *fill, const struct pair *pair, const struct json *list, struct buf *buf,
                         char *separator) {
    for (size_t i = 0; i < json_size(list); i++) {
        struct value item = {.kind = VALUE_JSON, .json = json_at(list, i)};
        struct str text;
        if (json_type(item.json) == JSON_NULL) continue;
        if (json_type(item.json) == JSON_STRING)
            item = (struct value){.kind = VALUE_TEXT, .text = json_text(item.json)};
        TRY(value_text(fill, pair->value.parts[0].ref, &item, &text));
        put_pair(buf, separator, pair->name, text);
    }
    return ERR_NONE;
}

static enum err pairs_escape(struct fill *fill, const struct pairs *pairs, struct buf *buf, char *separator) {
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->items[i];
        struct value value = {.kind = VALUE_TEXT};
        struct str text;
        bool missing;
        if (pair->value.whole) TRY(value_of(fill, pair->value.parts[0].ref, &value));
        if (value.kind == VALUE_JSON && json_type(value.json) == JSON_ARRAY) {
            TRY(put_list(fill, pair, value.json, buf, separator));
            continue;
        }
        TRY(text_fill(fill, &pair->value, &text, &missing));
        if (!missing) put_pair(buf, separator, pair->name, text);
    }
    return ERR_NONE;
}

static enum err url_and_query(struct fill *fill, const struct request_form *request, struct str *ret_url) {
    struct buf url = {.arena = fill->context->arena};
    TRY(url_fill(fill, &request->url, &url));
    char separator = str_find(buf_str(&url), '?') == SIZE_MAX ? '?' : '&';
    if (!request->bare) TRY(pairs_escape(fill, &fill->connector->query, &url, &separator));
    TRY(pairs_escape(fill, &request->query, &url, &separator));
    if (url.n > URL_BYTES_MAX) return fill_fail(fill, "the URL would be longer than %zu bytes", URL_BYTES_MAX);
    *ret_url = buf_str(&url);
    return ERR_NONE;
}

/* ---- bodies ---- */

static enum err body_fill(struct fill *fill, const struct request_form *request, struct str *ret_body) {
    struct buf buf = {.arena = fill->context->arena};
    bool missing = false;
    char separator = 0;
    struct str text = STR_NONE;
    switch (request->body) {
    case BODY_NONE:
    case BODY_MAIL:
        break;
    case BODY_FORM:
        TRY(pairs_escape(fill, &request->form, &buf, &separator));
        break;
    case BODY_TEXT:
        TRY(text_fill(fill, &request->text, &text, &missing));
        buf_add(&buf, text);
        break;
    case BODY_JSON:
        TRY(node_fill(fill, request->json, &buf, &missing));
        if (missing) buf_add(&buf, request->json->kind == NODE_LIST ? STR("[]") : STR("{}"));
        break;
    }
    if (buf.n > REQUEST_BODY_MAX) return fill_fail(fill, "the body would be larger than %zu bytes", REQUEST_BODY_MAX);
    *ret_body = buf_str(&buf);
    return ERR_NONE;
}

/* ---- signatures ---- */

/* No two requests have the same: the key tells deliveries apart, the moment the attempts of one. */
static struct str nonce_of(const struct fill *fill) {
    const struct call_context *context = fill->context;
    uint8_t digest[SHA256_BYTES];
    struct str seed = str_fmt(context->arena, "%.*s %lld %d", STR_ARG(uuid_str(context->arena, fill->key)),
                              (long long)context->now_us, context->deliveries[0]->attempts);
    hash_sha256(context->hasher, seed, digest);
    return hex_encode(context->arena, digest, sizeof digest / 2);
}

static enum err request_sign(struct fill *fill, struct outgoing *outgoing) {
    const struct call_context *context = fill->context;
    const struct signature *signature = &fill->connector->signature;
    struct str texts[SIGNER_TEXTS];
    bool missing;
    if (signature->signer == SIGNER_NONE) return ERR_NONE;
    for (size_t i = 0; i < SIGNER_TEXTS; i++) TRY(text_fill(fill, &signature->texts[i], &texts[i], &missing));
    if (signature->signer == SIGNER_AWS)
        sign_aws(outgoing, &(struct aws_keys){texts[0], texts[1], texts[2], texts[3], texts[4]}, context->now_us,
                 context->hasher, context->arena);
    else
        sign_oauth1(outgoing, &(struct oauth1_keys){texts[0], texts[1], texts[2], texts[3]}, context->now_us,
                    nonce_of(fill), context->arena);
    return ERR_NONE;
}

enum err request_fill(struct fill *fill, const struct request_form *request, struct outgoing *ret_outgoing) {
    struct outgoing outgoing = {
        .method = request->method,
        .timeout_us = fill->context->destination->timeout_us,
        .allow_private = fill->context->destination->allow_private,
    };
    TRY(url_and_query(fill, request, &outgoing.url));
    if (request->mail) {
        TRY(mail_fill(fill, request->mail, &outgoing));
        if (outgoing.body.n > REQUEST_BODY_MAX)
            return fill_fail(fill, "the mail would be larger than %zu bytes", REQUEST_BODY_MAX);
        *ret_outgoing = outgoing;
        return ERR_NONE;
    }
    TRY(headers_fill(fill, request, &outgoing));
    TRY(body_fill(fill, request, &outgoing.body));
    if (!request->bare) TRY(request_sign(fill, &outgoing));
    *ret_outgoing = outgoing;
    return ERR_NONE;
}

/* ---- parameters ---- */

/* Sets the parameters that a delivery leaves to their defaults. A parsed document cannot grow, so that it is copied. */
static struct json *with_fallbacks(const struct catalog_action *action, struct json *params) {
    struct json *grown = NULL, *value;
    struct json_error error;
    for (size_t i = 0; i < action->param_count; i++) {
        const struct catalog_name *param = &action->params[i];
        if (!param->fallback.n || json_type(params) != JSON_OBJECT ||
            json_type(json_get(params, param->name)) != JSON_NULL)
            continue;
        if (!grown) grown = json_copy(params);
        if (!json_parse(param->fallback, JSON_DEPTH_MAX, &value, &error)) json_set(grown, param->name, value);
    }
    if (grown) json_free(params);
    return grown ? grown : params;
}

static bool is_there(const struct json *params, struct str name) {
    return json_type(json_get(params, name)) != JSON_NULL;
}

/* What the provider takes only together, and of what it wants one at least. */
static enum err check_together(struct fill *fill, const struct catalog_action *action, const struct json *params) {
    for (size_t i = 0; i < action->param_count; i++) {
        const struct catalog_name *param = &action->params[i];
        for (size_t j = 0; j < param->needs.count && is_there(params, param->name); j++)
            if (!is_there(params, param->needs.items[j]))
                return fill_fail(fill, "parameter '%.*s' needs '%.*s' beside it", STR_ARG(param->name),
                                 STR_ARG(param->needs.items[j]));
    }
    for (size_t i = 0; i < action->any_of_count; i++) {
        bool any = false;
        for (size_t j = 0; j < action->any_of[i].count; j++) any |= is_there(params, action->any_of[i].items[j]);
        if (any) continue;
        struct str names = catalog_any_of(fill->context->arena, &action->any_of[i]);
        return fill_fail(fill, "one of the parameters %.*s is needed", STR_ARG(names));
    }
    return ERR_NONE;
}

static enum err refuse_type(struct fill *fill, const struct catalog_name *param, const struct json *value) {
    struct arena *arena = fill->context->arena;
    struct str text = json_text(value), problem = param_type_problem(arena, param->type, text);
    struct str shown = str_shown(arena, text, SHOWN_MAX);
    struct str what = str_fmt(arena, "parameter '%.*s' must be %s", STR_ARG(param->name), param_type_what(param->type));
    if (json_type(value) != JSON_STRING) return fill_fail(fill, "%.*s", STR_ARG(what));
    return fill_fail(fill, "%.*s, not '%.*s'%s%.*s", STR_ARG(what), STR_ARG(shown), problem.n ? ": " : "",
                     STR_ARG(problem));
}

static struct json *with_names_quoted(struct arena *arena, const struct json *value) {
    if (json_type(value) == JSON_STRING) return json_str(party_text(arena, json_text(value)));
    if (json_type(value) != JSON_ARRAY) return json_copy(value);
    struct json *list = json_array();
    for (size_t i = 0; i < json_size(value); i++) json_push(list, with_names_quoted(arena, json_at(value, i)));
    return list;
}

/* A name out of a form has marks that end a name or begin another mailbox, so that the provider reads it in quotes. */
static struct json *quote_names(struct fill *fill, const struct catalog_action *action, struct json *params) {
    struct json *grown = NULL;
    for (size_t i = 0; i < action->param_count; i++) {
        const struct catalog_name *param = &action->params[i];
        const struct json *value = json_get(params, param->name);
        if (!param_type_is_mailbox(param->type) || json_type(value) < JSON_STRING) continue;
        if (!grown) grown = json_copy(params);
        json_set(grown, param->name, with_names_quoted(fill->context->arena, value));
    }
    if (grown) json_free(params);
    return grown ? grown : params;
}

enum err request_params(struct fill *fill, const struct action *action, struct json **ret_params) {
    const struct delivery *delivery = fill->delivery;
    struct json_error error;
    struct json *params;
    struct str text = delivery->params.n ? delivery->params : delivery->event->payload;
    if (json_parse(text, JSON_DEPTH_MAX, &params, &error))
        return fill_fail(fill, "the parameters are not valid JSON: %s", error.text);
    params = with_fallbacks(action->catalog, params);
    enum err err = ERR_NONE;
    for (size_t i = 0; i < action->catalog->param_count && !err; i++) {
        const struct catalog_name *param = &action->catalog->params[i];
        const struct json *value = json_get(params, param->name);
        if (param->required && json_type(value) == JSON_NULL)
            err = fill_fail(fill, "parameter '%.*s' is missing", STR_ARG(param->name));
        else if (!param_type_takes(param->type, value))
            err = refuse_type(fill, param, value);
    }
    if (!err) err = check_together(fill, action->catalog, params);
    if (err)
        json_free(params);
    else
        *ret_params = quote_names(fill, action->catalog, params);
    return err;
}
