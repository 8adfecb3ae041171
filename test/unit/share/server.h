/* server.h - a real Redis for one test, in a folder of its own. After cmocka.h. */
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

#include "base/when.h"

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
        bool answers = reply != NULL, open = answers && reply->type == REDIS_REPLY_STATUS;
        if (reply) freeReplyObject(reply);
        server->eye = open ? eye : NULL;
        if (eye && !open) redisFree(eye);
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
    const char *place = getenv("TMPDIR");
    snprintf(server->folder, sizeof server->folder, "%s/share-XXXXXX", place ? place : "/tmp");
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

#endif
