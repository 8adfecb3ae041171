/* observe/otlp.h - spans and numbers as OTLP's protobuf messages. The one file that knows protobuf-c.
 *
 * Source: opentelemetry-proto (proto/), the semantic conventions for resources. Pure but for memory. */
#ifndef OBSERVE_OTLP_H
#define OBSERVE_OTLP_H

#include "observe/trace.h"

struct gauge_set;

/* What says who sends: service.name, service.version, what the environment adds. Texts are the caller's. */
struct otlp_resource {
    struct trace_attr *attrs;
    size_t count;
};
/* An ExportTraceServiceRequest. */
struct str otlp_spans(const struct otlp_resource *resource, const struct trace_span *spans, size_t count,
                      struct arena *arena);
/* An ExportMetricsServiceRequest of what the tables say now. Counters are cumulative from started_us on. */
struct str otlp_metrics(const struct otlp_resource *resource, const struct gauge_set *sets, size_t count,
                        int64_t now_us, int64_t wall_us, int64_t started_us, struct arena *arena);
/* What a collector answered: how many spans or numbers it refused, with its words. False for what is no such answer. */
bool otlp_refused(struct str body, int64_t *ret_count, struct str *ret_words, struct arena *arena);

#endif
