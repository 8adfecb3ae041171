/* base/gauge.h - a number that a room shows to whoever watches the process.
 *
 * A room that has numbers keeps one static table of gauges, and its door gives
 * the table together with what it is read from: a struct gauge_set. Whoever
 * shows numbers (observe/metrics.c) walks the sets that it is given and knows
 * none of them. The function that reads is part of the row, so that a gauge
 * which nobody sets cannot exist. Thread: the loop's; reading changes nothing.
 */
#ifndef BASE_GAUGE_H
#define BASE_GAUGE_H

#include "base/str.h"

/* Where a reading goes: `put` once for a plain number with label STR_NONE, once for each label's value of a gauge that
 * has a label, or not at all where the room cannot tell. The label's text is copied. */
struct gauge_sink {
    int64_t now_us; /* of this look */
    void (*put)(struct gauge_sink *sink, struct str label, double value);
};

struct gauge {
    const char *name;  /* as Prometheus shows it */
    const char *type;  /* "gauge" or "counter" */
    const char *help;  /* one sentence */
    const char *label; /* "destination"; NULL = one plain number */
    void (*read)(const void *self, struct gauge_sink *sink);
};

struct gauge_set {
    const struct gauge *gauges;
    size_t count;
    const void *self; /* what the room's functions read from */
};
#define GAUGE_SET(table, what) ((struct gauge_set){(table), sizeof(table) / sizeof(table)[0], (what)})

#endif
