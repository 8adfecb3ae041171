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

/* One example of what fell into a bucket: its trace, as 32 hexadecimal digits; "" = there is none. */
#define GAUGE_TRACE_ROOM 33
struct gauge_example {
    char trace[GAUGE_TRACE_ROOM];
    double value;
    int64_t wall_us;
};

/* Times by their length. bucket[i] counts what is at most bounds[i] and more than the bound before it; the last bucket
 * has no bound. */
struct gauge_histogram {
    const double *bounds;
    size_t bound_count;
    const uint64_t *buckets;              /* bound_count + 1 */
    const struct gauge_example *examples; /* as many */
    uint64_t count;
    double sum;
};

/* Where a reading goes: `put` once for a plain number with label STR_NONE, once for each label's value of a gauge that
 * has a label, put_pair for each pair of a gauge that has two, put_times once for a histogram, or nothing at all where
 * the room cannot tell. Texts are copied. */
struct gauge_sink {
    int64_t now_us; /* of this look */
    void (*put)(struct gauge_sink *sink, struct str label, double value);
    void (*put_pair)(struct gauge_sink *sink, struct str first, struct str second, double value);
    void (*put_times)(struct gauge_sink *sink, const struct gauge_histogram *histogram);
};

struct gauge {
    const char *name;  /* as Prometheus shows it; a counter's ends with _total */
    const char *type;  /* "gauge", "counter" or "histogram" */
    const char *help;  /* one sentence */
    const char *label; /* "destination", "destination outcome" for two; NULL = one plain number */
    void (*read)(const void *self, struct gauge_sink *sink);
};

struct gauge_set {
    const struct gauge *gauges;
    size_t count;
    const void *self; /* what the room's functions read from */
};
#define GAUGE_SET(table, what) ((struct gauge_set){(table), sizeof(table) / sizeof(table)[0], (what)})

#endif
