/* observe/metrics.c - what happened, counted, and its text. */
#include "observe/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/gauge.h"

#define US_PER_SECOND  1000000
#define WINDOW_SECONDS 60
#define NAMES_MAX      4096 /* destinations ever configured in one process; more are not told apart */
#define STATUSES_MAX   7

static const double bounds_s[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600};
#define BOUNDS (sizeof bounds_s / sizeof bounds_s[0])

struct histogram {
    uint64_t buckets[BOUNDS + 1];
    uint64_t count;
    double sum_s;
};

/* What the deliveries of one destination came to. Its name is a copy. */
struct sums {
    struct str name;
    uint64_t attempts[OUTCOME_COUNT];
    struct str statuses[STATUSES_MAX];
    uint64_t settled[STATUSES_MAX];
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
    struct arena arena; /* names; bounded by NAMES_MAX */
    uint64_t events[METRIC_EVENT_COUNT], unrouted, resent, unsent, inputs_refused, inputs_locked_out;
    uint64_t hops[HOP_COUNT];
    struct sums *tallies;
    size_t tally_count;
    struct source_sums *sources;
    size_t source_count;
    struct histogram ingest, delivery, turn, commit;
    struct second seconds[WINDOW_SECONDS];
    struct second open; /* counted since the last look at the clock */
};

struct metrics *metrics_new(void) {
    struct metrics *metrics = calloc(1, sizeof *metrics);
    assert(metrics);
    metrics->tallies = calloc(NAMES_MAX, sizeof *metrics->tallies);
    metrics->sources = calloc(NAMES_MAX, sizeof *metrics->sources);
    assert(metrics->tallies && metrics->sources);
    return metrics;
}

void metrics_free(struct metrics *metrics) {
    arena_free(&metrics->arena);
    free(metrics->tallies);
    free(metrics->sources);
    free(metrics);
}

/* ---- counting ---- */

void metrics_event(struct metrics *metrics, enum metric_event what, uint64_t count) {
    metrics->events[what] += count;
    if (what == METRIC_ACCEPTED) metrics->open.events += count;
}

void metrics_input(struct metrics *metrics, bool locked_out) {
    *(locked_out ? &metrics->inputs_locked_out : &metrics->inputs_refused) += 1;
}

uint64_t metrics_unrouted_count(const struct metrics *metrics) {
    return metrics->unrouted;
}

uint64_t metrics_unsent_count(const struct metrics *metrics) {
    return metrics->unsent;
}

void metrics_unsent(struct metrics *metrics, uint64_t count) {
    metrics->unsent += count;
}

void metrics_unrouted(struct metrics *metrics, uint64_t count) {
    metrics->unrouted += count;
}

uint64_t metrics_resent_count(const struct metrics *metrics) {
    return metrics->resent;
}

void metrics_resent(struct metrics *metrics) {
    metrics->resent++;
}

const char *hop_name(enum hop hop) {
    static const char *const names[HOP_COUNT] = {
#define X(word, name) name,
#include "observe/hops.def"
#undef X
    };
    return names[hop];
}

void metrics_hop(struct metrics *metrics, enum hop hop, uint64_t count) {
    metrics->hops[hop] += count;
}

static struct sums *tally_of(struct metrics *metrics, struct str name) {
    for (size_t i = 0; i < metrics->tally_count; i++)
        if (str_eq(metrics->tallies[i].name, name)) return &metrics->tallies[i];
    if (metrics->tally_count == NAMES_MAX) return &metrics->tallies[NAMES_MAX - 1];
    struct sums *tally = &metrics->tallies[metrics->tally_count++];
    tally->name = str_dup(&metrics->arena, name);
    return tally;
}

void metrics_attempt(struct metrics *metrics, struct str destination, enum outcome_class outcome) {
    tally_of(metrics, destination)->attempts[outcome]++;
    metrics->open.attempts++;
    metrics->open.retries += outcome == OUTCOME_RETRY;
    metrics->open.errors += outcome == OUTCOME_RETRY || outcome == OUTCOME_FAILED || outcome == OUTCOME_UNKNOWN;
}

