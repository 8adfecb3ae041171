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

struct call_context {
    const struct destination_settings *destination;
    const struct delivery *const *deliveries; /* one, or the batch; each with its event */
    size_t count;
    int64_t now_us; /* the loop's clock, for webhook-timestamp */
    struct hasher *hasher;
    struct arena *arena; /* must live until the completion was read */
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

#endif
