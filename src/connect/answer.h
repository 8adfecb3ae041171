/* connect/answer.h - what reading an answer shares between single calls,
 * lookups and batches. Private to this room. */
#ifndef CONNECT_ANSWER_H
#define CONNECT_ANSWER_H

#include "connect/connector.h"

struct answer_reading {
    const struct call_context *context;
    const struct connector *connector;
    const struct answer *answer;
    const struct evaluator *evaluator;
    struct outcome start;   /* by how far it came and by status */
    struct subject subject; /* its body as JSON */
};

/* Reads how far it came, and its body where that is whole. The context may have no deliveries. */
struct answer_reading reading_begin(const struct call_context *context, const struct answer *answer,
                                    const struct evaluator *evaluator);
/* Runs what was asked, if anything was. */
void reading_run(const struct answer_reading *reading, struct questions *questions);
/* The outcome that a decision makes of the answer. said is what the provider says in place of the body; "" = the body.
 */
struct outcome reading_outcome(const struct answer_reading *reading, const struct answer_rules *rules,
                               const struct decision *decision, struct str said);
/* The outcomes of a batch whose call was answered with items. */
void answer_items(const struct answer_reading *reading, const struct action *action, struct outcome *ret_outcomes);

#endif
