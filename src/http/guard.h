/* http/guard.h - whether a call may reach an address. Asked twice: for the
 * address a socket is about to connect to, and for the one a kept connection
 * has, since another call may have opened it. */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include "model/exchange.h"

/* bytes: 4 of AF_INET or 16 of AF_INET6; not looked at for AF_UNIX. */
bool guard_allows(const struct outgoing *outgoing, int family, const void *bytes);
/* The same for an address as text; "" is a unix socket's. */
bool guard_allows_text(const struct outgoing *outgoing, const char *address);

#endif
