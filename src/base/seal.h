/* base/seal.h - texts that only the holder of a key can read, and nobody else can change: AES-256-GCM (NIST SP
 * 800-38D).
 *
 * The same text, sealed for the same place under the same key, gives the same bytes: the nonce is made of all three by
 * HMAC-SHA256, so that no clock and no randomness is needed and none is ever used for two texts. Nothing is kept
 * between calls, so every thread may call it.
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include "base/str.h"

struct arena;

#define SEAL_KEY_BYTES ((size_t)32)

/* The place is where the text is kept ("tokens/x"): what was sealed for one cannot be opened as another's. The key has
 * SEAL_KEY_BYTES. Gives letters, digits and marks. */
struct str seal_text(struct str key, struct str place, struct str text, struct arena *arena);
/* False when it was sealed with another key or for another place, or is not what was sealed. */
bool seal_open(struct str key, struct str place, struct str sealed, struct arena *arena, struct str *ret_text);

#endif
