/* observe/otlp.c - messages are put together in the arena, and written into one piece of it. The generated structs are
 * named after their whole package, so each package has a short word here. */
#include "observe/otlp.h"

#include <otlp_messages.h>
#include <string.h>

#include "base/gauge.h"

#define COMMON(name)       Opentelemetry__Proto__Common__V1__##name
#define RESOURCE(name)     Opentelemetry__Proto__Resource__V1__##name
#define TRACE(name)        Opentelemetry__Proto__Trace__V1__##name
#define METRICS(name)      Opentelemetry__Proto__Metrics__V1__##name
#define SEND_SPANS(name)   Opentelemetry__Proto__Collector__Trace__V1__##name
#define SEND_METRICS(name) Opentelemetry__Proto__Collector__Metrics__V1__##name

#define NS_PER_US   1000
#define NS_PER_S    1000000000.0
#define SCOPE_NAME  "drumbeat"
#define TRACE_FLAGS 0x100u /* it is known whether the parent is of another process; ... */
#define TRACE_FAR   0x200u /* ... and it is */

static char *text_of(struct arena *arena, struct str text) {
    struct str copy = str_dup(arena, text);
    return (char *)(uintptr_t)copy.p;
}

static ProtobufCBinaryData bytes_of(struct arena *arena, const void *bytes, size_t count) {
    return (ProtobufCBinaryData){.len = count, .data = arena_copy(arena, bytes, count)};
}

static uint64_t ns_of(int64_t us) {
    return us > 0 ? (uint64_t)us * NS_PER_US : 0;
}

static COMMON(KeyValue) * attr_of(struct arena *arena, const struct trace_attr *attr) {
    COMMON(KeyValue) *pair = arena_new(arena, COMMON(KeyValue));
    COMMON(AnyValue) *value = arena_new(arena, COMMON(AnyValue));
    opentelemetry__proto__common__v1__key_value__init(pair);
    opentelemetry__proto__common__v1__any_value__init(value);
    pair->key = text_of(arena, str_from(attr->name));
    pair->value = value;
    if (attr->text.p) {
        value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
        value->string_value = text_of(arena, attr->text);
    } else {
        value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
        value->int_value = attr->number;
    }
    return pair;
}

static COMMON(KeyValue) * *attrs_of(struct arena *arena, const struct trace_attr *attrs, size_t count) {
    COMMON(KeyValue) **pairs = arena_array(arena, COMMON(KeyValue) *, count);
    for (size_t i = 0; i < count; i++) pairs[i] = attr_of(arena, &attrs[i]);
    return pairs;
}

static RESOURCE(Resource) * resource_of(struct arena *arena, const struct otlp_resource *from) {
    RESOURCE(Resource) *resource = arena_new(arena, RESOURCE(Resource));
    opentelemetry__proto__resource__v1__resource__init(resource);
    resource->n_attributes = from->count;
    resource->attributes = attrs_of(arena, from->attrs, from->count);
    return resource;
}

static COMMON(InstrumentationScope) * scope_of(struct arena *arena) {
    COMMON(InstrumentationScope) *scope = arena_new(arena, COMMON(InstrumentationScope));
    opentelemetry__proto__common__v1__instrumentation_scope__init(scope);
    scope->name = text_of(arena, STR(SCOPE_NAME));
    scope->version = text_of(arena, STR(DRUMBEAT_VERSION));
    return scope;
}

static struct str packed(struct arena *arena, const ProtobufCMessage *message) {
    size_t size = protobuf_c_message_get_packed_size(message);
    char *bytes = arena_alloc(arena, size + 1);
    protobuf_c_message_pack(message, (uint8_t *)bytes);
    return (struct str){bytes, size};
}

/* ---- spans ---- */

static TRACE(Span__Link) * link_of(struct arena *arena, const struct trace_span *from) {
    TRACE(Span__Link) *link = arena_new(arena, TRACE(Span__Link));
    opentelemetry__proto__trace__v1__span__link__init(link);
    link->trace_id = bytes_of(arena, from->place.trace, TRACE_ID_BYTES);
    link->span_id = bytes_of(arena, from->link.b, TRACE_SPAN_BYTES);
    return link;
}

