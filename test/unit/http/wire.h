/* wire.h - raw sockets for the tests of http: what is sent is byte for byte
 * what the test says. Waits end by condition; PATIENCE only bounds a failure. */
#ifndef TEST_HTTP_WIRE_H
#define TEST_HTTP_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define PATIENCE_MS 20000

#define HOSTED                    "HTTP/1.1\r\nHost: localhost\r\n"
#define POST(path, headers, body) "POST " path " " HOSTED "Content-Type: application/json\r\n" headers "\r\n" body

struct wire_text {
    char p[200000];
    size_t n;
};

static inline int wire_connect(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static inline int wire_connect_unix(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strncpy(at.sun_path, path, sizeof at.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* The other side may have closed already; then nothing is sent. */
static inline void wire_send(int fd, struct str text) {
    for (size_t sent = 0; sent < text.n;) {
        ssize_t now = send(fd, text.p + sent, text.n - sent, MSG_NOSIGNAL);
        if (now < 0) return;
        sent += (size_t)now;
    }
}

/* Adds what comes next; false at the end of the connection. */
static inline bool wire_more(int fd, struct wire_text *text) {
    struct pollfd on = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&on, 1, PATIENCE_MS), 1);
    ssize_t got = recv(fd, text->p + text->n, sizeof text->p - 1 - text->n, 0);
    if (got <= 0) return false;
    text->n += (size_t)got;
    text->p[text->n] = '\0';
    return true;
}

static inline void wire_clear(struct wire_text *text) {
    text->n = 0;
    text->p[0] = '\0';
}

/* Everything up to the end of the connection, which must come. */
static inline const char *wire_rest(int fd, struct wire_text *text) {
    wire_clear(text);
    while (wire_more(fd, text)) continue;
    return text->p;
}

static inline bool wire_is_whole(const struct wire_text *text) {
    const char *end = strstr(text->p, "\r\n\r\n"), *length = strcasestr(text->p, "content-length: ");
    if (!end) return false;
    size_t body = length && length < end ? (size_t)atol(length + 16) : 0;
    return text->n >= (size_t)(end + 4 - text->p) + body;
}

/* One whole answer; the connection goes on. */
static inline const char *wire_answer(int fd, struct wire_text *text) {
    wire_clear(text);
    while (!wire_is_whole(text)) assert_true(wire_more(fd, text));
    return text->p;
}

static inline int wire_status(const struct wire_text *text) {
    return strncmp(text->p, "HTTP/1.1 ", 9) == 0 ? atoi(text->p + 9) : 0;
}

static inline int wire_ask(uint16_t port, struct str request, struct wire_text *text) {
    int fd = wire_connect(port);
    wire_send(fd, request);
    wire_answer(fd, text);
    close(fd);
    return wire_status(text);
}

#endif
