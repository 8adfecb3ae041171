/* http/peer.h - the connections there are, and how long each may take.
 *
 * Deadlines are total: whoever sends a byte a second is late like one who
 * sends none. They are swept when the earliest can have passed, so a listener
 * without connections never wakes up. Thread: the listener's.
 */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <netinet/in.h>

#include "base/err.h"
#include "base/str.h"

struct MHD_Connection;
struct listener_options;
struct sockaddr;
struct stay;

#define PEER_PACE_BYTES ((size_t)16384)

enum peer_state {
    PEER_FRESH,   /* accepted; the first request line and head must come */
    PEER_HEAD,    /* a later head is coming in */
    PEER_BODY,    /* the head was taken, the body is coming in */
    PEER_WAITING, /* the request is with the loop, the connection is suspended */
    PEER_RESUMED, /* there is an answer; the library is about to ask for it */
    PEER_LEAVING, /* the reply is going out */
    PEER_IDLE,    /* kept open between requests */
    PEER_ENDED,   /* shut down; only its end is awaited */
    PEER_STATES
};

struct peer {
    struct peer *next, *previous;
    struct MHD_Connection *connection;
    int fd;
    bool trusted;
    char address[INET6_ADDRSTRLEN];
    enum peer_state state;
    int64_t deadline_us;
    struct stay *stay;
    int64_t body_expected; /* -1 = chunked or none */
    int64_t body_until_us; /* the whole body must be here by then */
    size_t paced_bytes;    /* of the body, when its pace was last looked at */
    bool lingers;          /* it was refused while it still sends: http/linger.h */
    char request_id[65];   /* of the present request, "" = none yet */
    char *target;          /* of the present request, as sent */
    size_t target_bytes, target_room;
    enum err denial; /* the listener's own answer after a wait, instead of the loop's */
};

struct peers {
    struct peer *first;
    int64_t span_us[PEER_STATES]; /* how long a state may last; WHEN_NEVER = for ever */
    int64_t pace_us;              /* WHEN_NEVER = bodies may come at any pace */
    int64_t sweep_us;             /* no deadline passes before this moment */
};

void peers_init(struct peers *peers, const struct listener_options *options);
struct peer *peer_new(struct peers *peers, int fd, const struct sockaddr *address, int64_t now_us);
void peer_free(struct peers *peers, struct peer *peer);
/* Enters the state; its time runs from now, except that a first head has the time since the connection was made. */
void peer_enter(struct peers *peers, struct peer *peer, enum peer_state state, int64_t now_us);
/* A new request begins. */
void peer_set_target(struct peer *peer, struct str target);
/* Takes in how many bytes the body has now. A body that grows by less than PEER_PACE_BYTES in a span of pace_us is
 * late.
 */
void peer_pace(struct peers *peers, struct peer *peer, size_t body_bytes, int64_t now_us);
/* What all other peers of this one's address hold, counting only bodies over small_bytes. */
size_t peers_held(const struct peers *peers, const struct peer *peer, size_t small_bytes);
bool peers_any(const struct peers *peers, enum peer_state state);
/* A peer past its deadline, or NULL; the caller must make it enter another state. Sets sweep_us at the end. */
struct peer *peer_late(struct peers *peers, int64_t now_us);

#endif