static TRACE(Span) * span_of(struct arena *arena, const struct trace_span *from) {
    TRACE(Span) *span = arena_new(arena, TRACE(Span));
    opentelemetry__proto__trace__v1__span__init(span);
    span->trace_id = bytes_of(arena, from->place.trace, TRACE_ID_BYTES);
    span->span_id = bytes_of(arena, from->id.b, TRACE_SPAN_BYTES);
    if (from->has_parent) span->parent_span_id = bytes_of(arena, from->parent.b, TRACE_SPAN_BYTES);
    bool far = from->kind == TRACE_SERVER && from->place.has_parent;
    span->flags = TRACE_FLAGS | (far ? TRACE_FAR : 0) | 1;
    span->name = text_of(arena, str_from(hop_name(from->hop)));
    span->kind = (TRACE(Span__SpanKind))from->kind;
    span->start_time_unix_nano = ns_of(from->start_us);
    span->end_time_unix_nano = ns_of(from->end_us > from->start_us ? from->end_us : from->start_us);
    span->n_attributes = from->attr_count;
    span->attributes = attrs_of(arena, from->attrs, from->attr_count);
    if (from->has_link) {
        span->n_links = 1;
        span->links = arena_new(arena, TRACE(Span__Link) *);
        span->links[0] = link_of(arena, from);
    }
    if (!from->error.n) return span;
    span->status = arena_new(arena, TRACE(Status));
    opentelemetry__proto__trace__v1__status__init(span->status);
    span->status->code = OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR;
    span->status->message = text_of(arena, from->error);
    return span;
}

struct str otlp_spans(const struct otlp_resource *resource, const struct trace_span *spans, size_t count,
                      struct arena *arena) {
    SEND_SPANS(ExportTraceServiceRequest) request;
    TRACE(ResourceSpans) of_resource, *resources[] = {&of_resource};
    TRACE(ScopeSpans) of_scope, *scopes[] = {&of_scope};
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__init(&request);
    opentelemetry__proto__trace__v1__resource_spans__init(&of_resource);
    opentelemetry__proto__trace__v1__scope_spans__init(&of_scope);
    request.n_resource_spans = of_resource.n_scope_spans = 1;
    request.resource_spans = resources;
    of_resource.resource = resource_of(arena, resource);
    of_resource.scope_spans = scopes;
    of_scope.scope = scope_of(arena);
    of_scope.n_spans = count;
    of_scope.spans = arena_array(arena, TRACE(Span) *, count);
    for (size_t i = 0; i < count; i++) of_scope.spans[i] = span_of(arena, &spans[i]);
    return packed(arena, &request.base);
}

/* ---- numbers ---- */

/* Makes the points of one gauge; a gauge that its room cannot tell has none and is left out. */
struct otlp_points {
    struct gauge_sink sink; /* first: a sink is this */
    struct arena *arena;
    const struct gauge *gauge;
    struct str labels[2];
    uint64_t now_ns, started_ns;
    METRICS(NumberDataPoint) * *numbers;
    size_t count, room;
    METRICS(HistogramDataPoint) * times;
};

static void put_pair(struct gauge_sink *sink, struct str first, struct str second, double value) {
    struct otlp_points *points = (struct otlp_points *)sink;
    struct arena *arena = points->arena;
    METRICS(NumberDataPoint) *point = arena_new(arena, METRICS(NumberDataPoint));
    opentelemetry__proto__metrics__v1__number_data_point__init(point);
    const struct str values[2] = {first, second};
    struct trace_attr attrs[2];
    for (size_t i = 0; i < 2 && points->labels[i].n; i++)
        attrs[point->n_attributes++] =
            (struct trace_attr){text_of(arena, points->labels[i]), values[i].p ? values[i] : STR(""), 0};
    point->attributes = attrs_of(arena, attrs, point->n_attributes);
    point->time_unix_nano = points->now_ns;
    point->start_time_unix_nano = points->started_ns;
    point->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
    point->as_double = value;
    if (points->count == points->room) {
        size_t room = points->room ? 2 * points->room : 8;
        METRICS(NumberDataPoint) **grown = arena_array(arena, METRICS(NumberDataPoint) *, room);
        if (points->count) memcpy(grown, points->numbers, points->count * sizeof *grown);
        points->numbers = grown;
        points->room = room;
    }
    points->numbers[points->count++] = point;
}

static void put(struct gauge_sink *sink, struct str label, double value) {
    put_pair(sink, label, STR_NONE, value);
}

static void put_times(struct gauge_sink *sink, const struct gauge_histogram *histogram) {
    struct otlp_points *points = (struct otlp_points *)sink;
    METRICS(HistogramDataPoint) *point = arena_new(points->arena, METRICS(HistogramDataPoint));
    opentelemetry__proto__metrics__v1__histogram_data_point__init(point);
    point->time_unix_nano = points->now_ns;
    point->start_time_unix_nano = points->started_ns;
    point->count = histogram->count;
    point->sum = histogram->sum;
    point->n_explicit_bounds = histogram->bound_count;
    point->explicit_bounds =
        arena_copy(points->arena, histogram->bounds, histogram->bound_count * sizeof *histogram->bounds);
    point->n_bucket_counts = histogram->bound_count + 1;
    point->bucket_counts =
        arena_copy(points->arena, histogram->buckets, point->n_bucket_counts * sizeof *histogram->buckets);
    points->times = point;
}

