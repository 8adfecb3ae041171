/* The environment of a collector, and the queue of what waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/when.h"
#include "observe/otel.h"

/* "NAME=value", ended by NULL. */
static const char *get(void *self, const char *name) {
    const char *const *pairs = self;
    for (size_t length = strlen(name); *pairs; pairs++)
        if (strncmp(*pairs, name, length) == 0 && (*pairs)[length] == '=') return *pairs + length + 1;
    return NULL;
}

#define READ(...) read_all((const char *[]){__VA_ARGS__, NULL}, &arena)
static struct otel_options read_all(const char **pairs, struct arena *arena) {
    const struct otel_env env = {get, pairs};
    return otel_read(&env, STR("token"), arena);
}

static const char *attr(const struct otel_options *options, const char *name) {
    for (size_t i = 0; i < options->resource.count; i++)
        if (strcmp(options->resource.attrs[i].name, name) == 0) return options->resource.attrs[i].text.p;
    return "";
}

static void nothing_is_sent_without_an_endpoint(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct otel_options options = READ("OTEL_SERVICE_NAME=shop", "OTEL_TRACES_SAMPLER=never-heard");
    assert_false(options.ways[OTEL_TRACES].on || options.ways[OTEL_METRICS].on);
    assert_int_equal(options.warning_count, 0);
    options = READ("OTEL_SDK_DISABLED=TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318");
    assert_false(options.ways[OTEL_TRACES].on);
    options = READ("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_METRICS_EXPORTER=none");
    assert_true(options.ways[OTEL_TRACES].on && !options.ways[OTEL_METRICS].on);
    arena_free(&arena);
}

static void an_endpoint_gets_its_path(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "", "http://c:4318/v1/traces", "http"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/", "", "http://c:4318/v1/traces", "http"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=https://c/base", "", "https://c/base/v1/traces", "http"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c/own", "", "http://c/own", "http"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", "",
         "http://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export", "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
         "http://c:4317/v1/traces", "http"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1/", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc",
         "http://c:1/opentelemetry.proto.collector.trace.v1.TraceService/Export", "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=c:4317", "OTEL_EXPORTER_OTLP_INSECURE=true",
         "http://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export", "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=c:4317", "",
         "https://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export", "grpc"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = ARENA_EMPTY;
        const struct otel_options options = READ(cases[i][0], cases[i][1]);
        const struct otel_way *way = &options.ways[OTEL_TRACES];
        assert_true(way->on);
        assert_string_equal(way->url.p, cases[i][2]);
        assert_int_equal(way->grpc, strcmp(cases[i][3], "grpc") == 0);
        arena_free(&arena);
    }
}

static void the_rest_is_read_too(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct otel_options options =
        READ("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_EXPORTER_OTLP_HEADERS= a = b%20c ,,d=%2",
             "OTEL_EXPORTER_OTLP_TIMEOUT=250", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT=2500",
             "OTEL_RESOURCE_ATTRIBUTES=team=x,service.name=by-list,service.version=9", "OTEL_SERVICE_NAME=by-name",
             "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25", "OTEL_METRIC_EXPORT_INTERVAL=1000");
    const struct otel_way *way = &options.ways[OTEL_TRACES];
    assert_int_equal(way->header_count, 2);
    assert_true(str_eq(way->headers[0].name, STR("a")) && str_eq(way->headers[0].value, STR("b c")));
    assert_true(str_eq(way->headers[1].value, STR("%2")));
    assert_true(way->timeout_us == 250 * US_PER_MS && options.ways[OTEL_METRICS].timeout_us == 2500 * US_PER_MS);
    assert_string_equal(attr(&options, "service.name"), "by-name");
    assert_string_equal(attr(&options, "service.version"), "9");
    assert_string_equal(attr(&options, "service.instance.id"), "token");
    assert_string_equal(attr(&options, "team"), "x");
    assert_int_equal(options.sampler.kind, TRACE_RATIO);
    assert_true(options.sampler.ratio == 0.25 && !options.sampler.parent_based);
    assert_true(options.metrics_every_us == US_PER_S && options.spans_every_us == 5 * US_PER_S);
    assert_int_equal(options.warning_count, 0);
    arena_free(&arena);
}

static void what_is_wrong_is_named_without_a_secret(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "OTEL_TRACES_SAMPLER=often",
        "OTEL_EXPORTER_OTLP_TIMEOUT=soon",
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
        "OTEL_EXPORTER_OTLP_HEADERS=my-secret",
        "OTEL_EXPORTER_OTLP_HEADERS=a=x%0Amy-secret",
        "OTEL_RESOURCE_ATTRIBUTES=loose",
        "OTEL_BSP_SCHEDULE_DELAY=-1",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=ftp://x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct arena arena = ARENA_EMPTY;
        const struct otel_options options = READ("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", wrong[i]);
        struct str name, rest = str_from(wrong[i]);
        (void)str_next(&rest, '=', &name);
        assert_true(options.warning_count >= 1 && options.ways[OTEL_TRACES].on);
        for (size_t j = 0; j < options.warning_count; j++) {
            assert_true(str_starts(options.warnings[j], name));
            assert_null(strstr(options.warnings[j].p, "my-secret"));
        }
        arena_free(&arena);
    }
}

static void a_full_queue_counts_and_takes_no_more(void **state) {
    (void)state;
    const struct trace_sampler sampler = {TRACE_ALWAYS, 0, true};
    struct tracer *tracer = tracer_new(&sampler);
    static char large[1000];
    memset(large, 'x', sizeof large);
    struct trace_span span = {.hop = HOP_STORE_APPEND, .error = {large, sizeof large}};
    trace_attr_text(&span, "broken", STR("a\xff"));
    size_t count;
    for (int i = 0; i < TRACE_QUEUE_MAX + 3; i++) tracer_add(tracer, &span);
    const struct trace_span *spans = tracer_spans(tracer, &count);
    assert_int_equal(count, TRACE_QUEUE_MAX);
    assert_int_equal(spans[0].error.n, TRACE_TEXT_MAX);
    assert_true(str_eq(spans[0].attrs[0].text, STR("a?"))); /* a text of protobuf is UTF-8 */
    assert_int_equal(tracer_counts(tracer).dropped, 3);
    tracer_clear(tracer);
    tracer_add(tracer, &span);
    (void)tracer_spans(tracer, &count);
    assert_int_equal(count, 1);
    tracer_free(tracer);
}

static void an_answer_that_is_none_is_known(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    int64_t count;
    struct str words;
    assert_true(otlp_refused(STR(""), &count, &words, &arena) && count == 0);
    assert_true(otlp_refused(STR("\x0a\x06\x08\x03\x12\x02no"), &count, &words, &arena));
    assert_int_equal(count, 3);
    assert_true(str_eq(words, STR("no")));
    assert_false(otlp_refused(STR("<html>"), &count, &words, &arena));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_without_an_endpoint),
        cmocka_unit_test(an_endpoint_gets_its_path),
        cmocka_unit_test(the_rest_is_read_too),
        cmocka_unit_test(what_is_wrong_is_named_without_a_secret),
        cmocka_unit_test(a_full_queue_counts_and_takes_no_more),
        cmocka_unit_test(an_answer_that_is_none_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
