/* http/reception.c - one request, from its first line to its answer.
 *
 * WHAT. The library tells of a connection's bytes by callbacks; here they become stays for the loop, or refusals.
 * PROMISE. A request is judged by its head before a byte of its body is kept. Whoever is refused gets one answer, a
 * problem with a request id, and can read it although he is still sending. Memory for bodies is bounded in all, for
 * each address, and for each connection.
 * WHY IT HOLDS.
 * 1. take_head asks framing first, then the door, then for room, and makes a stay last.
 * 2. A refusal that is queued there makes the library end the connection without reading the body. A refusal in the
 *    middle of a body is written by us, and ends the connection too. In both cases it then lingers (http/linger.h).
 * 3. What the library refuses by itself it complains of first, in the same thread, and is made to keep silent.
 * WHAT BREAKS IT. A library that words its complaint in another way: its own page is sent then, and the test fails.
 * HOW TO SEE IT. drumbeat_http_refused_total; code and request_id of the answer.
 * TESTED BY. test/unit/http/test_framing.c, test_listener.c; test/e2e/test_door.py, test_framing.py.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http/listener_private.h"

/* ---- answers of the listener's own ---- */

static size_t large(const struct listener *listener, size_t body_bytes) {
    return body_bytes > denial_small_bytes(&listener->options) ? body_bytes : 0;
}

static void hold(struct listener *listener, const struct stay *stay, size_t was_bytes, size_t is_bytes) {
    size_t was = large(listener, was_bytes), is = large(listener, is_bytes);
    listener->held_bytes += is - was;
    if (stay->stranger) listener->strangers_bytes += is - was;
}

void reception_free_stay(struct listener *listener, struct stay *stay) {
    if (stay) hold(listener, stay, stay->request.body.n, 0);
    stay_free(stay);
}

static void leave(struct listener *listener, struct peer *peer) {
    reception_free_stay(listener, peer->stay);
    peer->stay = NULL;
    peer_enter(&listener->peers, peer, PEER_LEAVING, listener->now_us);
}

/* The sender's own request id, where it can be said back as it is; else one of ours. */
static const char *request_id(struct listener *listener, struct peer *peer) {
    if (!peer->request_id[0])
        snprintf(peer->request_id, sizeof peer->request_id, "%016llx", (unsigned long long)rng_u64(&listener->rng));
    return peer->request_id;
}

static void take_request_id(struct peer *peer, struct str own) {
    bool plain = own.n && own.n < sizeof peer->request_id;
    for (size_t i = 0; i < own.n; i++) plain = plain && own.p[i] > ' ' && own.p[i] < 0x7f && !strchr("\"\\", own.p[i]);
    if (plain) snprintf(peer->request_id, sizeof peer->request_id, "%.*s", STR_ARG(own));
}

