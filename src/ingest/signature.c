/* ingest/signature.c - see signature.h.
 *
 * WHAT  A row of schemes.def against a request: where the signatures are, what was signed, with which secrets.
 *
 * PROMISE  No request is taken for the source's unless somebody signed with one of its secrets what the row's
 *   message says: the body, but for Mailgun, which signs a time and a token alone. One that was recorded and is sent
 *   again later than the source's tolerance is refused, where the sender signs a time; one sent again sooner has the
 *   same key, hence it is the same event. (GitHub, Shopify and Twilio sign neither time nor id: who could record one
 *   of theirs can send it under another id.) Who is refused cannot tell a bad signature from a source that is not
 *   there.
 *
 * WHY IT HOLDS  A code is compared as the text that the sender should have sent, so that no other spelling of it
 *   fits: not upper case, no other base64, no blanks. What a scheme signs beside the body (a time, an id) is taken
 *   from the same places for the message and for what is made of it. A header that comes twice is read once, its
 *   first value, for both. The time, and whether the body can be read, is judged only after the signature. A refusal
 *   costs one code over the body, with a signature or without, and so does a source that is not there; only public
 *   keys and a second secret cost more.
 *
 * WHAT BREAKS IT  A proxy that changes the body. One that changes the path or the host, for the schemes that sign the
 *   URL: `server.url` must be what the sender was given. A clock that is off by more than the tolerance.
 *
 * HOW TO SEE IT  The log line source_refused says why; drumbeat_source_requests_total counts by source and outcome.
 *
 * TESTED BY  test/unit/ingest/test_signature.c, test/e2e/test_sources.py (the senders' own libraries sign)
 */
#include "ingest/signature.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/when.h"
#include "ingest/form.h"
#include "ingest/place.h"

struct check {
    const struct source_settings *source;
    const struct server_settings *server;
    const struct request *request;
    const struct form *form;
    struct arena *arena;
    struct str time, id;
};

/* ---- what was signed ---- */

static int by_name(const void *left, const void *right) {
    const struct form_member *a = left, *b = right;
    int order = str_cmp(a->name, b->name);
    return order ? order : str_cmp(a->value, b->value);
}

/* Names and values one behind the other, in order of names; what came twice with the same value is signed once. */
static void add_form(const struct check *check, struct buf *message) {
    if (!check->form) return;
    struct form_member *sorted = arena_array(check->arena, struct form_member, check->form->count);
    if (check->form->count) memcpy(sorted, check->form->members, sizeof *sorted * check->form->count);
    qsort(sorted, check->form->count, sizeof *sorted, by_name);
    for (size_t i = 0; i < check->form->count; i++) {
        if (i && !by_name(&sorted[i - 1], &sorted[i])) continue;
        buf_add(message, sorted[i].name);
        buf_add(message, sorted[i].value);
    }
}

static void add_url(const struct check *check, struct buf *message) {
    const struct request *request = check->request;
    buf_add(message, check->server->url);
    buf_add(message, request->path);
    if (request->query.p) buf_fmt(message, "?%.*s", STR_ARG(request->query));
}

static void add_part(const struct check *check, struct buf *message, struct str name) {
    if (str_eq(name, STR("body"))) buf_add(message, check->request->body);
    if (str_eq(name, STR("time"))) buf_add(message, check->time);
    if (str_eq(name, STR("id"))) buf_add(message, check->id);
    if (str_eq(name, STR("method"))) buf_add(message, check->request->method);
    if (str_eq(name, STR("url"))) add_url(check, message);
    if (str_eq(name, STR("form"))) add_form(check, message);
}

static struct str message_of(const struct check *check) {
    struct buf message = {.arena = check->arena};
    struct str rest = str_from(check->source->webhook.scheme->message);
    for (size_t open; (open = str_find(rest, '{')) != SIZE_MAX;) {
        buf_add(&message, str_sub(rest, 0, open));
        rest = str_sub(rest, open + 1, rest.n);
        size_t close = str_find(rest, '}'); /* it is there: model/scheme.h */
        assert(close != SIZE_MAX);
        add_part(check, &message, str_sub(rest, 0, close));
        rest = str_sub(rest, close + 1, rest.n);
    }
    buf_add(&message, rest);
    return buf_str(&message);
}

