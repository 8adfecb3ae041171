/* http/socket.c - TCP and unix sockets, bound and listening. */
#include "http/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"

#define BACKLOG 1024

/* The socket, listening, or -1 with errno. */
static int listen_at(const struct addrinfo *at) {
    int one = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 && bind(fd, at->ai_addr, at->ai_addrlen) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage bound = {0};
    socklen_t length = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &length) != 0) return 0;
    const struct sockaddr_in *v4 = (const void *)&bound;
    const struct sockaddr_in6 *v6 = (const void *)&bound;
    return ntohs(bound.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

enum err socket_tcp(struct str host, uint16_t port, struct arena *arena, int *ret_fd, uint16_t *ret_port,
                    struct str *ret_problem) {
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    int trouble = getaddrinfo(str_dup(arena, host).p, service, &want, &found);
    if (trouble) {
        *ret_problem = str_fmt(arena, "%.*s is no address to listen on: %s", STR_ARG(host), gai_strerror(trouble));
        return ERR_IO;
    }
    int fd = -1;
    for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next) fd = listen_at(at);
    if (fd < 0)
        *ret_problem = str_fmt(arena, "cannot listen on %.*s port %u: %s", STR_ARG(host), port, strerror(errno));
    freeaddrinfo(found);
    if (fd < 0) return ERR_IO;
    *ret_fd = fd;
    *ret_port = bound_port(fd);
    return ERR_NONE;
}

/* Makes the path free; false when that cannot be done, with the reason in *ret_why. */
static bool clear_path(const struct sockaddr_un *at, const char **ret_why) {
    struct stat there;
    if (lstat(at->sun_path, &there) != 0) return true; /* if it cannot be used, bind says why */
    *ret_why = "there is something else at this path";
    if (!S_ISSOCK(there.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int trouble = fd < 0 || connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 ? 0 : errno;
    bool answered = trouble != ECONNREFUSED;
    *ret_why = trouble == EACCES ? "there is the socket of another user" : "another process listens on it";
    if (fd >= 0) close(fd);
    return !answered && unlink(at->sun_path) == 0;
}

enum err socket_unix(struct str path, struct arena *arena, int *ret_fd, struct str *ret_problem) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *why = "the path is too long for a socket";
    int fd = -1;
    bool ready = path.n < sizeof at.sun_path;
    if (ready) {
        memcpy(at.sun_path, path.p, path.n);
        ready = clear_path(&at, &why);
    }
    if (ready) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        /* The mode of the socket before bind is the mode of the file, so there is no moment at which it is open. */
        ready = fd >= 0 && fchmod(fd, 0600) == 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
                listen(fd, BACKLOG) == 0;
        why = strerror(errno);
    }
    if (ready) {
        *ret_fd = fd;
        return ERR_NONE;
    }
    *ret_problem = str_fmt(arena, "cannot listen on %.*s: %s", STR_ARG(path), why);
    if (fd >= 0) close(fd);
    return ERR_IO;
}
