/* connect/transform.c - what stands behind a bar in a reference; see value.h. */
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "connect/mime.h"
#include "connect/url.h"
#include "connect/value.h"

#define FIRST_MAX 1000

static struct value value_of_text(struct str text) {
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static struct str bytes_of(const struct value *value) {
    return value->kind == VALUE_ID ? (struct str){(const char *)value->id.b, sizeof value->id.b} : value->text;
}

static bool to_hex(const struct call_context *context, struct value *value, int64_t argument) {
    (void)argument;
    struct str bytes = bytes_of(value);
    *value = value_of_text(hex_encode(context->arena, bytes.p, bytes.n));
    return true;
}

/* RFC 4648, 6: five bits a digit, in small letters, without padding. */
static bool to_base32(const struct call_context *context, struct value *value, int64_t argument) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    (void)argument;
    struct str bytes = bytes_of(value);
    struct buf buf = {.arena = context->arena};
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < bytes.n; i++) {
        bits = (bits << 8 | (uint8_t)bytes.p[i]) & 0xfff;
        for (held += 8; held >= 5; held -= 5) buf_byte(&buf, alphabet[bits >> (held - 5) & 31]);
    }
    if (held) buf_byte(&buf, alphabet[bits << (5 - held) & 31]);
    *value = value_of_text(buf_str(&buf));
    return true;
}

/* Cuts to the first so many characters, which are not bytes. */
static bool to_first(const struct call_context *context, struct value *value, int64_t argument) {
    (void)context;
    size_t end = 0;
    for (int64_t i = 0; i < argument && end < value->text.n; i++) {
        size_t length = str_utf8_length(value->text, end);
        end += length ? length : 1;
    }
    value->text.n = end;
    return true;
}

