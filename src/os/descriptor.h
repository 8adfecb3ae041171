/* os/descriptor.h - how many files and sockets the process may have open, and
 * what they are for. */
#ifndef OS_DESCRIPTOR_H
#define OS_DESCRIPTOR_H

#include <stddef.h>
#include <stdint.h>

/* Raises the soft limit to the hard one; gives what is in force then. */
int64_t descriptors_raise(void);

struct descriptor_shares {
    int32_t connections; /* inward, of those that were wanted */
    size_t sends;        /* outward at a time, of those that were wanted */
};
/* What fits into the limit beside a reserve for the store, the log, children and the local socket, so that sends never
 * take the door's descriptors. Pure. */
struct descriptor_shares descriptors_share(int64_t limit, int32_t connections, size_t sends);

#endif
