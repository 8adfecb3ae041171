/* connect/token.c - tokens: how one is asked for, and what an answer says; see connect.h. */
#include "connect/token.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/signing.h"
#include "base/when.h"
#include "connect/answer.h"
#include "connect/mask.h"
#include "connect/request.h"

#define TOKEN_BYTES_MAX ((size_t)16384)
#define EPOCH_S_FROM    1e9 /* what is larger is no number of seconds to go: those would be 31 years */
#define EPOCH_MS_FROM   1e11

static const struct token_form *form_of(const struct destination_settings *destination) {
    return destination->connector ? destination->connector->token : NULL;
}

bool connect_has_token(const struct destination_settings *destination) {
    return form_of(destination) != NULL;
}

bool connect_has_way(const struct destination_settings *destination, enum token_way way) {
    const struct token_form *form = form_of(destination);
    return form && form->ways[way];
}

struct str connect_token_seed(const struct call_context *context, struct str *ret_digest) {
    const struct token_form *form = form_of(context->destination);
    struct fill fill = {.context = context, .connector = context->destination->connector};
    struct str seed = STR_NONE;
    uint8_t digest[SHA256_BYTES];
    bool missing;
    *ret_digest = STR_NONE;
    if (text_fill(&fill, &form->seed, &seed, &missing) || !seed.n) return STR_NONE;
    hash_sha256(context->hasher, seed, digest);
    *ret_digest = hex_encode(context->arena, digest, sizeof digest);
    return seed;
}

/* ---- asking ---- */

enum err token_jwt(struct fill *fill, struct str *ret_text) {
    const struct token_form *form = fill->connector->token;
    struct arena *arena = fill->context->arena;
    struct buf claims = {.arena = arena};
    struct str key, signature;
    bool missing;
    if (!form || !form->claims) return fill_fail(fill, "'jwt' says nothing of its key and claims");
    TRY(text_fill(fill, &form->key, &key, &missing));
    TRY(node_fill(fill, form->claims, &claims, &missing));
    struct str head = base64url_encode(arena, STR("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"));
    struct str text = str_fmt(arena, "%.*s.%.*s", STR_ARG(head), STR_ARG(base64url_encode(arena, buf_str(&claims))));
    if (!signing_sign_rsa(key, text, arena, &signature))
        return fill_fail(fill,
                         "the private key is none: it is RSA in PEM, and begins with -----BEGIN PRIVATE KEY-----");
    *ret_text = str_fmt(arena, "%.*s.%.*s", STR_ARG(text), STR_ARG(base64url_encode(arena, signature)));
    return ERR_NONE;
}

enum err connect_token_request(const struct call_context *context, enum token_way way, struct outgoing *ret_outgoing,
                               struct str *ret_problem) {
    const struct destination_settings *destination = context->destination;
    struct fill fill = {.context = context, .connector = destination->connector};
    enum err err = request_fill(&fill, form_of(destination)->ways[way], ret_outgoing);
    if (err) *ret_problem = fill.problem;
    if (err) return err;
    ret_outgoing->ca = destination->ca;
    ret_outgoing->proxy = destination->proxy;
    return ERR_NONE;
}

/* ---- reading ---- */

/* A moment, as seconds to go, an epoch or a date; 0 = none. */
static int64_t moment_of(const struct json *value, int64_t now_us) {
    double number;
    int64_t at_us;
    if (json_type(value) == JSON_STRING && when_parse(json_text(value), &at_us)) return at_us;
    struct arena arena = ARENA_EMPTY;
    struct str text = json_type(value) == JSON_STRING ? json_text(value) : json_dump(&arena, value);
    bool is_number = str_to_double(text, &number) && number > 0 && number < 1e14;
    arena_free(&arena);
    if (!is_number) return 0;
    if (number >= EPOCH_MS_FROM) return (int64_t)(number * 1e3);
    if (number >= EPOCH_S_FROM) return (int64_t)(number * 1e6);
    return now_us + (int64_t)(number * 1e6);
}

/* A token must fit into a header. */
static struct str token_text(const struct json *value, struct arena *arena) {
    struct str text = json_type(value) == JSON_STRING ? json_text(value) : STR_NONE;
    return text.n <= TOKEN_BYTES_MAX && header_value_valid(text) ? str_dup(arena, text) : STR_NONE;
}

static struct json *said_by(const struct answer_reading *reading) {
    struct jq_call call = {
        .function = reading->connector->token->answer, .input = reading->subject.body, .event = reading->subject.call};
    struct questions questions = {.calls = &call, .count = 1, .room = 1};
    struct json *said = NULL;
    struct json_error error;
    if (reading->answer->end != EXCHANGE_ANSWERED || !reading->subject.whole) return NULL;
    reading_run(reading, &questions);
    if (call.err || !call.result.n || json_parse(call.result, JSON_DEPTH_MAX, &said, &error)) return NULL;
    return said;
}

/* RFC 6749, 5.2: a refusal is 400 or 401 and says so in JSON. A page of a proxy is none. */
static bool is_refusal(const struct answer *answer, const struct json *error) {
    bool refuses = answer->status == 400 || answer->status == 401 || answer->status == 403;
    return refuses && json_type(error) == JSON_STRING;
}

void connect_token_answer(const struct call_context *context, const struct answer *answer,
                          const struct evaluator *evaluator, struct token_answer *ret_answer) {
    const struct answer_reading reading = reading_begin(context, answer, evaluator);
    struct arena *arena = context->arena;
    struct json *said = said_by(&reading);
    const struct json *error = json_get(said, STR("error"));
    struct outcome words = {.error = reading.start.error};
    int64_t now_us = verdict_now_us(answer, context->now_us);
    struct token_answer token = {.end = TOKEN_TROUBLE};
    bool good = answer->end == EXCHANGE_ANSWERED && answer->status >= 200 && answer->status < 300;
    if (good) token.access = token_text(json_get(said, STR("access")), arena);
    if (token.access.n) {
        int64_t life_us = reading.connector->token->life_us;
        token.end = TOKEN_MADE;
        token.refresh = token_text(json_get(said, STR("refresh")), arena);
        token.expires_us = moment_of(json_get(said, STR("life")), now_us);
        if (!token.expires_us && life_us) token.expires_us = now_us + life_us;
        token.refresh_expires_us = moment_of(json_get(said, STR("refresh_life")), now_us);
    } else if (answer->end == EXCHANGE_ANSWERED) {
        /* The body is not shown: who knows what a token's server says in one that is not understood. */
        if (is_refusal(answer, error)) token.end = TOKEN_REFUSED;
        if (json_type(error) == JSON_STRING)
            words.error =
                str_fmt(arena, "answered %d: %.*s", answer->status, STR_ARG(str_sub(json_text(error), 0, 200)));
        else
            words.error = str_fmt(arena, "answered %d without a token", answer->status);
        (void)field_retry_after(answer, now_us, &token.not_before_us);
    }
    mask_outcome(context, &words);
    token.error = words.error;
    json_free(said);
    *ret_answer = token;
}
