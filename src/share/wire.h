/* share/wire.h - bytes to and from a Redis, on a socket that never blocks. Moments are microseconds of CLOCK_MONOTONIC.
 */
#ifndef SHARE_WIRE_H
#define SHARE_WIRE_H

#include "base/err.h"
#include "share/url.h"

#include <sys/types.h>

struct wire;

struct wire *wire_new(const struct redis_url *url); /* url must outlive it; connects to nothing */
void wire_free(struct wire *wire);

/* IO with words in *ret_trouble, which live until the next call. */
MUST_USE enum err wire_open(struct wire *wire, int64_t until_us, const char **ret_trouble);
void wire_close(struct wire *wire);
bool wire_is_open(const struct wire *wire);

/* Keeps bytes to be sent; false when too many wait. wire_move sends them. */
MUST_USE bool wire_put(struct wire *wire, const void *bytes, size_t count);
/* Sends and receives what it can without waiting. Gives the number of bytes received, 0 when none have come, and -1
 * with words when the other side closed or the connection broke. */
MUST_USE ssize_t wire_move(struct wire *wire, void *ret_bytes, size_t room, const char **ret_trouble);
/* Waits until bytes can be moved; false when until_us came first. */
MUST_USE bool wire_wait(const struct wire *wire, int64_t until_us);

#endif
