/* observe/metrics.h - what the turn counts. Its numbers are shown as every room's are, by a table of gauges. Values
 * belong to the loop's thread. No personal data in labels: label values are names from the configuration, and each of
 * them is one of a bounded set. */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

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

/* The hops of an event's walk; hop_name gives the word. */
enum hop {
#define X(word, name) HOP_##word,
#include "observe/hops.def"
#undef X
    HOP_COUNT
};
const char *hop_name(enum hop hop);

/* What became of a request to a source, or of an event in it. */
enum source_outcome {
    SOURCE_ACCEPTED,
    SOURCE_DUPLICATE,
    SOURCE_INVALID, /* signed, and no event */
    SOURCE_REFUSED, /* not signed by the sender, or too old */
    SOURCE_GREETED, /* it wanted an answer and was no event */
    SOURCE_PUT_OFF, /* what its map says by jq could not be told: it may be sent again */
    SOURCE_SPAM,    /* a form's, kept apart */
    SOURCE_UNKEYED, /* of those that were taken: what the source's map says of the key was not there */
    SOURCE_UNKEPT,  /* of those that were taken: a field came that the form does not declare */
    SOURCE_OUTCOMES
};
const char *source_outcome_text(enum source_outcome outcome);

struct gauge_set;
struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

void metrics_event(struct metrics *metrics, enum metric_event what, uint64_t count);
/* Inputs that the store took for none of its own trouble: refused by the database, or kept out by a foreign lock. */
void metrics_input(struct metrics *metrics, bool locked_out);
void metrics_unrouted(struct metrics *metrics, uint64_t count);
void metrics_resent(struct metrics *metrics); /* a send while nobody knew what had come of an earlier one */
uint64_t metrics_resent_count(const struct metrics *metrics);   /* since the start */
uint64_t metrics_unrouted_count(const struct metrics *metrics); /* since the start */
/* Sends that this machine had no room for, since the start. */
void metrics_unsent(struct metrics *metrics, uint64_t count);
uint64_t metrics_unsent_count(const struct metrics *metrics);
/* source "": there is none of the name that was asked for. */
void metrics_source(struct metrics *metrics, struct str source, enum source_outcome outcome, uint64_t count);
void metrics_source_counts(const struct metrics *metrics, struct str source, uint64_t ret_counts[SOURCE_OUTCOMES]);
void metrics_hop(struct metrics *metrics, enum hop hop, uint64_t count);
/* Shows a destination's counters from now on, zeros too: a rate can only be taken of a counter that was there before.
 */
void metrics_destination(struct metrics *metrics, struct str name);
/* in_ratios: whether it counts for api_error_rate and worker_retry_ratio. */
void metrics_attempt(struct metrics *metrics, struct str destination, enum outcome_class outcome, bool in_ratios);
void metrics_settled(struct metrics *metrics, struct str destination, enum delivery_status status);

/* The trace that a time is an example of: 32 hexadecimal digits; "" or NULL = none. */
struct metric_example {
    struct str trace;
    int64_t wall_us;
};
/* From a request's arrival to its reply, which follows the commit. */
void metrics_ingest_seconds(struct metrics *metrics, int64_t us, const struct metric_example *example);
/* Stored to settled as done. */
void metrics_delivery_seconds(struct metrics *metrics, int64_t us, const struct metric_example *example);
void metrics_turn_seconds(struct metrics *metrics, int64_t us);
void metrics_commit_seconds(struct metrics *metrics, int64_t us); /* the wait for the disk, or for the database */

/* What is counted above. The seed's rates are over the last 60 s before the look; a look puts what was counted since
 * the last one into the present second. */
struct gauge_set metrics_gauges(struct metrics *metrics);
extern const double metrics_bounds_s[]; /* of the times, in seconds, ascending */
extern const size_t metrics_bound_count;

#endif
