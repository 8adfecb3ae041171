/* http/gauges.c - the numbers of the listener. Those that it refuses never reach the loop, so nothing else counts them;
 * the rest of what it does is seen in the engine's numbers. */
#include "http/listener.h"

static struct listener_counts counts_of(const void *self) {
    return listener_counts((struct listener *)(uintptr_t)self); /* reads atomics: the listener's thread goes on */
}

static void read_requests(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)counts_of(self).requests);
}

static void read_refused(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)counts_of(self).refused);
}

static void read_connections(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)counts_of(self).connections);
}

static const struct gauge gauges[] = {
    {"drumbeat_http_requests_total", "counter", "Requests that came in whole, or were refused before.", NULL,
     read_requests},
    {"drumbeat_http_refused_total", "counter",
     "Requests that the listener refused: malformed, too large, too late, "
     "or no room for them.",
     NULL, read_refused},
    {"drumbeat_http_connections", "gauge", "Connections that are open.", NULL, read_connections},
};

struct gauge_set listener_gauges(struct listener *listener) {
    return GAUGE_SET(gauges, listener);
}
