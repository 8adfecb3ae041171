#include "os/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BEATS_IN_TIME 3 /* two may be late or lost before the manager acts */

/* A positive number of the environment; 0 = it is not there, or is none. */
static int64_t number_of(const char *name) {
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9') return 0;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return errno || *end ? 0 : number;
}

static int connect_to(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = name ? strlen(name) : 0;
    if (length < 2 || length >= sizeof address.sun_path || (*name != '/' && *name != '@')) return -1;
    memcpy(address.sun_path, name, length);
    if (*name == '@') address.sun_path[0] = 0; /* abstract: its length is its end */
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*name != '@'));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (const struct sockaddr *)&address, size) == 0) return fd;
    close(fd);
    return -1;
}

struct notify notify_open(void) {
    struct notify notify = {.fd = connect_to(getenv("NOTIFY_SOCKET"))};
    int64_t owner = number_of("WATCHDOG_PID");
    if (notify.fd >= 0 && (!owner || owner == getpid())) notify.every_us = number_of("WATCHDOG_USEC") / BEATS_IN_TIME;
    return notify;
}

void notify_send(const struct notify *notify, const char *lines) {
    if (notify->fd >= 0) (void)!send(notify->fd, lines, strlen(lines), MSG_NOSIGNAL);
}

void notify_reloading(const struct notify *notify, int64_t now_us) {
    char lines[64];
    snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now_us);
    notify_send(notify, lines);
}

int64_t notify_beat(struct notify *notify, int64_t now_us, int64_t most_us) {
    if (!notify->every_us) return most_us;
    if (now_us >= notify->next_us) {
        notify_send(notify, "WATCHDOG=1");
        notify->next_us = now_us + notify->every_us;
    }
    int64_t left_us = notify->next_us - now_us;
    return left_us < most_us ? left_us : most_us;
}

void notify_close(struct notify *notify) {
    if (notify->fd >= 0) close(notify->fd);
    notify->fd = -1;
    notify->every_us = 0;
}
