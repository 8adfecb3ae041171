/* store/replay_window.h - what a plan to send again looks at, a window of events at a time. Same rules as
 * store/store.h. */
#ifndef STORE_REPLAY_WINDOW_H
#define STORE_REPLAY_WINDOW_H

#include "store/store.h"

/* A window of events behind `after`, with their deliveries by event and run. A delivery's event is in the window. Of
 * an event only id, seq, type, source, status, run and times are filled, and all of it where payloads are wanted: then
 * the window has so many events that it stays small. */
struct replay_window {
    struct event *events;
    size_t event_count;
    struct delivery *deliveries;
    int64_t *of; /* the event's seq, for each of them */
    size_t delivery_count;
    int64_t last_seq;
    bool more;
};
MUST_USE enum err store_replay_window(struct store *store, int64_t after, int64_t upto, size_t rows, bool payloads,
                                      struct arena *arena, struct replay_window *ret_window);

#endif
