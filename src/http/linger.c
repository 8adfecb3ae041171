/* http/linger.c - a short list of sockets that are read into nothing. */
#include "http/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/when.h"

#define LINGER_US (5 * US_PER_S)
#define GULPS_MAX 256 /* of one connection in one round, so that nobody keeps the thread busy */

int linger_add(struct lingers *lingers, int fd, int64_t now_us) {
    int own = lingers->count < LINGERS_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own < 0) return -1;
    shutdown(own, SHUT_WR);
    lingers->all[lingers->count++] = (struct lingerer){own, now_us + LINGER_US};
    return own;
}

static bool is_over(int fd) {
    char waste[16384];
    for (int i = 0; i < GULPS_MAX; i++) {
        ssize_t count = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
        if (count < 0) return errno != EAGAIN && errno != EINTR;
        if (count == 0) return true;
    }
    return false;
}

void lingers_serve(struct lingers *lingers, int64_t now_us) {
    for (size_t i = 0; i < lingers->count;) {
        struct lingerer *lingerer = &lingers->all[i];
        if (!is_over(lingerer->fd) && now_us < lingerer->until_us) {
            i++;
            continue;
        }
        close(lingerer->fd);
        *lingerer = lingers->all[--lingers->count];
    }
}

int64_t lingers_due(const struct lingers *lingers) {
    int64_t due_us = WHEN_NEVER;
    for (size_t i = 0; i < lingers->count; i++)
        if (lingers->all[i].until_us < due_us) due_us = lingers->all[i].until_us;
    return due_us;
}

void lingers_end(struct lingers *lingers) {
    for (size_t i = 0; i < lingers->count; i++) close(lingers->all[i].fd);
    lingers->count = 0;
}
