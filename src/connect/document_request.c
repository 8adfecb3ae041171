/* connect/document_request.c - requests and authorisation; see document.h. */
#include "connect/document.h"

#include "connect/request.h"
#include "connect/url.h"

#include <string.h>

#define PAIRS_MAX 128

void add_pair(struct arena *arena, struct pairs *pairs, struct pair pair) {
    struct pair *items = arena_array(arena, struct pair, pairs->count + 1);
    if (pairs->count) memcpy(items, pairs->items, pairs->count * sizeof *items);
    items[pairs->count++] = pair;
    pairs->items = items;
}

static void read_pair(struct document_reader *reader, const struct tree *value, struct str name, enum scope scope,
                      struct pairs *pairs) {
    struct pair pair = {.name = name};
    if (value->kind != TREE_SCALAR) {
        reader_complain(reader, value, value->mark, CODE_CONNECT_SHAPE, "'%.*s' takes one text", STR_ARG(name));
        return;
    }
    text_read(reader, value, scope, &pair.value);
    add_pair(reader->arena, pairs, pair);
}

/* Names with one text each, or with a list of texts where a name may come several times. */
static void read_pairs(struct document_reader *reader, const struct tree *map, enum scope scope, bool repeats,
                       struct pairs *pairs) {
    for (size_t i = 0; i < map->count; i++) {
        const struct tree *value = map->items[i];
        bool list = repeats && value->kind == TREE_LIST;
        for (size_t j = 0; list && j < value->count; j++)
            read_pair(reader, value->items[j], map->names[i], scope, pairs);
        if (!list) read_pair(reader, value, map->names[i], scope, pairs);
        if (pairs->count > PAIRS_MAX) {
            reader_complain(reader, map, map->mark, CODE_CONNECT_FULL, "more than %d values", PAIRS_MAX);
            return;
        }
    }
}

void read_headers(struct document_reader *reader, const struct tree *map, enum scope scope, struct pairs *pairs) {
    size_t before = pairs->count;
    read_pairs(reader, map, scope, false, pairs);
    for (size_t i = 0; i < map->count; i++)
        if (!header_name_valid(map->names[i]))
            reader_complain(reader, map, map->name_marks[i], CODE_CONNECT_NAME, "'%.*s' is no name of a header",
                            STR_ARG(map->names[i]));
    if (pairs->count > REQUEST_HEADERS_MAX && before <= REQUEST_HEADERS_MAX)
        reader_complain(reader, map, map->mark, CODE_CONNECT_FULL, "more than %d headers", REQUEST_HEADERS_MAX);
}

/* ---- authorisation ---- */

static void auth_bearer(struct document_reader *reader, const struct tree *value) {
    struct pair pair = {.name = STR("Authorization")};
    struct tree whole = *value;
    whole.text = str_fmt(reader->arena, "Bearer %.*s", STR_ARG(value->text));
    text_read(reader, &whole, SCOPE_SHARED, &pair.value);
    add_pair(reader->arena, &reader->connector->headers, pair);
}

static void read_basic(struct document_reader *reader, const struct tree *value, enum scope scope,
                       struct pairs *headers) {
    static const struct key_rule keys[] = {{"user", KEY_TEXT, true}, {"password", KEY_TEXT, true}};
    struct pair pair = {.name = STR("Authorization"), .basic = true};
    if (!READER_KEYS(reader, value, keys, STR("'basic'"))) return;
    struct tree whole = *value;
    whole.kind = TREE_SCALAR;
    whole.text = str_fmt(reader->arena, "%.*s:%.*s", STR_ARG(tree_text(value, STR("user"))),
                         STR_ARG(tree_text(value, STR("password"))));
    text_read(reader, &whole, scope, &pair.value);
    add_pair(reader->arena, headers, pair);
}

static void auth_basic(struct document_reader *reader, const struct tree *value) {
    read_basic(reader, value, SCOPE_SHARED, &reader->connector->headers);
}

static void auth_header(struct document_reader *reader, const struct tree *value) {
    read_headers(reader, value, SCOPE_SHARED, &reader->connector->headers);
}

static void auth_query(struct document_reader *reader, const struct tree *value) {
    read_pairs(reader, value, SCOPE_SHARED, false, &reader->connector->query);
}

static void read_signature(struct document_reader *reader, const struct tree *map, enum signer signer,
                           const struct key_rule *keys, size_t count) {
    struct signature *signature = &reader->connector->signature;
    if (!reader_keys(reader, map, keys, count, signer == SIGNER_AWS ? STR("'aws'") : STR("'oauth1'"))) return;
    signature->signer = signer;
    for (size_t i = 0; i < count; i++) {
        const struct tree *value = reader_get(map, keys[i].name, KEY_TEXT);
        if (value) text_read(reader, value, SCOPE_SHARED, &signature->texts[i]);
    }
}

/* The keys stand in the order of struct aws_keys. */
static void auth_aws(struct document_reader *reader, const struct tree *value) {
    static const struct key_rule keys[] = {{"key", KEY_TEXT, true},
                                           {"secret", KEY_TEXT, true},
                                           {"token", KEY_TEXT, false},
                                           {"region", KEY_TEXT, true},
                                           {"service", KEY_TEXT, true}};
    read_signature(reader, value, SIGNER_AWS, keys, sizeof keys / sizeof *keys);
}