static bool to_lower(const struct call_context *context, struct value *value, int64_t argument) {
    (void)argument;
    struct buf buf = {.arena = context->arena};
    for (size_t i = 0; i < value->text.n; i++) {
        char c = value->text.p[i];
        buf_byte(&buf, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    *value = value_of_text(buf_str(&buf));
    return true;
}

static bool to_trim(const struct call_context *context, struct value *value, int64_t argument) {
    (void)context;
    (void)argument;
    value->text = str_trim(value->text);
    return true;
}

/* The digests come as hexadecimal digits, which is how providers write them. */
static bool to_md5(const struct call_context *context, struct value *value, int64_t argument) {
    uint8_t digest[MD5_BYTES];
    (void)argument;
    if (!hash_md5(context->hasher, value->text, digest)) return false;
    *value = value_of_text(hex_encode(context->arena, digest, sizeof digest));
    return true;
}

static bool to_sha256(const struct call_context *context, struct value *value, int64_t argument) {
    uint8_t digest[SHA256_BYTES];
    (void)argument;
    hash_sha256(context->hasher, bytes_of(value), digest);
    *value = value_of_text(hex_encode(context->arena, digest, sizeof digest));
    return true;
}

static bool to_time(struct value *value) {
    if (value->kind == VALUE_TIME) return true;
    int64_t us;
    if (!when_parse(value->text, &us)) return false;
    *value = (struct value){.kind = VALUE_TIME, .number = us};
    return true;
}

static bool to_unix(const struct call_context *context, struct value *value, int64_t argument) {
    (void)context;
    if (!to_time(value)) return false;
    *value = (struct value){.kind = VALUE_NUMBER, .number = value->number / argument};
    return true;
}

static bool to_minus(const struct call_context *context, struct value *value, int64_t argument) {
    (void)context;
    if (!to_time(value)) return false;
    value->number = value->number > argument ? value->number - argument : 0;
    return true;
}

static bool to_plus(const struct call_context *context, struct value *value, int64_t argument) {
    (void)context;
    if (!to_time(value)) return false;
    value->number += argument;
    return true;
}

/* The SHA-256 of a text as base64url, as RFC 7636 makes a challenge of a verifier. */
static bool to_challenge(const struct call_context *context, struct value *value, int64_t argument) {
    uint8_t digest[SHA256_BYTES];
    (void)argument;
    hash_sha256(context->hasher, value->text, digest);
    *value = value_of_text(base64url_encode(context->arena, (struct str){(const char *)digest, sizeof digest}));
    return true;
}

/* A member of a text that is a JSON object, as a key file is. */
static bool to_member(const struct call_context *context, struct value *value, int64_t argument) {
    struct json *object;
    struct json_error error;
    (void)argument;
    if (json_parse(value->text, JSON_DEPTH_MAX, &object, &error)) return false;
    struct str text = str_dup(context->arena, json_text(json_get(object, value->name)));
    json_free(object);
    *value = value_of_text(text);
    return text.n > 0;
}

/* A backslash before each of the marks that LinkedIn's posts reserve. */
static bool to_escape(const struct call_context *context, struct value *value, int64_t argument) {
    (void)argument;
    struct buf buf = {.arena = context->arena};
    for (size_t i = 0; i < value->text.n; i++) {
        if (str_find(STR("\\|{}@[]()<>#*_~"), value->text.p[i]) != SIZE_MAX) buf_byte(&buf, '\\');
        buf_byte(&buf, value->text.p[i]);
    }
    *value = value_of_text(buf_str(&buf));
    return true;
}

static bool to_json(const struct call_context *context, struct value *value, int64_t argument) {
    (void)argument;
    struct buf buf = {.arena = context->arena};
    value_json(&buf, value);
    *value = value_of_text(buf_str(&buf));
    return true;
}

static bool to_form(const struct call_context *context, struct value *value, int64_t argument) {
    (void)argument;
    struct buf buf = {.arena = context->arena};
    url_escape(&buf, value->text, PLACE_QUERY);
    *value = value_of_text(buf_str(&buf));
    return true;
}

static bool to_mailbox(const struct call_context *context, struct value *value, int64_t argument) {
    (void)argument;
    *value = value_of_text(mime_party(context->arena, value->text));
    return true;
}

enum argument { ARGUMENT_NONE, ARGUMENT_COUNT, ARGUMENT_SPAN, ARGUMENT_NAME };
static const struct transform {
    const char *word;
    unsigned takes; /* kinds */
    enum value_kind gives;
    enum argument argument;
    int64_t fixed; /* its argument where it is given none */
    bool (*run)(const struct call_context *context, struct value *value, int64_t argument);
    const char *wants;
} transforms[] = {
    {"hex", VALUE_TEXT | VALUE_ID, VALUE_TEXT, ARGUMENT_NONE, 0, to_hex, "a text"},
    {"base32", VALUE_TEXT | VALUE_ID, VALUE_TEXT, ARGUMENT_NONE, 0, to_base32, "a text"},
    {"first", VALUE_TEXT, VALUE_TEXT, ARGUMENT_COUNT, 0, to_first, "a text"},
    {"lower", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NONE, 0, to_lower, "a text"},
    {"trim", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NONE, 0, to_trim, "a text"},
    {"md5", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NONE, 0, to_md5, "a text, and OpenSSL must offer MD5,"},
    {"sha256", VALUE_TEXT | VALUE_ID, VALUE_TEXT, ARGUMENT_NONE, 0, to_sha256, "a text"},
    {"unix", VALUE_TIME | VALUE_TEXT, VALUE_NUMBER, ARGUMENT_NONE, US_PER_S, to_unix, "a time with its offset"},
    {"unix_ms", VALUE_TIME | VALUE_TEXT, VALUE_NUMBER, ARGUMENT_NONE, US_PER_MS, to_unix, "a time with its offset"},
    {"minus", VALUE_TIME | VALUE_TEXT, VALUE_TIME, ARGUMENT_SPAN, 0, to_minus, "a time with its offset"},
    {"plus", VALUE_TIME | VALUE_TEXT, VALUE_TIME, ARGUMENT_SPAN, 0, to_plus, "a time with its offset"},
    {"challenge", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NONE, 0, to_challenge, "a text"},
    {"member", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NAME, 0, to_member, "a JSON object that has it, as a text,"},
    {"escape", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NONE, 0, to_escape, "a text"},
    {"form", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NONE, 0, to_form, "a text"},
    {"mailbox", VALUE_TEXT, VALUE_TEXT, ARGUMENT_NONE, 0, to_mailbox, "a text"},
    {"json", VALUE_ANY, VALUE_TEXT, ARGUMENT_NONE, 0, to_json, "a value"},
};
#define TRANSFORM_COUNT (sizeof transforms / sizeof *transforms)

enum err transform_run(struct fill *fill, const struct ref *ref, const struct ref_step *step, struct value *value) {
    const struct transform *transform = &transforms[step->transform];
    struct arena *arena = fill->context->arena;
    value->name = step->name;
    if (value->kind & transform->takes && transform->run(fill->context, value, step->argument)) return ERR_NONE;
    return fill_fail(fill, "%.*s must be %s for '%s'", STR_ARG(ref_name(arena, ref)), transform->wants,
                     transform->word);
}

static bool argument_read(const struct transform *transform, struct str text, int64_t *ret_argument) {
    uint64_t count;
    switch (transform->argument) {
    case ARGUMENT_NONE:
        *ret_argument = transform->fixed;
        return !text.n;
    case ARGUMENT_SPAN:
        return span_parse(text, ret_argument);
    case ARGUMENT_NAME:
        *ret_argument = 0;
        return text.n > 0;
    case ARGUMENT_COUNT:
        break;
    }
    if (!str_to_u64(text, &count) || !count || count > FIRST_MAX) return false;
    *ret_argument = (int64_t)count;
    return true;
}

static const struct transform *transform_find(struct str word) {
    for (size_t i = 0; i < TRANSFORM_COUNT; i++)
        if (str_eq(str_from(transforms[i].word), word)) return &transforms[i];
    return NULL;
}

const char *transform_read(struct str text, unsigned *kinds, struct ref_step *ret_step) {
    struct str argument = text, word = STR_NONE;
    str_next(&argument, ' ', &word);
    const struct transform *transform = transform_find(word);
    if (!transform)
        return "is no transform: hex base32 first lower trim md5 sha256 unix unix_ms minus plus "
               "challenge member escape form mailbox json";
    if (!(transform->takes & *kinds)) return "cannot be given what stands before it";
    struct ref_step step = {.transform = (size_t)(transform - transforms), .name = str_trim(argument)};
    if (!argument_read(transform, step.name, &step.argument))
        return "needs its argument: 'first 24' characters (1 to 1000), 'minus 5m', 'member name', the others none";
    *kinds = transform->gives;
    *ret_step = step;
    return NULL;
}
