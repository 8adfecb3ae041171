/* http/passage.c - the ends of a call, base/address.h applied to one call, and
 * sockets in a list, whose ends are learned when first asked for. */
#include "http/passage.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/when.h"
#include "model/expiry.h"

/* ---- how far it came ---- */

static enum exchange_end end_before(const struct passage *passage, enum complaint complaint) {
    if (passage->no_room || complaint == COMPLAINT_ROOM) return EXCHANGE_NO_ROOM;
    if (passage->misfit) return EXCHANGE_MISFIT;
    if (complaint == COMPLAINT_TRUST || passage->unfit) return EXCHANGE_NO_TRUST;
    if (complaint == COMPLAINT_URL) return EXCHANGE_BAD_URL;
    if (passage->talked) return EXCHANGE_BROKEN_OFF;
    bool only_refused = passage->refused && !passage->tried;
    return only_refused ? EXCHANGE_REFUSED : EXCHANGE_NO_CONNECT;
}

void passage_reset(struct passage *passage) {
    passage->talked = passage->began = passage->sent_again = passage->answered = false;
    passage->refused = passage->tried = passage->bare = passage->no_room = false;
    passage->unfit = passage->misfit = NULL;
}

enum exchange_end passage_end(const struct passage *passage, enum complaint complaint) {
    if (passage->answered) return EXCHANGE_ANSWERED;
    if (!passage->began) return end_before(passage, complaint);
    if (atomic_load(&passage->cancelled)) return EXCHANGE_CANCELLED;
    return complaint == COMPLAINT_TIME ? EXCHANGE_TIMED_OUT : EXCHANGE_CUT;
}

static const char *passage_words(const struct passage *passage) {
    if (passage->answered) return "";
    if (passage->unfit && !passage->began) return passage->unfit;
    if (passage->misfit && !passage->began) return passage->misfit;
    if (passage->bare && !passage->tried) return "without TLS only a loopback address is spoken to (starttls: off)";
    if (passage->refused && !passage->tried) return "the address is not public (allow_private)";
    if (passage->sent_again) return "the kept connection ended before an answer came";
    return atomic_load(&passage->cancelled) ? "stopped by this server" : NULL;
}

void passage_trouble(const struct passage *passage, const char *library_words, struct answer *answer) {
    const char *words = passage_words(passage);
    snprintf(answer->trouble, sizeof answer->trouble, "%.*s", (int)sizeof answer->trouble - 1,
             words ? words : library_words);
}

/* In the words of OpenSSL and libcurl, the first that fits. A host's name is cut so that all has room in the trouble of
 * an answer. */
#define HOST_SHOWN 64
struct str passage_distrust(const struct outgoing *outgoing, const char *library_words, struct arena *arena) {
    static const struct {
        const char *has, *says;
    } rows[] = {
        {"has expired", "has expired; whoever runs that server must renew it"},
        {"not yet valid", "does not hold yet; one of the two clocks is wrong"},
        {"subject name", "is for other names; look at the address"},
        {"local issuer", "is signed by nobody who is trusted here; ca: names who is"},
        {"self-signed", "is signed by nobody who is trusted here; ca: names who is"},
    };
    const char *proxy = str_starts(outgoing->proxy, STR("https://")) ? " or its proxy" : "", *says = NULL;
    struct str host = str_sub(expiry_host(outgoing->url), 0, HOST_SHOWN);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !says; i++)
        if (strstr(library_words, rows[i].has)) says = rows[i].says;
    return str_fmt(arena, EXPIRY_WORDS "%.*s%s %s%s", STR_ARG(host), proxy,
                   says ? says : "is refused: ", says ? "" : library_words);
}

bool passage_is_own_trouble(int number) {
    static const int numbers[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EADDRNOTAVAIL};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (number == numbers[i]) return true;
    return false;
}

bool passage_is_out_of_descriptors(void) {
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0) return passage_is_own_trouble(errno);
    close(fd);
    return false;
}

/* ---- connections that are open ---- */

struct line {
    int fd;
    int64_t rest_us, keep_us; /* since when it rests, 0 = it never did; how long it may */
    int64_t holds_until_us;
    size_t answers;     /* that came over it */
    int port, own_port; /* 0 = not learned yet */
    char address[INET6_ADDRSTRLEN], own_address[INET6_ADDRSTRLEN];
};

static void lines_opened(struct lines *lines, int fd) {
    if (lines->count == lines->room) {
        lines->room = lines->room ? lines->room * 2 : 16;
        lines->all = realloc(lines->all, lines->room * sizeof *lines->all);
        assert(lines->all);
    }
    lines->all[lines->count++] = (struct line){.fd = fd};
}

/* ---- where it may go ---- */

static bool passage_allows(const struct outgoing *outgoing, int family, const void *bytes) {
    if (outgoing->unix_socket.n || family == AF_UNIX) return outgoing->unix_socket.n && family == AF_UNIX;
    return outgoing->allow_private || outgoing->proxy.n || address_is_public(family, bytes);
}

/* Without TLS anybody on the way could read the mail and change it. */
static bool is_bare(const struct outgoing *outgoing, int family, const void *bytes) {
    bool bare = outgoing->scheme == OUTGOING_SMTP && outgoing->envelope.plain;
    return bare && (outgoing->proxy.n || family == AF_UNIX || !address_is_loopback(family, bytes));
}

