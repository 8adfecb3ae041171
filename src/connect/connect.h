/* connect/connect.h - the connector language: how a request is made, how an
 * answer is read, how an unknown outcome is looked up. Pure.
 *
 * A connector is a YAML document (docs/connectors.md). `http`, the plain
 * webhook, is built in. Requests use `${…}` references only (no jq): answers
 * may be classed by jq on the body through the evaluator.
 */
#ifndef CONNECT_CONNECT_H
#define CONNECT_CONNECT_H

#include "base/arena.h"
#include "base/err.h"
#include "model/delivery.h"
#include "model/exchange.h"
#include "model/settings.h"

struct catalog;
struct connectors;
struct evaluator;
struct jq_source;

struct connectors *connectors_new(struct arena *arena, struct jq_source *source); /* holds `http` */
/* Reads one document; a later one of the same name replaces an earlier one. */
void connectors_add(struct connectors *connectors, const struct tree *document, struct findings *findings);
/* Where the jq of the documents that are read from now on goes. A connector whose jq is in another source than the
 * program's can be looked up in the catalog, but no destination may be bound to it. */
void connectors_collect(struct connectors *connectors, struct jq_source *source);
const struct catalog *connectors_catalog(const struct connectors *connectors);
/* Fills what connect sets in each destination: connector, actions, limits not configured, penalty, on_unknown in force.
 */
void connectors_bind(const struct connectors *connectors, struct settings *settings, struct findings *findings);
void connectors_blame(const struct connectors *connectors, struct findings *findings); /* as routes_blame */

struct trace_sampler;
struct call_context {
    const struct destination_settings *destination;
    const struct delivery *const *deliveries; /* one, or the batch; each with its event */
    size_t count;
    int64_t now_us; /* the loop's clock, for webhook-timestamp */
    const struct trace_sampler
        *sampler; /* what the receiver is told of the trace (model/trace.h); NULL = nothing is traced */
    struct hasher *hasher;
    struct arena *arena;           /* must live until the completion was read */
    const struct token_use *token; /* NULL: ${token} and its like stand for themselves, where nothing is sent */
};
/* BAD_FIELD with a sentence when a parameter cannot be placed (CR, LF or NUL in a header, missing, wrong kind): the
 * delivery is FAILED with it, nothing is sent. */
MUST_USE enum err connect_request(const struct call_context *context, struct outgoing *ret_outgoing,
                                  struct str *ret_problem);
MUST_USE enum err connect_lookup(const struct call_context *context, struct outgoing *ret_outgoing,
                                 struct str *ret_problem);
/* The value of the parameter `meter` by which the delivery is counted: its text without control characters, cut to 200
 * bytes; "" where there is none. Lives in the arena. */
struct str connect_metered(const struct destination_settings *destination, const struct delivery *delivery,
                           struct str meter, struct arena *arena);
/* One outcome per delivery of the context. */
void connect_answer(const struct call_context *context, const struct answer *answer, const struct evaluator *evaluator,
                    struct outcome *ret_outcomes);
void connect_lookup_answer(const struct call_context *context, const struct answer *answer,
                           const struct evaluator *evaluator, struct outcome *ret_outcome);

/* ---- tokens (connect/token.c): what a provider gives for credentials, and takes in their place ---- */

/* GET: from the destination's fields alone. REFRESH: from what the last answer gave for it. A person who allows it at
 * ASK gets a code, and EXCHANGE makes a token of that. */
enum token_way { TOKEN_GET, TOKEN_REFRESH, TOKEN_ASK, TOKEN_EXCHANGE, TOKEN_WAYS };
struct token_use {
    struct str access, refresh;
    struct str code, verifier, state, redirect; /* of ASK and EXCHANGE */
};
/* Whether the destination needs a token (then one of the ways is there), and whether it can be had in this way. */
bool connect_has_token(const struct destination_settings *destination);
bool connect_has_way(const struct destination_settings *destination, enum token_way way);
/* A refresh token that the destination names itself, for the beginning, and what it is known by; "" = none. */
struct str connect_token_seed(const struct call_context *context, struct str *ret_digest);
/* The request for a token; of ASK the URL that a person opens. The context has no deliveries. */
MUST_USE enum err connect_token_request(const struct call_context *context, enum token_way way,
                                        struct outgoing *ret_outgoing, struct str *ret_problem);
struct token_answer {
    enum { TOKEN_MADE, TOKEN_TROUBLE, TOKEN_REFUSED } end; /* TROUBLE: the same again may work */
    struct str access, refresh;                            /* refresh "" = the one there is stays good */
    int64_t expires_us, refresh_expires_us;                /* 0 = not said */
    int64_t not_before_us;                                 /* 0, or when to ask again */
    struct str error;                                      /* a sentence without secrets */
};
void connect_token_answer(const struct call_context *context, const struct answer *answer,
                          const struct evaluator *evaluator, struct token_answer *ret_answer);

#endif
