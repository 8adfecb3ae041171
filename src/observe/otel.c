#include "observe/otel.h"

#include <stdlib.h>
#include <string.h>

#include "base/when.h"

#define TIMEOUT_MS         10000
#define SPANS_EVERY_MS     5000
#define METRICS_EVERY_MS   60000
#define RESOURCE_ATTRS_MAX 32

static const struct signal_words {
    const char *word, *upper, *path, *service;
} signals[OTEL_SIGNALS] = {
    [OTEL_TRACES] = {"traces", "TRACES", "/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"},
    [OTEL_METRICS] = {"metrics", "METRICS", "/v1/metrics",
                      "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
};

struct otel_reader {
    const struct otel_env *env;
    struct arena *arena;
    struct otel_options *options;
};

const char *otel_signal_text(enum otel_signal signal) {
    return signals[signal].word;
}

static struct str get(const struct otel_reader *reader, const char *name) {
    return str_trim(str_from(reader->env->get(reader->env->self, name)));
}

static void warn(const struct otel_reader *reader, const char *name, struct str value, const char *why) {
    struct otel_options *options = reader->options;
    if (options->warning_count == OTEL_WARNINGS_MAX) return;
    options->warnings[options->warning_count++] =
        str_fmt(reader->arena, "%s: '%.*s' %s", name, STR_ARG(str_head(value, 64)), why);
}

static bool is_true(struct str text) {
    return str_eq_nocase(text, STR("true"));
}

static int64_t milliseconds(const struct otel_reader *reader, const char *name, int64_t otherwise_ms) {
    struct str text = get(reader, name);
    int64_t ms = otherwise_ms;
    if (text.n && (!str_to_i64(text, &ms) || ms <= 0 || ms > 3600000)) {
        warn(reader, name, text, "is no number of milliseconds from 1 to 3600000");
        ms = otherwise_ms;
    }
    return ms * US_PER_MS;
}

/* The variable of the signal, else the one of both; *ret_name is the one that was found. */
static struct str get_either(const struct otel_reader *reader, enum otel_signal signal, const char *end,
                             const char **ret_name) {
    *ret_name = str_fmt(reader->arena, "OTEL_EXPORTER_OTLP_%s_%s", signals[signal].upper, end).p;
    struct str text = get(reader, *ret_name);
    if (text.n) return text;
    *ret_name = str_fmt(reader->arena, "OTEL_EXPORTER_OTLP_%s", end).p;
    return get(reader, *ret_name);
}

/* ---- lists of name=value, as W3C's baggage writes them ---- */

static struct str percent_decoded(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < text.n; i++) {
        char digits[3] = {0}, *end;
        if (text.p[i] != '%' || i + 2 >= text.n) {
            buf_byte(&buf, text.p[i]);
            continue;
        }
        memcpy(digits, text.p + i + 1, 2);
        long byte = strtol(digits, &end, 16);
        if (end != digits + 2) {
            buf_byte(&buf, text.p[i]);
            continue;
        }
        buf_byte(&buf, (char)byte);
        i += 2;
    }
    return buf_str(&buf);
}

static bool next_pair(const struct otel_reader *reader, const char *name, struct str *list, struct str *ret_key,
                      struct str *ret_value) {
    struct str part;
    while (list->n && str_next(list, ',', &part)) {
        part = str_trim(part);
        size_t equals = str_find(part, '=');
        if (!part.n) continue;
        if (equals == SIZE_MAX || equals == 0) {
            warn(reader, name, STR("..."), "has a part that is not name=value"); /* it may be a secret */
            continue;
        }
        *ret_key = str_trim(str_sub(part, 0, equals));
        *ret_value = percent_decoded(reader->arena, str_trim(str_sub(part, equals + 1, SIZE_MAX)));
        return true;
    }
    return false;
}

/* ---- the parts ---- */

static void read_headers(const struct otel_reader *reader, enum otel_signal signal, struct otel_way *way) {
    const char *name;
    struct str list = get_either(reader, signal, "HEADERS", &name), key, value;
    way->headers = arena_array(reader->arena, struct header, OTEL_HEADERS_MAX);
    while (way->header_count < OTEL_HEADERS_MAX && next_pair(reader, name, &list, &key, &value)) {
        if (header_name_valid(key) && header_value_valid(value))
            way->headers[way->header_count++] = (struct header){str_dup(reader->arena, key), value};
        else
            warn(reader, name, key, "is no header that can be sent");
    }
}

static bool is_port(struct str endpoint, struct str port) {
    struct str rest = endpoint;
    while (rest.n && rest.p[rest.n - 1] == '/') rest.n--;
    return str_ends(rest, port);
}

