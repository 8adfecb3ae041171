/* ingest/sample.c - a request as a source's sender would make it; see webhook.h. */
#include "ingest/webhook.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/form.h"
#include "ingest/place.h"
#include "ingest/signature.h"

#define SAMPLE_HEADERS_MAX 12

struct making {
    const struct source_settings *source;
    const struct scheme *scheme;
    const struct sample_wish *wish;
    struct arena *arena;
    struct request *request;
    struct str time;
};

static void put_header(struct making *making, struct str name, struct str value) {
    struct request *request = making->request;
    for (size_t i = 0; i < request->header_count; i++)
        if (str_eq_nocase(request->headers[i].name, name)) return;
    if (request->header_count < SAMPLE_HEADERS_MAX)
        request->headers[request->header_count++] = (struct header){name, value};
}

/* ---- the body ---- */

/* Sets the text at a pointer where nothing stands; numbers among its steps are left alone. */
static void put_at(struct json *root, struct str pointer, struct str text) {
    struct str step, rest = str_sub(pointer, 1, pointer.n);
    char room[PLACE_STEP_MAX];
    while (str_next(&rest, '/', &step) && json_type(root) == JSON_OBJECT) {
        step = place_step(step, room);
        struct json *child = (struct json *)(uintptr_t)json_get(root, step);
        if (!rest.n) {
            if (!child) json_set(root, step, json_str(text));
            return;
        }
        if (!child) {
            child = json_object();
            json_set(root, step, child);
        }
        root = child;
    }
}

/* The first place gets the one text and the others the other; "" is put nowhere. */
static void put_places(struct making *making, struct str places, struct str first, struct str others) {
    for (struct str place; str_next(&places, '+', &place); first = others) {
        if (!first.n) return;
        if (str_starts(place, STR("/")))
            put_at(making->wish->fields, place, first);
        else
            put_header(making, place, first);
    }
}

/* Nobody can tell a text that jq would read a value from: such a map is left to who writes the sample. */
static struct str places_of(struct str map, const char *own) {
    return map.n && !webhook_map_is_jq(map) ? map : str_from(own);
}

/* "release.published" is a release that is published, where a type has two places. A third is for what has neither. */
static void put_type(struct making *making, struct str places) {
    const char *usual = making->scheme->usual ? making->scheme->usual : "sample";
    struct str what = making->wish->what.n ? making->wish->what : str_from(usual), first = STR(""), second = STR("");
    (void)str_next(&places, '+', &first);
    (void)str_next(&places, '+', &second);
    size_t dot = second.n ? str_find(what, '.') : SIZE_MAX;
    put_places(making, first, str_sub(what, 0, dot), STR(""));
    put_places(making, second, dot == SIZE_MAX ? STR("") : str_sub(what, dot + 1, what.n), STR(""));
}

/* A body that is signed from within. */
static void sign_within(struct making *making) {
    const struct scheme *scheme = making->scheme;
    struct str message =
        signature_message(making->source, NULL, making->request, NULL, making->time, making->wish->id, making->arena);
    put_at(making->wish->fields, str_from(scheme->time), making->time);
    put_at(making->wish->fields, str_from(scheme->id), making->wish->id);
    put_at(making->wish->fields, str_from(scheme->signature),
           signature_text(scheme, scheme->signing, making->source->webhook.secret, message, making->arena));
}

static struct str as_form(const struct making *making, struct form *ret_form) {
    struct buf body = {.arena = making->arena};
    const struct json *fields = making->wish->fields;
    void *cursor = NULL;
    struct str name;
    *ret_form = (struct form){arena_array(making->arena, struct form_member, json_size(fields)), 0};
    for (const struct json *value; (value = json_next(fields, &cursor, &name));) {
        struct str text = json_type(value) == JSON_STRING ? json_text(value) : json_dump(making->arena, value);
        ret_form->members[ret_form->count++] = (struct form_member){name, text};
        if (body.n) buf_byte(&body, '&');
        form_encode(&body, name);
        buf_byte(&body, '=');
        form_encode(&body, text);
    }
    return buf_str(&body);
}

/* ---- the signature ---- */

