/* http/socket.h - sockets to listen on. */
#ifndef HTTP_SOCKET_H
#define HTTP_SOCKET_H

#include "base/err.h"
#include "base/str.h"

/* An address or a name; port 0 takes any free one, *ret_port is what it is. On failure *ret_problem is a sentence. */
MUST_USE enum err socket_tcp(struct str host, uint16_t port, struct arena *arena, int *ret_fd, uint16_t *ret_port,
                             struct str *ret_problem);
/* Mode 0600 from its first moment. A socket file that is there already is replaced when nobody answers on it; anything
 * else at that path is left alone and is an error. */
MUST_USE enum err socket_unix(struct str path, struct arena *arena, int *ret_fd, struct str *ret_problem);

#endif
