/* http/client.c - libcurl behind the transport. The only file that knows it.
 *
 * WHAT. Runs the loop's transfers on a thread of its own and gives each back with its answer, or with how far it came.
 * PROMISE. A request that began to leave never leaves a second time by itself, and the end says whether it began.
 * Nothing is sent to an address that the destination may not reach. Each transfer is given back once.
 * WHY IT HOLDS. 1. A transfer is a kept easy handle with its buffers, in one list at a time: idle, starting, ended. The
 * loop's thread starts and releases, the client's thread runs. 2. The library calls on_send right before it sends. What
 * fails before that is NO_CONNECT (NO_TRUST, REFUSED), what fails after it is CUT or TIMED_OUT. 3. When a kept line is
 * dead, the library would send again on a new one, without knowing that the first was not carried out. on_send stops
 * it: the end is CUT, and the loop decides. 4. on_open judges the address of a new socket, on_send that of a kept one.
 * WHAT BREAKS IT. A release of libcurl that sends without asking the callback of CURLOPT_PREREQFUNCTION first.
 * HOW TO SEE IT. The error of an attempt in `drumbeat deliveries show`; drumbeat_attempts_total.
 * TESTED BY. test/unit/http/test_client.c, test_answer.c, test_trust.c; test/e2e/test_liar.py. */
#include "http/client.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "http/passage.h"
#include "http/reading.h"
#include "os/thread.h"

#define OWN_HEADERS_MAX 4

struct transfer {
    STAILQ_ENTRY(transfer) queue; /* in the one that has it: starting, ended, idle or round */
    LIST_ENTRY(transfer) active;  /* from start to collect, under the client's lock */
    struct client *client;        /* NULL = a transfer by itself */
    bool running;                 /* the library has it; the client's thread only */
    bool stray;                   /* its kept connection was of no use, another one must be made; likewise */
    int fd;                       /* of the connection it went over, -1 = not known; likewise */
    bool untold;                  /* it began to leave, and the loop does not know; under the lock */
    uint64_t tag;
    const struct outgoing *outgoing;
    CURL *easy;
    struct arena texts; /* NUL-ended copies for the library */
    struct curl_slist nodes[EXCHANGE_HEADERS_MAX + OWN_HEADERS_MAX];
    size_t node_count;
    struct reading reading;
    struct answer answer;
    struct passage passage;
    char trouble[CURL_ERROR_SIZE];
};
STAILQ_HEAD(transfers, transfer);
LIST_HEAD(active, transfer);
struct client {
    char *ca_file, *user_agent; /* ca_file NULL = the system's */
    struct clock clock;
    struct wake *wake;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock; /* of the next three lines */
    struct transfers starting, ended, idle;
    struct active active;
    bool cancelling, closing;
    bool telling;           /* likewise: a transfer is untold */
    struct transfers round; /* those that ended in this round; the client's thread only */
    struct lines lines;     /* likewise */
};

/* ---- what the library asks while a transfer runs ---- */

static int64_t now_of(const struct client *client) {
    return client->clock.now_us(client->clock.self);
}

static curl_socket_t on_open(void *cls, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    struct transfer *transfer = cls;
    const struct sockaddr_in *v4 = (const void *)&address->addr;
    const struct sockaddr_in6 *v6 = (const void *)&address->addr;
    const void *bytes = address->family == AF_INET6 ? (const void *)&v6->sin6_addr : &v4->sin_addr;
    return passage_socket(&transfer->passage, transfer->client ? &transfer->client->lines : NULL, transfer->outgoing,
                          (int)address->family, address->socktype, address->protocol, bytes);
}

static int on_close(void *cls, curl_socket_t fd) {
    struct client *client = cls;
    if (client) lines_closed(&client->lines, fd);
    return close(fd);
}

/* What leaves now is told before its answer comes: whoever counts starts waits for it. */
static void tell_start(struct transfer *transfer) {
    struct client *client = transfer->client;
    transfer->answer.started_us = now_of(client);
    if (!transfer->outgoing->tell_start) return;
    pthread_mutex_lock(&client->lock);
    if (!client->telling) wake_raise(client->wake);
    transfer->untold = client->telling = true;
    pthread_mutex_unlock(&client->lock);
}

