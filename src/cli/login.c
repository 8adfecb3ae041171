/* cli/login.c - see login.h. */
#include "cli/login.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/when.h"

#define LOGIN_US    (10 * US_PER_MIN)
#define LOOK_MS     200
#define HEAD_MAX    8192
#define HEAD_WAIT_S 5
#define LINE_MAX_N  4096

struct str login_random(struct arena *arena) {
    char bytes[32];
    hash_random(bytes, sizeof bytes);
    return base64url_encode(arena, (struct str){bytes, sizeof bytes});
}

/* A value of a query, without its escapes; STR_NONE when it is not there. */
static struct str query_value(struct arena *arena, struct str query, struct str name) {
    struct str pair, key;
    while (str_next(&query, '&', &pair)) {
        struct str value = pair;
        if (!str_next(&value, '=', &key) || !str_eq(key, name)) continue;
        struct buf buf = {.arena = arena};
        for (size_t i = 0; i < value.n; i++) {
            uint8_t byte = (uint8_t)(value.p[i] == '+' ? ' ' : value.p[i]);
            if (value.p[i] == '%' && hex_decode(str_sub(value, i + 1, 2), &byte, 1)) i += 2;
            buf_byte(&buf, (char)byte);
        }
        return buf_str(&buf);
    }
    return STR_NONE;
}

/* What somebody was sent back with: true when it is the end, with a code or without. */
static bool read_address(struct cli *cli, struct str address, struct str state, struct str *ret_code,
                         struct str *ret_refusal) {
    struct str query = address, before;
    (void)str_next(&query, '?', &before);
    query = str_sub(query, 0, str_find(query, '#'));
    if (!str_eq(query_value(cli->arena, query, STR("state")), state)) return false;
    *ret_code = query_value(cli->arena, query, STR("code"));
    *ret_refusal = query_value(cli->arena, query, STR("error"));
    return ret_code->n || ret_refusal->n;
}

/* ---- the page on this machine ---- */

int login_listen(struct cli *cli, uint16_t port) {
    const struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd >= 0 && !bind(fd, (const struct sockaddr *)&here, sizeof here) && !listen(fd, 8)) return fd;
    cli_say(cli, "Port %u of this machine is not free (%s): paste what you are sent to.", port, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}

static void say_page(int fd, bool good) {
    static const char done[] = "drumbeat has what it needs. You can close this page.\n";
    static const char other[] = "This is not what drumbeat asked for.\n";
    char head[256];
    const char *body = good ? done : other;
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                          "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n%s",
                          good ? "200 OK" : "400 Bad Request", strlen(body), body);
    (void)!send(fd, head, (size_t)length, MSG_NOSIGNAL);
}

/* One request: "GET /?code=… HTTP/1.1". */
static bool take_visit(struct cli *cli, int page, struct str state, struct str *ret_code, struct str *ret_refusal) {
    const struct timeval wait = {.tv_sec = HEAD_WAIT_S};
    char *head = arena_alloc(cli->arena, HEAD_MAX);
    size_t length = 0;
    int fd = accept(page, NULL, NULL);
    if (fd < 0) return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    while (length < HEAD_MAX && !(length && memmem(head, length, "\r\n\r\n", 4))) {
        ssize_t got = recv(fd, head + length, HEAD_MAX - length, 0);
        if (got <= 0) break;
        length += (size_t)got;
    }
    struct str line = {head, length}, method = STR_NONE, target = STR_NONE;
    bool asked = str_next(&line, ' ', &method) && str_eq(method, STR("GET")) && str_next(&line, ' ', &target);
    bool good = asked && read_address(cli, target, state, ret_code, ret_refusal);
    say_page(fd, good);
    close(fd);
    return good;
}

/* ---- a person who pastes ---- */

static bool take_line(struct cli *cli, bool *ret_ended, struct str state, struct str *ret_code,
                      struct str *ret_refusal) {
    char *text = arena_alloc(cli->arena, LINE_MAX_N);
    *ret_ended = !fgets(text, LINE_MAX_N, stdin);
    if (*ret_ended) return false;
    struct str line = str_trim(str_from(text));
    if (!line.n) return false;
    if (str_find(line, '?') == SIZE_MAX && str_find(line, '=') == SIZE_MAX) {
        *ret_code = line;
        return true;
    }
    if (read_address(cli, line, state, ret_code, ret_refusal)) return true;
    cli_say(cli, "That is not what this login was sent to: its state is another one. Open the address above again.");
    return false;
}

int login_wait(struct cli *cli, int page, struct str state, struct str *ret_code) {
    struct str refusal = STR_NONE;
    int64_t until_us = cli_now_us() + LOGIN_US;
    struct pollfd ends[] = {{.fd = page, .events = POLLIN},
                            {.fd = cli->no_input ? -1 : STDIN_FILENO, .events = POLLIN}};
    bool done = false;
    *ret_code = STR_NONE;
    (void)setvbuf(stdin, NULL, _IONBF, 0); /* poll must see a line that is still to be read */
    while (!done && cli_now_us() < until_us && !cli_stopped(cli) && (ends[0].fd >= 0 || ends[1].fd >= 0)) {
        if (poll(ends, 2, LOOK_MS) <= 0) continue;
        bool ended = false;
        if (ends[0].revents) done = take_visit(cli, ends[0].fd, state, ret_code, &refusal);
        if (!done && ends[1].revents) done = take_line(cli, &ended, state, ret_code, &refusal);
        if (ended) ends[1].fd = -1;
    }
    if (page >= 0) close(page);
    if (ret_code->n) return EXIT_DONE;
    if (cli_stopped(cli)) return EXIT_INTERRUPTED;
    if (refusal.n)
        return cli_fail(cli, EXIT_DECLINED, "error: it was not allowed: %.*s",
                        STR_ARG(str_sub(str_safe(cli->arena, refusal, true), 0, 200)));
    return cli_fail(cli, EXIT_TIMED_OUT, "error: nobody brought a code");
}