void metrics_settled(struct metrics *metrics, struct str destination, struct str status) {
    struct sums *tally = tally_of(metrics, destination);
    for (size_t i = 0; i < STATUSES_MAX; i++) {
        if (!tally->statuses[i].n) tally->statuses[i] = str_dup(&metrics->arena, status);
        if (!str_eq(tally->statuses[i], status)) continue;
        tally->settled[i]++;
        return;
    }
}

const char *source_outcome_text(enum source_outcome outcome) {
    static const char *const words[SOURCE_OUTCOMES] = {"accepted", "duplicate", "invalid",    "refused",
                                                       "greeted",  "spam",      "key_missing"};
    return words[outcome];
}

void metrics_source(struct metrics *metrics, struct str source, enum source_outcome outcome, uint64_t count) {
    size_t at = 0;
    while (at < metrics->source_count && !str_eq(metrics->sources[at].name, source)) at++;
    if (at == NAMES_MAX) at = NAMES_MAX - 1;
    if (at == metrics->source_count) metrics->sources[metrics->source_count++].name = str_dup(&metrics->arena, source);
    metrics->sources[at].counts[outcome] += count;
}

void metrics_source_counts(const struct metrics *metrics, struct str source, uint64_t ret_counts[SOURCE_OUTCOMES]) {
    static const uint64_t none[SOURCE_OUTCOMES] = {0};
    const uint64_t *counts = none;
    for (size_t i = 0; i < metrics->source_count; i++)
        if (str_eq(metrics->sources[i].name, source)) counts = metrics->sources[i].counts;
    memcpy(ret_counts, counts, sizeof none);
}

static void observe(struct histogram *histogram, int64_t us) {
    double s = us > 0 ? (double)us / US_PER_SECOND : 0;
    size_t i = 0;
    while (i < BOUNDS && s > bounds_s[i]) i++;
    histogram->buckets[i]++;
    histogram->count++;
    histogram->sum_s += s;
}

void metrics_ingest_seconds(struct metrics *metrics, int64_t us) {
    observe(&metrics->ingest, us);
}

void metrics_delivery_seconds(struct metrics *metrics, int64_t us) {
    observe(&metrics->delivery, us);
}

void metrics_turn_seconds(struct metrics *metrics, int64_t us) {
    observe(&metrics->turn, us);
}

void metrics_commit_seconds(struct metrics *metrics, int64_t us) {
    observe(&metrics->commit, us);
}

/* ---- text ---- */

