/* share/link.h - one script on one Redis: calls that wait for numbers, and notes that wait for nothing. The one room
 * file that knows hiredis is behind it. */
#ifndef SHARE_LINK_H
#define SHARE_LINK_H

#include "share/url.h"
#include "world.h"

/* The pause between two attempts to connect. Login, database and script are sent again with each connection. */
#define LINK_PAUSE_US ((int64_t)500000)
/* Parts of one call: a take of the most limits with the most rules each. */
#define LINK_PARTS_MAX 3072

struct link;

struct link_options {
    const struct redis_url *url; /* outlives the link, as script does */
    struct str script;
    int64_t deadline_us; /* of a call that waits, connecting included */
    struct clock clock;  /* for the pause between connections */
};
/* Parts go as they are, keys first: they may hold any bytes. */
struct link_call {
    const struct str *parts;
    size_t key_count, count;
};

struct link *link_new(const struct link_options *options);
void link_free(struct link *link);

/* Makes sure of a connection: reads what the one that stands has to say, and replaces a broken one. The deadline of the
 * call that follows begins here. */
MUST_USE enum err link_reach(struct link *link);
/* After link_reach: runs the script; its answer must be an array of so many whole numbers. After any error the
 * connection is gone, and Redis may have run the script all the same. */
MUST_USE enum err link_ask(struct link *link, const struct link_call *call, int64_t *ret_numbers, size_t count);
/* Sends what can be sent at once; what the script answers is read and dropped later. False when there is no connection,
 * or it broke. */
bool link_tell(struct link *link, const struct link_call *call);

/* Drops the connection, with words for why. Always ERR_IO. */
enum err link_fail(struct link *link, const char *what, const char *detail);

uint64_t link_breaks(const struct link *link); /* connections that ended: a note sent before may not have arrived */
bool link_is_up(const struct link *link);      /* the last link_ask was answered, and nothing broke since */
const char *link_trouble(const struct link *link);

#endif
