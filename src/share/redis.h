/* share/redis.h - one script on one Redis: calls that wait for numbers, and notes that wait for nothing. The one room
 * file that knows hiredis is behind it. */
#ifndef SHARE_REDIS_H
#define SHARE_REDIS_H

#include "share/url.h"
#include "world.h"

/* The pause between two attempts to connect. Login, database and script are sent again with each connection. */
#define REDIS_PAUSE_US ((int64_t)500000)
/* Parts of one call: a take of the most limits with the most rules each. */
#define REDIS_PARTS_MAX 3072

struct redis;

struct redis_options {
    const struct redis_url *url; /* outlives the redis, as script does */
    struct str script;
    int64_t deadline_us; /* of a call that waits, connecting included */
    struct clock clock;  /* for the pause between connections */
};
/* Parts go as they are, keys first: they may hold any bytes. */
struct redis_call {
    const struct str *parts;
    size_t key_count, count;
};

struct redis *redis_new(const struct redis_options *options);
void redis_free(struct redis *redis);

/* Makes sure of a connection: reads what the one that stands has to say, and replaces a broken one. The deadline of the
 * call that follows begins here. */
MUST_USE enum err redis_reach(struct redis *redis);
/* After redis_reach: runs the script; its answer must be an array of so many whole numbers. After any error the
 * connection is gone, and Redis may have run the script all the same. */
MUST_USE enum err redis_ask(struct redis *redis, const struct redis_call *call, int64_t *ret_numbers, size_t count);
/* Sends what can be sent at once; what the script answers is read and dropped later. False when there is no connection,
 * or it broke. */
bool redis_tell(struct redis *redis, const struct redis_call *call);

/* Drops the connection, with words for why. Always ERR_IO. */
enum err redis_fail(struct redis *redis, const char *what, const char *detail);

uint64_t redis_breaks(const struct redis *redis); /* connections that ended: a note sent before may not have arrived */
bool redis_is_up(const struct redis *redis);      /* the last redis_ask was answered, and nothing broke since */
const char *redis_trouble(const struct redis *redis);

#endif
