/* connect/mask.c - see mask.h. */
#include "connect/mask.h"

#include "connect/connector.h"

#include <string.h>

struct secrets {
    struct str *values;
    size_t count;
};

static void add(struct secrets *secrets, struct str value) {
    if (value.n >= MASK_SECRET_MIN) secrets->values[secrets->count++] = value;
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
    add(secrets, header->value);
    if (blank != SIZE_MAX) add(secrets, str_trim(str_sub(header->value, blank, header->value.n)));
}

static struct secrets secrets_of(const struct call_context *context) {
    const struct destination_settings *destination = context->destination;
    const struct connector *connector = destination->connector;
    size_t room = 2 * destination->header_count + 1 + connector->field_count;
    struct secrets secrets = {.values = arena_array(context->arena, struct str, room)};
    for (size_t i = 0; i < destination->header_count; i++) add_header(&secrets, &destination->headers[i]);
    add(&secrets, destination->signing_secret);
    for (size_t i = 0; i < connector->field_count; i++)
        if (connector->fields[i].secret)
            add(&secrets, connector_field(connector, destination, connector->fields[i].name));
    return secrets;
}

/* How much of the text at p is this secret: all of it, or its beginning where the text was cut. */
static size_t secret_length(struct str secret, const char *p, size_t left) {
    size_t n = secret.n < left ? secret.n : left;
    return n >= MASK_SECRET_MIN && !memcmp(p, secret.p, n) ? n : 0;
}

static size_t longest_secret(const struct secrets *secrets, struct str text, size_t at) {
    size_t longest = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        size_t n = secret_length(secrets->values[i], text.p + at, text.n - at);
        if (n > longest) longest = n;
    }
    return longest;
}

static struct str mask(const struct secrets *secrets, struct str text, struct arena *arena) {
    struct buf masked = {.arena = arena};
    size_t kept = 0;
    for (size_t at = 0; at < text.n;) {
        size_t n = longest_secret(secrets, text, at);
        if (n) {
            buf_add(&masked, str_sub(text, kept, at - kept));
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
    if (secrets.count == 0) return;
    outcome->error = mask(&secrets, outcome->error, context->arena);
    outcome->answer = mask(&secrets, outcome->answer, context->arena);
    outcome->remote_id = mask(&secrets, outcome->remote_id, context->arena);
}