static enum MHD_Result refuse(struct listener *listener, struct peer *peer, struct denial denial) {
    char room[DENIAL_ROOM];
    struct header headers[DENIAL_HEADERS_MAX];
    struct str body = denial_body(&denial, request_id(listener, peer), room);
    size_t header_count = denial_headers(&denial, headers);
    struct MHD_Response *response = MHD_create_response_from_buffer(body.n, room, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    for (size_t i = 0; i < header_count; i++) MHD_add_response_header(response, headers[i].name.p, headers[i].value.p);
    MHD_add_response_header(response, DENIAL_REQUEST_ID, request_id(listener, peer));
    if (denial.close) MHD_add_response_header(response, "Connection", "close");
    peer->lingers = denial.close;
    atomic_fetch_add(&listener->refused, 1);
    enum MHD_Result queued = MHD_queue_response(peer->connection, (unsigned)err_http(denial.err), response);
    MHD_destroy_response(response);
    leave(listener, peer);
    return queued;
}

/* Writes an answer past the library, which takes none in the middle of a body or a head. Nothing of another answer is
 * on its way then, so these bytes are the whole answer. The connection must end after it. */
void reception_refuse_early(struct listener *listener, struct peer *peer, struct denial denial) {
    char room[DENIAL_ROOM];
    struct str message = denial_message(&denial, request_id(listener, peer), room);
    peer->lingers = true;
    atomic_fetch_add(&listener->refused, 1);
    ssize_t sent = send(peer->fd, message.p, message.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* a peer that does not read is closed without an answer */
}

/* Answers a published path; false when the path is not one of them. */
static bool answer_probe(struct listener *listener, struct peer *peer, enum MHD_Result *ret_result) {
    const struct request *request = &peer->stay->request;
    struct arena arena = ARENA_EMPTY;
    struct probe_answer answer;
    struct str accept = request_header(request, STR("accept"));
    if (!probes_answer(listener->probes, request->path, accept, &arena, &answer)) return false;
    if (!str_eq(request->method, STR("GET")) && !str_eq(request->method, STR("HEAD"))) {
        arena_free(&arena);
        *ret_result = refuse(listener, peer, (struct denial){ERR_BAD_METHOD, "this path is only read", false, 0});
        return true;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer.text.n, (void *)(uintptr_t)answer.text.p, MHD_RESPMEM_MUST_COPY);
    *ret_result = MHD_NO;
    if (response) {
        MHD_add_response_header(response, "Content-Type", str_dup(&arena, answer.content_type).p);
        MHD_add_response_header(response, DENIAL_REQUEST_ID, request_id(listener, peer));
        *ret_result = MHD_queue_response(peer->connection, (unsigned)answer.status, response);
        MHD_destroy_response(response);
    }
    arena_free(&arena);
    leave(listener, peer);
    return true;
}

/* ---- one request, as the library tells of it ---- */

static struct peer *peer_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

/* The request line is here; the library is about to decode it in place. */
void *reception_on_target(void *cls, const char *target, struct MHD_Connection *connection) {
    struct listener *listener = ((struct gate *)cls)->listener;
    struct peer *peer = peer_of(connection);
    peer->connection = connection;
    peer_set_target(peer, str_from(target));
    listener->speaking = peer;
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

static struct denial judge_body(struct listener *listener, const struct peer *peer, size_t body_bytes) {
    size_t own = peer->stay ? large(listener, peer->stay->request.body.n) : 0;
    bool stranger = peer->stay && peer->stay->stranger;
    struct held held = {.all_bytes = listener->held_bytes - own,
                        .stranger = stranger,
                        .strangers_bytes = listener->strangers_bytes - (stranger ? own : 0)};
    if (large(listener, body_bytes))
        held.address_bytes = peers_held(&listener->peers, peer, denial_small_bytes(&listener->options));
    return denial_of_body(&listener->options, body_bytes, &held);
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
    struct denial denial = denial_of_head(&listener->options, &head);
    take_request_id(peer, framing_header(&head, STR("x-request-id")));
    if (!denial.err && !peer->trusted)
        denial = door_judge(listener->door, &head, str_from(peer->address), listener->now_us);
    peer->body_expected = denial.err ? -1 : framing_length(&head);
    if (!denial.err) {
        peer->stay = stay_new(&head, str_from(peer->address), str_from(request_id(listener, peer)), listener->now_us);
        peer->stay->request.trusted = peer->trusted;
        peer->stay->stranger = !peer->trusted && door_is_open_to_all(&head);
        if (peer->body_expected > 0) denial = judge_body(listener, peer, (size_t)peer->body_expected);
    }
    if (!denial.err) peer_enter(&listener->peers, peer, PEER_BODY, listener->now_us);
    free(head.headers);
    atomic_fetch_add(&listener->requests, 1);
    return denial.err ? refuse(listener, peer, denial) : MHD_YES;
}

static enum MHD_Result take_body(struct listener *listener, struct peer *peer, const char *bytes, size_t *count) {
    size_t bytes_now = peer->stay->request.body.n, bytes_then = bytes_now + *count;
    struct denial denial = judge_body(listener, peer, bytes_then);
    if (denial.err) {
        reception_refuse_early(listener, peer, denial);
        return MHD_NO; /* ends the connection */
    }
    stay_add(peer->stay, bytes, *count, peer->body_expected > 0 ? (size_t)peer->body_expected : 0);
    hold(listener, peer->stay, bytes_now, bytes_then);
    peer_pace(&listener->peers, peer, bytes_then, listener->now_us);
    *count = 0;
    return MHD_YES;
}

static enum MHD_Result on_trailer(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
                                  const char *value, size_t value_bytes) {
    (void)kind;
    const char **trouble = cls;
    const struct header trailer = {{name, name_bytes}, {value ? value : "", value ? value_bytes : 0}};
    if (!*trouble) *trouble = framing_trailer_trouble(&trailer);
    return MHD_YES;
}

static enum MHD_Result end_body(struct listener *listener, struct peer *peer) {
    enum MHD_Result result = MHD_NO;
    const char *trouble = NULL;
    MHD_get_connection_values_n(peer->connection, MHD_FOOTER_KIND, on_trailer, &trouble);
    if (trouble) return refuse(listener, peer, (struct denial){ERR_BAD_REQUEST, trouble, true, 0});
    if (answer_probe(listener, peer, &result)) return result;
    if (atomic_load(&listener->quiet)) return refuse(listener, peer, denial_of_wait(ERR_STOPPING));
    if (atomic_load(&listener->mailbox.waiting_count) + listener->complete.count >= listener->options.queue_max)
        return refuse(listener, peer, denial_of_wait(ERR_FULL));
    peer->stay->peer = peer;
    peer->denial = ERR_NONE;
    stays_add(&listener->complete, peer->stay);
    peer_enter(&listener->peers, peer, PEER_WAITING, listener->now_us);
    MHD_suspend_connection(peer->connection);
    return MHD_YES;
}

static enum MHD_Result send_reply(struct listener *listener, struct peer *peer) {
    if (peer->denial) return refuse(listener, peer, denial_of_wait(peer->denial));
    struct parcel *parcel = peer->stay->parcel;
    peer->stay->parcel = NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        parcel->body.n, (void *)(uintptr_t)parcel->body.p, parcel_free, parcel);
    if (!response) return MHD_NO;
    for (size_t i = 0; i < parcel->header_count; i++)
        MHD_add_response_header(response, parcel->headers[i].name.p, parcel->headers[i].value.p);
    MHD_add_response_header(response, DENIAL_REQUEST_ID, request_id(listener, peer));
    if (parcel->close) MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(peer->connection, (unsigned)parcel->status, response);
    MHD_destroy_response(response);
    leave(listener, peer);
    return queued;
}

enum MHD_Result reception_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                     const char *version, const char *bytes, size_t *count, void **context) {
    (void)connection, (void)url;
    struct listener *listener = ((struct gate *)cls)->listener;
    struct peer *peer = *context;
    listener->speaking = peer;
    if (peer->state == PEER_HEAD || peer->state == PEER_FRESH) return take_head(listener, peer, method, version);
    if (peer->state == PEER_RESUMED) return send_reply(listener, peer);
    if (peer->state != PEER_BODY) return MHD_NO; /* shut down between two calls */
    return *count ? take_body(listener, peer, bytes, count) : end_body(listener, peer);
}

void reception_abandon(struct listener *listener, struct peer *peer) {
    peer->stay->peer = NULL;
    mailbox_leave(&listener->mailbox, peer->stay);
    peer->stay = NULL;
}

void reception_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_RequestTerminationCode how) {
    (void)connection, (void)how;
    struct listener *listener = ((struct gate *)cls)->listener;
    struct peer *peer = *context;
    if (!peer) return;
    if (peer->state == PEER_WAITING) reception_abandon(listener, peer);
    leave(listener, peer);
    peer_enter(&listener->peers, peer, PEER_IDLE, listener->now_us);
}

