/* http/mailer.c - see mailer.h.
 *
 * WHAT  A queue of mails, and threads that come when there is more to carry than threads wait, and go when they have
 *   waited for MAILER_REST_S.
 * PROMISE  A mail is given back once. None waits for another one's server while there are threads to be had.
 * WHY IT HOLDS  A porter is a transfer with its connection. It is in one list at a time, or with the thread that
 *   carries it: waiting, ended, idle. Whoever takes it off a list has it alone; lists and flags are under one lock, and
 *   the library is called without it. A start makes a thread unless one waits for it.
 * WHAT BREAKS IT  A library call that never returns. Each has the call's whole timeout as its bound, and a cancel is
 *   seen within a second.
 * HOW TO SEE IT  `ps -T` shows the threads: mail.
 * TESTED BY  test/e2e/test_smtp_stages.py, also in the build that finds data races. */
#include "http/mailer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/when.h"
#include "http/transfer.h"
#include "os/thread.h"

struct porter {
    struct transfer *transfer;
    STAILQ_ENTRY(porter) queue; /* waiting, ended or idle */
    LIST_ENTRY(porter) under_way;
    struct mailer *mailer;
    struct transfer_host host;
    struct lines lines;
    struct arena texts; /* of its life */
    struct str terms;   /* to whom its connection leads, and how */
    int64_t idle_us;    /* since when */
};
STAILQ_HEAD(porters, porter);
LIST_HEAD(carried, porter);

struct mailer {
    struct clock clock;
    struct wake *wake;
    const char *ca_file;
    pthread_mutex_t lock;
    pthread_cond_t more, less; /* a porter waits, or all must end; a thread ended */
    struct porters waiting, ended, idle;
    struct carried under_way; /* waiting, carried or ended: whoever has a tag */
    size_t waiting_count, threads, resting;
    bool closing, telling;
};

static int64_t now_us(void *self) {
    const struct porter *porter = self;
    return porter->mailer->clock.now_us(porter->mailer->clock.self);
}

static void tell_start(void *self, struct transfer *transfer) {
    struct porter *porter = self;
    struct mailer *mailer = porter->mailer;
    int64_t at_us = now_us(porter);
    pthread_mutex_lock(&mailer->lock);
    transfer->answer.started_us = at_us;
    transfer->untold = transfer->outgoing->tell_start;
    if (transfer->untold && !mailer->telling) wake_raise(mailer->wake);
    mailer->telling = mailer->telling || transfer->untold;
    pthread_mutex_unlock(&mailer->lock);
}

/* ---- porters ---- */

/* All that makes one connection another than the next. A kept one is never used for other terms: the library compares
 * less. */
static struct str terms_of(const struct outgoing *outgoing, struct arena *arena) {
    const struct envelope *envelope = &outgoing->envelope;
    const struct str parts[] = {outgoing->url,  envelope->user, envelope->password,
                                envelope->helo, outgoing->ca,   outgoing->proxy};
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) buf_fmt(&buf, "%zu:%.*s", parts[i].n, STR_ARG(parts[i]));
    buf_fmt(&buf, "%d%d", envelope->plain, outgoing->allow_private);
    return buf_str(&buf);
}

static struct porter *porter_new(struct mailer *mailer, struct str terms) {
    struct porter *porter = calloc(1, sizeof *porter);
    assert(porter);
    porter->mailer = mailer;
    porter->host = (struct transfer_host){&porter->lines, now_us, tell_start, porter};
    porter->transfer = transfer_new(&porter->host);
    porter->transfer->porter = porter;
    porter->terms = str_dup(&porter->texts, terms);
    return porter;
}

static void porter_free(struct porter *porter) {
    if (!porter) return;
    lines_deafen(&porter->lines);
    transfer_free(porter->transfer);
    lines_free(&porter->lines);
    arena_free(&porter->texts);
    free(porter);
}

/* An idle one whose connection leads there. Others keep theirs, until they have rested long enough. */
static struct porter *take_idle(struct mailer *mailer, struct str terms) {
    struct porter *porter = STAILQ_FIRST(&mailer->idle);
    while (porter && !str_eq(porter->terms, terms)) porter = STAILQ_NEXT(porter, queue);
    if (porter) STAILQ_REMOVE(&mailer->idle, porter, porter, queue);
    return porter;
}

