/* http/listener.c - libmicrohttpd behind the inlet. The only file that knows it.
 *
 * The library runs in external polling, so one thread of ours owns both
 * daemons and every connection: no lock is needed for what a connection is,
 * and a resume costs no system call. One round: take the loop's replies,
 * resume their connections, let the library read and write, hand the loop all
 * requests that became complete, end who is late, sleep.
 * A connection is suspended while its request is with the loop. When it is
 * resumed, the library asks for the answer once more and gets it.
 */
#include "http/listener.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/when.h"
#include "http/mailbox.h"
#include "http/peer.h"
#include "http/probe.h"
#include "http/refusal.h"
#include "http/socket.h"
#include "os/thread.h"

#define POOL_BYTES     ((size_t)16384) /* of a connection, beside its headers: for the reply and the library's own */
#define PARTING_US     (1 * US_PER_S)  /* how long a closing listener waits for its last replies to leave */
#define UNIX_PEERS_MAX 64

struct gate {
    struct listener *listener;
    struct MHD_Daemon *daemon; /* NULL = this gate was not asked for */
};

struct listener {
    struct listener_options options; /* its texts are not used after the opening */
    struct clock clock;
    struct mailbox mailbox;
    struct gate tcp, local;
    char *socket_path;
    uint16_t port;
    int poll_fd;
    pthread_t thread;
    struct probes *probes;
    atomic_bool quiet, closing;
    atomic_uint_fast64_t requests, refused, connections;
    /* the listener's thread only */
    struct peers peers;
    struct visits complete; /* of this round */
    int64_t now_us;
    size_t held_bytes; /* of bodies */
    bool again;        /* the library has work that its own timeout does not tell of: no sleep after this round */
};

/* ---- answers of the listener's own ---- */

static void leave(struct listener *listener, struct peer *peer) {
    if (peer->visit) listener->held_bytes -= peer->visit->request.body.n;
    visit_free(peer->visit);
    peer->visit = NULL;
    peer_enter(&listener->peers, peer, PEER_LEAVING, listener->now_us);
}

