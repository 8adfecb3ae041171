/* os/deadline.h - waiting that ends. A deadline is a moment of the monotonic
 * clock; it is for waiting only, never for a rule about events, which have the
 * loop's clock. Any thread.
 */
#ifndef OS_DEADLINE_H
#define OS_DEADLINE_H

#include <stdint.h>

int64_t deadline_now_us(void);

enum wait_end {
    WAIT_READY,   /* the descriptor can be used, or is broken: using it tells */
    WAIT_OVER,    /* the deadline came first */
    WAIT_STOPPED, /* stop_fd is readable: whoever waits should give up */
};
/* Waits until fd is ready for `events` of poll(2), but not past until_us and not once stop_fd is readable. A stop_fd of
 * 0 is none. A deadline that is over looks once, without waiting. */
enum wait_end wait_fd(int fd, short events, int64_t until_us, int stop_fd);

#endif
