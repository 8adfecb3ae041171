/* share/resolve.h - a host's addresses, without waiting for them longer than one cares to. The system's resolver may
 * take many seconds and cannot be stopped, so it runs on a thread of its own, one at a time. Thread: one owner. */
#ifndef SHARE_RESOLVE_H
#define SHARE_RESOLVE_H

#include "base/err.h"

#include <netdb.h>
#include <stdint.h>

struct resolver;

struct resolver *resolver_new(const char *host, uint16_t port); /* host is copied */
/* A search that is under way goes on by itself and frees what it has. */
void resolver_free(struct resolver *resolver);
/* Waits until until_us of CLOCK_MONOTONIC. IO with a literal in *ret_trouble when there is no answer, or none yet; the
 * next call then goes on with the same search. The caller frees the list with freeaddrinfo. */
MUST_USE enum err resolver_find(struct resolver *resolver, int64_t until_us, struct addrinfo **ret_addresses,
                                const char **ret_trouble);

#endif
