/* connect/sign.c - see sign.h.
 *
 * Both schemes sign a text that sender and receiver make of the same request, each for itself. What stands in a URL or
 * a form may be escaped in several ways, so both texts are made of the values themselves: taken out of their escapes,
 * and escaped anew in the one way of RFC 3986. */
#include "connect/sign.h"

#include "base/hash.h"
#include "base/signing.h"
#include "base/when.h"
#include "connect/url.h"

#include <stdlib.h>
#include <string.h>

/* ---- what both take from a request ---- */

struct url_parts {
    struct str scheme_and_host, host, path, query;
};

static struct url_parts url_parts_of(struct str url) {
    size_t host_at = 0, at;
    while (host_at < url.n && !(url.p[host_at] == '/' && host_at && url.p[host_at - 1] == '/')) host_at++;
    host_at++;
    for (at = host_at; at < url.n && url.p[at] != '/' && url.p[at] != '?' && url.p[at] != '#';) at++;
    struct str rest = str_sub(url, at, url.n), path = rest;
    str_next(&rest, '?', &path);
    return (struct url_parts){.scheme_and_host = str_sub(url, 0, at),
                              .host = str_sub(url, host_at, at - host_at),
                              .path = path.n ? path : STR("/"),
                              .query = at + path.n < url.n ? rest : STR_NONE};
}

static struct str escaped(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    url_escape(&buf, text, PLACE_QUERY);
    return buf_str(&buf);
}

/* Takes off the escapes; in a form a plus is a blank. */
static struct str unescaped(struct arena *arena, struct str text, bool form) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte = (uint8_t)text.p[i];
        if (text.p[i] == '+' && form) byte = ' ';
        if (text.p[i] == '%' && hex_decode(str_sub(text, i + 1, 2), &byte, 1)) i += 2;
        buf_byte(&buf, (char)byte);
    }
    return buf_str(&buf);
}

/* Names and values, escaped anew, to be sorted as the bytes they then are. */
struct field_list {
    struct header *items;
    size_t count, room;
};

static void list_put(struct arena *arena, struct field_list *list, struct str name, struct str value) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        struct header *items = arena_array(arena, struct header, room);
        if (list->count) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = (struct header){name, value};
}

static void list_pairs(struct arena *arena, struct field_list *list, struct str text, bool form) {
    struct str value, name;
    while (str_next(&text, '&', &value)) {
        if (!str_next(&value, '=', &name)) continue;
        list_put(arena, list, escaped(arena, unescaped(arena, name, form)),
                 escaped(arena, unescaped(arena, value, form)));
    }
}

static int by_name(const void *a, const void *b) {
    const struct header *one = a, *other = b;
    int names = str_cmp(one->name, other->name);
    return names ? names : str_cmp(one->value, other->value);
}

/* The sorted list with these between its parts. */
static struct str list_joined(struct arena *arena, struct field_list *list) {
    struct buf buf = {.arena = arena};
    if (list->count) qsort(list->items, list->count, sizeof *list->items, by_name);
    for (size_t i = 0; i < list->count; i++)
        buf_fmt(&buf, "%s%.*s=%.*s", i ? "&" : "", STR_ARG(list->items[i].name), STR_ARG(list->items[i].value));
    return buf_str(&buf);
}

/* ---- AWS Signature Version 4 ---- */

/* Small letters, and of blanks in a row one. */
static struct str canonical_text(struct arena *arena, struct str text, bool lower) {
    struct buf buf = {.arena = arena};
    text = str_trim(text);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == ' ' && i && text.p[i - 1] == ' ') continue;
        buf_byte(&buf, lower && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    return buf_str(&buf);
}

/* The path as it was sent, its escapes escaped once more, as every service but S3 has it. */
static struct str canonical_path(struct arena *arena, struct str path) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '/')
            buf_byte(&buf, '/');
        else
            url_escape(&buf, str_sub(path, i, 1), PLACE_QUERY);
    return buf_str(&buf);
}

static struct str hex_digest(struct arena *arena, struct hasher *hasher, struct str data) {
    uint8_t digest[SHA256_BYTES];
    hash_sha256(hasher, data, digest);
    return hex_encode(arena, digest, sizeof digest);
}

/* The secret never signs by itself: a key is derived from it for this day, region and service. */
static struct str aws_signing_key(const struct aws_keys *keys, struct str day, struct arena *arena) {
    const struct str steps[] = {day, keys->region, keys->service, STR("aws4_request")};
    struct str key = str_fmt(arena, "AWS4%.*s", STR_ARG(keys->secret));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        key = signing_mac(SIGNING_HMAC_SHA256, key, steps[i], arena);
    return key;
}

/* 20261124T132039Z */
static struct str basic_moment(struct arena *arena, int64_t now_us) {
    struct buf buf = {.arena = arena};
    struct str text = when_str(arena, now_us - now_us % US_PER_S);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '-' && text.p[i] != ':') buf_byte(&buf, text.p[i]);
    return buf_str(&buf);
}

