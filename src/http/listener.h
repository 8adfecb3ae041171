/* http/listener.h - the real inlet: HTTP/1.1 in, over TCP and a unix socket.
 *
 * One thread runs libmicrohttpd for both sockets. Framing that RFC 9112 says to
 * refuse is refused here (Content-Length with Transfer-Encoding, two Hosts,
 * control characters, chunked on HTTP/1.0 ...): 400 and close. Who may come in
 * is judged when the head is complete (http/door.h), so nobody without a key
 * sends a body. Total deadlines for header and body, a least pace for a body,
 * limits on connections (per address too), on body and header bytes, on all
 * large bodies together (16 of the largest) and on those of one address (8).
 * Published paths are answered by the listener's own thread with the text last
 * published, so they answer while the store stalls; a request that waits longer
 * than stall_us gets 503. Nothing wakes up while there is nothing to do.
 * Thread: collect, reply, publish from the loop's thread. Every collected
 * request must be replied to before listener_close.
 */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include "base/gauge.h"
#include "http/door.h"
#include "http/wake.h"
#include "world.h"

struct listener;

struct listener_options {
    struct str host;        /* "" = no TCP */
    uint16_t port;          /* 0 = any free one */
    struct str socket_path; /* "" = no unix socket; mode 0600, a stale one is replaced */
    int64_t max_body_bytes, max_header_bytes;
    int64_t header_timeout_us, idle_timeout_us; /* idle: from a reply to the next request line */
    int64_t body_timeout_us;                    /* for a body to come, and for a reply to leave */
    int64_t body_pace_us; /* a body that grows by less than 16 KiB in this time and does not end is late; 0 = no rule */
    int64_t stall_us;     /* longest wait for a reply */
    int32_t connections, connections_per_address;
    size_t queue_max; /* requests waiting for the loop; beyond it 503 + Retry-After */
};
MUST_USE enum err listener_open(const struct listener_options *options, const struct clock *clock, struct wake *wake,
                                struct arena *arena, struct listener **ret_listener, struct str *ret_problem);
struct inlet listener_inlet(struct listener *listener);
uint16_t listener_port(const struct listener *listener);
/* Says who is let in over TCP from now on; until the first call nobody is. The keys are copied. The unix socket needs
 * no key. */
void listener_publish_keys(struct listener *listener, const struct door_keys *keys);
/* Says what GET path answers from now on without the loop: "/healthz", "/readyz". The text is copied. */
void listener_publish(struct listener *listener, struct str path, int status, struct str content_type, struct str body);
/* The same for "/metrics", which has two forms: `open`, without its last line, is for who accepts OpenMetrics. */
struct probe_text {
    struct str content_type, text;
};
void listener_publish_metrics(struct listener *listener, const struct probe_text *plain, const struct probe_text *open);
/* Whether somebody asked for /metrics since the last call. The wake is raised when that happens. */
bool listener_was_asked(struct listener *listener);
/* The loop begins a turn, or is about to wait. While a turn lasts too long /readyz says so whatever was published, and
 * /metrics has its age. */
void listener_turn(struct listener *listener, bool at_work);
/* Takes no new requests: they get 503 STOPPING and the end of their connection. Published paths go on. */
void listener_quiesce(struct listener *listener);
void listener_close(struct listener *listener); /* answers 503 to all that still waits */

/* What it took, refused and holds open, for whoever watches. */
struct gauge_set listener_gauges(struct listener *listener); /* NULL: the table alone, to be described */
struct gauge_set listener_own_gauges(void);                  /* what it adds to /metrics when it is asked */
struct listener_counts {
    uint64_t requests, refused; /* since the opening; refused: by the listener, whatever the status */
    uint64_t connections;       /* open now */
};
struct listener_counts listener_counts(struct listener *listener);

#endif
