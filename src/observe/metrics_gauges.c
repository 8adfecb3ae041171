/* observe/metrics_gauges.c - what is counted, as a table of gauges. */
#include <assert.h>

#include "base/when.h"
#include "observe/metrics_private.h"

const double metrics_bounds_s[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                   0.25,   0.5,   1,      2.5,   10,   60,    600};
const size_t metrics_bound_count = sizeof metrics_bounds_s / sizeof metrics_bounds_s[0];
static_assert(sizeof metrics_bounds_s / sizeof metrics_bounds_s[0] == METRICS_BOUNDS_MAX,
              "times have a bucket for each");

/* ---- the seed's ---- */

/* Adds what was counted since the last look to the present second, and gives the sums of the last minute. */
static struct second last_minute(const void *self, int64_t now_us) {
    struct metrics *metrics = (struct metrics *)(uintptr_t)self; /* a look at the clock, not at the counters */
    int64_t now_s = now_us / US_PER_S;
    struct second *slot = &metrics->seconds[now_s % METRICS_WINDOW_S], sum = {0};
    if (slot->at_s != now_s) *slot = (struct second){.at_s = now_s};
    slot->events += metrics->open.events;
    slot->attempts += metrics->open.attempts;
    slot->retries += metrics->open.retries;
    slot->errors += metrics->open.errors;
    metrics->open = (struct second){0};
    for (size_t i = 0; i < METRICS_WINDOW_S; i++) {
        const struct second *second = &metrics->seconds[i];
        if (second->at_s <= now_s - METRICS_WINDOW_S || second->at_s > now_s) continue;
        sum.events += second->events;
        sum.attempts += second->attempts;
        sum.retries += second->retries;
        sum.errors += second->errors;
    }
    return sum;
}

static double share_of(uint64_t part, uint64_t whole) {
    return whole ? (double)part / (double)whole : 0;
}

static void read_ingestion(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)last_minute(self, sink->now_us).events / METRICS_WINDOW_S);
}

static void read_retries(const void *self, struct gauge_sink *sink) {
    struct second minute = last_minute(self, sink->now_us);
    sink->put(sink, STR_NONE, share_of(minute.retries, minute.attempts));
}

static void read_errors(const void *self, struct gauge_sink *sink) {
    struct second minute = last_minute(self, sink->now_us);
    sink->put(sink, STR_NONE, share_of(minute.errors, minute.attempts));
}

/* ---- events ---- */

static void read_events(const void *self, struct gauge_sink *sink) {
    static const char *const words[METRIC_EVENT_COUNT] = {"accepted", "duplicate", "conflict", "invalid", "refused"};
    const struct metrics *metrics = self;
    for (int i = 0; i < METRIC_EVENT_COUNT; i++) sink->put(sink, str_from(words[i]), (double)metrics->events[i]);
}

static void read_unsent(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct metrics *)self)->unsent);
}

static void read_unrouted(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct metrics *)self)->unrouted);
}

static void read_resent(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct metrics *)self)->resent);
}

static void read_refused(const void *self, struct gauge_sink *sink) {
    const struct metrics *metrics = self;
    sink->put(sink, STR("refused"), (double)metrics->inputs_refused);
    sink->put(sink, STR("locked"), (double)metrics->inputs_locked_out);
}

static void read_hops(const void *self, struct gauge_sink *sink) {
    const struct metrics *metrics = self;
    for (int i = 0; i < HOP_COUNT; i++) sink->put(sink, str_from(hop_name((enum hop)i)), (double)metrics->hops[i]);
}

/* ---- sources ---- */

/* Whose key is missing was accepted or is a duplicate too, and so was what lacks a field: families of their own, so
 * that a sum counts nothing twice. */
static void read_sources(const void *self, struct gauge_sink *sink) {
    const struct metrics *metrics = self;
    for (size_t i = 0; i < metrics->source_count; i++)
        for (int j = 0; j < SOURCE_UNKEYED; j++)
            if (metrics->sources[i].counts[j])
                sink->put_pair(sink, metrics->sources[i].name, str_from(source_outcome_text((enum source_outcome)j)),
                               (double)metrics->sources[i].counts[j]);
}

static void read_outcome(const struct metrics *metrics, enum source_outcome outcome, struct gauge_sink *sink) {
    for (size_t i = 0; i < metrics->source_count; i++)
        if (metrics->sources[i].counts[outcome])
            sink->put(sink, metrics->sources[i].name, (double)metrics->sources[i].counts[outcome]);
}

static void read_unkeyed(const void *self, struct gauge_sink *sink) {
    read_outcome(self, SOURCE_UNKEYED, sink);
}

