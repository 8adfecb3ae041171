/* What goes to a collector, read back by a reader of protobuf's wire format that shares nothing with the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <string.h>

#include "base/gauge.h"
#include "base/when.h"
#include "observe/otlp.h"

/* ---- the wire: https://protobuf.dev/programming-guides/encoding/ ---- */

struct wire {
    uint32_t number;
    uint64_t value;   /* of a varint or of fixed bytes */
    struct str bytes; /* of what has a length */
};

static uint64_t varint(struct str *rest) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        assert_true(rest->n > 0);
        uint8_t byte = (uint8_t)*rest->p;
        *rest = str_sub(*rest, 1, SIZE_MAX);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    fail_msg("a varint without an end");
    return 0;
}

static bool next(struct str *rest, struct wire *ret_field) {
    if (!rest->n) return false;
    uint64_t tag = varint(rest), size = (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : 0;
    *ret_field = (struct wire){.number = (uint32_t)(tag >> 3)};
    if ((tag & 7) == 0) ret_field->value = varint(rest);
    if ((tag & 7) == 2) {
        size = varint(rest);
        ret_field->bytes = str_sub(*rest, 0, size);
    }
    assert_true(((tag & 7) <= 2 || (tag & 7) == 5) && size <= rest->n);
    if ((tag & 7) == 1 || (tag & 7) == 5) memcpy(&ret_field->value, rest->p, size); /* little-endian, as this machine */
    *rest = str_sub(*rest, size, SIZE_MAX);
    return true;
}

/* The nth field of a number, from 0; all zeros where there are fewer. */
static struct wire field_at(struct str message, uint32_t number, size_t nth) {
    struct wire field;
    while (next(&message, &field))
        if (field.number == number && nth-- == 0) return field;
    return (struct wire){0};
}

/* Down a path of messages, the first of each number. */
#define DOWN(message, ...) down((message), (const uint32_t[]){__VA_ARGS__, 0})
static struct str down(struct str message, const uint32_t *path) {
    for (; *path; path++) message = field_at(message, *path, 0).bytes;
    return message;
}

static size_t count_of(struct str message, uint32_t number) {
    struct wire field;
    size_t count = 0;
    while (next(&message, &field)) count += field.number == number;
    return count;
}

#define assert_bytes(found, expected) assert_true(str_eq((found), STR(expected)))

/* KeyValue: key 1, value 2 (AnyValue: string 1, int 3). */
static void assert_attr(struct str attr, const char *name, const char *text, uint64_t number) {
    assert_true(str_eq(field_at(attr, 1, 0).bytes, str_from(name)));
    struct str value = field_at(attr, 2, 0).bytes;
    if (text)
        assert_true(str_eq(field_at(value, 1, 0).bytes, str_from(text)));
    else
        assert_int_equal(field_at(value, 3, 0).value, number);
}

/* ---- spans: ExportTraceServiceRequest { resource_spans 1 { resource 1, scope_spans 2 { scope 1, spans 2 } } } ---- */

static struct otlp_resource resource_of(struct trace_attr *attr) {
    *attr = (struct trace_attr){"service.name", STR("shop"), 0};
    return (struct otlp_resource){attr, 1};
}

static void a_span_is_what_it_was(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct trace_attr attr;
    const struct otlp_resource resource = resource_of(&attr);
    struct trace_span spans[2] = {{.hop = HOP_TRANSPORT_START,
                                   .kind = TRACE_CLIENT,
                                   .has_parent = true,
                                   .has_link = true,
                                   .start_us = 1000001,
                                   .end_us = 2000002,
                                   .error = STR("503")},
                                  {.hop = HOP_SERVE_REQUEST, .kind = TRACE_SERVER, .start_us = 9, .end_us = 3}};
    memset(spans[0].place.trace, 0x11, TRACE_ID_BYTES);
    memset(spans[0].id.b, 0x22, TRACE_SPAN_BYTES);
    memset(spans[0].parent.b, 0x33, TRACE_SPAN_BYTES);
    memset(spans[0].link.b, 0x44, TRACE_SPAN_BYTES);
    trace_attr_text(&spans[0], "drumbeat.outcome", STR("retry"));
    trace_attr_text(&spans[0], "left.out", STR(""));
    trace_attr_number(&spans[0], "http.response.status_code", 503);
    struct str request = otlp_spans(&resource, spans, 2, &arena), of_resource = DOWN(request, 1);
    assert_attr(DOWN(of_resource, 1, 1), "service.name", "shop", 0);
    struct str of_scope = DOWN(of_resource, 2);
    assert_bytes(DOWN(of_scope, 1, 1), "drumbeat");
    assert_int_equal(count_of(of_scope, 2), 2);

    struct str span = field_at(of_scope, 2, 0).bytes;
    assert_bytes(field_at(span, 1, 0).bytes, "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11");
    assert_bytes(field_at(span, 2, 0).bytes, "\x22\x22\x22\x22\x22\x22\x22\x22");
    assert_bytes(field_at(span, 4, 0).bytes, "\x33\x33\x33\x33\x33\x33\x33\x33");
    assert_bytes(field_at(span, 5, 0).bytes, "transport.start");
    assert_int_equal(field_at(span, 6, 0).value, 3); /* CLIENT */
    assert_int_equal(field_at(span, 7, 0).value, 1000001000);
    assert_int_equal(field_at(span, 8, 0).value, 2000002000);
    assert_int_equal(count_of(span, 9), 2);
    assert_attr(field_at(span, 9, 0).bytes, "drumbeat.outcome", "retry", 0);
    assert_attr(field_at(span, 9, 1).bytes, "http.response.status_code", NULL, 503);
    assert_bytes(DOWN(span, 13, 2), "\x44\x44\x44\x44\x44\x44\x44\x44"); /* links: of the same trace */
    assert_bytes(DOWN(span, 13, 1), "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11");
    assert_bytes(DOWN(span, 15, 2), "503");                    /* status: its words, */
    assert_int_equal(field_at(DOWN(span, 15), 3, 0).value, 2); /* and ERROR */

    struct str plain = field_at(of_scope, 2, 1).bytes;
    assert_int_equal(count_of(plain, 4) + count_of(plain, 13) + count_of(plain, 15), 0);
    assert_int_equal(field_at(plain, 8, 0).value, 9000); /* it does not end before it begins */
    arena_free(&arena);
}

/* ---- numbers: { resource_metrics 1 { scope_metrics 2 { metrics 2 } } } ---- */

static void read_level(const void *self, struct gauge_sink *sink) {
    (void)self;
    sink->put(sink, STR("crm"), 7);
    sink->put(sink, STR("mail"), 0.5);
}

static void read_total(const void *self, struct gauge_sink *sink) {
    (void)self;
    sink->put_pair(sink, STR("crm"), STR("done"), 3);
}

static void read_times(const void *self, struct gauge_sink *sink) {
    static const double bounds[] = {0.1, 1};
    static const uint64_t buckets[] = {4, 2, 1};
    const struct gauge_histogram times = {
        .bounds = bounds, .bound_count = 2, .buckets = buckets, .count = 7, .sum = 5.5};
    (void)self;
    sink->put_times(sink, &times);
}

static void read_nothing(const void *self, struct gauge_sink *sink) {
    (void)self, (void)sink;
}

static double as_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void numbers_are_what_they_were(void **state) {
    (void)state;
    static const struct gauge gauges[] = {{"level", "gauge", "How full.", "destination", read_level},
                                          {"silent", "gauge", "Nobody can tell.", NULL, read_nothing},
                                          {"sent_total", "counter", "Sent.", "destination outcome", read_total},
                                          {"seconds", "histogram", "How long.", NULL, read_times}};
    struct arena arena = ARENA_EMPTY;
    struct trace_attr attr;
    const struct otlp_resource resource = resource_of(&attr);
    const struct gauge_set sets[] = {GAUGE_SET(gauges, NULL)};
    struct str request = otlp_metrics(&resource, sets, 1, 5, 2000000, 1000000, &arena);
    struct str of_scope = DOWN(request, 1, 2);
    assert_int_equal(count_of(of_scope, 2), 3); /* the silent one is left out */

    struct str level = field_at(of_scope, 2, 0).bytes;
    assert_bytes(field_at(level, 1, 0).bytes, "level");
    assert_bytes(field_at(level, 2, 0).bytes, "How full.");
    struct str gauge = DOWN(level, 5); /* Gauge: data_points 1 */
    assert_int_equal(count_of(gauge, 1), 2);
    struct str point = field_at(gauge, 1, 0).bytes;
    assert_attr(DOWN(point, 7), "destination", "crm", 0);
    assert_int_equal(field_at(point, 3, 0).value, 2000000000);
    assert_true(as_double(field_at(point, 4, 0).value) == 7);
    assert_true(as_double(field_at(field_at(gauge, 1, 1).bytes, 4, 0).value) == 0.5);

    struct str sum = DOWN(field_at(of_scope, 2, 1).bytes, 7); /* Sum: data_points 1, temporality 2, is_monotonic 3 */
    assert_int_equal(field_at(sum, 2, 0).value, 2);           /* CUMULATIVE */
    assert_int_equal(field_at(sum, 3, 0).value, 1);
    point = field_at(sum, 1, 0).bytes;
    assert_int_equal(field_at(point, 2, 0).value, 1000000000);
    assert_attr(field_at(point, 7, 0).bytes, "destination", "crm", 0);
    assert_attr(field_at(point, 7, 1).bytes, "outcome", "done", 0);

    struct str histogram = DOWN(field_at(of_scope, 2, 2).bytes, 9);
    point =
        field_at(histogram, 1, 0).bytes; /* HistogramDataPoint: count 4, sum 5, bucket_counts 6, explicit_bounds 7 */
    assert_int_equal(field_at(point, 4, 0).value, 7);
    assert_true(as_double(field_at(point, 5, 0).value) == 5.5);
    uint64_t counts[3];
    double bounds[2];
    assert_int_equal(field_at(point, 6, 0).bytes.n, sizeof counts);
    memcpy(counts, field_at(point, 6, 0).bytes.p, sizeof counts);
    assert_true(counts[0] == 4 && counts[1] == 2 && counts[2] == 1);
    assert_int_equal(field_at(point, 7, 0).bytes.n, sizeof bounds);
    memcpy(bounds, field_at(point, 7, 0).bytes.p, sizeof bounds);
    assert_true(bounds[0] == 0.1 && bounds[1] == 1);
    arena_free(&arena);
}

/* ---- the answer: { partial_success 1 { rejected 1, error_message 2 } } ---- */

static void an_answer_is_read_or_is_none(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    int64_t count = -1;
    struct str words = STR_NONE;
    assert_true(otlp_refused(STR(""), &count, &words, &arena)); /* all was taken */
    assert_int_equal(count, 0);
    assert_true(otlp_refused(STR("\x0a\x08\x08\x03\x12\x04"
                                 "full"),
                             &count, &words, &arena));
    assert_int_equal(count, 3);
    assert_bytes(words, "full");
    assert_false(otlp_refused(STR("\x0a\x08\x08\x03\x12\x04"
                                  "fu"),
                              &count, &words, &arena)); /* cut */
    assert_false(otlp_refused(STR("<html>no collector</html>"), &count, &words, &arena));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_what_it_was),
        cmocka_unit_test(numbers_are_what_they_were),
        cmocka_unit_test(an_answer_is_read_or_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
