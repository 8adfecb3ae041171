/* server/home.h - where a store that is a file was served last: which machine, which path, which file. A copy that is
 * started elsewhere would send what the other one sends, so it starts held. Thread: the caller's. */
#ifndef SERVER_HOME_H
#define SERVER_HOME_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct store;

/* In a transaction: nothing of the store is sent before somebody says `release`. */
MUST_USE enum err home_hold(struct store *store, struct str why, const char *act, int64_t now_us);

#endif
