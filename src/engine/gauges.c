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

/* ---- what the store must be asked for ---- */

static void keep_counts(struct loop *loop, const struct destination_counts *counts, size_t count) {
    memset(loop->counted, 0, sizeof loop->counted);
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < DELIVERY_STATUS_COUNT; j++) loop->counted[j] += counts[i].by_status[j];
}

static void keep_waiting(struct loop *loop, const struct destination_waiting *waiting, size_t count) {
    arena_reset(&loop->waiting_arena);
    loop->waiting = arena_array(&loop->waiting_arena, struct destination_waiting, count);
    loop->waiting_count = count;
    loop->due_deliveries = 0;
    for (size_t i = 0; i < count; i++) {
        loop->due_deliveries += waiting[i].due;
        loop->waiting[i] = waiting[i];
        loop->waiting[i].destination = str_dup(&loop->waiting_arena, waiting[i].destination);
    }
}

/* Counts in a transaction of its own, which changes nothing. A store in trouble leaves the numbers as they were. */
static void count_open(struct loop *loop, int64_t now_us, struct arena *arena) {
    struct store *store = loop->options.store;
    struct destination_counts *counts;
    struct destination_waiting *waiting;
    size_t count;
    int64_t doubt_us;
    bool due = backlog_total(loop->deliver) <= COUNT_OFTEN_MAX || now_us >= loop->counted_us + COUNT_RARELY_US;
    if (store_begin(store)) return;
    if (due && !store_counts(store, false, arena, &counts, &count)) {
        loop->counted_us = now_us;
        keep_counts(loop, counts, count);
    }
    if (due && !store_waiting(store, now_us, arena, &waiting, &count)) keep_waiting(loop, waiting, count);
    if (due && loop->counted[DELIVERY_UNKNOWN] == 0) loop->oldest_doubt_us = WHEN_NEVER;
    if (due && loop->counted[DELIVERY_UNKNOWN] && !store_oldest_doubt(store, &doubt_us))
        loop->oldest_doubt_us = doubt_us;
    if (store_oldest_due(store, &loop->oldest_due_us)) loop->oldest_due_us = WHEN_NEVER;
    store_rollback(store);
}

/* ---- the table ---- */

static double age_of(int64_t since_us, int64_t now_us) {
    return since_us < now_us ? (double)(now_us - since_us) / US_PER_S : 0;
}

static void read_lag(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, age_of(((const struct loop *)self)->oldest_due_us, sink->now_us));
}

/* One for each destination that is configured, so that an empty backlog is seen as one of age 0. */
static void read_lags(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        int64_t oldest_us = WHEN_NEVER;
        for (size_t j = 0; settings && j < loop->waiting_count; j++)
            if (str_eq(loop->waiting[j].destination, settings->name)) oldest_us = loop->waiting[j].oldest_us;
        if (settings) sink->put(sink, settings->name, age_of(oldest_us, sink->now_us));
    }
}

static void read_doubt(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, age_of(((const struct loop *)self)->oldest_doubt_us, sink->now_us));
}

static void read_needs(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    size_t paused = 0;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++)
        paused += deliver_settings(loop->deliver, i) && deliver_view(loop->deliver, i, sink->now_us).paused;
    sink->put(sink, STR("held"), (double)loop->counted[DELIVERY_HELD]);
    sink->put(sink, STR("failed"), (double)loop->counted[DELIVERY_FAILED]);
    sink->put(sink, STR("paused"), (double)paused);
}

