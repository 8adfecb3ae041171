/* observe/trace.h - spans that were made and wait to be sent. Bounded: what does not fit is counted and gone; nobody
 * ever waits for a span.
 *
 * The decision which traces are kept is made from the trace id alone (model/trace.h), so every hop and every process
 * decides alike without asking. A span with an error is kept also where its trace is not: then it stands alone under
 * the name of its trace. Names of spans are those of hops.def. Thread: the loop's.
 */
#ifndef OBSERVE_TRACE_H
#define OBSERVE_TRACE_H

#include "base/arena.h"
#include "model/trace.h"
#include "observe/metrics.h"

#define TRACE_QUEUE_MAX 2048 /* spans */
#define TRACE_ATTRS_MAX 16
#define TRACE_TEXT_MAX  ((size_t)256) /* bytes of an attribute or of an error's words */

enum trace_span_kind {
    TRACE_INTERNAL = 1,
    TRACE_SERVER = 2,
    TRACE_CLIENT = 3,
    TRACE_CONSUMER = 5
}; /* OTLP's numbers */

/* A text, or a number where the text has no p. Names are literals. */
struct trace_attr {
    const char *name;
    struct str text;
    int64_t number;
};
struct trace_span {
    struct trace_place place;
    struct trace_span_id id, parent, link;
    bool has_parent, has_link; /* link: another span of the same trace */
    enum hop hop;
    enum trace_span_kind kind;
    int64_t start_us, end_us; /* wall time */
    struct str error;         /* "" = it went well */
    struct trace_attr attrs[TRACE_ATTRS_MAX];
    size_t attr_count;
};

struct trace_counts {
    uint64_t made, dropped; /* since the start; dropped: there was no room, or nobody took them */
};

struct tracer;
struct tracer *tracer_new(const struct trace_sampler *sampler);
void tracer_free(struct tracer *tracer); /* NULL is none */
/* NULL where nothing is traced: then no span is ever wanted. */
const struct trace_sampler *tracer_sampler(const struct tracer *tracer);
bool tracer_wants(const struct tracer *tracer, const struct trace_place *place, bool failed);
void trace_attr_text(struct trace_span *span, const char *name, struct str text); /* "" is left out */
void trace_attr_number(struct trace_span *span, const char *name, int64_t number);
/* Texts are copied, and cut. */
void tracer_add(struct tracer *tracer, const struct trace_span *span);
/* What waits, oldest first, until tracer_clear. */
const struct trace_span *tracer_spans(const struct tracer *tracer, size_t *ret_count);
void tracer_clear(struct tracer *tracer);
void tracer_lost(struct tracer *tracer, size_t count); /* spans that were taken and that nobody took in */
struct trace_counts tracer_counts(const struct tracer *tracer);

#endif
