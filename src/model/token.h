/* model/token.h - the two texts of a destination's token as one sealed text: what the store keeps, what a login posts.
 * Pure. */
#ifndef MODEL_TOKEN_H
#define MODEL_TOKEN_H

#include "base/seal.h"

/* Sealed for the destination of this name; the key is settings.token_key. */
struct str token_seal(struct str key, struct str name, struct str access, struct str refresh, struct arena *arena);
/* False when it was sealed with another key or for another destination. The texts are in the arena. */
bool token_open(struct str key, struct str name, struct str sealed, struct arena *arena, struct str *ret_access,
                struct str *ret_refresh);

#endif
