/* ingest/intake.h - from a request's body to events, or a refusal. Pure.
 *
 * Takes `application/json` (one object, or an array) and
 * `application/x-ndjson`. Everything is checked before anything is accepted:
 * names, types, limits; unknown fields are refused. The payload is kept byte
 * for byte; its fingerprint is the SHA-256 of its RFC 8785 form.
 */
#ifndef INGEST_INTAKE_H
#define INGEST_INTAKE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/event.h"
#include "model/request.h"
#include "model/settings.h"

#define INTAKE_BATCH_MAX 10000 /* items of one request */

struct certificate_shelf;
struct evaluator;
struct json;
struct mappings;

struct intake_context {
    const struct settings *settings;
    int64_t wall_us;
    struct hasher *hasher;
    struct rng *rng;
    struct uuid *last_id;
    struct arena *arena;
    struct mappings *mappings; /* what sources say by jq; NULL = none does */
    const struct evaluator *evaluator;
    const struct certificate_shelf *certificates; /* NULL = nothing is fetched here */
};

struct refusal {
    enum err err;
    struct str detail;  /* a sentence */
    struct str pointer; /* RFC 6901, "" = the whole body */
};
/* One input: an event, or why it was refused. */
struct intake_item {
    bool valid;
    bool unkeyed;       /* of a source: what its `map` says of the key was not there, so the key is a digest */
    struct str problem; /* of a source: why what its `map` says by jq could not be used; "" = it could */
    struct event event;
    struct refusal refusal;
};
struct intake {
    bool batch; /* the answer is a list */
    struct intake_item *items;
    size_t count;
};
/* ERR_NONE, or the refusal of the request as a whole (media type, size, JSON of a single body) in *ret_refusal. */
MUST_USE enum err intake_request(const struct intake_context *context, const struct request *request,
                                 struct intake *ret_intake, struct refusal *ret_refusal);

/* Completes an event whose texts and payload are set, root being the parsed payload: fingerprint, id, moments. False,
 * with the refusal, when it breaks a rule that holds for every event. */
bool intake_finish(const struct intake_context *context, const struct json *root, struct event *event,
                   struct refusal *refusal);

/* The same for one that drumbeat itself makes: no rule for events from outside holds. */
void intake_complete(const struct intake_context *context, const struct json *root, struct event *event);

/* RFC 9457 problem+json for a refusal. */
struct str problem_json(struct arena *arena, const struct refusal *refusal, struct str request_id);

#endif