static enum MHD_Result refuse(struct listener *listener, struct peer *peer, struct refusal refusal) {
    char room[REFUSAL_ROOM];
    struct str body = refusal_body(&refusal, room);
    struct MHD_Response *response = MHD_create_response_from_buffer(body.n, room, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/problem+json");
    if (err_http(refusal.err) == 400) MHD_add_response_header(response, "X-Event-Status", "INVALID");
    if (err_http(refusal.err) == 503) MHD_add_response_header(response, "Retry-After", "1");
    if (refusal.close) MHD_add_response_header(response, "Connection", "close");
    atomic_fetch_add(&listener->refused, 1);
    enum MHD_Result queued = MHD_queue_response(peer->connection, (unsigned)err_http(refusal.err), response);
    MHD_destroy_response(response);
    leave(listener, peer);
    return queued;
}

/* The library takes no answer in the middle of a body or a head. Nothing of one is on its way then, so these bytes are
 * the whole answer; the connection must end after it. */
static void refuse_early(struct listener *listener, const struct peer *peer, struct refusal refusal) {
    char room[REFUSAL_ROOM];
    struct str message = refusal_message(&refusal, room);
    atomic_fetch_add(&listener->refused, 1);
    ssize_t sent = send(peer->fd, message.p, message.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* a peer that does not read is closed without an answer */
}

static bool answer_probe(struct listener *listener, struct peer *peer, enum MHD_Result *ret_result) {
    const struct request *request = &peer->visit->request;
    if (!str_eq(request->method, STR("GET")) && !str_eq(request->method, STR("HEAD"))) return false;
    struct arena arena = ARENA_EMPTY;
    struct probe_answer answer;
    bool found = probes_answer(listener->probes, request->path, &arena, &answer);
    struct MHD_Response *response =
        !found
            ? NULL
            : MHD_create_response_from_buffer(answer.text.n, (void *)(uintptr_t)answer.text.p, MHD_RESPMEM_MUST_COPY);
    if (response) {
        MHD_add_response_header(response, "Content-Type", str_dup(&arena, answer.content_type).p);
        *ret_result = MHD_queue_response(peer->connection, (unsigned)answer.status, response);
        MHD_destroy_response(response);
        leave(listener, peer);
    }
    arena_free(&arena);
    return response != NULL; /* out of memory: the loop says so */
}

/* ---- one request, as the library tells of it ---- */

static struct peer *peer_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

/* The request line is here; the library is about to decode it in place. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection) {
    struct listener *listener = ((struct gate *)cls)->listener;
    struct peer *peer = peer_of(connection);
    peer->connection = connection;
    peer_set_target(peer, str_from(target));
    peer_enter(&listener->peers, peer, PEER_HEAD, listener->now_us);
    return peer;
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
                                 const char *value, size_t value_bytes) {
    (void)kind;
    struct framing *head = cls;
    /* A header without a value has none in the library's eyes either. */
    struct header header = {{name, name_bytes}, {value ? value : name + name_bytes + 1, value ? value_bytes : 0}};
    head->headers[head->header_count++] = header;
    return MHD_YES;
}

static enum MHD_Result take_head(struct listener *listener, struct peer *peer, const char *method,
                                 const char *version) {
    int count = MHD_get_connection_values(peer->connection, MHD_HEADER_KIND, NULL, NULL);
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(peer->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct framing head = {.method = str_from(method),
                           .target = {peer->target, peer->target_bytes},
                           .version = str_from(version),
                           .headers = malloc(sizeof(struct header) * ((size_t)count + 1)),
                           .bytes = size->header_size};
    assert(head.headers);
    MHD_get_connection_values_n(peer->connection, MHD_HEADER_KIND, on_header, &head);
    struct refusal refusal = refusal_of_head(&listener->options, &head);
    if (!refusal.err) {
        peer->visit = visit_new(&head, str_from(peer->address), listener->now_us);
        peer->visit->request.trusted = peer->trusted;
        peer->body_expected = framing_length(&head);
        peer_enter(&listener->peers, peer, PEER_BODY, listener->now_us);
    }
    free(head.headers);
    atomic_fetch_add(&listener->requests, 1);
    return refusal.err ? refuse(listener, peer, refusal) : MHD_YES;
}

static enum MHD_Result take_body(struct listener *listener, struct peer *peer, const char *bytes, size_t *count) {
    size_t bytes_then = peer->visit->request.body.n + *count;
    size_t held_then = listener->held_bytes + *count;
    struct refusal refusal = refusal_of_body(&listener->options, bytes_then, held_then);
    if (refusal.err) {
        refuse_early(listener, peer, refusal);
        return MHD_NO; /* ends the connection */
    }
    visit_add(peer->visit, bytes, *count, peer->body_expected > 0 ? (size_t)peer->body_expected : 0);
    listener->held_bytes += *count;
    *count = 0;
    return MHD_YES;
}

static enum MHD_Result end_body(struct listener *listener, struct peer *peer) {
    enum MHD_Result result = MHD_NO;
    if (answer_probe(listener, peer, &result)) return result;
    if (atomic_load(&listener->quiet)) return refuse(listener, peer, refusal_of_wait(ERR_STOPPING));
    if (atomic_load(&listener->mailbox.waiting_count) + listener->complete.count >= listener->options.queue_max)
        return refuse(listener, peer, refusal_of_wait(ERR_FULL));
    peer->visit->peer = peer;
    peer->refusal = ERR_NONE;
    visits_add(&listener->complete, peer->visit);
    peer_enter(&listener->peers, peer, PEER_WAITING, listener->now_us);
    MHD_suspend_connection(peer->connection);
    return MHD_YES;
}

static enum MHD_Result send_reply(struct listener *listener, struct peer *peer) {
    if (peer->refusal) return refuse(listener, peer, refusal_of_wait(peer->refusal));
    struct parcel *parcel = peer->visit->parcel;
    peer->visit->parcel = NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        parcel->body.n, (void *)(uintptr_t)parcel->body.p, parcel_free, parcel);
    if (!response) return MHD_NO;
    for (size_t i = 0; i < parcel->header_count; i++)
        MHD_add_response_header(response, parcel->headers[i].name.p, parcel->headers[i].value.p);
    if (parcel->close) MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(peer->connection, (unsigned)parcel->status, response);
    MHD_destroy_response(response);
    leave(listener, peer);
    return queued;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *count, void **context) {
    (void)connection, (void)url;
    struct listener *listener = ((struct gate *)cls)->listener;
    struct peer *peer = *context;
    if (peer->state == PEER_HEAD || peer->state == PEER_FRESH) return take_head(listener, peer, method, version);
    if (peer->state == PEER_RESUMED) return send_reply(listener, peer);
    if (peer->state != PEER_BODY) return MHD_NO; /* shut down between two calls */
    return *count ? take_body(listener, peer, bytes, count) : end_body(listener, peer);
}

/* Nobody waits for the peer's visit any more; the loop may have it, so it is freed when it comes back. */
static void abandon_visit(struct listener *listener, struct peer *peer) {
    peer->visit->peer = NULL;
    mailbox_leave(&listener->mailbox, peer->visit);
    peer->visit = NULL;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how) {
    (void)connection, (void)how;
    struct listener *listener = ((struct gate *)cls)->listener;
    struct peer *peer = *context;
    if (!peer) return;
    if (peer->state == PEER_WAITING) abandon_visit(listener, peer);
    leave(listener, peer);
    peer_enter(&listener->peers, peer, PEER_IDLE, listener->now_us);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what) {
    struct listener *listener = ((struct gate *)cls)->listener;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        peer_free(&listener->peers, *socket_context);
        listener->again = true; /* there may be room for a connection that could not be accepted */
        atomic_fetch_sub(&listener->connections, 1);
        return;
    }
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *from = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    *socket_context = peer_new(&listener->peers, fd, from, listener->now_us);
    atomic_fetch_add(&listener->connections, 1);
}

