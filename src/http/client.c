/* http/client.c - libcurl behind the transport. With transfer.c the only file that knows it.
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
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "http/mailer.h"
#include "http/transfer.h"
#include "os/thread.h"

STAILQ_HEAD(transfers, transfer);
LIST_HEAD(active, transfer);
struct client {
    char *ca_file, *user_agent; /* ca_file NULL = the system's */
    struct clock clock;
    struct wake *wake;
    struct transfer_host host;
    struct mailer *mailer; /* carries what goes to mail servers */
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

/* ---- what a transfer asks ---- */

static int64_t now_us(void *self) {
    const struct client *client = self;
    return client->clock.now_us(client->clock.self);
}

/* What leaves now is told before its answer comes: whoever counts starts waits for it. */
static void tell_start(void *self, struct transfer *transfer) {
    struct client *client = self;
    transfer->answer.started_us = now_us(client);
    if (!transfer->outgoing->tell_start) return;
    pthread_mutex_lock(&client->lock);
    if (!client->telling) wake_raise(client->wake);
    transfer->untold = client->telling = true;
    pthread_mutex_unlock(&client->lock);
}

/* ---- the thread ---- */

/* Removing a transfer that is not over closes its connection. */
static void finish(struct client *client, struct transfer *transfer, CURLcode code) {
    curl_multi_remove_handle(client->multi, transfer->easy);
    transfer->running = false;
    transfer_end(transfer, code);
    transfer->answer.finished_us = now_us(client);
    if (transfer->answer.body_complete)
        lines_rest(&client->lines, transfer->fd, transfer->answer.finished_us, passage_kept_us(&transfer->answer));
    STAILQ_INSERT_TAIL(&client->round, transfer, queue);
}

static void begin(struct client *client, struct transfer *transfer) {
    transfer->answer = (struct answer){.started_us = now_us(client)};
    reading_reset(&transfer->reading, transfer->outgoing->answer_max, READING_BODY_MAX);
    transfer_set(transfer, client->user_agent, client->ca_file);
    transfer->running = true;
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 0L);
    if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) finish(client, transfer, CURLE_FAILED_INIT);
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
    if (outgoing->scheme == OUTGOING_SMTP) {
        mailer_start(client->mailer, tag, outgoing);
        return;
    }
    pthread_mutex_lock(&client->lock);
    struct transfer *transfer = STAILQ_FIRST(&client->idle);
    if (transfer)
        STAILQ_REMOVE_HEAD(&client->idle, queue);
    else
        transfer = transfer_new(&client->host);
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
    return count + mailer_collect(client->mailer, ret_completions + count, max - count);
}

static void transport_release(void *self, struct completion *completion) {
    struct client *client = self;
    struct transfer *transfer = completion->own;
    reading_trim(&transfer->reading);
    if (transfer->porter) {
        mailer_release(client->mailer, transfer);
        return;
    }
    pthread_mutex_lock(&client->lock);
    STAILQ_INSERT_HEAD(&client->idle, transfer, queue);
    pthread_mutex_unlock(&client->lock);
}

static void transport_cancel(void *self, uint64_t tag) {
    struct client *client = self;
    mailer_cancel(client->mailer, tag);
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
    return count + mailer_begun(client->mailer, ret_begun + count, max - count);
}

struct transport client_transport(struct client *client) {
    return (struct transport){transport_start,  transport_collect, transport_release,
                              transport_cancel, transport_begun,   client};
}

static void client_free(struct client *client) {
    mailer_free(client->mailer);
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
    client->host = (struct transfer_host){&client->lines, now_us, tell_start, client};
    client->ca_file = options->ca_file.n ? strndup(options->ca_file.p, options->ca_file.n) : NULL;
    client->user_agent = strndup(options->user_agent.p, options->user_agent.n);
    client->mailer = mailer_new(clock, wake, client->ca_file);
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

static int64_t no_time(void *self) {
    (void)self;
    return 0;
}

static void tell_nobody(void *self, struct transfer *transfer) {
    (void)self, (void)transfer;
}

void client_call(const struct outgoing *outgoing, size_t max_body_bytes, struct arena *arena,
                 struct answer *ret_answer) {
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
    struct lines lines = {0};
    const struct transfer_host host = {&lines, no_time, tell_nobody, NULL};
    struct transfer *transfer = transfer_new(&host);
    transfer->outgoing = outgoing;
    reading_reset(&transfer->reading, max_body_bytes, max_body_bytes);
    const char *ca_file = getenv("SSL_CERT_FILE");
    transfer_set(transfer, "drumbeat", ca_file && *ca_file ? ca_file : NULL);
    transfer_end(transfer, curl_easy_perform(transfer->easy));
    reading_keep(arena, &transfer->answer);
    *ret_answer = transfer->answer;
    transfer_free(transfer);
    lines_free(&lines);
    curl_global_cleanup();
}
