/* liar.h - a server in a test that answers as the test says. Include after
 * cmocka.h. A connection has a thread of its own, which runs the test's serve
 * function and then closes. */
#ifndef TEST_HTTP_LIAR_H
#define TEST_HTTP_LIAR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "wire.h"

#define LIAR_CALLERS_MAX 300

struct liar;
struct liar_caller {
    struct liar *liar;
    int fd;
    int number; /* of the connection, from 1 */
    pthread_t thread;
    struct wire_text request;
    char path[256];
};

struct liar {
    uint16_t port;
    int fd;
    void (*serve)(struct liar_caller *caller);
    pthread_t thread;
    atomic_int connections, requests, ended;
    struct liar_caller *callers[LIAR_CALLERS_MAX];
};

/* The next whole request; false when the caller left. */
static inline bool liar_read(struct liar_caller *caller) {
    wire_clear(&caller->request);
    while (!wire_is_whole(&caller->request)) {
        ssize_t got = recv(caller->fd, caller->request.p + caller->request.n,
                           sizeof caller->request.p - 1 - caller->request.n, 0);
        if (got <= 0) return false;
        caller->request.n += (size_t)got;
        caller->request.p[caller->request.n] = '\0';
    }
    atomic_fetch_add(&caller->liar->requests, 1);
    sscanf(caller->request.p, "%*s %255s", caller->path);
    return true;
}

static inline void liar_say(struct liar_caller *caller, const char *text) {
    wire_send(caller->fd, str_from(text));
}

/* The connection ends with a reset instead of an orderly end. */
static inline void liar_reset(struct liar_caller *caller) {
    const struct linger now = {.l_onoff = 1};
    setsockopt(caller->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static inline void *liar_caller_run(void *arg) {
    struct liar_caller *caller = arg;
    caller->liar->serve(caller);
    close(caller->fd);
    atomic_fetch_add(&caller->liar->ended, 1);
    return NULL;
}

static inline void *liar_run(void *arg) {
    struct liar *liar = arg;
    int fd;
    while ((fd = accept4(liar->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int number = atomic_fetch_add(&liar->connections, 1);
        struct liar_caller *caller = calloc(1, sizeof *caller);
        liar->callers[number] = caller;
        *caller = (struct liar_caller){.liar = liar, .fd = fd, .number = number + 1};
        pthread_create(&caller->thread, NULL, liar_caller_run, caller);
    }
    return NULL;
}

static inline struct liar *liar_new(void (*serve)(struct liar_caller *caller)) {
    struct liar *liar = calloc(1, sizeof *liar);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    liar->serve = serve;
    liar->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(liar->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(liar->fd, 128), 0);
    assert_int_equal(getsockname(liar->fd, (struct sockaddr *)&at, &length), 0);
    liar->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&liar->thread, NULL, liar_run, liar), 0);
    return liar;
}

/* The client must be closed before, so that every serve function sees the end. */
static inline void liar_free(struct liar *liar) {
    shutdown(liar->fd, SHUT_RDWR);
    pthread_join(liar->thread, NULL);
    close(liar->fd);
    for (int i = 0; i < atomic_load(&liar->connections); i++) {
        pthread_join(liar->callers[i]->thread, NULL);
        free(liar->callers[i]);
    }
    free(liar);
}

#endif
