/* http/peer.c - connections in a list, with their deadlines. */
#include "http/peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/when.h"
#include "http/listener.h"
#include "http/mailbox.h"

/* The least time between two sweeps, and so how late a deadline may be noticed. */
#define SWEEP_US (200 * US_PER_MS)

/* An IPv4 address that came over an IPv6 socket is written as what it is. */
static void write_address(const struct sockaddr *address, char *ret_text, socklen_t room) {
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    const void *bytes = &v4->sin_addr;
    int family = AF_INET;
    if (address->sa_family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        family = mapped ? AF_INET : AF_INET6;
        bytes = mapped ? v6->sin6_addr.s6_addr + 12 : v6->sin6_addr.s6_addr;
    }
    const char *written = inet_ntop(family, bytes, ret_text, room);
    assert(written);
}

void peers_init(struct peers *peers, const struct listener_options *options) {
    *peers = (struct peers){.sweep_us = WHEN_NEVER,
                            .pace_us = options->body_pace_us ? options->body_pace_us : WHEN_NEVER,
                            .span_us = {[PEER_FRESH] = options->header_timeout_us,
                                        [PEER_HEAD] = options->header_timeout_us,
                                        [PEER_BODY] = options->body_timeout_us,
                                        [PEER_WAITING] = options->stall_us,
                                        [PEER_RESUMED] = WHEN_NEVER,
                                        [PEER_LEAVING] = options->body_timeout_us,
                                        [PEER_IDLE] = options->idle_timeout_us,
                                        [PEER_ENDED] = WHEN_NEVER}};
}

struct peer *peer_new(struct peers *peers, int fd, const struct sockaddr *address, int64_t now_us) {
    struct peer *peer = calloc(1, sizeof *peer);
    assert(peer);
    peer->fd = fd;
    peer->trusted = !address || address->sa_family == AF_UNIX;
    if (peer->trusted)
        snprintf(peer->address, sizeof peer->address, "unix");
    else
        write_address(address, peer->address, sizeof peer->address);
    peer->next = peers->first;
    if (peers->first) peers->first->previous = peer;
    peers->first = peer;
    peer_enter(peers, peer, PEER_FRESH, now_us);
    return peer;
}

void peer_free(struct peers *peers, struct peer *peer) {
    assert(!peer->stay);
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        peers->first = peer->next;
    if (peer->next) peer->next->previous = peer->previous;
    free(peer->target);
    free(peer);
}

/* Sets the next moment to look at the body: when its pace is due, or when all its time is over. */
static void set_pace(const struct peers *peers, struct peer *peer, int64_t now_us) {
    peer->deadline_us = peer->body_until_us;
    if (peers->pace_us != WHEN_NEVER && now_us + peers->pace_us < peer->deadline_us)
        peer->deadline_us = now_us + peers->pace_us;
}

void peer_pace(struct peers *peers, struct peer *peer, size_t body_bytes, int64_t now_us) {
    if (body_bytes - peer->paced_bytes < PEER_PACE_BYTES) return;
    peer->paced_bytes = body_bytes;
    set_pace(peers, peer, now_us);
}

size_t peers_held(const struct peers *peers, const struct peer *peer, size_t small_bytes) {
    size_t held = 0;
    for (const struct peer *other = peers->first; other; other = other->next) {
        if (other == peer || !other->stay || other->stay->request.body.n <= small_bytes) continue;
        if (strcmp(other->address, peer->address) == 0) held += other->stay->request.body.n;
    }
    return held;
}

void peer_enter(struct peers *peers, struct peer *peer, enum peer_state state, int64_t now_us) {
    bool first_head = peer->state == PEER_FRESH && state == PEER_HEAD;
    peer->state = state;
    if (first_head) return;
    int64_t span_us = peers->span_us[state];
    peer->deadline_us = span_us == WHEN_NEVER ? WHEN_NEVER : now_us + span_us;
    if (state == PEER_BODY) {
        peer->body_until_us = peer->deadline_us;
        peer->paced_bytes = 0;
        set_pace(peers, peer, now_us);
    }
    if (peer->deadline_us < peers->sweep_us) peers->sweep_us = peer->deadline_us;
}

void peer_set_target(struct peer *peer, struct str target) {
    if (target.n > peer->target_room) {
        peer->target = realloc(peer->target, target.n);
        assert(peer->target);
        peer->target_room = target.n;
    }
    if (target.n) memcpy(peer->target, target.p, target.n);
    peer->target_bytes = target.n;
    peer->request_id[0] = '\0';
}

bool peers_any(const struct peers *peers, enum peer_state state) {
    for (const struct peer *peer = peers->first; peer; peer = peer->next)
        if (peer->state == state) return true;
    return false;
}

struct peer *peer_late(struct peers *peers, int64_t now_us) {
    if (now_us < peers->sweep_us) return NULL;
    int64_t earliest_us = WHEN_NEVER;
    for (struct peer *peer = peers->first; peer; peer = peer->next) {
        if (peer->deadline_us <= now_us) return peer;
        if (peer->deadline_us < earliest_us) earliest_us = peer->deadline_us;
    }
    peers->sweep_us = earliest_us < now_us + SWEEP_US ? now_us + SWEEP_US : earliest_us;
    return NULL;
}