static void put_signature(struct making *making, struct str signature) {
    const struct scheme *scheme = making->scheme;
    struct str header = str_from(scheme->signature), prefix = str_from(scheme->prefix ? scheme->prefix : "");
    struct str value = str_fmt(making->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(signature));
    const char *hash = scheme->time ? strchr(scheme->time, '#') : NULL;
    if (scheme->between)
        value = str_fmt(making->arena, "%s%c%.*s", scheme->version, scheme->behind, STR_ARG(signature));
    if (hash)
        value = str_fmt(making->arena, "%s%c%.*s%c%.*s", hash + 1, scheme->behind, STR_ARG(making->time),
                        scheme->between, STR_ARG(value));
    put_header(making, header, value);
    if (scheme->time && !hash) put_header(making, str_from(scheme->time), making->time);
    if (scheme->id) put_header(making, str_from(scheme->id), making->wish->id);
}

static bool sign(struct making *making, const struct server_settings *server, const struct form *form,
                 struct str *ret_problem) {
    enum signing signing;
    struct str key;
    if (!scheme_key(making->scheme, making->source->webhook.secret, making->arena, &signing, &key) ||
        !signing_is_mac(signing)) {
        *ret_problem = str_fmt(making->arena, "only %s can sign: drumbeat knows the public half of the key",
                               making->scheme->whose);
        return false;
    }
    struct str message =
        signature_message(making->source, server, making->request, form, making->time, making->wish->id, making->arena);
    if (making->scheme->signature[0] != '/')
        put_signature(making, signature_text(making->scheme, signing, key, message, making->arena));
    return true;
}

static void put_words(struct making *making) {
    struct str secret = making->source->webhook.secret;
    if (making->scheme->proof == PROOF_BASIC)
        put_header(making, STR("Authorization"),
                   str_fmt(making->arena, "Basic %.*s", STR_ARG(base64_encode(making->arena, secret))));
    if (making->scheme->proof == PROOF_BEARER)
        put_header(making, STR("Authorization"), str_fmt(making->arena, "Bearer %.*s", STR_ARG(secret)));
    if (making->scheme->proof == PROOF_PATH)
        making->request->path = str_fmt(making->arena, "%.*s/%.*s", STR_ARG(making->request->path), STR_ARG(secret));
}

/* Items are sent as the list that the sender would send. */
static struct str with_list(const struct making *making, struct str body) {
    const char *items = making->scheme->items;
    if (!items) return body;
    if (!*items) return str_fmt(making->arena, "[%.*s]", STR_ARG(body));
    return str_fmt(making->arena, "{\"%s\":[%.*s]}", items + 1, STR_ARG(body));
}

bool webhook_sample(const struct source_settings *source, const struct server_settings *server,
                    const struct sample_wish *wish, struct arena *arena, struct request *ret_request,
                    struct str *ret_problem) {
    const struct scheme *scheme = source->webhook.scheme;
    struct request request = {.method = STR("POST"),
                              .path = str_fmt(arena, "/in/%.*s", STR_ARG(source->name)),
                              .headers = arena_array(arena, struct header, SAMPLE_HEADERS_MAX)};
    struct making making = {source, scheme, wish, arena, &request, STR("")};
    if (scheme->proof == PROOF_CERTIFICATE) {
        *ret_problem = str_fmt(arena,
                               "only %s can sign: publish to the topic, as with aws sns publish --topic-arn %.*s "
                               "--message '{\"eventType\":\"Bounce\"}'",
                               scheme->whose, STR_ARG(source->webhook.topic));
        return false;
    }
    struct form form;
    bool is_form = scheme->message && strstr(scheme->message, "{form}");
    int64_t unit_us = scheme->milliseconds ? US_PER_MS : US_PER_S;
    making.time = str_fmt(arena, "%lld", (long long)(wish->wall_us / unit_us));
    put_type(&making, places_of(source->webhook.map_type, scheme->type));
    struct str key = places_of(source->webhook.map_key, scheme->key);
    put_places(&making, key.n ? key : STR("/sample_id"), wish->id, wish->id); /* each sample is a fact of its own */
    if (scheme->proof == PROOF_SIGNATURE && scheme->signature[0] == '/') sign_within(&making);
    request.body = is_form ? as_form(&making, &form) : with_list(&making, json_dump(arena, wish->fields));
    put_header(&making, STR("Content-Type"),
               is_form ? STR("application/x-www-form-urlencoded") : STR("application/json"));
    if (scheme->proof == PROOF_SIGNATURE && !sign(&making, server, is_form ? &form : NULL, ret_problem)) return false;
    put_words(&making);
    *ret_request = request;
    return true;
}
