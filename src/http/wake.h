/* http/wake.h - the real clock, and the one thing the loop sleeps on. */
#ifndef HTTP_WAKE_H
#define HTTP_WAKE_H

#include "world.h"

struct wake; /* an eventfd; wake_raise may be called from any thread and from a signal handler */

struct wake *wake_new(void); /* NULL when the process has no file descriptor left */
void wake_free(struct wake *wake);
void wake_raise(struct wake *wake);
int wake_fd(const struct wake *wake);
/* From now on the clock says what another machine's clock says, which is server_us at this moment, so that processes on
 * several machines count with one clock. Call it before the clock is first used. */
void wake_align(struct wake *wake, int64_t server_us);
/* The real clock; its wait ends when wake_raise was called since the last wait, or a signal came. Lives as long as
 * wake. */
struct clock wake_clock(struct wake *wake);

#endif