void reception_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                             enum MHD_ConnectionNotificationCode what) {
    struct listener *listener = ((struct gate *)cls)->listener;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct peer *peer = *socket_context;
        int lingering = peer->lingers ? linger_add(&listener->lingers, peer->fd, listener->now_us) : -1;
        if (lingering >= 0) listener_watch(listener, lingering);
        if (listener->speaking == peer) listener->speaking = NULL;
        peer_free(&listener->peers, peer);
        listener->again = true; /* there may be room for a connection that could not be accepted */
        atomic_fetch_sub(&listener->connections, 1);
        return;
    }
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *from = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    *socket_context = peer_new(&listener->peers, fd, from, listener->now_us);
    atomic_fetch_add(&listener->connections, 1);
}

/* ---- what the library answers by itself ---- */

static enum MHD_Result on_length(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
                                 const char *value, size_t value_bytes) {
    (void)kind;
    bool *bad = cls;
    uint64_t bytes;
    if (!str_eq_nocase((struct str){name, name_bytes}, STR("content-length"))) return MHD_YES;
    *bad = *bad || !value || !str_to_u64((struct str){value, value_bytes}, &bytes);
    return MHD_YES;
}

/* Finds the peer of whom the library complains, which it does not say. What it told last in this round was about him,
 * unless his head came in pieces. Then it is the peer with a malformed length, or the only one whose request is not yet
 * complete. */
static struct peer *find_accused(struct listener *listener) {
    struct peer *only = NULL;
    size_t count = 0;
    if (listener->speaking) return listener->speaking;
    for (struct peer *peer = listener->peers.first; peer; peer = peer->next) {
        bool bad = false;
        if (peer->state != PEER_FRESH && peer->state != PEER_HEAD && peer->state != PEER_BODY) continue;
        if (peer->connection && peer->state == PEER_HEAD)
            MHD_get_connection_values_n(peer->connection, MHD_HEADER_KIND, on_length, &bad);
        if (bad) return peer;
        only = peer;
        count++;
    }
    return count == 1 ? only : NULL;
}

/* The library is about to answer with a page of its own, for a malformed length with two heads. Our answer goes first,
 * and after it nothing can be written any more. */
void reception_on_complaint(void *cls, const char *format, va_list values) {
    struct listener *listener = ((struct gate *)cls)->listener;
    if (strncmp(format, "Error processing request", 24) != 0) return;
    unsigned status = va_arg(values, unsigned);
    struct peer *peer = status < 500 ? find_accused(listener) : NULL;
    if (!peer || peer->lingers) return;
    struct denial denial = {ERR_BAD_REQUEST, "the request is not framed as HTTP/1.1 demands", true, 0};
    if (status == 413)
        denial = (struct denial){ERR_TOO_LARGE, "the body is larger than server.max_body", true,
                                 (size_t)listener->options.max_body_bytes};
    if (status == 414 || status == 431)
        denial = (struct denial){ERR_HEADERS_LARGE, "the headers are too large", true,
                                 (size_t)listener->options.max_header_bytes};
    reception_refuse_early(listener, peer, denial);
    shutdown(peer->fd, SHUT_WR);
}
