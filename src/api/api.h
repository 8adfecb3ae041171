/* api/api.h - the service behind the door: from a request's path to its handler,
 * and who may ask. The server gives it to the loop; the CLI asks it without a
 * server. It owns the API keys in force and knows the replica for lists.
 * Thread: the loop's.
 */
#ifndef API_API_H
#define API_API_H

#include "engine/call.h"
#include "observe/log.h"

struct key_ring;
struct api_options {
    struct store *copy; /* a replica, for lists; NULL = none. The caller's */
    const struct log *log;
    bool exposed; /* others can reach the listener: without a key nobody is let in */
    /* The keys were read anew: called after the commit and before the turn's replies, so that whoever was given a key
     * can use it. NULL where nobody judges keys before the service. */
    void (*keys_read)(void *self, const struct key_ring *keys);
    void *keys_self;
};

struct api;
struct api *api_new(const struct api_options *options);
void api_free(struct api *api); /* after the loop that it serves was closed */
struct service api_service(struct api *api);

#endif
