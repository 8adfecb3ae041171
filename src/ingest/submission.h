/* ingest/submission.h - from a form that somebody filled in to an event. Pure. */
#ifndef INGEST_SUBMISSION_H
#define INGEST_SUBMISSION_H

#include "ingest/webhook.h"

/* A request to the form: urlencoded, or a JSON object. */
MUST_USE enum err submission_take(const struct intake_context *context, const struct source_settings *source,
                                  const struct request *request, struct intake_item *ret_item,
                                  struct refusal *ret_refusal);

/* A request as the form's page would make it, from what is wished; fields that the form requires and the wish has not
 * are filled in. */
void submission_sample(const struct source_settings *source, const struct sample_wish *wish, struct arena *arena,
                       struct request *ret_request);

#endif