/* As in struct oauth1_keys. */
static void auth_oauth1(struct document_reader *reader, const struct tree *value) {
    static const struct key_rule keys[] = {{"consumer_key", KEY_TEXT, true},
                                           {"consumer_secret", KEY_TEXT, true},
                                           {"token", KEY_TEXT, true},
                                           {"token_secret", KEY_TEXT, true}};
    read_signature(reader, value, SIGNER_OAUTH1, keys, sizeof keys / sizeof *keys);
}

void read_auth(struct document_reader *reader, const struct tree *map) {
    static const struct key_rule keys[] = {
        {"bearer", KEY_TEXT, false}, {"basic", KEY_MAP, false},  {"header", KEY_MAP, false}, {"query", KEY_MAP, false},
        {"aws", KEY_MAP, false},     {"oauth1", KEY_MAP, false}, {"token", KEY_MAP, false}};
    static void (*const readers[])(struct document_reader *, const struct tree *) = {
        auth_bearer, auth_basic, auth_header, auth_query, auth_aws, auth_oauth1, read_token};
    if (!READER_KEYS(reader, map, keys, STR("'auth'"))) return;
    if (map->count != 1U + (reader_get(map, "token", KEY_MAP) != NULL))
        reader_complain(
            reader, map, map->mark, CODE_CONNECT_CLASH,
            "'auth' has one of bearer, basic, header, query, aws and oauth1, and beside it at most a token");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct tree *value = reader_get(map, keys[i].name, keys[i].kinds);
        if (value) readers[i](reader, value);
    }
}

/* ---- requests ---- */

static const struct key_rule request_keys[] = {
    {"method", KEY_TEXT, false}, {"url", KEY_TEXT, true},  {"query", KEY_MAP, false},
    {"headers", KEY_MAP, false}, {"json", KEY_ANY, false}, {"form", KEY_MAP, false},
    {"text", KEY_TEXT, false},   {"mail", KEY_MAP, false}, {"basic", KEY_MAP, false},
};

static struct str read_method(struct document_reader *reader, const struct tree *map, enum scope scope) {
    static const char *const words[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    const struct tree *value = reader_get(map, "method", KEY_TEXT);
    if (!value) return scope == SCOPE_LOOKUP ? STR("GET") : STR("POST");
    reader_word(reader, value, words, sizeof words / sizeof *words);
    return value->text;
}

static void read_body(struct document_reader *reader, const struct tree *map, enum scope scope,
                      struct request_form *request) {
    const struct tree *json = reader_get(map, "json", KEY_ANY), *form = reader_get(map, "form", KEY_MAP);
    const struct tree *text = reader_get(map, "text", KEY_TEXT), *mail = reader_get(map, "mail", KEY_MAP);
    if (!!json + !!form + !!text + !!mail > 1)
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH, "a request has one body: json, form, text or mail");
    if (json) {
        request->body = BODY_JSON;
        request->json = node_read(reader, json, scope);
    } else if (form) {
        request->body = BODY_FORM;
        read_pairs(reader, form, scope, true, &request->form);
    } else if (text) {
        request->body = BODY_TEXT;
        text_read(reader, text, scope, &request->text);
    } else if (mail) {
        request->body = BODY_MAIL;
        request->mail = mail_read(reader, mail);
    }
}

/* What goes to a mail server has nothing of HTTP. */
static void check_mail(struct document_reader *reader, const struct tree *map, enum scope scope) {
    static const char *const strange[] = {"method", "query", "headers"};
    const struct pairs *headers = &reader->connector->headers, *query = &reader->connector->query;
    bool clash = scope != SCOPE_SEND || headers->count || query->count;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) clash |= tree_get(map, str_from(strange[i])) != NULL;
    if (clash)
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH,
                        "a request with 'mail' is an action's own; it has no auth, method, query and headers");
}

struct request_form *read_request(struct document_reader *reader, const struct tree *map, enum scope scope) {
    struct request_form *request = arena_new(reader->arena, struct request_form);
    if (!READER_KEYS(reader, map, request_keys, STR("'request'"))) return request;
    const struct tree *url = reader_get(map, "url", KEY_TEXT), *query = reader_get(map, "query", KEY_MAP);
    const struct tree *headers = reader_get(map, "headers", KEY_MAP);
    request->method = read_method(reader, map, scope);
    if (url) url_read(reader, url, scope, &request->url);
    if (query) read_pairs(reader, query, scope, true, &request->query);
    if (headers) read_headers(reader, headers, scope, &request->headers);
    const struct tree *basic = reader_get(map, "basic", KEY_MAP);
    if (basic) read_basic(reader, basic, scope, &request->headers);
    read_body(reader, map, scope, request);
    if (request->mail) check_mail(reader, map, scope);
    if (reader->connector->headers.count + request->headers.count > REQUEST_HEADERS_MAX)
        reader_complain(reader, map, map->mark, CODE_CONNECT_FULL, "more than %d headers with the connector's own",
                        REQUEST_HEADERS_MAX);
    return request;
}