static void read_unkept(const void *self, struct gauge_sink *sink) {
    read_outcome(self, SOURCE_UNKEPT, sink);
}

/* ---- deliveries ---- */

static void read_attempts(const void *self, struct gauge_sink *sink) {
    const struct metrics *metrics = self;
    for (size_t i = 0; i < metrics->tally_count; i++)
        for (int j = 0; j < OUTCOME_COUNT; j++)
            sink->put_pair(sink, metrics->tallies[i].name, str_from(outcome_text((enum outcome_class)j)),
                           (double)metrics->tallies[i].attempts[j]);
}

static void read_settled(const void *self, struct gauge_sink *sink) {
    const struct metrics *metrics = self;
    for (size_t i = 0; i < metrics->tally_count; i++)
        for (int j = 0; j < DELIVERY_STATUS_COUNT; j++)
            if (delivery_is_final((enum delivery_status)j))
                sink->put_pair(sink, metrics->tallies[i].name, str_from(delivery_status_text((enum delivery_status)j)),
                               (double)metrics->tallies[i].settled[j]);
}

/* ---- times ---- */

static void put_times(struct gauge_sink *sink, const struct times *times) {
    const struct gauge_histogram histogram = {.bounds = metrics_bounds_s,
                                              .bound_count = metrics_bound_count,
                                              .buckets = times->buckets,
                                              .examples = times->examples,
                                              .count = times->count,
                                              .sum = times->sum_s};
    sink->put_times(sink, &histogram);
}

static void read_ingest(const void *self, struct gauge_sink *sink) {
    put_times(sink, &((const struct metrics *)self)->ingest);
}

static void read_delivery(const void *self, struct gauge_sink *sink) {
    put_times(sink, &((const struct metrics *)self)->delivery);
}

static void read_turn(const void *self, struct gauge_sink *sink) {
    put_times(sink, &((const struct metrics *)self)->turn);
}

static void read_commit(const void *self, struct gauge_sink *sink) {
    put_times(sink, &((const struct metrics *)self)->commit);
}

/* ---- the table ---- */

static const struct gauge gauges[] = {
    {"marketing_event_ingestion_rate", "gauge", "Events stored per second, over the last minute.", NULL,
     read_ingestion},
    {"worker_retry_ratio", "gauge", "Share of attempts that ended in a retry, over the last minute.", NULL,
     read_retries},
    {"api_error_rate", "gauge", "Share of attempts that did not end as done, over the last minute.", NULL, read_errors},
    {"drumbeat_events_total", "counter", "Inputs by what became of them.", "status", read_events},
    {"drumbeat_sends_without_room_total", "counter",
     "Sends that were put back because this machine had no descriptor, port, memory or time for them.", NULL,
     read_unsent},
    {"drumbeat_events_unrouted_total", "counter", "Events that no route wanted.", NULL, read_unrouted},
    {"drumbeat_deliveries_resent_total", "counter",
     "Sends while nobody knew what had come of an earlier try of the same delivery.", NULL, read_resent},
    {"drumbeat_inputs_refused_total", "counter",
     "Requests, answers and due events that the store did not take, by why: one may be tried again.", "reason",
     read_refused},
    {"drumbeat_hops_total", "counter", "Passages of each hop of an event's walk.", "hop", read_hops},
    {"drumbeat_source_requests_total", "counter", "Events and refused requests of sources; source=\"\": of none.",
     "source outcome", read_sources},
    {"drumbeat_source_keys_missing_total", "counter",
     "Events of sources that were kept under a digest, because what 'map' says of their key was not there.", "source",
     read_unkeyed},
    {"drumbeat_source_fields_unknown_total", "counter",
     "Events of forms that lack what came in a field, because 'fields' does not name it.", "source", read_unkept},
    {"drumbeat_attempts_total", "counter", "Attempts by outcome.", "destination outcome", read_attempts},
    {"drumbeat_settled_total", "counter", "Deliveries that became final, by status.", "destination status",
     read_settled},
    {"drumbeat_ingest_seconds", "histogram", "From a request's arrival to its reply, which follows the commit.", NULL,
     read_ingest},
    {"drumbeat_delivery_seconds", "histogram", "From an event's arrival to its delivery being done.", NULL,
     read_delivery},
    {"drumbeat_turn_seconds", "histogram", "Turns of the loop.", NULL, read_turn},
    {"drumbeat_commit_seconds", "histogram", "Commits: the wait for the disk (fsync), or for the database.", NULL,
     read_commit},
};

struct gauge_set metrics_gauges(struct metrics *metrics) {
    return GAUGE_SET(gauges, metrics);
}
