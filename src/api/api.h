/* api/api.h - the service behind the door: from a request's path to its handler,
 * and who may ask. The server gives it to the loop; the CLI asks it without a
 * server. It owns the API keys in force and knows the replica for lists.
 * Thread: the loop's.
 */
#ifndef API_API_H
#define API_API_H

#include "base/hash.h"
#include "engine/call.h"

/* The keys in force, for whoever judges them before a request is whole. */
struct key_digest {
    uint8_t digest[SHA256_BYTES]; /* of the key's text */
    bool reads;                   /* its role may read */
};
struct api_keys {
    const struct key_digest *digests;
    size_t count;
    bool keyless; /* nobody needs a key: there is none, and only this machine reaches the listener */
};

struct log;
struct api_options {
    struct store *copy; /* a replica, for lists; NULL = none. The caller's */
    const struct log *log;
    bool exposed; /* others can reach the listener: without a key nobody is let in */
    /* The keys were read anew: called after the commit and before the turn's replies, so that whoever was given a key
     * can use it. The keys live until it returns. NULL where nobody judges keys before the service. */
    void (*keys_read)(void *self, const struct api_keys *keys);
    void *keys_self;
};

struct api;
struct api *api_new(const struct api_options *options);
void api_free(struct api *api); /* after the loop that it serves was closed */
struct service api_service(struct api *api);

#endif