/* The canonical request; *ret_signed is the list of the headers in it. */
static struct str aws_request(const struct outgoing *outgoing, struct hasher *hasher, struct arena *arena,
                              struct str *ret_signed) {
    const struct url_parts url = url_parts_of(outgoing->url);
    struct field_list query = {0}, headers = {0};
    struct buf request = {.arena = arena}, names = {.arena = arena};
    list_pairs(arena, &query, url.query, false);
    list_put(arena, &headers, STR("host"), url.host);
    for (size_t i = 0; i < outgoing->header_count; i++)
        if (!str_eq_nocase(outgoing->headers[i].name, STR("user-agent")))
            list_put(arena, &headers, canonical_text(arena, outgoing->headers[i].name, true),
                     canonical_text(arena, outgoing->headers[i].value, false));
    qsort(headers.items, headers.count, sizeof *headers.items, by_name);
    buf_fmt(&request, "%.*s\n%.*s\n%.*s\n", STR_ARG(outgoing->method), STR_ARG(canonical_path(arena, url.path)),
            STR_ARG(list_joined(arena, &query)));
    for (size_t i = 0; i < headers.count; i++) {
        buf_fmt(&request, "%.*s:%.*s\n", STR_ARG(headers.items[i].name), STR_ARG(headers.items[i].value));
        buf_fmt(&names, "%s%.*s", i ? ";" : "", STR_ARG(headers.items[i].name));
    }
    *ret_signed = buf_str(&names);
    buf_fmt(&request, "\n%.*s\n%.*s", STR_ARG(*ret_signed), STR_ARG(hex_digest(arena, hasher, outgoing->body)));
    return buf_str(&request);
}

void sign_aws(struct outgoing *outgoing, const struct aws_keys *keys, int64_t now_us, struct hasher *hasher,
              struct arena *arena) {
    struct str signed_names, moment = basic_moment(arena, now_us), day = str_sub(moment, 0, 8);
    outgoing_put(outgoing, STR("X-Amz-Date"), moment);
    if (keys->token.n) outgoing_put(outgoing, STR("X-Amz-Security-Token"), keys->token);
    struct str request = aws_request(outgoing, hasher, arena, &signed_names);
    struct str scope =
        str_fmt(arena, "%.*s/%.*s/%.*s/aws4_request", STR_ARG(day), STR_ARG(keys->region), STR_ARG(keys->service));
    struct str text = str_fmt(arena, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%.*s", STR_ARG(moment), STR_ARG(scope),
                              STR_ARG(hex_digest(arena, hasher, request)));
    struct str code = signing_mac(SIGNING_HMAC_SHA256, aws_signing_key(keys, day, arena), text, arena);
    outgoing_put(outgoing, STR("Authorization"),
                 str_fmt(arena, "AWS4-HMAC-SHA256 Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.*s",
                         STR_ARG(keys->key), STR_ARG(scope), STR_ARG(signed_names),
                         STR_ARG(hex_encode(arena, code.p, code.n))));
}

/* ---- OAuth 1.0a ---- */

static bool is_form(const struct outgoing *outgoing) {
    const struct str form = STR("application/x-www-form-urlencoded");
    for (size_t i = 0; i < outgoing->header_count; i++)
        if (str_eq_nocase(outgoing->headers[i].name, STR("content-type")))
            return str_eq_nocase(str_sub(outgoing->headers[i].value, 0, form.n), form);
    return false;
}

/* The base string (RFC 5849, 3.4.1). A port that is the scheme's own is no part of the URL in it. */
static struct str oauth1_text(const struct outgoing *outgoing, struct field_list *list, struct arena *arena) {
    const struct url_parts url = url_parts_of(outgoing->url);
    struct str base = canonical_text(arena, url.scheme_and_host, true);
    if (str_starts(base, STR("https://")) && str_ends(base, STR(":443"))) base.n -= 4;
    if (str_starts(base, STR("http://")) && str_ends(base, STR(":80"))) base.n -= 3;
    base = str_fmt(arena, "%.*s%.*s", STR_ARG(base), STR_ARG(url.path));
    list_pairs(arena, list, url.query, true);
    if (is_form(outgoing)) list_pairs(arena, list, outgoing->body, true);
    return str_fmt(arena, "%.*s&%.*s&%.*s", STR_ARG(outgoing->method), STR_ARG(escaped(arena, base)),
                   STR_ARG(escaped(arena, list_joined(arena, list))));
}

void sign_oauth1(struct outgoing *outgoing, const struct oauth1_keys *keys, int64_t now_us, struct str nonce,
                 struct arena *arena) {
    const struct header own[] = {
        {STR("oauth_consumer_key"), escaped(arena, keys->consumer_key)},
        {STR("oauth_nonce"), escaped(arena, nonce)},
        {STR("oauth_signature_method"), STR("HMAC-SHA1")},
        {STR("oauth_timestamp"), str_fmt(arena, "%lld", (long long)(now_us / US_PER_S))},
        {STR("oauth_token"), escaped(arena, keys->token)},
        {STR("oauth_version"), STR("1.0")},
    };
    struct field_list list = {0};
    struct buf header = {.arena = arena};
    buf_add(&header, STR("OAuth "));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        list_put(arena, &list, own[i].name, own[i].value);
        buf_fmt(&header, "%.*s=\"%.*s\", ", STR_ARG(own[i].name), STR_ARG(own[i].value));
    }
    struct str secret = str_fmt(arena, "%.*s&%.*s", STR_ARG(escaped(arena, keys->consumer_secret)),
                                STR_ARG(escaped(arena, keys->token_secret)));
    struct str code = signing_mac(SIGNING_HMAC_SHA1, secret, oauth1_text(outgoing, &list, arena), arena);
    buf_fmt(&header, "oauth_signature=\"%.*s\"", STR_ARG(escaped(arena, base64_encode(arena, code))));
    outgoing_put(outgoing, STR("Authorization"), buf_str(&header));
}
