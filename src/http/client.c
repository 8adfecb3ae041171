/* http/client.c - libcurl behind the transport. The only file that knows it.
 *
 * WHAT. Runs the loop's calls on a thread of its own and gives each back with its answer, or with how far it came.
 * PROMISE. A request that began to leave never leaves a second time by itself, and the end says whether it began.
 * Nothing is sent to an address that the destination may not reach. Each call is given back once.
 * WHY IT HOLDS. 1. A call is a kept easy handle with its buffers, in one list at a time: idle, starting, ended. The
 * loop's thread starts and releases, the client's thread runs. Each wakes the other only when its list was empty.
 * 2. The library calls on_send right before it sends. What fails before that is NO_CONNECT (NO_TRUST, REFUSED), what
 * fails after it is CUT or TIMED_OUT. 3. When a kept connection is dead, the library would send again on a new one,
 * without knowing that the first was not carried out. on_send stops it: the end is CUT, and the loop decides.
 * 4. on_open judges the address of a new socket, on_send that of a kept one, which another call may have opened.
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

struct call {
    STAILQ_ENTRY(call) queue; /* in the one that has it: starting, ended, idle or round */
    LIST_ENTRY(call) active;  /* from start to collect, under the client's lock */
    struct client *client;    /* NULL = a call by itself */
    bool running;             /* the library has it; the client's thread only */
    bool stray;               /* its kept connection was of no use, another one must be made; likewise */
    int fd;                   /* of the connection it went over, -1 = not known; likewise */
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
STAILQ_HEAD(calls, call);
LIST_HEAD(active, call);
struct client {
    char *ca_file, *user_agent; /* ca_file NULL = the system's */
    struct clock clock;
    struct wake *wake;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock; /* of the next three lines */
    struct calls starting, ended, idle;
    struct active active;
    bool cancelling, closing;
    struct calls round; /* the calls that ended in this round; the client's thread only */
    struct lines lines; /* likewise */
};

/* ---- what the library asks while a call runs ---- */

static int64_t now_of(const struct client *client) {
    return client->clock.now_us(client->clock.self);
}

static curl_socket_t on_open(void *cls, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    struct call *call = cls;
    const struct sockaddr_in *v4 = (const void *)&address->addr;
    const struct sockaddr_in6 *v6 = (const void *)&address->addr;
    const void *bytes = address->family == AF_INET6 ? (const void *)&v6->sin6_addr : &v4->sin_addr;
    if (!passage_allows(call->outgoing, (int)address->family, bytes)) {
        call->passage.refused = true;
        return CURL_SOCKET_BAD;
    }
    call->passage.tried = true;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0 && passage_is_own_trouble(errno)) call->passage.no_room = true;
    if (fd >= 0 && call->client) lines_opened(&call->client->lines, fd);
    return fd;
}

static int on_close(void *cls, curl_socket_t fd) {
    struct client *client = cls;
    if (client) lines_closed(&client->lines, fd);
    return close(fd);
}

/* A kept connection is of no use when bytes wait on it already, or when its receiver may be about to close it. */
static bool is_used_up(const struct call *call) {
    if (call->fd < 0 || call->passage.tried) return false;
    const struct client *client = call->client;
    if (line_is_quiet(call->fd) &&
        !lines_is_stale(&client->lines, call->fd, now_of(client), call->outgoing->idle_max_us))
        return false;
    shutdown(call->fd, SHUT_RDWR); /* the library sees that before it uses it again */
    return true;
}

static int on_send(void *cls, char *address, char *own_address, int port, int own_port) {
    struct call *call = cls;
    const struct line_ends ends = {address, own_address, port, own_port};
    bool allowed = passage_allows_text(call->outgoing, address);
    call->passage.refused = call->passage.refused || !allowed;
    call->passage.sent_again = call->passage.began;
    if (!call->passage.began) call->fd = call->client ? lines_find(&call->client->lines, &ends) : -1;
    call->stray = allowed && !call->passage.began && is_used_up(call);
    if (!allowed || call->passage.sent_again || call->stray) return CURL_PREREQFUNC_ABORT;
    call->passage.began = true;
    return CURL_PREREQFUNC_OK;
}

static size_t on_line(char *line, size_t size, size_t count, void *cls) {
    struct call *call = cls;
    return reading_line(&call->reading, (struct str){line, size * count}) ? size * count : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *cls) {
    struct call *call = cls;
    return reading_body(&call->reading, (struct str){bytes, size * count}) ? size * count : 0;
}

/* ---- what a call is set to ---- */

/* What is the same for all calls of a handle's life. */
static CURL *easy_new(struct call *call, const char *user_agent, const char *ca_file) {
    CURL *easy = curl_easy_init();
    assert(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->trouble);
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
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, call->client);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    return easy;
}

