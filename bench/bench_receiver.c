/* bench/bench_receiver.c - a provider that takes everything: counts requests
 * by path, answers 200 (after a delay if told), keeps connections open.
 *
 *   bench_receiver PORT [DELAY_MS]      prints its port, runs until it is ended
 *   GET /counts                         {"/hook":123}
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "message.h"

#define PATHS_MAX   256
#define CALLERS_MAX 4096
#define READ_MAX    65536
#define EVENTS_MAX  256

struct caller {
    int fd;
    size_t used;
    int64_t due_ms; /* of the answer that is held back; 0 = none */
    char bytes[READ_MAX];
};

struct receiver {
    int poll_fd, listen_fd;
    int64_t delay_ms;
    struct caller *callers[CALLERS_MAX]; /* by file descriptor */
    struct {
        char path[128];
        uint64_t count;
    } paths[PATHS_MAX];
    size_t path_count;
};

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void count_path(struct receiver *receiver, struct str path) {
    size_t i = 0;
    while (i < receiver->path_count && !str_eq(str_from(receiver->paths[i].path), path)) i++;
    if (i == PATHS_MAX) return;
    if (i == receiver->path_count) {
        snprintf(receiver->paths[i].path, sizeof receiver->paths[i].path, "%.*s", STR_ARG(path));
        receiver->path_count++;
    }
    receiver->paths[i].count++;
}

static void send_counts(const struct receiver *receiver, int fd) {
    struct arena arena = ARENA_EMPTY;
    struct buf body = {.arena = &arena};
    for (size_t i = 0; i < receiver->path_count; i++)
        buf_fmt(&body, "%s\"%s\":%" PRIu64, i ? "," : "{", receiver->paths[i].path, receiver->paths[i].count);
    buf_add(&body, receiver->path_count ? STR("}\n") : STR("{}\n"));
    struct str text =
        str_fmt(&arena, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", body.n,
                buf_str(&body).p);
    ssize_t sent = send(fd, text.p, text.n, MSG_NOSIGNAL);
    (void)sent;
    arena_free(&arena);
}

static void send_answer(int fd) {
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";
    ssize_t sent = send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    (void)sent;
}

static void take_requests(struct receiver *receiver, struct caller *caller) {
    struct str first, body, path;
    size_t length;
    while (!caller->due_ms && (length = message_length((struct str){caller->bytes, caller->used}, &first, &body))) {
        str_next(&first, ' ', &path); /* the method */
        str_next(&first, ' ', &path);
        bool asked = str_eq(path, STR("/counts"));
        if (asked)
            send_counts(receiver, caller->fd);
        else
            count_path(receiver, path);
        if (!asked && receiver->delay_ms)
            caller->due_ms = now_ms() + receiver->delay_ms;
        else if (!asked)
            send_answer(caller->fd);
        caller->used -= length;
        memmove(caller->bytes, caller->bytes + length, caller->used);
    }
}

static void drop_caller(struct receiver *receiver, struct caller *caller) {
    receiver->callers[caller->fd] = NULL;
    close(caller->fd);
    free(caller);
}

static void read_caller(struct receiver *receiver, struct caller *caller) {
    ssize_t got = recv(caller->fd, caller->bytes + caller->used, READ_MAX - caller->used, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop_caller(receiver, caller);
        return;
    }
    caller->used += (size_t)got;
    take_requests(receiver, caller);
}

static void accept_callers(struct receiver *receiver) {
    int fd;
    while ((fd = accept4(receiver->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct caller *caller = fd < CALLERS_MAX ? malloc(sizeof *caller) : NULL;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (!caller || epoll_ctl(receiver->poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            free(caller);
            continue;
        }
        caller->fd = fd;
        caller->used = 0;
        caller->due_ms = 0;
        receiver->callers[fd] = caller;
    }
}

/* Sends what is due; how long until the next, or -1. */
static int send_due(struct receiver *receiver) {
    if (!receiver->delay_ms) return -1;
    int64_t now = now_ms(), next = INT64_MAX;
    for (size_t i = 0; i < CALLERS_MAX; i++) {
        struct caller *caller = receiver->callers[i];
        if (!caller || !caller->due_ms) continue;
        if (caller->due_ms <= now) {
            send_answer(caller->fd);
            caller->due_ms = 0;
            take_requests(receiver, caller);
        }
        if (caller->due_ms && caller->due_ms < next) next = caller->due_ms;
    }
    return next == INT64_MAX ? -1 : next > now ? (int)(next - now) : 0;
}

static void run_receiver(struct receiver *receiver) {
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int count = epoll_wait(receiver->poll_fd, events, EVENTS_MAX, send_due(receiver));
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == receiver->listen_fd)
                accept_callers(receiver);
            else if (receiver->callers[fd])
                read_caller(receiver, receiver->callers[fd]);
        }
    }
}

static int listen_on(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, length) != 0 || listen(fd, 1024) != 0) {
        perror("bench_receiver");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&at, &length);
    printf("port %u\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    uint64_t port = 0, delay_ms = 0;
    if (argc < 2 || !str_to_u64(str_from(argv[1]), &port) || port > UINT16_MAX ||
        (argc > 2 && !str_to_u64(str_from(argv[2]), &delay_ms))) {
        fprintf(stderr, "usage: bench_receiver PORT [DELAY_MS]\n");
        return 2;
    }
    struct receiver *receiver = calloc(1, sizeof *receiver);
    assert(receiver);
    receiver->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    receiver->listen_fd = listen_on((uint16_t)port);
    receiver->delay_ms = (int64_t)delay_ms;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = receiver->listen_fd};
    epoll_ctl(receiver->poll_fd, EPOLL_CTL_ADD, receiver->listen_fd, &event);
    run_receiver(receiver);
}
