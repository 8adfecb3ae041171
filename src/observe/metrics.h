/* observe/metrics.h - counters, gauges and histograms of the turn, and their
 * Prometheus text. Values belong to the loop's thread. No personal data in
 * labels: label values are names from the configuration. Source: Prometheus
 * text exposition format 0.0.4. */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include "base/arena.h"
#include "base/str.h"
#include "model/delivery.h"
#include "model/exchange.h"

enum metric_event {
    METRIC_ACCEPTED,
    METRIC_DUPLICATE,
    METRIC_CONFLICT,
    METRIC_INVALID,
    METRIC_REFUSED,
    METRIC_EVENT_COUNT
};

struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

void metrics_event(struct metrics *metrics, enum metric_event what, uint64_t count);
void metrics_unrouted(struct metrics *metrics, uint64_t count);
void metrics_hop(struct metrics *metrics, const char *hop,
                 uint64_t count); /* one counter for each word of WALK.md; literals only */
void metrics_attempt(struct metrics *metrics, struct str destination, enum outcome_class outcome);
void metrics_settled(struct metrics *metrics, struct str destination, struct str status);
void metrics_ingest_seconds(struct metrics *metrics, int64_t us);
void metrics_delivery_seconds(struct metrics *metrics, int64_t us); /* stored to settled as done */
void metrics_turn_seconds(struct metrics *metrics, int64_t us);

struct metrics_desk {
    struct str destination, limit;
    int breaker_state;
    size_t in_flight, remaining; /* SIZE_MAX = no limit */
    bool paused;
};
struct metrics_view {
    int64_t now_us;
    int64_t lag_us; /* age of the oldest due and unsettled delivery */
    int64_t queue_depth;
    int64_t open[DELIVERY_STATUS_COUNT]; /* by enum delivery_status: PENDING PROCESSING ... */
    const struct metrics_desk *desks;
    size_t desk_count;
    bool config_ok;
    bool shares_limits, limits_up; /* with other processes; the last try to ask worked */
    uint64_t limits_lost;          /* times that Redis was found to have forgotten */
    int64_t rss_bytes, store_bytes;
};
/* The seed's gauges are computed over the last 60 s of these counters. */
struct str metrics_text(struct metrics *metrics, const struct metrics_view *view, struct arena *arena);

#endif