/* ---- with which secret ---- */

struct str signature_message(const struct source_settings *source, const struct server_settings *server,
                             const struct request *request, const struct form *form, struct str time, struct str id,
                             struct arena *arena) {
    const struct check check = {source, server, request, form, arena, time, id};
    return message_of(&check);
}

struct str signature_text(const struct scheme *scheme, enum signing signing, struct str key, struct str message,
                          struct arena *arena) {
    struct str code = signing_mac(signing, key, message, arena);
    return scheme->base64 ? base64_encode(arena, code) : hex_encode(arena, code.p, code.n);
}

static bool same(struct str a, struct str b) {
    return a.n == b.n && hash_equal(a.p, b.p, a.n);
}

/* How many of the signatures are the message's under this secret. A code is made once, however many signatures there
 * are, also when there is none: what a refused request costs tells nobody whether its source exists. */
static size_t count_fitting(const struct check *check, struct str secret, struct str message,
                            const struct str *signatures, size_t count) {
    const struct scheme *scheme = check->source->webhook.scheme;
    enum signing signing;
    struct str key, decoded, code = STR_NONE;
    size_t fitting = 0;
    if (!scheme_key(scheme, secret, check->arena, &signing, &key)) return 0;
    bool is_mac = signing_is_mac(signing);
    if (is_mac) code = signature_text(scheme, signing, key, message, check->arena);
    for (size_t i = 0; i < count; i++)
        fitting += is_mac ? same(signatures[i], code)
                          : base64_decode(check->arena, signatures[i], &decoded) &&
                                signing_verify(signing, key, message, decoded);
    return fitting;
}

/* ---- the request ---- */

/* The signatures without what stands before them. A list names its members' version: v1a is Ed25519's. */
static size_t signatures_of(const struct check *check, struct str secret, struct str *ret_signatures) {
    const struct scheme *scheme = check->source->webhook.scheme;
    struct str prefix = str_from(scheme->prefix ? scheme->prefix : "");
    if (scheme->between) {
        struct str version = str_from(scheme->version);
        if (scheme->secret == SECRET_STANDARD && str_starts(secret, STR("whpk_"))) version = STR("v1a");
        return place_list(scheme, check->request, str_from(scheme->signature), version, ret_signatures, SIGNATURES_MAX);
    }
    struct str value = place_text(scheme, check->request, check->request->body, scheme->signature, check->arena);
    if (!value.n || !str_starts(value, prefix)) return 0;
    ret_signatures[0] = str_sub(value, prefix.n, value.n);
    return 1;
}

/* Twilio signs a body that is no form by its digest, which stands in the query. Where it stands it holds, so that such
 * a request cannot be sent again as a form without members. */
static bool body_is_vouched_for(const struct check *check) {
    if (!strstr(check->source->webhook.scheme->message, "{form}")) return true;
    struct str stated = request_query(check->request, STR("bodySHA256"), check->arena);
    if (check->form && !stated.p) return true;
    uint8_t digest[SHA256_BYTES];
    struct hasher *hasher = hasher_new();
    hash_sha256(hasher, check->request->body, digest);
    hasher_free(hasher);
    return same(stated, hex_encode(check->arena, digest, sizeof digest));
}

static enum err check_signature(const struct check *check, struct str *ret_words) {
    const struct source_settings *source = check->source;
    struct str message = message_of(check), signatures[SIGNATURES_MAX];
    const struct str secrets[] = {source->webhook.secret, source->webhook.old_secret};
    size_t seen = 0, fitting = 0;
    for (size_t i = 0; i < 2; i++) {
        if (!secrets[i].n) continue;
        size_t count = signatures_of(check, secrets[i], signatures);
        fitting += count_fitting(check, secrets[i], message, signatures, count);
        seen += count;
    }
    if (!seen)
        *ret_words = str_fmt(check->arena, "there is no signature in %s", source->webhook.scheme->signature);
    else if (!fitting)
        *ret_words = STR("the signature does not fit (another secret, or something changed the request on its way)");
    else if (!body_is_vouched_for(check))
        *ret_words = STR("the body is not the one that was signed");
    else
        return ERR_NONE;
    return ERR_UNSIGNED;
}