static METRICS(Metric) * metric_of(struct otlp_points *points) {
    struct arena *arena = points->arena;
    METRICS(Metric) *metric = arena_new(arena, METRICS(Metric));
    opentelemetry__proto__metrics__v1__metric__init(metric);
    metric->name = text_of(arena, str_from(points->gauge->name));
    metric->description = text_of(arena, str_from(points->gauge->help));
    if (str_ends(str_from(points->gauge->name), STR("_seconds"))) metric->unit = text_of(arena, STR("s"));
    if (str_ends(str_from(points->gauge->name), STR("_bytes"))) metric->unit = text_of(arena, STR("By"));
    if (points->times) {
        METRICS(Histogram) *histogram = arena_new(arena, METRICS(Histogram));
        opentelemetry__proto__metrics__v1__histogram__init(histogram);
        histogram->n_data_points = 1;
        histogram->data_points = arena_new(arena, METRICS(HistogramDataPoint) *);
        histogram->data_points[0] = points->times;
        histogram->aggregation_temporality =
            OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
        metric->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM;
        metric->histogram = histogram;
    } else if (strcmp(points->gauge->type, "counter") == 0) {
        METRICS(Sum) *sum = arena_new(arena, METRICS(Sum));
        opentelemetry__proto__metrics__v1__sum__init(sum);
        sum->n_data_points = points->count;
        sum->data_points = points->numbers;
        sum->is_monotonic = true;
        sum->aggregation_temporality =
            OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
        metric->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM;
        metric->sum = sum;
    } else {
        METRICS(Gauge) *gauge = arena_new(arena, METRICS(Gauge));
        opentelemetry__proto__metrics__v1__gauge__init(gauge);
        gauge->n_data_points = points->count;
        gauge->data_points = points->numbers;
        metric->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE;
        metric->gauge = gauge;
    }
    return metric;
}

static METRICS(Metric) *
    read_metric(const struct gauge_set *set, const struct gauge *gauge, const struct otlp_points *form) {
    struct otlp_points points = *form;
    struct str labels = str_from(gauge->label);
    points.gauge = gauge;
    for (size_t i = 0; i < 2 && labels.n; i++) (void)str_next(&labels, ' ', &points.labels[i]);
    gauge->read(set->self, &points.sink);
    return points.count || points.times ? metric_of(&points) : NULL;
}

struct str otlp_metrics(const struct otlp_resource *resource, const struct gauge_set *sets, size_t count,
                        int64_t now_us, int64_t wall_us, int64_t started_us, struct arena *arena) {
    SEND_METRICS(ExportMetricsServiceRequest) request;
    METRICS(ResourceMetrics) of_resource, *resources[] = {&of_resource};
    METRICS(ScopeMetrics) of_scope, *scopes[] = {&of_scope};
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += sets[i].count;
    opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__init(&request);
    opentelemetry__proto__metrics__v1__resource_metrics__init(&of_resource);
    opentelemetry__proto__metrics__v1__scope_metrics__init(&of_scope);
    request.n_resource_metrics = of_resource.n_scope_metrics = 1;
    request.resource_metrics = resources;
    of_resource.resource = resource_of(arena, resource);
    of_resource.scope_metrics = scopes;
    of_scope.scope = scope_of(arena);
    of_scope.metrics = arena_array(arena, METRICS(Metric) *, total);
    const struct otlp_points form = {.sink = {now_us, put, put_pair, put_times},
                                     .arena = arena,
                                     .now_ns = ns_of(wall_us),
                                     .started_ns = ns_of(started_us)};
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sets[i].count; j++) {
            METRICS(Metric) *metric = read_metric(&sets[i], &sets[i].gauges[j], &form);
            if (metric) of_scope.metrics[of_scope.n_metrics++] = metric;
        }
    return packed(arena, &request.base);
}

/* ---- the answer ---- */

/* Of both kinds: their fields have the same numbers. */
bool otlp_refused(struct str body, int64_t *ret_count, struct str *ret_words, struct arena *arena) {
    SEND_SPANS(ExportTraceServiceResponse) *response =
        opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(
            NULL, body.n, (const uint8_t *)(body.n ? body.p : ""));
    *ret_count = 0;
    *ret_words = STR("");
    if (!response) return false;
    if (response->partial_success) {
        *ret_count = response->partial_success->rejected_spans;
        *ret_words = str_dup(arena, str_from(response->partial_success->error_message));
    }
    opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(response, NULL);
    return true;
}