static void read_store_up(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    sink->put(sink, STR_NONE, loop->trouble == ERR_NONE && !store_is_tight(loop->options.store));
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

static void read_logins(const void *self, struct gauge_sink *sink) {
    tokens_put_logins(self, sink);
}

static void read_expiries(const void *self, struct gauge_sink *sink) {
    expiries_put(self, sink);
}

/* ---- what goes to a collector ---- */

static void read_spans(const void *self, struct gauge_sink *sink) {
    const struct tracer *tracer = exports_tracer(((const struct loop *)self)->exports);
    if (!tracer) return;
    const struct trace_counts counts = tracer_counts(tracer);
    sink->put(sink, STR("made"), (double)counts.made);
    sink->put(sink, STR("dropped"), (double)counts.dropped);
}

static void read_exports(const void *self, struct gauge_sink *sink) {
    const struct loop *loop = self;
    for (int i = 0; loop->exports && i < OTEL_SIGNALS; i++) {
        const struct export_counts counts = exports_counts(loop->exports, (enum otel_signal)i);
        struct str signal = str_from(otel_signal_text((enum otel_signal)i));
        sink->put_pair(sink, signal, STR("sent"), (double)counts.sent);
        sink->put_pair(sink, signal, STR("failed"), (double)counts.failed);
    }
}

static const struct gauge gauges[] = {
    {"event_processing_lag", "gauge", "Age in seconds of the oldest due and unsettled delivery.", NULL, read_lag},
    {"queue_depth", "gauge", "Deliveries that are due, also those that a limit, a pause or a breaker holds back.", NULL,
     read_depth},
    {"drumbeat_destination_lag_seconds", "gauge", "Age of the oldest due and unsettled delivery of a destination.",
     "destination", read_lags},
    {"drumbeat_unknown_age_seconds", "gauge",
     "How long ago that delivery was first sent which is in doubt for longest; 0 = none is.", NULL, read_doubt},
    {"drumbeat_needs_person", "gauge",
     "What waits for a person: deliveries that are held, those that failed and were not made anew, paused "
     "destinations.",
     "why", read_needs},
    {"drumbeat_store_up", "gauge", "0 = the last turn could not be written, or the disk has no room for new events.",
     NULL, read_store_up},
    {"drumbeat_deliveries", "gauge", "Deliveries that are open, by status.", "status", read_deliveries},
    {"drumbeat_queue_waiting", "gauge", "Deliveries that wait, as server.queue counts them.", NULL, read_queue},
    {"drumbeat_queue_most", "gauge", "server.queue: at so many new events are refused; 0 = no bound.", NULL, read_most},
    {"drumbeat_config_reload_success", "gauge", "0 = the last reload was refused.", NULL, read_config},
    {"drumbeat_clock_moved_total", "counter", "Deliveries that a clock that was ahead wrote, moved back.", NULL,
     read_clock_moved},
    {"drumbeat_report_difference", "gauge", "By how much the sheet of yesterday does not add up; 0 = it does.", NULL,
     read_difference},
    {"drumbeat_limits_shared_up", "gauge", "0 = Redis does not answer: redis.on_failure holds.", NULL, read_limits_up},
    {"drumbeat_login_expires_seconds", "gauge",
     "In how long the login of a destination ends, where that is known; below 0 = it has ended.", "destination",
     read_logins},
    {"drumbeat_destination_certificate_expiry_seconds", "gauge",
     "When the certificate of the destination's server ends, as Unix time; of several servers the first. Known from "
     "the first call over TLS since the start. (collector) is the one of traces.",
     "destination", read_expiries},
    {"drumbeat_spans_total", "counter", "Spans that were made for a collector, and those of them that it did not get.",
     "result", read_spans},
    {"drumbeat_exports_total", "counter", "Messages to a collector that it took, or that were given up.",
     "signal result", read_exports},
    {"drumbeat_limits_lost_total", "counter", "Times that Redis had forgotten what it was told.", NULL,
     read_limits_lost},
};

size_t loop_gauge_sets(struct loop *loop, struct gauge_set ret_sets[LOOP_GAUGE_SETS]) {
    ret_sets[0] = metrics_gauges(loop ? loop->metrics : NULL);
    ret_sets[1] = GAUGE_SET(gauges, loop);
    ret_sets[2] = deliver_gauges(loop ? loop->deliver : NULL);
    ret_sets[3] = store_gauges(loop ? loop->options.store : NULL);
    return LOOP_GAUGE_SETS;
}

size_t loop_look(struct loop *loop, struct gauge_set ret_sets[LOOP_SETS_MAX], struct arena *arena) {
    const struct loop_options *options = &loop->options;
    count_open(loop, options->clock.now_us(options->clock.self), arena);
    size_t count = loop_gauge_sets(loop, ret_sets);
    if (options->other_gauges) count += options->other_gauges(options->other_self, ret_sets + count);
    assert(count <= LOOP_SETS_MAX);
    return count;
}

struct exposition loop_metrics(struct loop *loop, struct arena *arena) {
    struct gauge_set sets[LOOP_SETS_MAX];
    size_t count = loop_look(loop, sets, arena);
    return exposition_write(sets, count, loop->options.clock.now_us(loop->options.clock.self), arena);
}
