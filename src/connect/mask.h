/* connect/mask.h - a provider may echo what it was sent: the destination's
 * secrets do not reach the store, the API or the log through its answers (I25). */
#ifndef CONNECT_MASK_H
#define CONNECT_MASK_H

#include "connect/connect.h"

/* The fewest bytes of a secret that is masked. A shorter one would blank out words that are no secret. */
#define MASK_SECRET_MIN ((size_t)6)

/* Writes *** for each secret value of the destination in the outcome's texts, also for one that is cut off at their
 * end. Secrets are header values and what follows the scheme in them ("Bearer ..."), signing_secret, and the fields
 * that the connector says are secret. */
void mask_outcome(const struct call_context *context, struct outcome *outcome);

#endif
