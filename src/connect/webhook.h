/* connect/webhook.h - the `http` type: one POST of the body to a URL, with the
 * headers a receiver can trust and de-duplicate by (Standard Webhooks). Pure.
 * The hot path: no JSON is parsed here. */
#ifndef CONNECT_WEBHOOK_H
#define CONNECT_WEBHOOK_H

#include "connect/connect.h"

MUST_USE enum err webhook_request(const struct call_context *context, struct outgoing *ret_outgoing,
                                  struct str *ret_problem);
/* The bytes of a secret: base64, with or without `whsec_` before it. */
bool webhook_secret(struct arena *arena, struct str text, struct str *ret_key);

#endif