static int on_send(void *cls, char *address, char *own_address, int port, int own_port) {
    struct transfer *transfer = cls;
    const struct line_ends ends = {address, own_address, port, own_port};
    bool allowed = passage_allows_text(transfer->outgoing, address);
    transfer->passage.refused = transfer->passage.refused || !allowed;
    transfer->passage.sent_again = transfer->passage.began;
    if (!transfer->passage.began) transfer->fd = transfer->client ? lines_find(&transfer->client->lines, &ends) : -1;
    transfer->stray = allowed && !transfer->passage.began && !transfer->passage.tried && transfer->fd >= 0 &&
                      lines_used_up(&transfer->client->lines, transfer->fd, now_of(transfer->client),
                                    transfer->outgoing->idle_max_us);
    if (!allowed || transfer->passage.sent_again || transfer->stray) return CURL_PREREQFUNC_ABORT;
    transfer->passage.began = true;
    if (transfer->client) tell_start(transfer);
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

/* What is the same for all transfers of a handle's life. */
static CURL *easy_new(struct transfer *transfer, const char *user_agent, const char *ca_file) {
    CURL *easy = curl_easy_init();
    assert(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->trouble);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name that is still being looked up */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)PASSAGE_KEPT_S);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent);
    if (ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->client);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    return easy;
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

static void transfer_set(struct transfer *transfer) {
    const struct outgoing *outgoing = transfer->outgoing;
    CURL *easy = transfer->easy;
    bool head = str_eq(outgoing->method, STR("HEAD"));
    struct str method = outgoing->method;
    bool with_body =
        outgoing->body.n || str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) || str_eq(method, STR("PATCH"));
    long timeout_ms = outgoing->timeout_us / 1000 < LONG_MAX ? (long)(outgoing->timeout_us / 1000) : LONG_MAX;
    arena_reset(&transfer->texts);
    passage_reset(&transfer->passage, outgoing->scheme != OUTGOING_HTTP);
    transfer->stray = false;
    transfer->fd = -1;
    transfer->trouble[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, str_dup(&transfer->texts, outgoing->url).p);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms > 0 ? timeout_ms : 1L);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
                     outgoing->unix_socket.n ? str_dup(&transfer->texts, outgoing->unix_socket).p : NULL);
    curl_easy_setopt(easy, CURLOPT_NOBODY, head ? 1L : 0L); /* first: it chooses a method too */
    if (with_body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)outgoing->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, outgoing->body.n ? outgoing->body.p : "");
    } else if (!head) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, str_dup(&transfer->texts, outgoing->method).p);
    set_headers(transfer, with_body);
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

static void transfer_end(struct transfer *transfer, CURLcode code) {
    struct answer *answer = &transfer->answer;
    transfer->passage.answered = transfer->reading.final;
    answer->end = passage_end(&transfer->passage, complaint_of(code));
    if (answer->end == EXCHANGE_NO_CONNECT && is_own_trouble(transfer, code)) answer->end = EXCHANGE_NO_ROOM;
    if (answer->end == EXCHANGE_ANSWERED) reading_answer(&transfer->reading, answer);
    answer->body_complete = transfer->passage.answered && code == CURLE_OK && !reading_dropped(&transfer->reading);
    passage_trouble(&transfer->passage, transfer->trouble[0] ? transfer->trouble : curl_easy_strerror(code), answer);
}

static struct transfer *transfer_new(struct client *client) {
    struct transfer *transfer = calloc(1, sizeof *transfer);
    assert(transfer);
    transfer->client = client;
    return transfer;
}

static void transfer_free(struct transfer *transfer) {
    if (transfer->easy) curl_easy_cleanup(transfer->easy);
    arena_free(&transfer->texts);
    reading_free(&transfer->reading);
    free(transfer);
}

/* ---- the thread ---- */

/* Removing a transfer that is not over closes its connection. */
static void finish(struct client *client, struct transfer *transfer, CURLcode code) {
    curl_multi_remove_handle(client->multi, transfer->easy);
    transfer->running = false;
    transfer_end(transfer, code);
    transfer->answer.finished_us = now_of(client);
    if (transfer->answer.body_complete)
        lines_rest(&client->lines, transfer->fd, transfer->answer.finished_us, passage_kept_us(&transfer->answer));
    STAILQ_INSERT_TAIL(&client->round, transfer, queue);
}

