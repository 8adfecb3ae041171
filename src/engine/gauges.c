/* engine/gauges.c - the numbers of the line: what waits, since when, and how limits are shared with others. */
#include <assert.h>
#include <string.h>

#include "base/gauge.h"
#include "base/when.h"
#include "deliver/backlog.h"
#include "deliver/gauges.h"
#include "engine/loop_state.h"
#include "store/query.h"

#define COUNT_OFTEN_MAX 20000           /* open deliveries that are counted at each look */
#define COUNT_RARELY_US (60 * US_PER_S) /* counting more of them takes a tenth of a second a million */
#define OTHER_SETS_MAX  8               /* of rooms that the engine does not know */

/* ---- what the store must be asked for ---- */

/* Counts in a transaction of its own, which changes nothing. A store in trouble leaves the numbers as they were. */
static void count_open(struct loop *loop, int64_t now_us, struct arena *arena) {
    struct destination_counts *counts;
    struct destination_waiting *waiting;
    size_t count;
    bool due = backlog_total(loop->deliver) <= COUNT_OFTEN_MAX || now_us >= loop->counted_us + COUNT_RARELY_US;
    if (store_begin(loop->options.store)) return;
    if (due && !store_counts(loop->options.store, false, arena, &counts, &count)) {
        memset(loop->counted, 0, sizeof loop->counted);
        loop->counted_us = now_us;
        for (size_t i = 0; i < count; i++)
            for (int j = 0; j < DELIVERY_STATUS_COUNT; j++) loop->counted[j] += counts[i].by_status[j];
    }
    if (due && !store_waiting(loop->options.store, now_us, arena, &waiting, &count)) {
        loop->due_deliveries = 0;
        for (size_t i = 0; i < count; i++) loop->due_deliveries += waiting[i].due;
    }
    if (store_oldest_due(loop->options.store, &loop->oldest_due_us)) loop->oldest_due_us = WHEN_NEVER;
    store_rollback(loop->options.store);
}

/* ---- the table ---- */

static void read_lag(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    bool late = loop->oldest_due_us < sink->now_us;
    sink->put(sink, STR_NONE, late ? (double)(sink->now_us - loop->oldest_due_us) / US_PER_S : 0);
}

static void read_depth(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct loop *)self)->due_deliveries);
}

static void read_deliveries(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    for (int i = 0; i < DELIVERY_STATUS_COUNT; i++)
        if (!delivery_is_final((enum delivery_status)i))
            sink->put(sink, str_from(delivery_status_text((enum delivery_status)i)), (double)loop->counted[i]);
}

static void read_queue(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)backlog_total(((const struct loop *)self)->deliver));
}

static void read_most(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct loop *)self)->in_force.settings->server.queue_max);
}

static void read_config(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, ((const struct loop *)self)->config_ok);
}

/* Shown only where a Redis is configured: limits that are shared through the store are up whenever anything is. */
static void read_limits_up(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    bool up;
    quota_way(loop, &up);
    if (loop->options.limits.take) sink->put(sink, STR_NONE, up);
}

static void read_limits_lost(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    if (loop->options.limits.take) sink->put(sink, STR_NONE, (double)loop->quota.losses);
}

static void read_clock_moved(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct loop *)self)->chores.clock_moved);
}

static void read_difference(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    if (loop->chores.report_day) sink->put(sink, STR_NONE, (double)loop->chores.report_difference);
}

static const struct gauge gauges[] = {
    {"event_processing_lag", "gauge", "Age in seconds of the oldest due and unsettled delivery.", NULL, read_lag},
    {"queue_depth", "gauge", "Deliveries that are due, also those that a limit, a pause or a breaker holds back.", NULL,
     read_depth},
    {"drumbeat_deliveries", "gauge", "Deliveries that are open, by status.", "status", read_deliveries},
    {"drumbeat_queue_waiting", "gauge", "Deliveries that wait, as server.queue counts them.", NULL, read_queue},
    {"drumbeat_queue_most", "gauge", "server.queue: at so many new events are refused; 0 = no bound.", NULL, read_most},
    {"drumbeat_config_reload_success", "gauge", "0 = the last reload was refused.", NULL, read_config},
    {"drumbeat_clock_moved_total", "counter", "Deliveries that a clock that was ahead wrote, moved back.", NULL,
     read_clock_moved},
    {"drumbeat_report_difference", "gauge", "By how much the sheet of yesterday does not add up; 0 = it does.", NULL,
     read_difference},
    {"drumbeat_limits_shared_up", "gauge", "0 = Redis does not answer: redis.on_failure holds.", NULL, read_limits_up},
    {"drumbeat_limits_lost_total", "counter", "Times that Redis had forgotten what it was told.", NULL,
     read_limits_lost},
};

struct str loop_metrics(struct loop *loop, const struct gauge_set *others, size_t other_count, struct arena *arena) {
    int64_t now_us = loop->options.clock.now_us(loop->options.clock.self);
    struct gauge_set sets[3 + OTHER_SETS_MAX] = {GAUGE_SET(gauges, loop), deliver_gauges(loop->deliver),
                                                 store_gauges(loop->options.store)};
    assert(other_count <= OTHER_SETS_MAX);
    if (other_count) memcpy(sets + 3, others, other_count * sizeof *others);
    count_open(loop, now_us, arena);
    return metrics_text(loop->metrics, now_us, sets, 3 + other_count, arena);
}