static void perform(struct porter *porter, bool fresh, int64_t left_us) {
    struct transfer *transfer = porter->transfer;
    reading_reset(&transfer->reading, transfer->outgoing->answer_max, READING_BODY_MAX);
    transfer_set(transfer, "", porter->mailer->ca_file);
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)(left_us / US_PER_MS + 1));
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    CURLcode code = curl_easy_perform(transfer->easy);
    bool stray = transfer->stray && !transfer->passage.refused; /* nothing was sent over the kept connection */
    if (stray && !fresh)
        perform(porter, true, left_us);
    else
        transfer_end(transfer, code);
}

/* What waited for a thread for all of its time was not begun. */
static void carry(struct porter *porter) {
    struct transfer *transfer = porter->transfer;
    struct answer *answer = &transfer->answer;
    int64_t left_us = transfer->outgoing->timeout_us - (now_us(porter) - answer->started_us);
    if (left_us > 0)
        perform(porter, false, left_us);
    else
        answer->end = EXCHANGE_NO_ROOM;
    answer->finished_us = now_us(porter);
    if (answer->end == EXCHANGE_ANSWERED) lines_rest(&porter->lines, transfer->fd, answer->finished_us, WHEN_NEVER);
}

/* ---- threads ---- */

/* Waits for a porter; NULL = it is time to go. */
static struct porter *next_waiting(struct mailer *mailer) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += MAILER_REST_S;
    mailer->resting++;
    for (int err = 0; !err && !mailer->closing && STAILQ_EMPTY(&mailer->waiting);)
        err = pthread_cond_timedwait(&mailer->more, &mailer->lock, &until);
    mailer->resting--;
    struct porter *porter = STAILQ_FIRST(&mailer->waiting);
    if (porter) STAILQ_REMOVE_HEAD(&mailer->waiting, queue);
    if (porter) mailer->waiting_count--;
    return porter;
}

static void free_all(struct porters *porters) {
    for (struct porter *porter; (porter = STAILQ_FIRST(porters));) {
        STAILQ_REMOVE_HEAD(porters, queue);
        porter_free(porter);
    }
}

/* Closes what has rested long enough. Called with the lock, which is let go meanwhile. */
static void close_rested(struct mailer *mailer) {
    struct porters rested = STAILQ_HEAD_INITIALIZER(rested), kept = STAILQ_HEAD_INITIALIZER(kept);
    int64_t before_us = mailer->clock.now_us(mailer->clock.self) - MAILER_REST_S * US_PER_S;
    for (struct porter *porter; (porter = STAILQ_FIRST(&mailer->idle));) {
        STAILQ_REMOVE_HEAD(&mailer->idle, queue);
        if (porter->idle_us <= before_us)
            STAILQ_INSERT_TAIL(&rested, porter, queue);
        else
            STAILQ_INSERT_TAIL(&kept, porter, queue);
    }
    STAILQ_CONCAT(&mailer->idle, &kept);
    pthread_mutex_unlock(&mailer->lock);
    free_all(&rested);
    pthread_mutex_lock(&mailer->lock);
}

static void give_back(struct mailer *mailer, struct porter *porter) {
    bool first = STAILQ_EMPTY(&mailer->ended);
    STAILQ_INSERT_TAIL(&mailer->ended, porter, queue);
    if (first) wake_raise(mailer->wake);
}

static void *mailer_run(void *arg) {
    struct mailer *mailer = arg;
    pthread_mutex_lock(&mailer->lock);
    for (struct porter *porter; (porter = next_waiting(mailer));) {
        pthread_mutex_unlock(&mailer->lock);
        carry(porter);
        pthread_mutex_lock(&mailer->lock);
        give_back(mailer, porter);
        close_rested(mailer);
    }
    close_rested(mailer);
    mailer->threads--;
    pthread_cond_signal(&mailer->less);
    pthread_mutex_unlock(&mailer->lock);
    return NULL;
}

/* A thread for what waits, unless one rests or there are enough. Where none can be had, those that are there will carry
 * it; the first one must be had, or it would wait for ever. */
static bool add_thread(struct mailer *mailer) {
    pthread_t thread;
    if (mailer->waiting_count <= mailer->resting || mailer->threads == MAILER_THREADS_MAX) return true;
    if (!thread_start("mail", mailer_run, mailer, &thread)) return mailer->threads > 0;
    pthread_detach(thread);
    mailer->threads++;
    return true;
}

/* ---- what the loop calls ---- */

