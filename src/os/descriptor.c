/* os/descriptor.c - one limit for all, shared out before anybody can use it up. */
#include "os/descriptor.h"

#include <sys/resource.h>

#define RESERVE  128 /* the store, logs, children, Redis, and 64 connections of the local socket */
#define PER_SEND 2   /* its connection, and what looking up a name opens for a moment */

int64_t descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return RESERVE;
    const struct rlimit raised = {limit.rlim_max, limit.rlim_max};
    if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

static int64_t clamped(int64_t value, int64_t most) {
    return value < 1 ? 1 : value > most ? most : value;
}

struct descriptor_shares descriptors_share(int64_t limit, int32_t connections, size_t sends) {
    int64_t left = limit - RESERVE;
    struct descriptor_shares shares = {.connections = (int32_t)clamped(left / 2, connections)};
    shares.sends = (size_t)clamped((left - shares.connections) / PER_SEND, (int64_t)sends);
    return shares;
}
