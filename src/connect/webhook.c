/* connect/webhook.c - see webhook.h. Sources: Standard Webhooks (webhook-id,
 * webhook-timestamp, webhook-signature v1), W3C Trace Context (traceparent). */
#include "connect/webhook.h"

#include "base/hash.h"
#include "base/when.h"
#include "model/trace.h"

/* The texts of one request, in one piece of memory. */
struct webhook {
    char id[UUID_TEXT_LENGTH + 1], event[UUID_TEXT_LENGTH + 1];
    struct str timestamp, attempt, trace;
};

bool webhook_secret(struct arena *arena, struct str text, struct str *ret_key) {
    static const struct str prefix = {"whsec_", 6};
    if (str_starts(text, prefix)) text = str_sub(text, prefix.n, text.n);
    struct str key;
    if (!base64_decode(arena, text, &key) || !key.n) return false;
    *ret_key = key;
    return true;
}

/* v1 is HMAC-SHA256 over id.timestamp.body. */
static struct str webhook_signature(const struct call_context *context, const struct webhook *webhook, struct str key,
                                    struct str body) {
    struct buf signed_text = {.arena = context->arena};
    buf_add(&signed_text, str_from(webhook->id));
    buf_byte(&signed_text, '.');
    buf_add(&signed_text, webhook->timestamp);
    buf_byte(&signed_text, '.');
    buf_add(&signed_text, body);
    uint8_t digest[SHA256_BYTES];
    hash_hmac_sha256(context->hasher, key, buf_str(&signed_text), digest);
    struct str text = base64_encode(context->arena, (struct str){(const char *)digest, sizeof digest});
    return str_fmt(context->arena, "v1,%.*s", STR_ARG(text));
}

static struct webhook *webhook_texts(const struct call_context *context, const struct delivery *delivery) {
    struct webhook *webhook = arena_new(context->arena, struct webhook);
    uuid_format(delivery->key, webhook->id);
    uuid_format(delivery->event_id, webhook->event);
    webhook->timestamp = str_fmt(context->arena, "%lld", (long long)(context->now_us / US_PER_S));
    webhook->attempt = str_fmt(context->arena, "%d", delivery->attempts + 1);
    webhook->trace = trace_parent_text(context->arena, context->sampler, delivery);
    return webhook;
}

static void put_own_headers(struct outgoing *outgoing, const struct webhook *webhook, struct str type) {
    struct str id = {webhook->id, UUID_TEXT_LENGTH};
    outgoing_header(outgoing, STR("Content-Type"), STR("application/json"));
    outgoing_header(outgoing, STR("User-Agent"), STR("drumbeat/" DRUMBEAT_VERSION));
    outgoing_header(outgoing, STR("Idempotency-Key"), id);
    outgoing_header(outgoing, STR("webhook-id"), id);
    outgoing_header(outgoing, STR("webhook-timestamp"), webhook->timestamp);
    outgoing_header(outgoing, STR("X-Drumbeat-Event"), (struct str){webhook->event, UUID_TEXT_LENGTH});
    outgoing_header(outgoing, STR("X-Drumbeat-Type"), type);
    outgoing_header(outgoing, STR("X-Drumbeat-Attempt"), webhook->attempt);
    outgoing_header(outgoing, STR("traceparent"), webhook->trace);
}

enum err webhook_request(const struct call_context *context, struct outgoing *ret_outgoing, struct str *ret_problem) {
    const struct destination_settings *destination = context->destination;
    const struct delivery *delivery = context->deliveries[0];
    struct str key;
    if (!header_value_valid(delivery->event->type)) {
        *ret_problem = STR("the event's type holds control characters, which no header can carry");
        return ERR_BAD_FIELD;
    }
    struct webhook *webhook = webhook_texts(context, delivery);
    *ret_outgoing = (struct outgoing){
        .method = STR("POST"),
        .url = destination->url,
        .body = delivery->params.n ? delivery->params : delivery->event->payload,
        .timeout_us = destination->timeout_us,
        .allow_private = destination->allow_private,
    };
    put_own_headers(ret_outgoing, webhook, delivery->event->type);
    if (webhook_secret(context->arena, destination->signing_secret, &key))
        outgoing_header(ret_outgoing, STR("webhook-signature"),
                        webhook_signature(context, webhook, key, ret_outgoing->body));
    for (size_t i = 0; i < destination->header_count; i++)
        outgoing_put(ret_outgoing, destination->headers[i].name, destination->headers[i].value);
    return ERR_NONE;
}