void mailer_start(struct mailer *mailer, uint64_t tag, const struct outgoing *outgoing) {
    struct arena arena = ARENA_EMPTY;
    struct str terms = terms_of(outgoing, &arena);
    pthread_mutex_lock(&mailer->lock);
    struct porter *porter = take_idle(mailer, terms);
    if (!porter) porter = porter_new(mailer, terms);
    struct transfer *transfer = porter->transfer;
    transfer->tag = tag;
    transfer->outgoing = outgoing;
    transfer->untold = false;
    transfer->answer = (struct answer){.started_us = now_us(porter)};
    atomic_store(&transfer->passage.cancelled, false);
    LIST_INSERT_HEAD(&mailer->under_way, porter, under_way);
    STAILQ_INSERT_TAIL(&mailer->waiting, porter, queue);
    mailer->waiting_count++;
    if (!add_thread(mailer)) {
        STAILQ_REMOVE(&mailer->waiting, porter, porter, queue);
        mailer->waiting_count--;
        transfer->answer.end = EXCHANGE_NO_ROOM;
        transfer->answer.finished_us = now_us(porter);
        give_back(mailer, porter);
    }
    pthread_cond_signal(&mailer->more);
    pthread_mutex_unlock(&mailer->lock);
    arena_free(&arena);
}

size_t mailer_collect(struct mailer *mailer, struct completion *ret_completions, size_t max) {
    size_t count = 0;
    pthread_mutex_lock(&mailer->lock);
    for (struct porter *porter; count < max && (porter = STAILQ_FIRST(&mailer->ended)); count++) {
        STAILQ_REMOVE_HEAD(&mailer->ended, queue);
        LIST_REMOVE(porter, under_way);
        struct transfer *transfer = porter->transfer;
        ret_completions[count] = (struct completion){transfer->tag, transfer->answer, transfer};
    }
    pthread_mutex_unlock(&mailer->lock);
    return count;
}

void mailer_release(struct mailer *mailer, struct transfer *transfer) {
    struct porter *porter = transfer->porter;
    pthread_mutex_lock(&mailer->lock);
    porter->idle_us = now_us(porter);
    STAILQ_INSERT_TAIL(&mailer->idle, porter, queue);
    pthread_mutex_unlock(&mailer->lock);
}

void mailer_cancel(struct mailer *mailer, uint64_t tag) {
    pthread_mutex_lock(&mailer->lock);
    struct porter *porter = LIST_FIRST(&mailer->under_way);
    while (porter && porter->transfer->tag != tag) porter = LIST_NEXT(porter, under_way);
    if (porter) atomic_store(&porter->transfer->passage.cancelled, true);
    pthread_mutex_unlock(&mailer->lock);
}

size_t mailer_begun(struct mailer *mailer, struct beginning *ret_begun, size_t max) {
    size_t count = 0;
    pthread_mutex_lock(&mailer->lock);
    for (struct porter *it = LIST_FIRST(&mailer->under_way); it; it = LIST_NEXT(it, under_way)) {
        struct transfer *transfer = it->transfer;
        if (!mailer->telling || !transfer->untold || count == max) continue;
        ret_begun[count++] = (struct beginning){transfer->tag, transfer->answer.started_us};
        transfer->untold = false;
    }
    mailer->telling = count == max;
    pthread_mutex_unlock(&mailer->lock);
    return count;
}

struct mailer *mailer_new(const struct clock *clock, struct wake *wake, const char *ca_file) {
    struct mailer *mailer = calloc(1, sizeof *mailer);
    pthread_condattr_t monotonic;
    assert(mailer);
    *mailer = (struct mailer){.clock = *clock, .wake = wake, .ca_file = ca_file};
    STAILQ_INIT(&mailer->waiting);
    STAILQ_INIT(&mailer->ended);
    STAILQ_INIT(&mailer->idle);
    LIST_INIT(&mailer->under_way);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&mailer->lock, NULL);
    pthread_cond_init(&mailer->more, &monotonic);
    pthread_cond_init(&mailer->less, NULL);
    pthread_condattr_destroy(&monotonic);
    return mailer;
}

void mailer_free(struct mailer *mailer) {
    pthread_mutex_lock(&mailer->lock);
    mailer->closing = true;
    for (struct porter *it = LIST_FIRST(&mailer->under_way); it; it = LIST_NEXT(it, under_way))
        atomic_store(&it->transfer->passage.cancelled, true);
    pthread_cond_broadcast(&mailer->more);
    while (mailer->threads) pthread_cond_wait(&mailer->less, &mailer->lock);
    pthread_mutex_unlock(&mailer->lock);
    free_all(&mailer->ended);
    free_all(&mailer->idle);
    pthread_cond_destroy(&mailer->more);
    pthread_cond_destroy(&mailer->less);
    pthread_mutex_destroy(&mailer->lock);
    free(mailer);
}
