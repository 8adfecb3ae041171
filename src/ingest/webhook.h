/* ingest/webhook.h - from a sender's request to events. Pure.
 *
 * The signature is judged first, over the bytes as they came. Then the body, or each item of a body that brings
 * several, becomes an event: its payload as received (a form becomes a JSON object), its type SOURCE.WHAT, its key
 * SOURCE:ID, by the places that the scheme's row or the source's `map` names.
 */
#ifndef INGEST_WEBHOOK_H
#define INGEST_WEBHOOK_H

#include "ingest/intake.h"
#include "model/certificate.h"
#include "model/scheme.h"
#include "model/source.h"

struct posting {
    struct intake intake; /* no items where the request was a greeting */
    bool greeted;         /* the request wanted an answer and is no event: text is that answer */
    bool stray;           /* refused: it asks what only a sender that greets may ask */
    struct str content_type, text;
    struct fetch_need fetch; /* what the request needs from outside; set on a refusal too */
};

/* source NULL: there is none of that name, which the sender is told in the words and the time of a bad signature. On a
 * refusal, words says why for the log, and refusal what the sender hears. */
MUST_USE enum err webhook_take(const struct intake_context *context, const struct source_settings *source,
                               const struct request *request, struct posting *ret_posting, struct refusal *ret_refusal,
                               struct str *ret_words);

/* ---- samples ---- */

/* A request as the source's sender would make it, signed now. fields: a JSON object, which is given the type and the
 * key that the sender's bodies have, where it has none; what: the type without the source's name, "" = "sample". False,
 * with a sentence, when nobody but the sender can sign. ret_request->path is the source's. */
struct sample_wish {
    struct json *fields;
    struct str what, id;
    int64_t wall_us;
};
bool webhook_sample(const struct source_settings *source, const struct server_settings *server,
                    const struct sample_wish *wish, struct arena *arena, struct request *ret_request,
                    struct str *ret_problem);

#endif
