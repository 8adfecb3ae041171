/* observe/metrics.c - what happened, counted. */
#include "observe/metrics_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/when.h"

struct metrics *metrics_new(void) {
    struct metrics *metrics = calloc(1, sizeof *metrics);
    assert(metrics);
    metrics->tallies = calloc(METRICS_NAMES_MAX, sizeof *metrics->tallies);
    metrics->sources = calloc(METRICS_NAMES_MAX, sizeof *metrics->sources);
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
    if (metrics->tally_count == METRICS_NAMES_MAX) return &metrics->tallies[METRICS_NAMES_MAX - 1];
    struct sums *tally = &metrics->tallies[metrics->tally_count++];
    tally->name = str_dup(&metrics->arena, name);
    return tally;
}

void metrics_attempt(struct metrics *metrics, struct str destination, enum outcome_class outcome, bool in_ratios) {
    tally_of(metrics, destination)->attempts[outcome]++;
    if (!in_ratios) return;
    metrics->open.attempts++;
    metrics->open.retries += outcome == OUTCOME_RETRY;
    metrics->open.errors += outcome == OUTCOME_RETRY || outcome == OUTCOME_FAILED || outcome == OUTCOME_UNKNOWN;
}

void metrics_settled(struct metrics *metrics, struct str destination, enum delivery_status status) {
    tally_of(metrics, destination)->settled[status]++;
}

void metrics_destination(struct metrics *metrics, struct str name) {
    (void)tally_of(metrics, name);
}

const char *source_outcome_text(enum source_outcome outcome) {
    static const char *const words[SOURCE_OUTCOMES] = {
        "accepted", "duplicate", "invalid", "refused", "greeted", "put_off", "spam", "key_missing", "fields_unknown"};
    return words[outcome];
}

void metrics_source(struct metrics *metrics, struct str source, enum source_outcome outcome, uint64_t count) {
    size_t at = 0;
    while (at < metrics->source_count && !str_eq(metrics->sources[at].name, source)) at++;
    if (at == METRICS_NAMES_MAX) at = METRICS_NAMES_MAX - 1;
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

static void times_add(struct times *times, int64_t us, const struct metric_example *example) {
    double s = us > 0 ? (double)us / US_PER_S : 0;
    size_t i = 0;
    while (i < metrics_bound_count && s > metrics_bounds_s[i]) i++;
    times->buckets[i]++;
    times->count++;
    times->sum_s += s;
    if (!example || !example->trace.n) return;
    struct gauge_example *kept = &times->examples[i];
    snprintf(kept->trace, sizeof kept->trace, "%.*s", STR_ARG(example->trace));
    kept->value = s;
    kept->wall_us = example->wall_us;
}

void metrics_ingest_seconds(struct metrics *metrics, int64_t us, const struct metric_example *example) {
    times_add(&metrics->ingest, us, example);
}

void metrics_delivery_seconds(struct metrics *metrics, int64_t us, const struct metric_example *example) {
    times_add(&metrics->delivery, us, example);
}

void metrics_turn_seconds(struct metrics *metrics, int64_t us) {
    times_add(&metrics->turn, us, NULL);
}

void metrics_commit_seconds(struct metrics *metrics, int64_t us) {
    times_add(&metrics->commit, us, NULL);
}