static void head(struct buf *buf, const char *name, const char *type, const char *help) {
    buf_fmt(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(struct buf *buf, const char *name, const char *type, const char *help, double value) {
    head(buf, name, type, help);
    buf_fmt(buf, "%s %.15g\n", name, value);
}

/* A label's value: backslash, quote and line end are escaped. */
static void label(struct buf *buf, const char *name, struct str value) {
    buf_fmt(buf, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\n')
            buf_add(buf, STR("\\n"));
        else {
            if (value.p[i] == '\\' || value.p[i] == '"') buf_byte(buf, '\\');
            buf_byte(buf, value.p[i]);
        }
    buf_byte(buf, '"');
}

static void one_label(struct buf *buf, const char *metric, const char *name, struct str value, double number) {
    buf_fmt(buf, "%s{", metric);
    label(buf, name, value);
    buf_fmt(buf, "} %.15g\n", number);
}

static void two_labels(struct buf *buf, const char *metric, struct str destination, const char *name, struct str value,
                       uint64_t count) {
    buf_fmt(buf, "%s{", metric);
    label(buf, "destination", destination);
    buf_byte(buf, ',');
    label(buf, name, value);
    buf_fmt(buf, "} %llu\n", (unsigned long long)count);
}

static void histogram_text(struct buf *buf, const char *name, const char *help, const struct histogram *histogram) {
    uint64_t below = 0;
    head(buf, name, "histogram", help);
    for (size_t i = 0; i < BOUNDS; i++) {
        below += histogram->buckets[i];
        buf_fmt(buf, "%s_bucket{le=\"%g\"} %llu\n", name, bounds_s[i], (unsigned long long)below);
    }
    buf_fmt(buf, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)histogram->count);
    buf_fmt(buf, "%s_sum %.15g\n%s_count %llu\n", name, histogram->sum_s, name, (unsigned long long)histogram->count);
}

/* Adds what was counted since the last look to the present second, and gives the sums of the last minute. */
static struct second last_minute(struct metrics *metrics, int64_t now_us) {
    int64_t now_s = now_us / US_PER_SECOND;
    struct second *slot = &metrics->seconds[now_s % WINDOW_SECONDS], sum = {0};
    if (slot->at_s != now_s) *slot = (struct second){.at_s = now_s};
    slot->events += metrics->open.events;
    slot->attempts += metrics->open.attempts;
    slot->retries += metrics->open.retries;
    slot->errors += metrics->open.errors;
    metrics->open = (struct second){0};
    for (size_t i = 0; i < WINDOW_SECONDS; i++) {
        const struct second *second = &metrics->seconds[i];
        if (second->at_s <= now_s - WINDOW_SECONDS || second->at_s > now_s) continue;
        sum.events += second->events;
        sum.attempts += second->attempts;
        sum.retries += second->retries;
        sum.errors += second->errors;
    }
    return sum;
}

static void seed_text(struct buf *buf, struct metrics *metrics, int64_t now_us) {
    struct second minute = last_minute(metrics, now_us);
    double attempts = minute.attempts ? (double)minute.attempts : 1;
    number(buf, "marketing_event_ingestion_rate", "gauge", "Events stored per second, over the last minute.",
           (double)minute.events / WINDOW_SECONDS);
    number(buf, "worker_retry_ratio", "gauge", "Share of attempts that ended in a retry, over the last minute.",
           (double)minute.retries / attempts);
    number(buf, "api_error_rate", "gauge", "Share of attempts that did not end as done, over the last minute.",
           (double)minute.errors / attempts);
}

static void events_text(struct buf *buf, const struct metrics *metrics) {
    static const char *const words[METRIC_EVENT_COUNT] = {"accepted", "duplicate", "conflict", "invalid", "refused"};
    head(buf, "drumbeat_events_total", "counter", "Inputs by what became of them.");
    for (int i = 0; i < METRIC_EVENT_COUNT; i++)
        one_label(buf, "drumbeat_events_total", "status", str_from(words[i]), (double)metrics->events[i]);
    number(buf, "drumbeat_sends_without_room_total", "counter",
           "Sends that were put back because this machine had no descriptor, port, memory or time for them.",
           (double)metrics->unsent);
    number(buf, "drumbeat_events_unrouted_total", "counter", "Events that no route wanted.", (double)metrics->unrouted);
    number(buf, "drumbeat_deliveries_resent_total", "counter",
           "Sends while nobody knew what had come of an earlier try of the same delivery.", (double)metrics->resent);
    head(buf, "drumbeat_inputs_refused_total", "counter",
         "Requests, answers and due events that the store did not take, by why: one may be tried again.");
    one_label(buf, "drumbeat_inputs_refused_total", "reason", STR("refused"), (double)metrics->inputs_refused);
    one_label(buf, "drumbeat_inputs_refused_total", "reason", STR("locked"), (double)metrics->inputs_locked_out);
    head(buf, "drumbeat_hops_total", "counter", "Passages of each hop of an event's walk.");
    for (int i = 0; i < HOP_COUNT; i++)
        one_label(buf, "drumbeat_hops_total", "hop", str_from(hop_name((enum hop)i)), (double)metrics->hops[i]);
}

/* Whose key is missing was accepted or is a duplicate too: a family of its own, so that a sum counts nothing twice. */
static void sources_text(struct buf *buf, const struct metrics *metrics) {
    head(buf, "drumbeat_source_requests_total", "counter",
         "Events and refused requests of sources; source=\"\": of none.");
    for (size_t i = 0; i < metrics->source_count; i++)
        for (int j = 0; j < SOURCE_UNKEYED; j++)
            if (metrics->sources[i].counts[j])
                buf_fmt(buf, "drumbeat_source_requests_total{source=\"%.*s\",outcome=\"%s\"} %llu\n",
                        STR_ARG(metrics->sources[i].name), source_outcome_text((enum source_outcome)j),
                        (unsigned long long)metrics->sources[i].counts[j]);
    head(buf, "drumbeat_source_keys_missing_total", "counter",
         "Events of sources that were kept under a digest, because what 'map' says of their key was not there.");
    for (size_t i = 0; i < metrics->source_count; i++)
        if (metrics->sources[i].counts[SOURCE_UNKEYED])
            one_label(buf, "drumbeat_source_keys_missing_total", "source", metrics->sources[i].name,
                      (double)metrics->sources[i].counts[SOURCE_UNKEYED]);
}

static void deliveries_text(struct buf *buf, const struct metrics *metrics) {
    head(buf, "drumbeat_attempts_total", "counter", "Attempts by outcome.");
    for (size_t i = 0; i < metrics->tally_count; i++)
        for (int j = 0; j < OUTCOME_COUNT; j++)
            if (metrics->tallies[i].attempts[j])
                two_labels(buf, "drumbeat_attempts_total", metrics->tallies[i].name, "outcome",
                           str_from(outcome_text((enum outcome_class)j)), metrics->tallies[i].attempts[j]);
    head(buf, "drumbeat_settled_total", "counter", "Deliveries that became final, by status.");
    for (size_t i = 0; i < metrics->tally_count; i++)
        for (size_t j = 0; j < STATUSES_MAX && metrics->tallies[i].statuses[j].n; j++)
            two_labels(buf, "drumbeat_settled_total", metrics->tallies[i].name, "status",
                       metrics->tallies[i].statuses[j], metrics->tallies[i].settled[j]);
}

/* ---- what rooms bring ---- */

struct gauge_writer {
    struct gauge_sink sink;
    struct buf *buf;
    const struct gauge *gauge;
    bool begun; /* the head is there: a room that cannot tell writes nothing at all */
};

static void put_reading(struct gauge_sink *sink, struct str label_value, double value) {
    struct gauge_writer *writer = (struct gauge_writer *)sink; /* its first member */
    const struct gauge *gauge = writer->gauge;
    if (!writer->begun) head(writer->buf, gauge->name, gauge->type, gauge->help);
    writer->begun = true;
    if (gauge->label)
        one_label(writer->buf, gauge->name, gauge->label, label_value, value);
    else
        buf_fmt(writer->buf, "%s %.15g\n", gauge->name, value);
}

static void set_text(struct buf *buf, const struct gauge_set *set, int64_t now_us) {
    for (size_t i = 0; i < set->count; i++) {
        struct gauge_writer writer = {{now_us, put_reading}, buf, &set->gauges[i], false};
        set->gauges[i].read(set->self, &writer.sink);
    }
}

struct str metrics_text(struct metrics *metrics, int64_t now_us, const struct gauge_set *sets, size_t set_count,
                        struct arena *arena) {
    struct buf buf = {.arena = arena};
    seed_text(&buf, metrics, now_us);
    events_text(&buf, metrics);
    sources_text(&buf, metrics);
    deliveries_text(&buf, metrics);
    for (size_t i = 0; i < set_count; i++) set_text(&buf, &sets[i], now_us);
    histogram_text(&buf, "drumbeat_ingest_seconds", "From a request's arrival to its commit.", &metrics->ingest);
    histogram_text(&buf, "drumbeat_delivery_seconds", "From an event's arrival to its delivery being done.",
                   &metrics->delivery);
    histogram_text(&buf, "drumbeat_turn_seconds", "Turns of the loop.", &metrics->turn);
    histogram_text(&buf, "drumbeat_commit_seconds", "Commits: the wait for the disk, or for the database.",
                   &metrics->commit);
    return buf_str(&buf);
}
