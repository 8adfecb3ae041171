/* share/wire.c - see wire.h. */
#include "share/wire.h"

#include "base/when.h"
#include "os/deadline.h"
#include "share/resolve.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* More than the largest lesson (share_teach), and thousands of small commands. */
#define WAITING_BYTES_MAX ((size_t)1 << 20)

struct wire {
    const struct redis_url *url;
    struct resolver *resolver; /* NULL for a unix socket */
    int fd;                    /* -1 = closed */
    char *out;                 /* out_bytes, of which out_sent have left */
    size_t out_bytes, out_sent, out_room;
};

struct wire *wire_new(const struct redis_url *url) {
    struct wire *wire = calloc(1, sizeof *wire);
    assert(wire);
    wire->url = url;
    wire->fd = -1;
    if (url->host.n) wire->resolver = resolver_new(url->host.p, url->port);
    return wire;
}

void wire_free(struct wire *wire) {
    if (!wire) return;
    wire_close(wire);
    resolver_free(wire->resolver);
    free(wire->out);
    free(wire);
}

void wire_close(struct wire *wire) {
    if (wire->fd >= 0) close(wire->fd);
    wire->fd = -1;
    wire->out_bytes = wire->out_sent = 0;
}

bool wire_is_open(const struct wire *wire) {
    return wire->fd >= 0;
}

/* ---- opening ---- */

/* 0 or an errno. */
static int fd_connect(int fd, const struct sockaddr *address, socklen_t bytes, int64_t until_us) {
    if (connect(fd, address, bytes) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (wait_fd(fd, POLLOUT, until_us, 0) != WAIT_READY) return ETIMEDOUT;
    int trouble = 0;
    socklen_t size = sizeof trouble;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &trouble, &size) == 0 ? trouble : errno;
}

static int wire_dial(struct wire *wire, const struct sockaddr *address, socklen_t bytes, int64_t until_us) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int trouble = fd_connect(fd, address, bytes, until_us);
    if (trouble) {
        close(fd);
        return trouble;
    }
    const int yes = 1; /* means nothing to a unix socket */
    if (address->sa_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    wire->fd = fd;
    return 0;
}

static int wire_dial_path(struct wire *wire, int64_t until_us) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, wire->url->path.p, wire->url->path.n);
    return wire_dial(wire, (const struct sockaddr *)&address, sizeof address, until_us);
}

/* Tries one address after the other. Each has its share of the time, so that an address that swallows packets does not
 * hide the next one. */
static int wire_dial_any(struct wire *wire, const struct addrinfo *addresses, int64_t until_us) {
    int64_t count = 0;
    int trouble = ECONNREFUSED;
    for (const struct addrinfo *at = addresses; at; at = at->ai_next) count++;
    for (const struct addrinfo *at = addresses; at && trouble; at = at->ai_next, count--) {
        int64_t now_us = deadline_now_us();
        trouble = wire_dial(wire, at->ai_addr, at->ai_addrlen, now_us + (until_us - now_us) / count);
    }
    return trouble;
}

enum err wire_open(struct wire *wire, int64_t until_us, const char **ret_trouble) {
    assert(wire->fd < 0);
    int trouble;
    if (wire->resolver) {
        struct addrinfo *addresses = NULL;
        TRY(resolver_find(wire->resolver, until_us, &addresses, ret_trouble));
        trouble = wire_dial_any(wire, addresses, until_us);
        freeaddrinfo(addresses);
    } else {
        trouble = wire_dial_path(wire, until_us);
    }
    if (!trouble) return ERR_NONE;
    *ret_trouble = strerror(trouble);
    return ERR_IO;
}

/* ---- moving bytes ---- */

bool wire_put(struct wire *wire, const void *bytes, size_t count) {
    if (count > WAITING_BYTES_MAX - wire->out_bytes) return false;
    if (wire->out_bytes + count > wire->out_room) {
        wire->out_room = wire->out_bytes + count;
        wire->out = realloc(wire->out, wire->out_room);
        assert(wire->out);
    }
    memcpy(wire->out + wire->out_bytes, bytes, count);
    wire->out_bytes += count;
    return true;
}

static bool is_only_busy(ssize_t result) {
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static bool wire_send(struct wire *wire) {
    while (wire->out_sent < wire->out_bytes) {
        ssize_t sent = send(wire->fd, wire->out + wire->out_sent, wire->out_bytes - wire->out_sent, MSG_NOSIGNAL);
        if (sent < 0) return is_only_busy(sent);
        wire->out_sent += (size_t)sent;
    }
    wire->out_bytes = wire->out_sent = 0;
    return true;
}

ssize_t wire_move(struct wire *wire, void *ret_bytes, size_t room, const char **ret_trouble) {
    if (!wire_send(wire)) {
        *ret_trouble = strerror(errno);
        return -1;
    }
    ssize_t received = recv(wire->fd, ret_bytes, room, 0);
    if (received > 0) return received;
    if (is_only_busy(received)) return 0;
    *ret_trouble = received == 0 ? "it closed the connection" : strerror(errno);
    return -1;
}

bool wire_wait(const struct wire *wire, int64_t until_us) {
    return wait_fd(wire->fd, wire->out_bytes ? POLLIN | POLLOUT : POLLIN, until_us, 0) == WAIT_READY;
}
