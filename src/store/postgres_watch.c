/* store/postgres_watch.c - see postgres_watch.h. */
#include "store/postgres_watch.h"

#include "os/deadline.h"
#include "store/postgres_link.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_MS     1000
#define LISTENING_US ((int64_t)10 * 1000000)
#define LISTEN       "LISTEN marketing_events"

struct watch {
    struct watch_options options;
    pthread_t thread;
    int stop_fd;
    atomic_uint news;
};

static void tell(struct watch *watch, unsigned news) {
    atomic_fetch_or(&watch->news, news);
    watch->options.wake(watch->options.wake_self);
}

/* Sleeps; false when it is time to stop. */
static bool sleep_unless_stopped(const struct watch *watch, int milliseconds) {
    struct pollfd on = {.fd = watch->stop_fd, .events = POLLIN};
    return poll(&on, 1, milliseconds) == 0;
}

/* What a notification says is new. Processes of ours say "<token> ws". Anything else, such as the id of an event, comes
 * from a client and means that there is work. */
static unsigned news_of(const struct watch *watch, const PGnotify *notify) {
    const char *token = watch->options.token, *space = strchr(notify->extra, ' ');
    size_t length = strlen(token);
    if (!space) return SQL_NEWS_WORK;
    if ((size_t)(space - notify->extra) == length && !memcmp(notify->extra, token, length)) return 0;
    return (strchr(space, 'w') ? SQL_NEWS_WORK : 0u) | (strchr(space, 's') ? SQL_NEWS_STATE : 0u);
}

static void read_notifications(struct watch *watch, PGconn *conn) {
    PGnotify *notify;
    unsigned news = 0;
    while ((notify = PQnotifies(conn)) != NULL) {
        news |= news_of(watch, notify);
        PQfreemem(notify);
    }
    if (news) tell(watch, news);
}

/* Listens until the connection is lost (true) or it is time to stop (false). */
static bool listen_on(struct watch *watch, struct link *link) {
    tell(watch, SQL_NEWS_WORK | SQL_NEWS_STATE);
    for (;;) {
        struct pollfd on[] = {{.fd = PQsocket(link->conn), .events = POLLIN}, {.fd = watch->stop_fd, .events = POLLIN}};
        if (poll(on, 2, -1) < 0) continue;
        if (on[1].revents) return false;
        if (!PQconsumeInput(link->conn)) return true;
        read_notifications(watch, link->conn);
    }
}

static void *watch_run(void *self) {
    struct watch *watch = self;
    struct link link = {.dsn = watch->options.dsn, .deadline_us = LISTENING_US, .stop_fd = watch->stop_fd};
    bool goes_on = true;
    while (goes_on) {
        if (link_open(&link, deadline_now_us() + LISTENING_US) || link_send_text(&link, LISTEN) ||
            link_flush(&link, NULL))
            goes_on = sleep_unless_stopped(watch, RETRY_MS);
        else
            goes_on = listen_on(watch, &link);
        link_close(&link);
    }
    return NULL;
}

struct watch *watch_start(const struct watch_options *options) {
    struct watch *watch = calloc(1, sizeof *watch);
    assert(watch);
    watch->options = *options;
    watch->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert(watch->stop_fd >= 0);
    int failed = pthread_create(&watch->thread, NULL, watch_run, watch);
    assert(!failed);
    return watch;
}

void watch_stop(struct watch *watch) {
    uint64_t one = 1;
    ssize_t written = write(watch->stop_fd, &one, sizeof one);
    assert(written == sizeof one);
    pthread_join(watch->thread, NULL);
    close(watch->stop_fd);
    free(watch);
}

unsigned watch_take_news(struct watch *watch) {
    return atomic_exchange(&watch->news, 0);
}
