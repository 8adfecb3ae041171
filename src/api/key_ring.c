#include "api/key_ring.h"

#include "api/api.h"
#include "base/hash.h"

#include <stdlib.h>

struct key_ring {
    struct arena arena;
    struct api_key *keys;
    size_t count; /* valid ones only */
    bool exposed;
    bool untold; /* read since key_ring_news was last asked */
};

struct key_ring *key_ring_new(bool exposed) {
    struct key_ring *ring = calloc(1, sizeof *ring);
    if (!ring) abort();
    ring->exposed = exposed;
    return ring;
}

void key_ring_free(struct key_ring *ring) {
    arena_free(&ring->arena);
    free(ring);
}

enum err key_ring_load(struct key_ring *ring, struct store *store) {
    struct arena arena = ARENA_EMPTY;
    struct api_key *keys;
    size_t count, valid = 0;
    enum err err = store_key_list(store, &arena, &keys, &count);
    if (err) {
        arena_free(&arena);
        return err;
    }
    for (size_t i = 0; i < count; i++)
        if (!keys[i].revoked_us) keys[valid++] = keys[i];
    arena_free(&ring->arena);
    *ring = (struct key_ring){arena, keys, valid, ring->exposed, true};
    return ERR_NONE;
}

/* Each role includes the lower ones, except that ingest may only post and read may only read. */
static bool role_allows(enum key_role has, enum key_role needs) {
    if (has == needs || has == KEY_OWNER) return true;
    return has == KEY_OPERATE && needs != KEY_OWNER;
}

bool key_ring_news(struct key_ring *ring) {
    bool untold = ring->untold;
    ring->untold = false;
    return untold;
}

bool key_ring_keyless(const struct key_ring *ring) {
    return ring->count == 0 && !ring->exposed;
}

size_t key_ring_digests(const struct key_ring *ring, struct arena *arena, struct key_digest **ret_digests) {
    struct key_digest *digests = arena_array(arena, struct key_digest, ring->count);
    size_t count = 0;
    for (size_t i = 0; i < ring->count; i++) {
        digests[count].reads = role_allows(ring->keys[i].role, KEY_READ);
        if (hex_decode(ring->keys[i].hash, digests[count].digest, SHA256_BYTES)) count++;
    }
    *ret_digests = digests;
    return count;
}

size_t key_ring_count(const struct key_ring *ring) {
    return ring->count;
}

enum err key_ring_check(const struct key_ring *ring, const struct request *request, enum key_role role,
                        struct hasher *hasher, struct arena *arena, struct str *ret_actor) {
    if (request->trusted) {
        *ret_actor = STR("unix");
        return ERR_NONE;
    }
    struct str value = request_header(request, STR("Authorization"));
    if (!value.p && key_ring_keyless(ring)) {
        *ret_actor = STR("loopback");
        return ERR_NONE;
    }
    if (!str_eq_nocase(str_sub(value, 0, 7), STR("Bearer "))) return ERR_UNAUTHORIZED;
    uint8_t digest[SHA256_BYTES];
    hash_sha256(hasher, str_trim(str_sub(value, 7, value.n)), digest);
    struct str hash = hex_encode(arena, digest, sizeof digest);
    const struct api_key *found = NULL;
    for (size_t i = 0; i < ring->count; i++)
        if (ring->keys[i].hash.n == hash.n && hash_equal(ring->keys[i].hash.p, hash.p, hash.n)) found = &ring->keys[i];
    if (!found) return ERR_UNAUTHORIZED;
    *ret_actor = found->id;
    return role_allows(found->role, role) ? ERR_NONE : ERR_FORBIDDEN;
}
