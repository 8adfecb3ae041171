/* http/wake.c - an eventfd, and the clocks of the machine. */
#include "http/wake.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/when.h"

struct wake {
    int fd;
    int64_t offset_us; /* wall time less boot time, as they were when the wake was made */
};

static int64_t read_us(clockid_t id) {
    struct timespec now;
    int failed = clock_gettime(id, &now);
    assert(!failed);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

struct wake *wake_new(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return NULL;
    struct wake *wake = malloc(sizeof *wake);
    assert(wake);
    *wake = (struct wake){fd, read_us(CLOCK_REALTIME) - read_us(CLOCK_BOOTTIME)};
    return wake;
}

void wake_free(struct wake *wake) {
    if (!wake) return;
    close(wake->fd);
    free(wake);
}

void wake_align(struct wake *wake, int64_t server_us) {
    wake->offset_us = server_us - read_us(CLOCK_BOOTTIME);
}

void wake_raise(struct wake *wake) {
    int kept = errno; /* a signal handler must not change it under the code it interrupts */
    uint64_t one = 1;
    /* The only failure is a counter that is full, and then the sleeper wakes as well. */
    ssize_t written = write(wake->fd, &one, sizeof one);
    (void)written;
    errno = kept;
}

int wake_fd(const struct wake *wake) {
    return wake->fd;
}

static int64_t clock_wall_us(void *self) {
    (void)self;
    return read_us(CLOCK_REALTIME);
}

/* Boot time goes on while the machine is suspended, so a lease runs out during that time too. */
static int64_t clock_now_us(void *self) {
    const struct wake *wake = self;
    return wake->offset_us + read_us(CLOCK_BOOTTIME);
}

static void clock_wait(void *self, int64_t until_us) {
    struct wake *wake = self;
    struct pollfd on = {.fd = wake->fd, .events = POLLIN};
    int64_t span_us = until_us == WHEN_NEVER ? -1 : until_us - clock_now_us(wake);
    if (span_us < 0 && until_us != WHEN_NEVER) span_us = 0;
    struct timespec span = {.tv_sec = span_us / US_PER_S, .tv_nsec = span_us % US_PER_S * 1000};
    if (ppoll(&on, 1, span_us < 0 ? NULL : &span, NULL) <= 0) return;
    uint64_t raised;
    ssize_t taken = read(wake->fd, &raised, sizeof raised); /* also makes the next wait sleep */
    (void)taken;
}

struct clock wake_clock(struct wake *wake) {
    return (struct clock){clock_wall_us, clock_now_us, clock_wait, wake};
}
