/* http/transfer.c - what the library is told of a transfer, what it asks meanwhile, what it reads, and what its end
 * means; see transfer.h. Why a request never leaves twice: client.c. */
#include "http/transfer.h"

#include <assert.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/when.h"

/* ---- an answer as it comes in ---- */

#define TRIM_BYTES ((size_t)8192)

void reading_reset(struct reading *reading, size_t keep_max, size_t seen_max) {
    reading->head_bytes = reading->lines = reading->heads_bytes = 0;
    reading->status = 0;
    reading->final = false;
    reading->body_bytes = reading->body_seen = 0;
    reading->keep_max = keep_max ? keep_max : EXCHANGE_ANSWER_MAX;
    reading->seen_max = seen_max;
}

static void append(char **p, size_t *n, size_t *room, struct str bytes) {
    if (bytes.n > *room - *n) {
        *room = (*n + bytes.n) * 2;
        *p = realloc(*p, *room);
        assert(*p);
    }
    if (bytes.n) memcpy(*p + *n, bytes.p, bytes.n);
    *n += bytes.n;
}

/* "HTTP/1.1 200 OK" */
static int32_t status_of(struct str line) {
    size_t blank = str_find(line, ' ');
    uint64_t status = 0;
    return blank != SIZE_MAX && str_to_u64(str_sub(line, blank + 1, 3), &status) ? (int32_t)status : 0;
}

static bool reading_line(struct reading *reading, struct str line) {
    reading->heads_bytes += line.n;
    if (reading->heads_bytes > READING_HEADS_MAX) return false;
    struct str text = str_trim(line);
    if (reading->final && (!reading->trailers || !text.n)) return true;
    if (!text.n) {
        reading->final = reading->status >= 200;
    } else if (str_starts(line, STR("HTTP/"))) {
        reading->status = status_of(text);
        reading->head_bytes = reading->lines = 0;
    } else if (reading->lines < READING_HEADERS_MAX && reading->head_bytes + text.n < READING_HEAD_MAX) {
        append(&reading->head, &reading->head_bytes, &reading->head_room, text);
        append(&reading->head, &reading->head_bytes, &reading->head_room, STR("\n"));
        reading->lines++;
    }
    return true;
}

static bool reading_body(struct reading *reading, struct str bytes) {
    reading->body_seen += bytes.n;
    size_t room = reading->keep_max - reading->body_bytes;
    append(&reading->body, &reading->body_bytes, &reading->body_room, str_sub(bytes, 0, room));
    return reading->body_seen <= reading->seen_max;
}

static bool reading_dropped(const struct reading *reading) {
    return reading->body_seen > reading->body_bytes;
}