/* The library's own list type, without an allocation for each of its nodes. */
static void add_line(struct call *call, struct str name, const char *mark, struct str value) {
    size_t marked = name.n + strlen(mark);
    assert(call->node_count < EXCHANGE_HEADERS_MAX + OWN_HEADERS_MAX);
    assert(str_find(value, '\n') == SIZE_MAX && str_find(value, '\r') == SIZE_MAX);
    char *line = arena_alloc(&call->texts, marked + value.n + 1);
    memcpy(line, name.p, name.n);
    memcpy(line + name.n, mark, marked - name.n);
    if (value.n) memcpy(line + marked, value.p, value.n);
    struct curl_slist *node = &call->nodes[call->node_count];
    *node = (struct curl_slist){.data = line};
    if (call->node_count++) node[-1].next = node;
}

static void set_headers(struct call *call, bool with_body) {
    const struct outgoing *outgoing = call->outgoing;
    bool typed = !with_body;
    call->node_count = 0;
    for (size_t i = 0; i < outgoing->header_count; i++) {
        const struct header *header = &outgoing->headers[i];
        add_line(call, header->name, header->value.n ? ": " : ";", header->value); /* "Name;" sends an empty value */
        typed = typed || str_eq_nocase(header->name, STR("content-type"));
    }
    /* "Name:" keeps the library from adding a header of its own. */
    add_line(call, STR("Expect"), ":", STR_NONE);
    if (!typed) add_line(call, STR("Content-Type"), ":", STR_NONE);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->nodes);
}

static void call_set(struct call *call) {
    const struct outgoing *outgoing = call->outgoing;
    CURL *easy = call->easy;
    bool head = str_eq(outgoing->method, STR("HEAD"));
    struct str method = outgoing->method;
    bool with_body =
        outgoing->body.n || str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) || str_eq(method, STR("PATCH"));
    long timeout_ms = outgoing->timeout_us / 1000 < LONG_MAX ? (long)(outgoing->timeout_us / 1000) : LONG_MAX;
    arena_reset(&call->texts);
    call->passage.began = call->passage.sent_again = call->passage.answered = false;
    call->passage.refused = call->passage.tried = call->passage.no_room = call->stray = false;
    call->fd = -1;
    call->passage.foreign = outgoing->scheme != OUTGOING_HTTP;
    call->trouble[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, str_dup(&call->texts, outgoing->url).p);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms > 0 ? timeout_ms : 1L);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
                     outgoing->unix_socket.n ? str_dup(&call->texts, outgoing->unix_socket).p : NULL);
    curl_easy_setopt(easy, CURLOPT_NOBODY, head ? 1L : 0L); /* first: it chooses a method too */
    if (with_body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)outgoing->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, outgoing->body.n ? outgoing->body.p : "");
    } else if (!head) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, str_dup(&call->texts, outgoing->method).p);
    set_headers(call, with_body);
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
static bool is_own_trouble(const struct call *call, CURLcode code) {
    long number = 0;
    if (code == CURLE_COULDNT_CONNECT) curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &number);
    return passage_is_own_trouble((int)number) || passage_is_out_of_descriptors();
}

static void call_end(struct call *call, CURLcode code) {
    struct answer *answer = &call->answer;
    call->passage.answered = call->reading.final;
    answer->end = passage_end(&call->passage, complaint_of(code));
    if (answer->end == EXCHANGE_NO_CONNECT && is_own_trouble(call, code)) answer->end = EXCHANGE_NO_ROOM;
    if (answer->end == EXCHANGE_ANSWERED) reading_answer(&call->reading, answer);
    answer->body_complete = call->passage.answered && code == CURLE_OK && !reading_dropped(&call->reading);
    const char *words = passage_words(&call->passage);
    if (!words) words = call->trouble[0] ? call->trouble : curl_easy_strerror(code);
    snprintf(answer->trouble, sizeof answer->trouble, "%.*s", (int)sizeof answer->trouble - 1, words);
}

static struct call *call_new(struct client *client) {
    struct call *call = calloc(1, sizeof *call);
    assert(call);
    call->client = client;
    return call;
}

static void call_free(struct call *call) {
    if (call->easy) curl_easy_cleanup(call->easy);
    arena_free(&call->texts);
    reading_free(&call->reading);
    free(call);
}

/* ---- the thread ---- */

/* Removing a call that is not over closes its connection. */
static void finish(struct client *client, struct call *call, CURLcode code) {
    curl_multi_remove_handle(client->multi, call->easy);
    call->running = false;
    call_end(call, code);
    call->answer.finished_us = now_of(client);
    if (call->answer.body_complete)
        lines_rest(&client->lines, call->fd, call->answer.finished_us, passage_kept_us(&call->answer));
    STAILQ_INSERT_TAIL(&client->round, call, queue);
}

static void begin(struct client *client, struct call *call) {
    if (!call->easy) call->easy = easy_new(call, client->user_agent, client->ca_file);
    call->answer = (struct answer){.started_us = now_of(client)};
    reading_reset(&call->reading, call->outgoing->answer_max, READING_BODY_MAX);
    call_set(call);
    call->running = true;
    curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 0L);
    if (call->passage.foreign)
        finish(client, call, CURLE_UNSUPPORTED_PROTOCOL);
    else if (curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
        finish(client, call, CURLE_FAILED_INIT);
}

