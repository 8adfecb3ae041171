/* share/url.h - where a Redis is and how to log in there. Source: the "redis" URI scheme as registered with IANA, and
 * redis-cli -u. */
#ifndef SHARE_URL_H
#define SHARE_URL_H

#include "base/err.h"
#include "base/str.h"

#define REDIS_PORT 6379

struct redis_url {
    struct str host; /* a name or an address without brackets; empty = a unix socket */
    uint16_t port;
    struct str path;           /* of the unix socket */
    struct str user, password; /* password.p NULL = none; user empty = the default user */
    int database;
};

/* Texts are copied into the arena and end in NUL. CONFIG with a sentence in *ret_problem, which shows nothing of the
 * url: it may hold a password. */
MUST_USE enum err redis_url_parse(struct str url, struct arena *arena, struct redis_url *ret_url,
                                  struct str *ret_problem);

#endif