static void reading_answer(struct reading *reading, struct answer *ret_answer) {
    struct str rest = {reading->head, reading->head_bytes}, line;
    size_t count = 0;
    while (rest.n && str_next(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        if (colon == SIZE_MAX) continue;
        struct str value = str_trim(str_sub(line, colon + 1, line.n));
        reading->headers[count++] = (struct header){str_trim(str_sub(line, 0, colon)), value};
    }
    ret_answer->status = reading->status;
    ret_answer->headers = reading->headers;
    ret_answer->header_count = count;
    ret_answer->body = (struct str){reading->body, reading->body_bytes};
}

void reading_keep(struct arena *arena, struct answer *answer) {
    struct header *headers = arena_array(arena, struct header, answer->header_count);
    for (size_t i = 0; i < answer->header_count; i++)
        headers[i] = (struct header){str_dup(arena, answer->headers[i].name), str_dup(arena, answer->headers[i].value)};
    answer->headers = headers;
    answer->body = str_dup(arena, answer->body);
}

static void reading_free(struct reading *reading) {
    free(reading->head);
    free(reading->body);
    reading->head = reading->body = NULL;
    reading->head_room = reading->body_room = reading->head_bytes = reading->body_bytes = 0;
}

void reading_trim(struct reading *reading) {
    if (reading->head_room + reading->body_room > TRIM_BYTES) reading_free(reading);
}

/* ---- what the library asks while a transfer runs ---- */

static curl_socket_t on_open(void *cls, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    struct transfer *transfer = cls;
    const struct sockaddr_in *v4 = (const void *)&address->addr;
    const struct sockaddr_in6 *v6 = (const void *)&address->addr;
    const void *bytes = address->family == AF_INET6 ? (const void *)&v6->sin6_addr : &v4->sin_addr;
    return passage_socket(&transfer->passage, transfer->host ? transfer->host->lines : NULL, transfer->outgoing,
                          (int)address->family, address->socktype, address->protocol, bytes);
}

static int on_close(void *cls, curl_socket_t fd) {
    const struct transfer_host *host = cls; /* not the transfer: a kept connection outlives it */
    if (host) lines_closed(host->lines, fd);
    return close(fd);
}

static int on_send(void *cls, char *address, char *own_address, int port, int own_port) {
    struct transfer *transfer = cls;
    const struct transfer_host *host = transfer->host;
    const struct line_ends ends = {address, own_address, port, own_port};
    bool allowed = passage_allows_text(transfer->outgoing, address);
    transfer->passage.refused = transfer->passage.refused || !allowed;
    transfer->passage.sent_again = transfer->passage.began;
    if (!transfer->passage.began) transfer->fd = host ? lines_find(host->lines, &ends) : -1;
    transfer->stray = allowed && !transfer->passage.began && !transfer->passage.tried && transfer->fd >= 0 &&
                      lines_used_up(host->lines, transfer->fd, host->now_us(host->self), transfer->outgoing);
    if (!allowed || transfer->passage.sent_again || transfer->stray) return CURL_PREREQFUNC_ABORT;
    if (transfer->spoke == OUTGOING_SMTP && !transfer_fits_smtp(transfer)) return CURL_PREREQFUNC_ABORT;
    transfer->passage.began = transfer->spoke == OUTGOING_HTTP;
    if (host) host->began(host->self, transfer);
    return CURL_PREREQFUNC_OK;
}

static size_t on_line(char *line, size_t size, size_t count, void *cls) {
    struct transfer *transfer = cls;
    return reading_line(&transfer->reading, (struct str){line, size * count}) ? size * count : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *cls) {
    struct transfer *transfer = cls;
    return reading_body(&transfer->reading, (struct str){bytes, size * count}) ? size * count : 0;
}

/* ---- what a transfer is set to ---- */

static void set_http_for_life(struct transfer *transfer, const char *user_agent) {
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* what a proxy says of its tunnel is no answer */
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
}

/* What is the same for all transfers of a handle's life. */
static void easy_new(struct transfer *transfer, const char *user_agent, const char *ca_file) {
    CURL *easy = transfer->easy = curl_easy_init();
    assert(easy);
    transfer->spoke = transfer->outgoing->scheme == OUTGOING_SMTP ? OUTGOING_SMTP : OUTGOING_HTTP;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->trouble);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name that is still being looked up */
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)PASSAGE_KEPT_S);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)PASSAGE_LIFE_S);
    /* A handshake that goes on with an earlier session shows no certificate, so that neither a renewed one nor one that
     * has ended would be seen for as long as the server takes its own tickets. */
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    if (ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->host);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (transfer->spoke == OUTGOING_SMTP)
        transfer_new_smtp(transfer);
    else
        set_http_for_life(transfer, user_agent);
}

/* The library's own list type, without an allocation for each of its nodes. */
static void add_line(struct transfer *transfer, struct str name, const char *mark, struct str value) {
    size_t marked = name.n + strlen(mark);
    assert(transfer->node_count < EXCHANGE_HEADERS_MAX + OWN_HEADERS_MAX);
    assert(str_find(value, '\n') == SIZE_MAX && str_find(value, '\r') == SIZE_MAX);
    char *line = arena_alloc(&transfer->texts, marked + value.n + 1);
    memcpy(line, name.p, name.n);
    memcpy(line + name.n, mark, marked - name.n);
    if (value.n) memcpy(line + marked, value.p, value.n);
    struct curl_slist *node = &transfer->nodes[transfer->node_count];
    *node = (struct curl_slist){.data = line};
    if (transfer->node_count++) node[-1].next = node;
}

