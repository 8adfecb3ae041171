/* server/home.h - where a store that is a file was served last: which machine, which path, which file. A copy that is
 * started elsewhere would send what the other one sends, so it starts held. Thread: the caller's. */
#ifndef SERVER_HOME_H
#define SERVER_HOME_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct store;

#define HOME_RESTORED "restored from" /* a hold for a restore begins with it, and the backup's path follows */

/* Why nothing of the store is sent; STR_NONE: it is not held. */
MUST_USE enum err home_held(struct store *store, struct arena *arena, struct str *ret_why);
/* In a transaction: nothing of the store is sent before somebody says `release`. What a person held it for is kept. */
MUST_USE enum err home_hold(struct store *store, struct str why, const char *act, int64_t now_us, struct arena *arena);

#endif