/* The first word of the header is taken in any case (RFC 9110, 11.1). */
static enum err check_words(const struct check *check, struct str word, struct str *ret_words) {
    struct str value = request_header(check->request, STR("Authorization"));
    const struct str secrets[] = {check->source->webhook.secret, check->source->webhook.old_secret};
    bool named = str_eq_nocase(str_sub(value, 0, word.n), word), found = false;
    for (size_t i = 0; i < 2; i++) {
        struct str secret = secrets[i];
        if (!secret.n) continue;
        if (check->source->webhook.scheme->proof == PROOF_BASIC) secret = base64_encode(check->arena, secret);
        found |= same(str_sub(value, word.n, value.n), secret);
    }
    if (named && found) return ERR_NONE;
    *ret_words = str_fmt(check->arena, "the header Authorization is not '%.*s' and the secret", STR_ARG(word));
    return ERR_UNSIGNED;
}

static enum err check_path(const struct check *check, struct str *ret_words) {
    struct str rest = str_sub(check->request->path, 1, check->request->path.n), part = STR_NONE;
    for (int i = 0; i < 3; i++)
        if (!str_next(&rest, '/', &part)) part = STR_NONE;
    const struct webhook_settings *webhook = &check->source->webhook;
    bool is_new = same(part, webhook->secret), is_old = same(part, webhook->old_secret); /* both, in any case */
    if (part.n && (is_new || is_old)) return ERR_NONE;
    *ret_words = STR("the path does not end in the source's secret");
    return ERR_UNSIGNED;
}

/* ---- its time ---- */

static enum err check_time(const struct check *check, int64_t wall_us, struct str *ret_words) {
    const struct scheme *scheme = check->source->webhook.scheme;
    int64_t tolerance_us = check->source->webhook.tolerance_us, time,
            unit_us = scheme->milliseconds ? US_PER_MS : US_PER_S;
    if (!scheme->time || !tolerance_us) return ERR_NONE;
    if (!str_to_i64(check->time, &time) || time < 0 || time > INT64_MAX / unit_us) {
        *ret_words = STR("the time is not a number");
        return ERR_STALE;
    }
    int64_t age_us = wall_us - time * unit_us;
    if (age_us <= tolerance_us && age_us >= -tolerance_us) return ERR_NONE;
    *ret_words = str_fmt(check->arena, "it was signed %.*s %s (an old request, or a clock that is wrong)",
                         STR_ARG(span_str(check->arena, (age_us < 0 ? -age_us : age_us) / US_PER_S * US_PER_S)),
                         age_us < 0 ? "from now" : "ago");
    return ERR_STALE;
}

enum err signature_check(const struct source_settings *source, const struct server_settings *server,
                         const struct request *request, const struct form *form, int64_t wall_us, struct arena *arena,
                         struct str *ret_words) {
    struct check check = {source, server, request, form, arena, STR(""), STR("")};
    const struct scheme *scheme = source->webhook.scheme;
    if (scheme->proof == PROOF_BASIC) return check_words(&check, STR("Basic "), ret_words);
    if (scheme->proof == PROOF_BEARER) return check_words(&check, STR("Bearer "), ret_words);
    if (scheme->proof == PROOF_PATH) return check_path(&check, ret_words);
    if (scheme->time) check.time = place_text(scheme, request, request->body, scheme->time, arena);
    if (scheme->id) check.id = place_text(scheme, request, request->body, scheme->id, arena);
    TRY(check_signature(&check, ret_words));
    return check_time(&check, wall_us, ret_words);
}

void signature_pretend(const struct request *request, struct arena *arena) {
    struct str code = signing_mac(SIGNING_HMAC_SHA256, STR("no source has this name"), request->body, arena);
    (void)hex_encode(arena, code.p, code.n);
}
