/* sandbox/child.h - the worker as a process, which is started, looked at and ended. It is this program again, with
 * nothing but one end of a socket pair. Thread: one. */
#ifndef SANDBOX_CHILD_H
#define SANDBOX_CHILD_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>
#include <time.h>

struct child {
    pid_t pid; /* 0 = there is none */
    int fd;    /* our end */
    clockid_t cpu;
};

/* executable ends in NUL. On failure errno says why. */
MUST_USE enum err child_start(const char *executable, struct child *ret_child);
/* Whether nothing waits to be read and the other end is open; false when there is no child. */
bool child_is_quiet(const struct child *child);
/* The processor time that it used so far. A worker that is only kept waiting uses none. */
int64_t child_cpu_us(const struct child *child);
/* Kills it, if there is one, and waits for its end. */
void child_end(struct child *child);

#endif