static void begin(struct client *client, struct transfer *transfer) {
    if (!transfer->easy) transfer->easy = easy_new(transfer, client->user_agent, client->ca_file);
    transfer->answer = (struct answer){.started_us = now_of(client)};
    reading_reset(&transfer->reading, transfer->outgoing->answer_max, READING_BODY_MAX);
    transfer_set(transfer);
    transfer->running = true;
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 0L);
    if (transfer->passage.foreign)
        finish(client, transfer, CURLE_UNSUPPORTED_PROTOCOL);
    else if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
        finish(client, transfer, CURLE_FAILED_INIT);
}

static void end_cancelled(struct client *client, bool all) {
    pthread_mutex_lock(&client->lock);
    for (struct transfer *transfer = LIST_FIRST(&client->active); transfer; transfer = LIST_NEXT(transfer, active)) {
        if (all) atomic_store(&transfer->passage.cancelled, true);
        if (!transfer->running || !atomic_load(&transfer->passage.cancelled)) continue;
        finish(client, transfer, CURLE_ABORTED_BY_CALLBACK);
    }
    pthread_mutex_unlock(&client->lock);
}

static void hand_over(struct client *client) {
    if (STAILQ_EMPTY(&client->round)) return;
    pthread_mutex_lock(&client->lock);
    bool first = STAILQ_EMPTY(&client->ended);
    STAILQ_CONCAT(&client->ended, &client->round);
    pthread_mutex_unlock(&client->lock);
    if (first) wake_raise(client->wake);
}

/* Nothing was sent yet, so the same transfer may be made on a connection of its own. */
static void begin_afresh(struct client *client, struct transfer *transfer) {
    transfer->stray = false;
    curl_multi_remove_handle(client->multi, transfer->easy);
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
    if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) finish(client, transfer, CURLE_FAILED_INIT);
}

static void take_ended(struct client *client) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result; /* the message does not outlive the handle's removal */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        if (transfer->stray && !transfer->passage.refused)
            begin_afresh(client, transfer);
        else
            finish(client, transfer, code);
    }
}

static void *client_run(void *arg) {
    struct client *client = arg;
    for (bool closing = false; !closing;) {
        pthread_mutex_lock(&client->lock);
        struct transfers starting = STAILQ_HEAD_INITIALIZER(starting);
        STAILQ_CONCAT(&starting, &client->starting);
        bool cancelling = client->cancelling;
        client->cancelling = false;
        closing = client->closing;
        pthread_mutex_unlock(&client->lock);
        for (struct transfer *transfer; (transfer = STAILQ_FIRST(&starting));) {
            STAILQ_REMOVE_HEAD(&starting, queue);
            begin(client, transfer);
        }
        if (cancelling || closing) end_cancelled(client, closing);
        int running = 0;
        curl_multi_perform(client->multi, &running);
        take_ended(client);
        hand_over(client);
        if (!closing) curl_multi_poll(client->multi, NULL, 0, INT_MAX, NULL);
    }
    return NULL;
}

/* ---- what the loop calls ---- */

static void transport_start(void *self, uint64_t tag, const struct outgoing *outgoing) {
    struct client *client = self;
    pthread_mutex_lock(&client->lock);
    struct transfer *transfer = STAILQ_FIRST(&client->idle);
    if (transfer)
        STAILQ_REMOVE_HEAD(&client->idle, queue);
    else
        transfer = transfer_new(client);
    transfer->tag = tag;
    transfer->outgoing = outgoing;
    transfer->untold = false;
    atomic_store(&transfer->passage.cancelled, false);
    LIST_INSERT_HEAD(&client->active, transfer, active);
    bool first = STAILQ_EMPTY(&client->starting);
    STAILQ_INSERT_TAIL(&client->starting, transfer, queue);
    pthread_mutex_unlock(&client->lock);
    if (first) curl_multi_wakeup(client->multi);
}

static size_t transport_collect(void *self, struct completion *ret_completions, size_t max) {
    struct client *client = self;
    size_t count = 0;
    pthread_mutex_lock(&client->lock);
    for (struct transfer *transfer; count < max && (transfer = STAILQ_FIRST(&client->ended)); count++) {
        STAILQ_REMOVE_HEAD(&client->ended, queue);
        LIST_REMOVE(transfer, active);
        ret_completions[count] = (struct completion){transfer->tag, transfer->answer, transfer};
    }
    pthread_mutex_unlock(&client->lock);
    return count;
}