static void set_headers(struct transfer *transfer, bool with_body) {
    const struct outgoing *outgoing = transfer->outgoing;
    bool typed = !with_body;
    transfer->node_count = 0;
    for (size_t i = 0; i < outgoing->header_count; i++) {
        const struct header *header = &outgoing->headers[i];
        add_line(transfer, header->name, header->value.n ? ": " : ";", header->value); /* "Name;" sends "Name:" */
        typed = typed || str_eq_nocase(header->name, STR("content-type"));
    }
    /* "Name:" keeps the library from adding a header of its own. */
    add_line(transfer, STR("Expect"), ":", STR_NONE);
    if (!typed) add_line(transfer, STR("Content-Type"), ":", STR_NONE);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->nodes);
}

/* Certificates of a destination's own come beside those of the system's folder. */
static void set_way(struct transfer *transfer) {
    const struct outgoing *outgoing = transfer->outgoing;
    struct curl_blob ca = {(void *)(uintptr_t)outgoing->ca.p, outgoing->ca.n, CURL_BLOB_NOCOPY};
    curl_easy_setopt(transfer->easy, CURLOPT_CAINFO_BLOB, outgoing->ca.n ? &ca : NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_NOPROXY, ""); /* else the environment's no_proxy counts */
    curl_easy_setopt(transfer->easy, CURLOPT_PROXY,
                     outgoing->proxy.n ? str_dup(&transfer->texts, outgoing->proxy).p : "");
    curl_easy_setopt(transfer->easy, CURLOPT_UNIX_SOCKET_PATH,
                     outgoing->unix_socket.n ? str_dup(&transfer->texts, outgoing->unix_socket).p : NULL);
}

/* A second request over a kept connection of HTTP/2 that began without TLS fails in libcurl 7.88, so none is kept. */
static void set_version(struct transfer *transfer) {
    bool grpc = transfer->outgoing->scheme == OUTGOING_GRPC;
    bool plain = str_starts(transfer->outgoing->url, STR("http://"));
    long version = !grpc ? CURL_HTTP_VERSION_1_1 : plain ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS;
    curl_easy_setopt(transfer->easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, grpc ? 1L : 0L);
}

static void set_request(struct transfer *transfer) {
    const struct outgoing *outgoing = transfer->outgoing;
    CURL *easy = transfer->easy;
    struct str method = outgoing->method;
    bool head = str_eq(method, STR("HEAD"));
    bool with_body =
        outgoing->body.n || str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) || str_eq(method, STR("PATCH"));
    curl_easy_setopt(easy, CURLOPT_URL, str_dup(&transfer->texts, outgoing->url).p);
    curl_easy_setopt(easy, CURLOPT_NOBODY, head ? 1L : 0L); /* first: it chooses a method too */
    if (with_body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)outgoing->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, outgoing->body.n ? outgoing->body.p : "");
    } else if (!head) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, str_dup(&transfer->texts, method).p);
    set_version(transfer);
    set_headers(transfer, with_body);
}

void transfer_set(struct transfer *transfer, const char *user_agent, const char *ca_file) {
    const struct outgoing *outgoing = transfer->outgoing;
    long timeout_ms = outgoing->timeout_us / 1000 < LONG_MAX ? (long)(outgoing->timeout_us / 1000) : LONG_MAX;
    if (!transfer->easy) easy_new(transfer, user_agent, ca_file);
    arena_reset(&transfer->texts);
    passage_reset(&transfer->passage);
    transfer->stray = false;
    transfer->reading.trailers = outgoing->scheme == OUTGOING_GRPC;
    transfer->fd = -1;
    transfer->trouble[0] = '\0';
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, timeout_ms > 0 ? timeout_ms : 1L);
    set_way(transfer);
    if (outgoing->scheme == OUTGOING_SMTP)
        transfer_set_smtp(transfer);
    else
        set_request(transfer);
}

/* Only a certificate that does not stand the test is a matter of trust, at which a person must look. A handshake that
 * breaks off, or a certificate file of ours that cannot be read, is a connection that was not made. */
