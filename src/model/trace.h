/* model/trace.h - which trace an event's work belongs to, and which of it is kept. Pure.
 *
 * Nothing of a trace is stored but a foreign parent (the column trace_parent): an event without one is its own trace,
 * so that its id, without the hyphens, is what one looks for. The ids of spans follow from ids that are there anyway,
 * so any process, also after a restart, names the same span. Source: W3C Trace Context 1 (traceparent), OpenTelemetry's
 * environment variable specification (samplers).
 */
#ifndef MODEL_TRACE_H
#define MODEL_TRACE_H

#include "model/delivery.h"

#define TRACE_ID_BYTES    16
#define TRACE_SPAN_BYTES  8
#define TRACE_PARENT_TEXT ((size_t)55) /* "00-", 32 digits, "-", 16 digits, "-", 2 digits */

struct trace_span_id {
    uint8_t b[TRACE_SPAN_BYTES];
};
/* Whom a span belongs to: its trace, and the span outside that the event continues. */
struct trace_place {
    uint8_t trace[TRACE_ID_BYTES];
    bool has_parent;
    struct trace_span_id parent; /* when has_parent */
    bool parent_sampled;
};

enum trace_sampler_kind { TRACE_ALWAYS, TRACE_NEVER, TRACE_RATIO };
struct trace_sampler {
    enum trace_sampler_kind kind;
    double ratio;      /* of TRACE_RATIO: 0 .. 1; which traces it keeps follows from their ids alone */
    bool parent_based; /* a foreign parent decides for its events */
};

/* False for what is no traceparent. A later version than ours is read as far as ours goes. */
bool trace_parent_parse(struct str text, struct trace_place *ret_place);
struct trace_place trace_place_of(const struct event *event);
bool trace_is_sampled(const struct trace_sampler *sampler, const struct trace_place *place);

struct trace_span_id trace_event_span(const struct event *event, uint8_t part); /* part 0: the event's first span */
struct trace_span_id trace_attempt_span(const struct delivery *delivery, int32_t attempt); /* from 1 */
struct trace_span_id trace_settle_span(const struct delivery *delivery, int32_t attempt);
/* What a receiver is told. Without a sampler nothing is traced here, and the receiver is asked to trace, unless a
 * foreign parent said otherwise. */
struct str trace_parent_text(struct arena *arena, const struct trace_sampler *sampler, const struct delivery *delivery);

#endif
