/* connect/mask.c - see mask.h. */
#include "connect/mask.h"

#include "base/hash.h"
#include "base/json.h"
#include "connect/connector.h"

#include <string.h>

enum spelling { SPELLED_PLAIN, SPELLED_BASE64, SPELLED_WORD };
/* One text to look for. */
struct secret {
    struct str text;
    enum spelling spelling;
    size_t before, behind; /* base64: digits at its edges that hold bits of the value and of its neighbours */
};
struct secrets {
    struct arena *arena;
    struct secret *items;
    size_t count;
};

#define BASE64_SHIFTS    3
#define SPELLINGS_OF_ONE (1 + BASE64_SHIFTS)

/* The digits of base64 that depend on the value alone when so many bytes stand before it in their group of three. */
static void add_base64(struct secrets *secrets, struct str value, size_t shift) {
    char *padded = arena_alloc(secrets->arena, shift + value.n);
    memset(padded, 0, shift);
    memcpy(padded + shift, value.p, value.n);
    struct str digits = base64_encode(secrets->arena, (struct str){padded, shift + value.n});
    size_t before = (shift * 8 + 5) / 6, end = (shift + value.n) * 8 / 6;
    secrets->items[secrets->count++] = (struct secret){.text = str_sub(digits, before, end - before),
                                                       .spelling = SPELLED_BASE64,
                                                       .before = before,
                                                       .behind = (shift + value.n) % 3 ? 1 : 0};
}

static void add(struct secrets *secrets, struct str value, bool is_certain) {
    bool is_long = value.n >= MASK_SECRET_MIN;
    if (!is_long && !(is_certain && value.n >= MASK_WORD_MIN)) return;
    secrets->items[secrets->count++] =
        (struct secret){.text = value, .spelling = is_long ? SPELLED_PLAIN : SPELLED_WORD};
    for (size_t shift = 0; is_long && shift < BASE64_SHIFTS; shift++) add_base64(secrets, value, shift);
}

static bool header_is_plain(struct str name) {
    static const char *const plain[] = {"accept", "accept-language", "content-type", "user-agent"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (str_eq_nocase(name, str_from(plain[i]))) return true;
    return false;
}

/* Adds the whole value and then what follows "Bearer ", so that the whole is looked for first. */
static void add_header(struct secrets *secrets, const struct header *header) {
    if (header_is_plain(header->name)) return;
    size_t blank = str_find(header->value, ' ');
    bool is_certain = str_eq_nocase(header->name, STR("authorization"));
    add(secrets, header->value, is_certain);
    if (blank != SIZE_MAX) add(secrets, str_trim(str_sub(header->value, blank, header->value.n)), is_certain);
}

static struct secrets secrets_of(const struct call_context *context) {
    const struct destination_settings *destination = context->destination;
    const struct connector *connector = destination->connector;
    const struct token_use *token = context->token;
    size_t room = 2 * destination->header_count + 5 + connector->field_count;
    struct secrets secrets = {.arena = context->arena,
                              .items = arena_array(context->arena, struct secret, room * SPELLINGS_OF_ONE)};
    for (size_t i = 0; i < destination->header_count; i++) add_header(&secrets, &destination->headers[i]);
    add(&secrets, destination->signing_secret, true);
    for (size_t i = 0; i < connector->field_count; i++)
        if (connector->fields[i].secret)
            add(&secrets, connector_field(connector, destination, connector->fields[i].name), true);
    if (token) add(&secrets, token->access, true);
    if (token) add(&secrets, token->refresh, true);
    if (token) add(&secrets, token->code, true);
    if (token) add(&secrets, token->verifier, true);
    return secrets;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word_byte(char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || (uint8_t)c >= 0x80;
}

/* What stands at *at, with its escape taken off: 1 to 4 bytes, and *at behind it. 0 = an escape that the end of the
 * text cuts. */
static size_t read_spelled(struct str text, size_t *at, char ret_bytes[4]) {
    char c = text.p[*at];
    uint8_t byte;
    size_t left = text.n - *at;
    if (c == '%' && left < 3) return 0;
    if (c == '%' && hex_decode(str_sub(text, *at + 1, 2), &byte, 1)) {
        ret_bytes[0] = (char)byte;
        *at += 3;
        return 1;
    }
    if (c == '\\' && (left < 2 || (text.p[*at + 1] == 'u' && left < 6))) return 0;
    size_t behind = *at, length = c == '\\' ? json_unescape(text, &behind, ret_bytes) : 0;
    if (length) {
        *at = behind;
        return length;
    }
    ret_bytes[0] = c;
    ++*at;
    return 1;
}

static bool is_same(const struct secret *secret, char wanted, char c) {
    if (c == wanted) return true;
    if (secret->spelling == SPELLED_BASE64) return (wanted == '+' && c == '-') || (wanted == '/' && c == '_');
    if (secret->spelling == SPELLED_WORD) return false;
    return lower(c) == lower(wanted) || (wanted == ' ' && c == '+');
}

/* How much of the text from `at` on is this secret: all of it, or its beginning where the text was cut; 0 = it is not
 * there. */
static size_t secret_length(const struct secret *secret, struct str text, size_t at) {
    size_t from = at, matched = 0;
    while (matched < secret->text.n && at < text.n) {
        char bytes[4];
        size_t length = read_spelled(text, &at, bytes);
        if (!length) at = text.n;
        for (size_t i = 0; i < length; i++, matched++)
            if (matched == secret->text.n || !is_same(secret, secret->text.p[matched], bytes[i])) return 0;
    }
    if (matched < secret->text.n && matched < MASK_SECRET_MIN) return 0;
    return at - from;
}

static bool stands_alone(struct str text, size_t at, size_t n) {
    return (at == 0 || !is_word_byte(text.p[at - 1])) && (at + n == text.n || !is_word_byte(text.p[at + n]));
}

/* The longest secret that begins here: its bytes, and how many before it go with it. */
static size_t longest_secret(const struct secrets *secrets, struct str text, size_t at, size_t *ret_before) {
    size_t longest = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        const struct secret *secret = &secrets->items[i];
        size_t n = secret_length(secret, text, at);
        if (n && secret->spelling == SPELLED_WORD && !stands_alone(text, at, n)) continue;
        if (n && at + n + secret->behind <= text.n) n += secret->behind;
        if (n <= longest) continue;
        longest = n;
        *ret_before = secret->before;
    }
    return longest;
}

static struct str mask(const struct secrets *secrets, struct str text, struct arena *arena) {
    struct buf masked = {.arena = arena};
    size_t kept = 0;
    for (size_t at = 0; at < text.n;) {
        size_t before = 0, n = longest_secret(secrets, text, at, &before);
        if (n) {
            if (before > at - kept) before = at - kept;
            buf_add(&masked, str_sub(text, kept, at - before - kept));
            buf_add(&masked, STR("***"));
            kept = at + n;
        }
        at += n ? n : 1;
    }
    if (kept == 0) return text;
    buf_add(&masked, str_sub(text, kept, text.n));
    return buf_str(&masked);
}

void mask_outcome(const struct call_context *context, struct outcome *outcome) {
    const struct secrets secrets = secrets_of(context);
    if (secrets.count) {
        outcome->error = mask(&secrets, outcome->error, context->arena);
        outcome->answer = mask(&secrets, outcome->answer, context->arena);
        outcome->remote_id = mask(&secrets, outcome->remote_id, context->arena);
    }
    outcome->error = str_safe(context->arena, outcome->error, false); /* it goes into logs, mails and terminals */
    outcome->remote_id = str_safe(context->arena, outcome->remote_id, true);
}
