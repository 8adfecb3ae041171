/* observe/metrics_private.h - what metrics.c counts and metrics_gauges.c shows. */
#ifndef OBSERVE_METRICS_PRIVATE_H
#define OBSERVE_METRICS_PRIVATE_H

#include "base/arena.h"
#include "base/gauge.h"
#include "model/delivery.h"
#include "observe/metrics.h"

#define METRICS_WINDOW_S   60
#define METRICS_NAMES_MAX  4096 /* destinations ever configured in one process; more are not told apart */
#define METRICS_BOUNDS_MAX 15

struct times {
    uint64_t buckets[METRICS_BOUNDS_MAX + 1];
    struct gauge_example examples[METRICS_BOUNDS_MAX + 1];
    uint64_t count;
    double sum_s;
};

/* What the deliveries of one destination came to. Its name is a copy. */
struct sums {
    struct str name;
    uint64_t attempts[OUTCOME_COUNT];
    uint64_t settled[DELIVERY_STATUS_COUNT];
};

struct source_sums {
    struct str name;
    uint64_t counts[SOURCE_OUTCOMES];
};

/* One second of the last minute, for the seed's gauges. */
struct second {
    int64_t at_s;
    uint64_t events, attempts, retries, errors;
};

struct metrics {
    struct arena arena; /* names; bounded by METRICS_NAMES_MAX */
    uint64_t events[METRIC_EVENT_COUNT], unrouted, resent, unsent, inputs_refused, inputs_locked_out;
    uint64_t hops[HOP_COUNT];
    struct sums *tallies;
    size_t tally_count;
    struct source_sums *sources;
    size_t source_count;
    struct times ingest, delivery, turn, commit;
    struct second seconds[METRICS_WINDOW_S];
    struct second open; /* counted since the last look at the clock */
};

#endif