static enum complaint complaint_of(CURLcode code) {
    static const struct {
        CURLcode code;
        enum complaint complaint;
    } rows[] = {
        {CURLE_OPERATION_TIMEDOUT, COMPLAINT_TIME}, {CURLE_UNSUPPORTED_PROTOCOL, COMPLAINT_URL},
        {CURLE_URL_MALFORMAT, COMPLAINT_URL},       {CURLE_PEER_FAILED_VERIFICATION, COMPLAINT_TRUST},
        {CURLE_OUT_OF_MEMORY, COMPLAINT_ROOM},      {CURLE_FAILED_INIT, COMPLAINT_ROOM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code) return rows[i].complaint;
    return COMPLAINT_OTHER;
}

/* The library has the same word for a connection that was refused and for one that this side has no room for. */
static bool is_own_trouble(const struct transfer *transfer, CURLcode code) {
    long number = 0;
    if (code == CURLE_COULDNT_CONNECT) curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
    return passage_is_own_trouble((int)number) || passage_is_out_of_descriptors();
}

/* The library has a text for each line of each certificate, the server's own first. That one counts: servers send along
 * authorities that nobody needs any more, which ended long ago and do no harm, and those that are needed outlive what
 * they signed. */
static int64_t shown_now(const struct transfer *transfer) {
    static const char mark[] = "Expire date:";
    struct curl_certinfo *shown = NULL;
    int64_t us = 0;
    if (curl_easy_getinfo(transfer->easy, CURLINFO_CERTINFO, &shown) || !shown || shown->num_of_certs < 1) return 0;
    for (const struct curl_slist *line = shown->certinfo[0]; line; line = line->next)
        if (!strncmp(line->data, mark, sizeof mark - 1) &&
            when_parse_openssl(str_from(line->data + sizeof mark - 1), &us))
            return us;
    return 0;
}

/* It is shown when a connection is made, perhaps to a call of another destination at the same host. What is spoken to
 * without TLS shows none, but an https proxy on the way to it does. */
static int64_t holds_until(const struct transfer *transfer) {
    if (str_starts(transfer->outgoing->url, STR("http://"))) return 0;
    int64_t us = shown_now(transfer);
    if (!transfer->host) return us;
    if (us) lines_show(transfer->host->lines, transfer->fd, us);
    return us ? us : lines_shown(transfer->host->lines, transfer->fd);
}

static const char *words_of(struct transfer *transfer, CURLcode code) {
    const char *words = transfer->trouble[0] ? transfer->trouble : curl_easy_strerror(code);
    if (complaint_of(code) != COMPLAINT_TRUST) return words;
    return passage_distrust(transfer->outgoing, words, &transfer->texts).p;
}

void transfer_end(struct transfer *transfer, CURLcode code) {
    struct answer *answer = &transfer->answer;
    /* A certificate for another name is shown as well. */
    answer->holds_until_us = complaint_of(code) == COMPLAINT_TRUST ? 0 : holds_until(transfer);
    transfer->passage.answered = transfer->reading.final;
    if (transfer->spoke == OUTGOING_SMTP) transfer_end_smtp(transfer, code);
    answer->end = passage_end(&transfer->passage, complaint_of(code));
    if (answer->end == EXCHANGE_NO_CONNECT && is_own_trouble(transfer, code)) answer->end = EXCHANGE_NO_ROOM;
    bool is_http = transfer->spoke == OUTGOING_HTTP;
    if (answer->end == EXCHANGE_ANSWERED && is_http) reading_answer(&transfer->reading, answer);
    answer->body_complete =
        transfer->passage.answered && (!is_http || (code == CURLE_OK && !reading_dropped(&transfer->reading)));
    passage_trouble(&transfer->passage, words_of(transfer, code), answer);
}

struct transfer *transfer_new(const struct transfer_host *host) {
    struct transfer *transfer = calloc(1, sizeof *transfer);
    assert(transfer);
    transfer->host = host;
    return transfer;
}

void transfer_free(struct transfer *transfer) {
    if (transfer->easy) curl_easy_cleanup(transfer->easy);
    arena_free(&transfer->texts);
    reading_free(&transfer->reading);
    free(transfer);
}