int passage_socket(struct passage *passage, struct lines *lines, const struct outgoing *outgoing, int family, int type,
                   int protocol, const void *bytes) {
    if (is_bare(outgoing, family, bytes)) passage->bare = true;
    if (passage->bare || !passage_allows(outgoing, family, bytes)) {
        passage->refused = true;
        return -1;
    }
    passage->tried = true;
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0 && passage_is_own_trouble(errno)) passage->no_room = true;
    if (fd >= 0 && lines) lines_opened(lines, fd);
    return fd;
}

bool passage_allows_text(const struct outgoing *outgoing, const char *address) {
    static const int families[] = {AF_INET, AF_INET6};
    uint8_t bytes[16];
    if (outgoing->unix_socket.n || !address[0]) /* the text is then the socket's path; the socket itself was judged */
        return passage_allows(outgoing, AF_UNIX, NULL);
    for (size_t i = 0; i < 2; i++)
        if (inet_pton(families[i], address, bytes) == 1) return passage_allows(outgoing, families[i], bytes);
    return false;
}

/* ---- over which connection ---- */

void lines_closed(struct lines *lines, int fd) {
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->all[i].fd != fd) continue;
        lines->all[i] = lines->all[--lines->count];
        return;
    }
}

static struct line *find_line(const struct lines *lines, int fd) {
    for (size_t i = 0; i < lines->count; i++)
        if (lines->all[i].fd == fd) return &lines->all[i];
    return NULL;
}

void lines_rest(struct lines *lines, int fd, int64_t now_us, int64_t keep_us) {
    struct line *line = find_line(lines, fd);
    if (!line) return;
    line->rest_us = now_us;
    line->keep_us = keep_us;
    line->answers++;
}

void lines_show(struct lines *lines, int fd, int64_t holds_until_us) {
    struct line *line = find_line(lines, fd);
    if (line) line->holds_until_us = holds_until_us;
}

int64_t lines_shown(const struct lines *lines, int fd) {
    const struct line *line = find_line(lines, fd);
    return line ? line->holds_until_us : 0;
}

/* It rested for so long that the receiver may be about to close it. */
static bool lines_is_stale(const struct lines *lines, int fd, int64_t now_us, int64_t idle_max_us) {
    const struct line *line = find_line(lines, fd);
    if (!line || !line->rest_us) return false;
    int64_t idle_us = now_us - line->rest_us;
    return idle_us >= line->keep_us || (idle_max_us && idle_us > idle_max_us);
}

/* Reads "Keep-Alive: timeout=5, max=100". One second is taken off for what is on its way. */
int64_t passage_kept_us(const struct answer *answer) {
    struct str rest = answer_header(answer, STR("Keep-Alive")), part;
    uint64_t seconds;
    while (rest.n && str_next(&rest, ',', &part)) {
        part = str_trim(part);
        if (str_eq_nocase(str_sub(part, 0, 8), STR("timeout=")) && str_to_u64(str_sub(part, 8, part.n), &seconds) &&
            seconds < PASSAGE_KEPT_S)
            return seconds ? (int64_t)(seconds - 1) * US_PER_S : 0;
    }
    return WHEN_NEVER;
}

static int port_of(int fd, int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict)) {
    struct sockaddr_storage end = {0};
    socklen_t length = sizeof end;
    if (ask(fd, (struct sockaddr *)&end, &length) != 0) return -1;
    const struct sockaddr_in *v4 = (const void *)&end;
    const struct sockaddr_in6 *v6 = (const void *)&end;
    return ntohs(end.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

static bool has_ends(const struct line *line, const struct line_ends *ends) {
    return line->own_port == ends->own_port && line->port == ends->port && strcmp(line->address, ends->address) == 0 &&
           strcmp(line->own_address, ends->own_address) == 0;
}

/* Learns the ends of a line. A connection is asked for the first time while it is new, so it is among those whose ends
 * are not known yet. */
static bool learn(struct line *line, const struct line_ends *ends) {
    if (line->own_port || port_of(line->fd, getsockname) != ends->own_port) return false;
    if (port_of(line->fd, getpeername) != ends->port) return false;
    line->own_port = ends->own_port;
    line->port = ends->port;
    snprintf(line->address, sizeof line->address, "%s", ends->address);
    snprintf(line->own_address, sizeof line->own_address, "%s", ends->own_address);
    return true;
}

int lines_find(struct lines *lines, const struct line_ends *ends) {
    for (size_t i = 0; i < lines->count; i++)
        if (has_ends(&lines->all[i], ends)) return lines->all[i].fd;
    for (size_t i = 0; i < lines->count; i++)
        if (learn(&lines->all[i], ends)) return lines->all[i].fd;
    return -1;
}

void lines_free(struct lines *lines) {
    free(lines->all);
    *lines = (struct lines){0};
}

/* Nothing is there to be read, not even an end. */
static bool line_is_quiet(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool lines_used_up(const struct lines *lines, int fd, int64_t now_us, const struct outgoing *outgoing) {
    const struct line *line = find_line(lines, fd);
    bool worn = outgoing->scheme == OUTGOING_SMTP && line && line->answers >= LINES_MAILS_MAX;
    if (line_is_quiet(fd) && !lines_is_stale(lines, fd, now_us, outgoing->idle_max_us) && !worn) return false;
    shutdown(fd, SHUT_RDWR); /* the library sees that before it uses it again */
    return true;
}

void lines_deafen(const struct lines *lines) {
    for (size_t i = 0; i < lines->count; i++) shutdown(lines->all[i].fd, SHUT_RD);
}
