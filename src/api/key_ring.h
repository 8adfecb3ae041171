/* api/key_ring.h - the API keys in force. The hash of the text sent is compared
 * with every key's, each in constant time. */
#ifndef API_KEY_RING_H
#define API_KEY_RING_H

#include "base/hash.h"
#include "model/request.h"
#include "store/admin.h"

struct key_ring;
/* exposed: others can reach the door, so that nobody is let in without a key, also when there is none. */
struct key_ring *key_ring_new(bool exposed);
void key_ring_free(struct key_ring *ring);
/* Reads the keys anew: at start and after each change. */
MUST_USE enum err key_ring_load(struct key_ring *ring, struct store *store);
size_t key_ring_count(const struct key_ring *ring);
/* ERR_NONE and the actor, UNAUTHORIZED or FORBIDDEN. */
MUST_USE enum err key_ring_check(const struct key_ring *ring, const struct request *request, enum key_role role,
                                 struct hasher *hasher, struct arena *arena, struct str *ret_actor);

#endif
