/* connect/mask.h - a provider may echo what it was sent: the destination's
 * secrets do not reach the store, the API or the log through its answers (I25). */
#ifndef CONNECT_MASK_H
#define CONNECT_MASK_H

#include "connect/connect.h"

/* A value of at least so many bytes is masked wherever it stands, in each of its spellings. */
#define MASK_SECRET_MIN ((size_t)6)
/* One of this size or more is masked where it stands as a word of its own and is surely a secret: what a connector says
 * is one, the signing secret, the value of Authorization. Below this line a value is like the words and numbers of
 * which answers are made ("key", "429"), and masking it would blank out more than it hides. */
#define MASK_WORD_MIN ((size_t)4)

/* Writes *** for each secret value of the destination in the outcome's texts, also for one cut off at their end: header
 * values and what follows the scheme in them ("Bearer ..."), signing_secret, and the fields that the connector says
 * are secret. Spellings: letters in any case, %XX, '+' for a blank, JSON's escapes, and base64 (both alphabets) of
 * whatever the value is a part of. */
void mask_outcome(const struct call_context *context, struct outcome *outcome);

#endif