static void transport_release(void *self, struct completion *completion) {
    struct client *client = self;
    struct transfer *transfer = completion->own;
    reading_trim(&transfer->reading);
    pthread_mutex_lock(&client->lock);
    STAILQ_INSERT_HEAD(&client->idle, transfer, queue);
    pthread_mutex_unlock(&client->lock);
}

static void transport_cancel(void *self, uint64_t tag) {
    struct client *client = self;
    pthread_mutex_lock(&client->lock);
    struct transfer *transfer = LIST_FIRST(&client->active);
    while (transfer && transfer->tag != tag) transfer = LIST_NEXT(transfer, active);
    if (transfer) atomic_store(&transfer->passage.cancelled, true);
    client->cancelling = client->cancelling || transfer;
    pthread_mutex_unlock(&client->lock);
    if (transfer) curl_multi_wakeup(client->multi);
}

static size_t transport_begun(void *self, struct beginning *ret_begun, size_t max) {
    struct client *client = self;
    size_t count = 0;
    pthread_mutex_lock(&client->lock);
    for (struct transfer *it = LIST_FIRST(&client->active); it && client->telling; it = LIST_NEXT(it, active)) {
        if (!it->untold || count == max) continue;
        ret_begun[count++] = (struct beginning){it->tag, it->answer.started_us};
        it->untold = false;
    }
    client->telling = count == max;
    pthread_mutex_unlock(&client->lock);
    return count;
}

struct transport client_transport(struct client *client) {
    return (struct transport){transport_start,  transport_collect, transport_release,
                              transport_cancel, transport_begun,   client};
}

static void client_free(struct client *client) {
    STAILQ_CONCAT(&client->idle, &client->ended);
    for (struct transfer *transfer; (transfer = STAILQ_FIRST(&client->idle));) {
        STAILQ_REMOVE_HEAD(&client->idle, queue);
        transfer_free(transfer);
    }
    if (client->multi) curl_multi_cleanup(client->multi);
    curl_global_cleanup();
    lines_free(&client->lines);
    pthread_mutex_destroy(&client->lock);
    free(client->ca_file);
    free(client->user_agent);
    free(client);
}

enum err client_open(const struct client_options *options, const struct clock *clock, struct wake *wake,
                     struct client **ret_client) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return ERR_IO;
    struct client *client = calloc(1, sizeof *client);
    assert(client);
    STAILQ_INIT(&client->starting);
    STAILQ_INIT(&client->ended);
    STAILQ_INIT(&client->idle);
    STAILQ_INIT(&client->round);
    client->clock = *clock;
    client->wake = wake;
    client->ca_file = options->ca_file.n ? strndup(options->ca_file.p, options->ca_file.n) : NULL;
    client->user_agent = strndup(options->user_agent.p, options->user_agent.n);
    int failed = pthread_mutex_init(&client->lock, NULL);
    assert(!failed);
    client->multi = curl_multi_init();
    if (client->multi) {
        curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
        curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->connections_max);
    }
    if (!client->multi || !thread_start("client", client_run, client, &client->thread)) {
        client_free(client);
        return ERR_IO;
    }
    *ret_client = client;
    return ERR_NONE;
}

void client_close(struct client *client) {
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    pthread_mutex_unlock(&client->lock);
    curl_multi_wakeup(client->multi);
    pthread_join(client->thread, NULL);
    client_free(client);
}

void client_call(const struct outgoing *outgoing, size_t max_body_bytes, struct arena *arena,
                 struct answer *ret_answer) {
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
    struct transfer *transfer = transfer_new(NULL);
    transfer->easy = easy_new(transfer, "drumbeat", NULL);
    transfer->outgoing = outgoing;
    reading_reset(&transfer->reading, max_body_bytes, max_body_bytes);
    transfer_set(transfer);
    transfer_end(transfer, curl_easy_perform(transfer->easy));
    reading_keep(arena, &transfer->answer);
    *ret_answer = transfer->answer;
    transfer_free(transfer);
    curl_global_cleanup();
}