static void end_cancelled(struct client *client, bool all) {
    pthread_mutex_lock(&client->lock);
    for (struct call *call = LIST_FIRST(&client->active); call; call = LIST_NEXT(call, active)) {
        if (all) atomic_store(&call->passage.cancelled, true);
        if (call->running && atomic_load(&call->passage.cancelled)) finish(client, call, CURLE_ABORTED_BY_CALLBACK);
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

/* Nothing was sent yet, so the same call may be made on a connection of its own. */
static void begin_afresh(struct client *client, struct call *call) {
    call->stray = false;
    curl_multi_remove_handle(client->multi, call->easy);
    curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L);
    if (curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) finish(client, call, CURLE_FAILED_INIT);
}

static void take_ended(struct client *client) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct call *call = NULL;
        CURLcode code = message->data.result; /* the message does not outlive the handle's removal */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        if (call->stray && !call->passage.refused)
            begin_afresh(client, call);
        else
            finish(client, call, code);
    }
}

static void *client_run(void *arg) {
    struct client *client = arg;
    for (bool closing = false; !closing;) {
        pthread_mutex_lock(&client->lock);
        struct calls starting = STAILQ_HEAD_INITIALIZER(starting);
        STAILQ_CONCAT(&starting, &client->starting);
        bool cancelling = client->cancelling;
        client->cancelling = false;
        closing = client->closing;
        pthread_mutex_unlock(&client->lock);
        for (struct call *call; (call = STAILQ_FIRST(&starting));) {
            STAILQ_REMOVE_HEAD(&starting, queue);
            begin(client, call);
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

static struct call *take_idle(struct client *client) {
    struct call *call = STAILQ_FIRST(&client->idle);
    if (!call) return call_new(client);
    STAILQ_REMOVE_HEAD(&client->idle, queue);
    return call;
}

static void transport_start(void *self, uint64_t tag, const struct outgoing *outgoing) {
    struct client *client = self;
    pthread_mutex_lock(&client->lock);
    struct call *call = take_idle(client);
    call->tag = tag;
    call->outgoing = outgoing;
    atomic_store(&call->passage.cancelled, false);
    LIST_INSERT_HEAD(&client->active, call, active);
    bool first = STAILQ_EMPTY(&client->starting);
    STAILQ_INSERT_TAIL(&client->starting, call, queue);
    pthread_mutex_unlock(&client->lock);
    if (first) curl_multi_wakeup(client->multi);
}

static size_t transport_collect(void *self, struct completion *ret_completions, size_t max) {
    struct client *client = self;
    size_t count = 0;
    pthread_mutex_lock(&client->lock);
    for (struct call *call; count < max && (call = STAILQ_FIRST(&client->ended)); count++) {
        STAILQ_REMOVE_HEAD(&client->ended, queue);
        LIST_REMOVE(call, active);
        ret_completions[count].own = call;
    }
    pthread_mutex_unlock(&client->lock);
    for (size_t i = 0; i < count; i++) {
        struct call *call = ret_completions[i].own;
        ret_completions[i].tag = call->tag;
        ret_completions[i].answer = call->answer;
    }
    return count;
}

static void transport_release(void *self, struct completion *completion) {
    struct client *client = self;
    struct call *call = completion->own;
    reading_trim(&call->reading);
    pthread_mutex_lock(&client->lock);
    STAILQ_INSERT_HEAD(&client->idle, call, queue);
    pthread_mutex_unlock(&client->lock);
}

static void transport_cancel(void *self, uint64_t tag) {
    struct client *client = self;
    pthread_mutex_lock(&client->lock);
    struct call *call = LIST_FIRST(&client->active);
    while (call && call->tag != tag) call = LIST_NEXT(call, active);
    if (call) atomic_store(&call->passage.cancelled, true);
    client->cancelling = client->cancelling || call;
    pthread_mutex_unlock(&client->lock);
    if (call) curl_multi_wakeup(client->multi);
}

struct transport client_transport(struct client *client) {
    return (struct transport){transport_start, transport_collect, transport_release, transport_cancel, client};
}

static void client_free(struct client *client) {
    STAILQ_CONCAT(&client->idle, &client->ended);
    for (struct call *call; (call = STAILQ_FIRST(&client->idle));) {
        STAILQ_REMOVE_HEAD(&client->idle, queue);
        call_free(call);
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

/* ---- one call by itself ---- */

void client_call(const struct outgoing *outgoing, size_t max_body_bytes, struct arena *arena,
                 struct answer *ret_answer) {
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
    struct call *call = call_new(NULL);
    call->easy = easy_new(call, "drumbeat", NULL);
    call->outgoing = outgoing;
    reading_reset(&call->reading, max_body_bytes, max_body_bytes);
    call_set(call);
    call_end(call, curl_easy_perform(call->easy));
    reading_keep(arena, &call->answer);
    *ret_answer = call->answer;
    call_free(call);
    curl_global_cleanup();
}