/* ---- the thread ---- */

/* The library calls on_request again, within this round. */
static void resume(struct listener *listener, struct peer *peer) {
    peer_enter(&listener->peers, peer, PEER_RESUMED, listener->now_us);
    MHD_resume_connection(peer->connection);
}

static void take_replies(struct listener *listener) {
    struct visit *next;
    for (struct visit *visit = mailbox_replies(&listener->mailbox).first; visit; visit = next) {
        next = visit->next;
        if (visit->peer) {
            resume(listener, visit->peer);
        } else {
            listener->held_bytes -= visit->request.body.n;
            visit_free(visit);
        }
    }
}

static void give_up(struct listener *listener, struct peer *peer, enum err why) {
    abandon_visit(listener, peer);
    peer->refusal = why;
    resume(listener, peer);
    listener->again = true;
}

static void end_late(struct listener *listener, struct peer *peer) {
    if (peer->state == PEER_WAITING) {
        give_up(listener, peer, ERR_STORE_BUSY);
        return;
    }
    if (peer->state == PEER_HEAD || peer->state == PEER_BODY)
        refuse_early(listener, peer, (struct refusal){ERR_TIMEOUT, "the request did not arrive in time", true, 0});
    shutdown(peer->fd, SHUT_RDWR); /* the library sees the end, tells of it and closes */
    peer_enter(&listener->peers, peer, PEER_ENDED, listener->now_us);
}

static void run_round(struct listener *listener) {
    listener->now_us = listener->clock.now_us(listener->clock.self);
    listener->again = false;
    take_replies(listener);
    if (listener->tcp.daemon) MHD_run(listener->tcp.daemon);
    if (listener->local.daemon) MHD_run(listener->local.daemon);
    mailbox_post(&listener->mailbox, &listener->complete);
    for (struct peer *late; (late = peer_late(&listener->peers, listener->now_us));) end_late(listener, late);
}

static int sleep_ms(struct listener *listener) {
    int64_t sleep = INT32_MAX;
    if (listener->peers.sweep_us != WHEN_NEVER)
        sleep = (listener->peers.sweep_us - listener->clock.now_us(listener->clock.self)) / US_PER_MS + 1;
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

/* Everybody who still waits is told, and given a moment to read it. */
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

static bool watch(const struct listener *listener, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(listener->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Takes the socket over. Address limits make no sense where all peers have none. */
static bool open_gate(struct listener *listener, struct gate *gate, int fd, int32_t peers, int32_t peers_per_address) {
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    gate->listener = listener;
    gate->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, gate, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        gate, MHD_OPTION_NOTIFY_COMPLETED, on_completed, gate, MHD_OPTION_NOTIFY_CONNECTION, on_connection, gate,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)peers, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)peers_per_address,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)listener->options.max_header_bytes + POOL_BYTES,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!gate->daemon) {
        close(fd);
        return false;
    }
    return watch(listener, MHD_get_daemon_info(gate->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
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

/* Its thread has ended, or never began. */
static void listener_free(struct listener *listener) {
    if (listener->tcp.daemon) MHD_stop_daemon(listener->tcp.daemon);
    if (listener->local.daemon) MHD_stop_daemon(listener->local.daemon);
    if (listener->socket_path) unlink(listener->socket_path);
    free(listener->socket_path);
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
    listener->probes = probes_new(clock);
    listener->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    enum err err = open_gates(listener, arena, ret_problem);
    if (!err && watch(listener, listener->mailbox.kick_fd) &&
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