static void read_way(const struct otel_reader *reader, enum otel_signal signal) {
    struct otel_way *way = &reader->options->ways[signal];
    const char *name, *of_protocol;
    struct str exporter = get(reader, signal == OTEL_TRACES ? "OTEL_TRACES_EXPORTER" : "OTEL_METRICS_EXPORTER");
    struct str endpoint = get_either(reader, signal, "ENDPOINT", &name);
    struct str protocol = get_either(reader, signal, "PROTOCOL", &of_protocol);
    bool own = strstr(name, signals[signal].upper) != NULL;
    if (!endpoint.n || str_eq(exporter, STR("none"))) return;
    way->grpc = str_eq(protocol, STR("grpc")) || (!protocol.n && is_port(endpoint, STR(":4317")));
    if (protocol.n && !way->grpc && !str_eq(protocol, STR("http/protobuf")))
        warn(reader, of_protocol, protocol, "is neither grpc nor http/protobuf, which is taken");
    if (str_find(endpoint, '/') == SIZE_MAX || !memmem(endpoint.p, endpoint.n, "://", 3)) {
        const char *of_insecure;
        bool insecure = is_true(get_either(reader, signal, "INSECURE", &of_insecure));
        endpoint = str_fmt(reader->arena, "%s://%.*s", insecure ? "http" : "https", STR_ARG(endpoint));
    }
    if (!str_starts(endpoint, STR("http://")) && !str_starts(endpoint, STR("https://"))) {
        warn(reader, name, endpoint, "is no http or https address: nothing is sent there");
        return;
    }
    while (endpoint.n && endpoint.p[endpoint.n - 1] == '/' && (way->grpc || !own)) endpoint.n--;
    const char *more = way->grpc ? signals[signal].service : own ? "" : signals[signal].path;
    way->url = str_fmt(reader->arena, "%.*s%s", STR_ARG(endpoint), more);
    const char *of_timeout;
    (void)get_either(reader, signal, "TIMEOUT", &of_timeout);
    way->timeout_us = milliseconds(reader, of_timeout, TIMEOUT_MS);
    read_headers(reader, signal, way);
    way->on = true;
}

static void read_sampler(const struct otel_reader *reader) {
    static const struct {
        const char *word;
        struct trace_sampler sampler;
    } samplers[] = {
        {"parentbased_always_on", {TRACE_ALWAYS, 0, true}},
        {"parentbased_always_off", {TRACE_NEVER, 0, true}},
        {"parentbased_traceidratio", {TRACE_RATIO, 1, true}},
        {"always_on", {TRACE_ALWAYS, 0, false}},
        {"always_off", {TRACE_NEVER, 0, false}},
        {"traceidratio", {TRACE_RATIO, 1, false}},
    };
    struct str word = get(reader, "OTEL_TRACES_SAMPLER"), ratio = get(reader, "OTEL_TRACES_SAMPLER_ARG");
    struct trace_sampler *sampler = &reader->options->sampler;
    *sampler = samplers[0].sampler;
    bool known = !word.n;
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++)
        if (str_eq(word, str_from(samplers[i].word))) {
            *sampler = samplers[i].sampler;
            known = true;
        }
    if (!known) warn(reader, "OTEL_TRACES_SAMPLER", word, "is not known: parentbased_always_on is taken");
    if (sampler->kind != TRACE_RATIO || !ratio.n) return;
    char *end;
    const char *text = str_dup(reader->arena, ratio).p;
    double value = strtod(text, &end);
    if (*end || !(value >= 0 && value <= 1))
        warn(reader, "OTEL_TRACES_SAMPLER_ARG", ratio, "is no number from 0 to 1: 1 is taken");
    else
        sampler->ratio = value;
}

static void set_attr(struct otlp_resource *resource, const char *name, struct str text) {
    for (size_t i = 0; i < resource->count; i++)
        if (strcmp(resource->attrs[i].name, name) == 0) {
            resource->attrs[i].text = text;
            return;
        }
    if (resource->count < RESOURCE_ATTRS_MAX) resource->attrs[resource->count++] = (struct trace_attr){name, text, 0};
}

static void read_resource(const struct otel_reader *reader, struct str instance) {
    struct otlp_resource *resource = &reader->options->resource;
    struct str list = get(reader, "OTEL_RESOURCE_ATTRIBUTES"), key, value, own = get(reader, "OTEL_SERVICE_NAME");
    resource->attrs = arena_array(reader->arena, struct trace_attr, RESOURCE_ATTRS_MAX);
    set_attr(resource, "service.name", STR("drumbeat"));
    set_attr(resource, "service.version", STR(DRUMBEAT_VERSION));
    set_attr(resource, "service.instance.id", instance);
    while (next_pair(reader, "OTEL_RESOURCE_ATTRIBUTES", &list, &key, &value))
        set_attr(resource, str_dup(reader->arena, key).p, value);
    if (own.n) set_attr(resource, "service.name", str_dup(reader->arena, own));
}

struct otel_options otel_read(const struct otel_env *env, struct str instance, struct arena *arena) {
    struct otel_options options = {.warnings = arena_array(arena, struct str, OTEL_WARNINGS_MAX)};
    const struct otel_reader reader = {env, arena, &options};
    if (is_true(get(&reader, "OTEL_SDK_DISABLED"))) return options;
    read_way(&reader, OTEL_TRACES);
    read_way(&reader, OTEL_METRICS);
    if (!options.ways[OTEL_TRACES].on && !options.ways[OTEL_METRICS].on) return options;
    read_sampler(&reader);
    read_resource(&reader, instance);
    options.spans_every_us = milliseconds(&reader, "OTEL_BSP_SCHEDULE_DELAY", SPANS_EVERY_MS);
    options.metrics_every_us = milliseconds(&reader, "OTEL_METRIC_EXPORT_INTERVAL", METRICS_EVERY_MS);
    return options;
}
