/* http/listener.c - the listener's thread, and libmicrohttpd behind the inlet.
 *
 * The library runs in external polling, so one thread of ours owns both
 * daemons and every connection: no lock is needed for what a connection is,
 * and a resume costs no system call. One round: take the loop's replies,
 * resume their connections, let the library read and write, hand the loop all
 * requests that became complete, end who is late, sleep.
 * A connection is suspended while its request is with the loop. When it is
 * resumed, the library asks for the answer once more and gets it.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/when.h"
#include "http/listener_private.h"
#include "http/socket.h"
#include "os/thread.h"

#define POOL_BYTES     ((size_t)8192) /* of a connection, beside its headers: for the reply and the library's own */
#define PARTING_US     (1 * US_PER_S) /* how long a closing listener waits for its last replies to leave */
#define UNIX_PEERS_MAX 64

bool listener_watch(const struct listener *listener, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(listener->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- the thread ---- */

/* The library calls reception_on_request again, within this round. */
static void resume(struct listener *listener, struct peer *peer) {
    peer_enter(&listener->peers, peer, PEER_RESUMED, listener->now_us);
    MHD_resume_connection(peer->connection);
}

static void take_replies(struct listener *listener) {
    struct stay *next;
    for (struct stay *stay = mailbox_replies(&listener->mailbox).first; stay; stay = next) {
        next = stay->next;
        if (stay->peer) {
            resume(listener, stay->peer);
        } else {
            reception_free_stay(listener, stay);
        }
    }
}

static void give_up(struct listener *listener, struct peer *peer, enum err why) {
    reception_abandon(listener, peer);
    peer->denial = why;
    resume(listener, peer);
    listener->again = true;
}

static void end_late(struct listener *listener, struct peer *peer) {
    if (peer->state == PEER_WAITING) {
        give_up(listener, peer, ERR_STORE_BUSY);
        return;
    }
    if (peer->state == PEER_HEAD || peer->state == PEER_BODY)
        reception_refuse_early(listener, peer,
                               (struct denial){ERR_TIMEOUT, "the request did not arrive in time", true, 0});
    shutdown(peer->fd, SHUT_RDWR); /* the library sees the end, tells of it and closes */
    peer_enter(&listener->peers, peer, PEER_ENDED, listener->now_us);
}

static void run_round(struct listener *listener) {
    listener->now_us = listener->clock.now_us(listener->clock.self);
    listener->again = false;
    take_replies(listener);
    if (listener->tcp.daemon) MHD_run(listener->tcp.daemon);
    if (listener->local.daemon) MHD_run(listener->local.daemon);
    listener->speaking = NULL;
    lingers_serve(&listener->lingers, listener->now_us);
    mailbox_post(&listener->mailbox, &listener->complete);
    for (struct peer *late; (late = peer_late(&listener->peers, listener->now_us));) end_late(listener, late);
}

static int sleep_ms(struct listener *listener) {
    int64_t sleep = INT32_MAX, due_us = lingers_due(&listener->lingers);
    if (listener->peers.sweep_us < due_us) due_us = listener->peers.sweep_us;
    if (due_us != WHEN_NEVER) sleep = (due_us - listener->clock.now_us(listener->clock.self)) / US_PER_MS + 1;
    struct MHD_Daemon *const daemons[] = {listener->tcp.daemon, listener->local.daemon};
    for (size_t i = 0; i < 2; i++) {
        MHD_UNSIGNED_LONG_LONG wanted;
        if (daemons[i] && MHD_get_timeout(daemons[i], &wanted) == MHD_YES && (int64_t)wanted < sleep)
            sleep = (int64_t)wanted;
    }
    return sleep == INT32_MAX ? -1 : sleep < 0 ? 0 : (int)sleep;
}

static void sleep_until_due(struct listener *listener) {
    struct epoll_event event;
    int count = epoll_wait(listener->poll_fd, &event, 1, listener->again ? 0 : sleep_ms(listener));
    if (count > 0 && event.data.fd == listener->mailbox.kick_fd) mailbox_hush(&listener->mailbox);
}

/* Answers everybody who still waits, and gives them a moment to read it. */
static void part(struct listener *listener) {
    for (struct peer *peer = listener->peers.first; peer; peer = peer->next)
        if (peer->state == PEER_WAITING) give_up(listener, peer, ERR_STOPPING);
    int64_t end_us = listener->clock.now_us(listener->clock.self) + PARTING_US;
    listener->peers.sweep_us = end_us; /* so that the sleep ends then */
    do {
        run_round(listener);
        if (!peers_any(&listener->peers, PEER_LEAVING) && !peers_any(&listener->peers, PEER_RESUMED)) break;
        sleep_until_due(listener);
    } while (listener->now_us < end_us);
}

static void *listener_run(void *arg) {
    struct listener *listener = arg;
    while (!atomic_load(&listener->closing)) {
        run_round(listener);
        sleep_until_due(listener);
    }
    part(listener);
    return NULL;
}

/* ---- opening and closing ---- */

/* Takes the socket over. A limit for each address makes no sense on a unix socket, where peers have no address. */
static bool open_gate(struct listener *listener, struct gate *gate, int fd, int32_t peers, int32_t peers_per_address) {
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    gate->listener = listener;
    gate->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, reception_on_request, gate, MHD_OPTION_EXTERNAL_LOGGER, reception_on_complaint, gate,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, reception_on_target, gate,
        MHD_OPTION_NOTIFY_COMPLETED, reception_on_completed, gate, MHD_OPTION_NOTIFY_CONNECTION,
        reception_on_connection, gate, MHD_OPTION_CONNECTION_LIMIT, (unsigned)peers, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)peers_per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)listener->options.max_header_bytes + POOL_BYTES, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!gate->daemon) {
        close(fd);
        return false;
    }
    return listener_watch(listener, MHD_get_daemon_info(gate->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
}

static enum err open_gates(struct listener *listener, struct arena *arena, struct str *ret_problem) {
    const struct listener_options *options = &listener->options;
    int fd;
    *ret_problem = STR("the HTTP library did not start");
    if (options->host.n) {
        TRY(socket_tcp(options->host, options->port, arena, &fd, &listener->port, ret_problem));
        if (!open_gate(listener, &listener->tcp, fd, options->connections, options->connections_per_address))
            return ERR_IO;
    }
    if (options->socket_path.n) {
        TRY(socket_unix(options->socket_path, arena, &fd, ret_problem));
        listener->socket_path = strndup(options->socket_path.p, options->socket_path.n);
        if (!open_gate(listener, &listener->local, fd, UNIX_PEERS_MAX, 0)) return ERR_IO;
    }
    return ERR_NONE;
}

/* Frees a listener whose thread has ended or never began. */
static void listener_free(struct listener *listener) {
    if (listener->tcp.daemon) MHD_stop_daemon(listener->tcp.daemon);
    if (listener->local.daemon) MHD_stop_daemon(listener->local.daemon);
    if (listener->socket_path) unlink(listener->socket_path);
    free(listener->socket_path);
    lingers_end(&listener->lingers);
    door_free(listener->door);
    mailbox_close(&listener->mailbox);
    if (listener->poll_fd >= 0) close(listener->poll_fd);
    probes_free(listener->probes);
    free(listener);
}

enum err listener_open(const struct listener_options *options, const struct clock *clock, struct wake *wake,
                       struct arena *arena, struct listener **ret_listener, struct str *ret_problem) {
    struct listener *listener = calloc(1, sizeof *listener);
    assert(listener);
    listener->options = *options;
    listener->clock = *clock;
    peers_init(&listener->peers, options);
    if (mailbox_open(&listener->mailbox, wake)) {
        free(listener);
        *ret_problem = STR("the process has no file descriptor left");
        return ERR_IO;
    }
    uint64_t seed;
    hash_random(&seed, sizeof seed);
    rng_seed(&listener->rng, seed);
    listener->probes = probes_new(clock, wake);
    listener->door = door_new(options->host);
    listener->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    enum err err = open_gates(listener, arena, ret_problem);
    if (!err && listener_watch(listener, listener->mailbox.kick_fd) &&
        thread_start("listener", listener_run, listener, &listener->thread)) {
        *ret_listener = listener;
        return ERR_NONE;
    }
    listener_free(listener);
    return ERR_IO;
}

void listener_quiesce(struct listener *listener) {
    atomic_store(&listener->quiet, true);
}

void listener_close(struct listener *listener) {
    listener_quiesce(listener);
    atomic_store(&listener->closing, true);
    mailbox_kick(&listener->mailbox);
    pthread_join(listener->thread, NULL);
    listener_free(listener);
}

/* ---- what the loop calls ---- */

static size_t inlet_collect(void *self, struct request **ret_requests, size_t max) {
    struct listener *listener = self;
    return mailbox_collect(&listener->mailbox, ret_requests, max);
}

static void inlet_reply(void *self, struct request *request, const struct reply *reply) {
    struct listener *listener = self;
    mailbox_reply(&listener->mailbox, request, reply);
}

struct inlet listener_inlet(struct listener *listener) {
    return (struct inlet){inlet_collect, inlet_reply, listener};
}

uint16_t listener_port(const struct listener *listener) {
    return listener->port;
}

struct listener_counts listener_counts(struct listener *listener) {
    return (struct listener_counts){.requests = atomic_load(&listener->requests),
                                    .refused = atomic_load(&listener->refused),
                                    .connections = atomic_load(&listener->connections)};
}

void listener_publish(struct listener *listener, struct str path, int status, struct str content_type,
                      struct str body) {
    const struct probe_answer answer = {.status = status, .content_type = content_type, .text = body};
    probes_publish(listener->probes, path, &answer);
}

void listener_turn(struct listener *listener, bool at_work) {
    probes_turn(listener->probes, at_work);
}

void listener_publish_metrics(struct listener *listener, const struct probe_text *plain,
                              const struct probe_text *open) {
    listener_publish(listener, STR("/metrics"), 200, plain->content_type, plain->text);
    listener_publish(listener, STR(PROBE_OPEN_METRICS), 200, open->content_type, open->text);
}

struct gauge_set listener_own_gauges(void) {
    return (struct gauge_set){&probe_gauge, 1, NULL};
}

bool listener_was_asked(struct listener *listener) {
    return probes_were_asked(listener->probes);
}

void listener_publish_keys(struct listener *listener, const struct door_keys *keys) {
    door_set(listener->door, keys);
}
