/* server.h - a real Redis for one test, in a folder of its own, and a client to look at it. After cmocka.h. */
#ifndef TEST_SHARE_SERVER_H
#define TEST_SHARE_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/when.h"
#include "share/share.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))
#define ARGUMENTS_MAX      16
#define START_TRIES        5
#define START_STEPS        2000 /* of 5 ms */

struct server {
    pid_t pid;
    char folder[64], socket[96], url[112];
    int port; /* 0 = the unix socket alone */
    const char *extra[ARGUMENTS_MAX];
    size_t extra_count;
    redisContext *eye; /* the test's own client; NULL while the server wants a password */
};

static inline void nap(int64_t us) {
    const struct timespec time = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
    nanosleep(&time, NULL);
}

static inline int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline void server_exec(const struct server *server) {
    char port[16];
    snprintf(port, sizeof port, "%d", server->port);
    const char *arguments[ARGUMENTS_MAX + 24] = {
        "redis-server", "--port", port, "--bind",       "127.0.0.1", "--unixsocket", server->socket, "--dir",
        server->folder, "--save", "",   "--appendonly", "no",        "--logfile",    "/dev/null"};
    size_t count = 15;
    for (size_t i = 0; i < server->extra_count; i++) arguments[count++] = server->extra[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(arguments[0], (char *const *)arguments);
    _exit(127);
}

/* Until it answers anything at all; false when it ended instead. */
static inline bool server_await(struct server *server) {
    for (int step = 0; step < START_STEPS; step++) {
        int status = 0;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            if (WIFEXITED(status) && WEXITSTATUS(status) == 127) fail_msg("there is no redis-server in PATH");
            return false;
        }
        redisContext *eye = redisConnectUnix(server->socket);
        redisReply *reply = eye && !eye->err ? redisCommand(eye, "PING") : NULL;
        bool answers = reply != NULL;
        bool open = answers && reply->type == REDIS_REPLY_STATUS;
        if (reply) freeReplyObject(reply);
        if (open)
            server->eye = eye;
        else if (eye)
            redisFree(eye);
        if (answers) return true;
        nap(5 * US_PER_MS);
    }
    return false;
}

/* Again in the same folder; a port is chosen anew when somebody else was faster. */
static inline void server_begin(struct server *server) {
    for (int i = 0; i < START_TRIES; i++) {
        server->pid = fork();
        assert_true(server->pid >= 0);
        if (server->pid == 0) server_exec(server);
        if (server_await(server)) return;
        if (server->port) server->port = free_port();
    }
    fail_msg("redis-server does not start");
}

static inline void server_start(struct server *server, bool tcp, const char *const *extra, size_t count) {
    *server = (struct server){.extra_count = count};
    for (size_t i = 0; i < count; i++) server->extra[i] = extra[i];
    snprintf(server->folder, sizeof server->folder, "/tmp/drumbeat-share-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->socket, sizeof server->socket, "%s/redis.sock", server->folder);
    snprintf(server->url, sizeof server->url, "unix://%s", server->socket);
    if (tcp) server->port = free_port();
    server_begin(server);
}

static inline void server_kill(struct server *server) {
    if (server->eye) redisFree(server->eye);
    server->eye = NULL;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    unlink(server->socket);
}

static inline void server_stop(struct server *server) {
    server_kill(server);
    rmdir(server->folder);
}

/* Nobody answers any more once this returned. */
static inline void server_freeze(const struct server *server) {
    int status = 0;
    kill(server->pid, SIGSTOP);
    assert_int_equal(waitpid(server->pid, &status, WUNTRACED), server->pid);
    assert_true(WIFSTOPPED(status));
}

static inline void server_thaw(const struct server *server) {
    kill(server->pid, SIGCONT);
}

/* The number or the text that a command answers; -1 for nothing. */
static inline long long server_number(struct server *server, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->eye, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s", reply->str);
    long long number = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
                       : reply->type == REDIS_REPLY_STRING ? atoll(reply->str)
                                                           : -1;
    freeReplyObject(reply);
    return number;
}

/* ---- one process of drumbeat ---- */

struct member {
    struct arena arena;
    struct share *share;
    int64_t ahead_us; /* of the real clock */
};

static inline int64_t member_now_us(void *self) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000 + ((struct member *)self)->ahead_us;
}

/* A second of patience: the machine may be busy, and what is tested is not how fast it is. */
static inline void member_open(struct member *member, const char *url) {
    *member = (struct member){0};
    const struct share_options options = {.url = str_from(url),
                                          .deadline_us = US_PER_S,
                                          .instance = STR("here"),
                                          .clock = {.now_us = member_now_us, .self = member}};
    struct str problem = STR_NONE;
    if (share_open(&options, &member->arena, &member->share, &problem)) fail_msg("%.*s", STR_ARG(problem));
}

static inline void member_close(struct member *member) {
    share_close(member->share);
    arena_free(&member->arena);
}

static inline struct share_grant member_take(struct member *member, const struct share_ask *ask) {
    struct share_grant grant = {0};
    if (share_take(member->share, ask, &grant)) fail_msg("%s", share_trouble(member->share));
    return grant;
}

static inline size_t member_remaining(struct member *member, const struct share_ask *ask) {
    size_t remaining = 0;
    if (share_remaining(member->share, ask, &remaining)) fail_msg("%s", share_trouble(member->share));
    return remaining;
}

/* A take that must fail as the world's. */
static inline void member_fails(struct member *member, const struct share_ask *ask) {
    struct share_grant grant = {.granted = 77};
    assert_int_equal(share_take(member->share, ask, &grant), ERR_IO);
    assert_int_equal(grant.granted, 77);
    assert_true(*share_trouble(member->share));
}

#endif
