/* ingest/webhook.h - from a sender's request to events. Pure.
 *
 * The signature is judged first, over the bytes as they came. Then the body, or each item of a body that brings
 * several, becomes an event: its payload as received (a form becomes a JSON object), its type SOURCE.WHAT, its key
 * SOURCE:ID, by the places that the scheme's row or the source's `map` names.
 */
#ifndef INGEST_WEBHOOK_H
#define INGEST_WEBHOOK_H

#include "ingest/intake.h"
#include "model/scheme.h"

struct posting {
    struct intake intake; /* no items where the request was a greeting */
    bool greeted;         /* the request wanted an answer and is no event: text is that answer */
    struct str content_type, text;
};

/* source NULL: there is none of that name, which the sender is told in the words and the time of a bad signature. On a
 * refusal, words says why for the log, and refusal what the sender hears. */
MUST_USE enum err webhook_take(const struct intake_context *context, const struct source_settings *source,
                               const struct request *request, struct posting *ret_posting, struct refusal *ret_refusal,
                               struct str *ret_words);

#endif
