/* api/key_ring.h - the API keys in force. The hash of the text sent is compared
 * with every key's, each in constant time. */
#ifndef API_KEY_RING_H
#define API_KEY_RING_H

#include "store/admin.h"

struct key_digest;
struct key_ring;
/* exposed: others can reach the door, so that nobody is let in without a key, also when there is none. */
struct key_ring *key_ring_new(bool exposed);
void key_ring_free(struct key_ring *ring);
/* Reads the keys anew: at start and after each change. */
MUST_USE enum err key_ring_load(struct key_ring *ring, struct store *store);
size_t key_ring_count(const struct key_ring *ring);
/* Nobody needs a key: there is none, and only this machine reaches the listener. */
bool key_ring_keyless(const struct key_ring *ring);
size_t key_ring_digests(const struct key_ring *ring, struct arena *arena, struct key_digest **ret_digests);
/* Whether it was read since the last call. */
bool key_ring_news(struct key_ring *ring);
/* ERR_NONE and the actor, UNAUTHORIZED or FORBIDDEN. */
MUST_USE enum err key_ring_check(const struct key_ring *ring, const struct request *request, enum key_role role,
                                 struct hasher *hasher, struct arena *arena, struct str *ret_actor);

#endif
