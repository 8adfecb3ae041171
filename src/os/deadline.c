#include "os/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

int64_t deadline_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* It is rounded up, because a wait that ends a little early would be repeated at once, again and again. */
static int milliseconds_until(int64_t until_us) {
    int64_t left_us = until_us - deadline_now_us();
    if (left_us <= 0) return 0;
    return left_us / 1000 >= INT_MAX ? INT_MAX : (int)(left_us / 1000) + 1;
}

enum wait_end wait_fd(int fd, short events, int64_t until_us, int stop_fd) {
    struct pollfd on[] = {{.fd = fd, .events = events}, {.fd = stop_fd ? stop_fd : -1, .events = POLLIN}};
    for (;;) {
        int ready = poll(on, 2, milliseconds_until(until_us));
        if (ready < 0 && errno != EINTR) return WAIT_READY;
        if (ready > 0 && on[1].revents) return WAIT_STOPPED;
        if (ready > 0) return WAIT_READY;
        if (ready == 0 && deadline_now_us() >= until_us) return WAIT_OVER;
    }
}
