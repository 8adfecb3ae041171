/* observe/otel.h - what the environment says of traces and metrics for a collector, as OpenTelemetry's specification
 * names the variables. Pure: the environment is a function. Nothing is sent unless an endpoint is named.
 *
 * OTEL_SDK_DISABLED OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES OTEL_TRACES_SAMPLER OTEL_TRACES_SAMPLER_ARG
 * OTEL_TRACES_EXPORTER OTEL_METRICS_EXPORTER OTEL_BSP_SCHEDULE_DELAY OTEL_METRIC_EXPORT_INTERVAL and
 * OTEL_EXPORTER_OTLP[_TRACES|_METRICS]_{ENDPOINT,PROTOCOL,HEADERS,TIMEOUT,INSECURE}. Without a protocol, port 4317 is
 * gRPC's and every other one HTTP's.
 */
#ifndef OBSERVE_OTEL_H
#define OBSERVE_OTEL_H

#include "model/exchange.h"
#include "observe/otlp.h"

enum otel_signal { OTEL_TRACES, OTEL_METRICS, OTEL_SIGNALS };
const char *otel_signal_text(enum otel_signal signal); /* "traces", "metrics" */

/* Where one kind of thing goes. */
struct otel_way {
    bool on, grpc;
    struct str url;
    struct header *headers;
    size_t header_count;
    int64_t timeout_us;
};
struct otel_options {
    struct otel_way ways[OTEL_SIGNALS];
    struct otlp_resource resource;
    struct trace_sampler sampler;
    int64_t spans_every_us, metrics_every_us;
    struct str *warnings; /* of what could not be understood, and is passed over */
    size_t warning_count;
};
#define OTEL_HEADERS_MAX  16
#define OTEL_WARNINGS_MAX 16

struct otel_env {
    const char *(*get)(void *self, const char *name); /* NULL = not set; an empty one counts as not set */
    void *self;
};
/* instance: this process's token. */
struct otel_options otel_read(const struct otel_env *env, struct str instance, struct arena *arena);

#endif
