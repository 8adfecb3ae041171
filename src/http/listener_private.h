/* http/listener_private.h - what listener.c (the thread, opening and closing) and
 * reception.c (one request, as the library tells of it) share. */
#ifndef HTTP_LISTENER_PRIVATE_H
#define HTTP_LISTENER_PRIVATE_H

#include <microhttpd.h>
#include <stdarg.h>

#include "base/rng.h"
#include "http/linger.h"
#include "http/listener.h"
#include "http/mailbox.h"
#include "http/peer.h"
#include "http/probe.h"

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
    struct door *door;
    atomic_bool quiet, closing;
    atomic_uint_fast64_t requests, refused, connections;
    /* the listener's thread only */
    struct peers peers;
    struct peer *speaking; /* whose request the library last told of in this round */
    struct lingers lingers;
    struct stays complete; /* of this round */
    struct rng rng;        /* for request ids */
    int64_t now_us;
    size_t held_bytes;      /* of bodies that are not small */
    size_t strangers_bytes; /* of them, those of strangers */
    bool again;             /* the library has work that its own timeout does not tell of: no sleep after this round */
};

/* ---- reception.c ---- */

/* What the library calls; cls is the gate. */
void *reception_on_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result reception_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                     const char *version, const char *bytes, size_t *count, void **context);
void reception_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_RequestTerminationCode how);
void reception_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                             enum MHD_ConnectionNotificationCode what);
void reception_on_complaint(void *cls, const char *format, va_list values);
/* Answers in the middle of a head or a body, where the library takes no answer. The connection must end after it. */
void reception_refuse_early(struct listener *listener, struct peer *peer, struct denial denial);
/* Nobody waits for the peer's stay any more; the loop may have it, so it is freed when it comes back. */
void reception_abandon(struct listener *listener, struct peer *peer);
void reception_free_stay(struct listener *listener, struct stay *stay); /* NULL is fine */

/* ---- listener.c ---- */

bool listener_watch(const struct listener *listener, int fd); /* its bytes end the thread's sleep */

#endif
