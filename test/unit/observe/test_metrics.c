/* The Prometheus text: its form, its names, and the seed's gauges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <string.h>

#include "base/gauge.h"
#include "base/when.h"
#include "observe/exposition.h"
#include "observe/metrics.h"

#define NOW_US (1000000 * US_PER_S)

static const char *text_at(struct metrics *metrics, struct arena *arena, int64_t now_us) {
    const struct gauge_set set = metrics_gauges(metrics);
    return exposition_write(&set, 1, now_us, arena).plain.p;
}

static void assert_has(const char *text, const char *line) {
    if (!strstr(text, line)) fail_msg("%s is not in\n%s", line, text);
}

static void has_the_seeds_gauges(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_event(metrics, METRIC_ACCEPTED, 120);
    metrics_event(metrics, METRIC_DUPLICATE, 50);
    metrics_attempt(metrics, STR("crm"), OUTCOME_DONE, true);
    metrics_attempt(metrics, STR("crm"), OUTCOME_RETRY, true);
    metrics_attempt(metrics, STR("crm"), OUTCOME_FAILED, true);
    metrics_attempt(metrics, STR("crm"), OUTCOME_FAILED, false);
    metrics_attempt(metrics, STR("crm"), OUTCOME_DONE, true);
    const char *text = text_at(metrics, &arena, NOW_US);
    assert_has(text, "# TYPE marketing_event_ingestion_rate gauge\nmarketing_event_ingestion_rate 2\n");
    assert_has(text, "\nworker_retry_ratio 0.25\n");
    assert_has(text, "\napi_error_rate 0.5\n");
    metrics_free(metrics);
    arena_free(&arena);
}

static void forgets_after_a_minute(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_event(metrics, METRIC_ACCEPTED, 60);
    assert_has(text_at(metrics, &arena, NOW_US), "\nmarketing_event_ingestion_rate 1\n");
    metrics_event(metrics, METRIC_ACCEPTED, 30);
    assert_has(text_at(metrics, &arena, NOW_US + 30 * US_PER_S), "\nmarketing_event_ingestion_rate 1.5\n");
    assert_has(text_at(metrics, &arena, NOW_US + 59 * US_PER_S), "\nmarketing_event_ingestion_rate 1.5\n");
    assert_has(text_at(metrics, &arena, NOW_US + 60 * US_PER_S), "\nmarketing_event_ingestion_rate 0.5\n");
    assert_has(text_at(metrics, &arena, NOW_US + 90 * US_PER_S), "\nmarketing_event_ingestion_rate 0\n");
    assert_has(text_at(metrics, &arena, NOW_US + 90 * US_PER_S), "drumbeat_events_total{status=\"accepted\"} 90\n");
    metrics_free(metrics);
    arena_free(&arena);
}

static void counts_by_label(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_event(metrics, METRIC_CONFLICT, 3);
    metrics_unrouted(metrics, 2);
    metrics_resent(metrics);
    metrics_hop(metrics, HOP_INTAKE_EVENT, 5);
    metrics_hop(metrics, HOP_STORE_APPEND, 4);
    metrics_hop(metrics, HOP_INTAKE_EVENT, 1);
    metrics_attempt(metrics, STR("crm"), OUTCOME_UNKNOWN, true);
    metrics_attempt(metrics, STR("mail"), OUTCOME_DONE, true);
    metrics_settled(metrics, STR("mail"), DELIVERY_COMPLETED);
    metrics_settled(metrics, STR("mail"), DELIVERY_COMPLETED);
    metrics_settled(metrics, STR("mail"), DELIVERY_FAILED);
    const char *text = text_at(metrics, &arena, NOW_US);
    assert_has(text, "drumbeat_events_total{status=\"conflict\"} 3\n");
    assert_has(text, "drumbeat_events_unrouted_total 2\n");
    assert_has(text, "drumbeat_deliveries_resent_total 1\n");
    assert_has(text, "drumbeat_hops_total{hop=\"intake_event\"} 6\n");
    assert_has(text, "drumbeat_hops_total{hop=\"transport.start\"} 0\n"); /* also those that nothing went through */
    assert_has(text, "drumbeat_attempts_total{destination=\"crm\",outcome=\"unknown\"} 1\n");
    assert_has(text, "drumbeat_attempts_total{destination=\"mail\",outcome=\"done\"} 1\n");
    assert_has(text, "drumbeat_settled_total{destination=\"mail\",status=\"COMPLETED\"} 2\n");
    assert_has(text, "drumbeat_settled_total{destination=\"mail\",status=\"FAILED\"} 1\n");
    metrics_free(metrics);
    arena_free(&arena);
}

/* A room of three numbers: one is plain, one has two labels, one cannot be told. */
struct room {
    double plain;
    int64_t seen_us;
};

static void read_plain(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, ((const struct room *)self)->plain);
}

static void read_age(const void *self, struct gauge_sink *sink) {
    const struct room *room = self;
    sink->put(sink, STR("a"), (double)(sink->now_us - room->seen_us));
    sink->put(sink, STR("\"b\""), 2);
}

static void read_nothing(const void *self, struct gauge_sink *sink) {
    (void)self;
    (void)sink;
}

static const struct gauge room_gauges[] = {
    {"room_plain", "gauge", "One number.", NULL, read_plain},
    {"room_age", "counter", "Two numbers.", "door", read_age},
    {"room_silent", "gauge", "None.", NULL, read_nothing},
};

static void counts_what_sources_brought(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    uint64_t counts[SOURCE_OUTCOMES];
    metrics_source(metrics, STR("shop"), SOURCE_ACCEPTED, 2);
    metrics_source(metrics, STR("shop"), SOURCE_ACCEPTED, 1);
    metrics_source(metrics, STR("shop"), SOURCE_GREETED, 1);
    metrics_source(metrics, STR_NONE, SOURCE_REFUSED, 7);
    metrics_source(metrics, STR("shop"), SOURCE_UNKEYED, 5);
    metrics_source(metrics, STR("shop"), SOURCE_UNKEPT, 4);
    const char *text = text_at(metrics, &arena, NOW_US);
    assert_has(text, "\ndrumbeat_source_requests_total{source=\"shop\",outcome=\"accepted\"} 3\n"
                     "drumbeat_source_requests_total{source=\"shop\",outcome=\"greeted\"} 1\n"
                     "drumbeat_source_requests_total{source=\"\",outcome=\"refused\"} 7\n");
    assert_has(text, "\ndrumbeat_source_keys_missing_total{source=\"shop\"} 5\n");
    assert_has(text, "\ndrumbeat_source_fields_unknown_total{source=\"shop\"} 4\n");
    metrics_source_counts(metrics, STR("shop"), counts);
    assert_int_equal(counts[SOURCE_ACCEPTED], 3);
    assert_int_equal(counts[SOURCE_REFUSED], 0);
    metrics_source_counts(metrics, STR("other"), counts);
    assert_int_equal(counts[SOURCE_ACCEPTED], 0);
    metrics_free(metrics);
    arena_free(&arena);
}

static void hops_stand_in_the_order_of_the_walk(void **state) {
    (void)state;
    assert_int_equal(HOP_COUNT, 12);
    assert_string_equal(hop_name((enum hop)0), "serve_request");
    assert_string_equal(hop_name(HOP_TRANSPORT_START), "transport.start");
    assert_string_equal(hop_name((enum hop)(HOP_COUNT - 1)), "store_settle");
}

static void walks_the_sets_that_rooms_bring(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct room one = {0.5, 0}, other = {7, NOW_US - 3};
    const struct gauge_set sets[] = {{room_gauges, 1, &one}, {room_gauges + 1, 2, &other}};
    const char *text = exposition_write(sets, 2, NOW_US, &arena).plain.p;
    assert_has(text, "# HELP room_plain One number.\n# TYPE room_plain gauge\nroom_plain 0.5\n");
    assert_has(text, "# TYPE room_age counter\nroom_age{door=\"a\"} 3\nroom_age{door=\"\\\"b\\\"\"} 2\n");
    assert_null(strstr(text, "room_silent"));
    arena_free(&arena);
}

static void sorts_times_into_buckets(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_ingest_seconds(metrics, 500, NULL); /* the bound itself belongs to its bucket */
    metrics_ingest_seconds(metrics, 501, NULL);
    metrics_ingest_seconds(metrics, 2000000, NULL);
    metrics_ingest_seconds(metrics, 3600 * US_PER_S, NULL);
    metrics_ingest_seconds(metrics, -1, NULL); /* a clock that stepped back counts as nothing */
    const char *text = text_at(metrics, &arena, NOW_US);
    assert_has(text, "# TYPE drumbeat_ingest_seconds histogram\n");
    assert_has(text, "drumbeat_ingest_seconds_bucket{le=\"0.0005\"} 2\n");
    assert_has(text, "drumbeat_ingest_seconds_bucket{le=\"0.001\"} 3\n");
    assert_has(text, "drumbeat_ingest_seconds_bucket{le=\"2.5\"} 4\n");
    assert_has(text, "drumbeat_ingest_seconds_bucket{le=\"600\"} 4\n");
    assert_has(text, "drumbeat_ingest_seconds_bucket{le=\"+Inf\"} 5\n");
    assert_has(text, "drumbeat_ingest_seconds_count 5\n");
    assert_has(text, "drumbeat_ingest_seconds_sum 3602.001001\n");
    metrics_free(metrics);
    arena_free(&arena);
}

/* Its counters have another family name, and its buckets the trace that fell into them last. */
static void writes_open_metrics_with_examples(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    const struct metric_example example = {STR("0af7651916cd43dd8448eb211c80319c"), NOW_US};
    metrics_ingest_seconds(metrics, 501, &example);
    metrics_ingest_seconds(metrics, 502, NULL);
    metrics_settled(metrics, STR("crm"), DELIVERY_COMPLETED);
    const struct gauge_set set = metrics_gauges(metrics);
    const struct exposition both = exposition_write(&set, 1, NOW_US, &arena);
    assert_has(both.open.p, "\n# TYPE drumbeat_settled counter\ndrumbeat_settled_total{destination=\"crm\",status=");
    assert_has(both.open.p, "drumbeat_ingest_seconds_bucket{le=\"0.001\"} 2 # "
                            "{trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.000501 1000000.000000\n");
    assert_has(both.plain.p, "\n# TYPE drumbeat_settled_total counter\n");
    assert_has(both.plain.p, "drumbeat_ingest_seconds_bucket{le=\"0.001\"} 2\n");
    metrics_free(metrics);
    arena_free(&arena);
}

/* A rate can only be taken of a counter that was there before it moved. */
static void shows_zeros_of_what_is_configured(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_destination(metrics, STR("crm"));
    const char *text = text_at(metrics, &arena, NOW_US);
    assert_has(text, "drumbeat_settled_total{destination=\"crm\",status=\"FAILED\"} 0\n");
    assert_has(text, "drumbeat_attempts_total{destination=\"crm\",outcome=\"unknown\"} 0\n");
    assert_null(strstr(text, "status=\"PENDING\""));
    metrics_free(metrics);
    arena_free(&arena);
}

static void escapes_label_values(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_attempt(metrics, STR("a\"b\\c\nd"), OUTCOME_DONE, true);
    assert_has(text_at(metrics, &arena, NOW_US), "{destination=\"a\\\"b\\\\c\\nd\",outcome=\"done\"} 1\n");
    metrics_free(metrics);
    arena_free(&arena);
}

/* Every sample belongs to the metric whose HELP and TYPE stand before it, and no metric is announced twice. */
static void is_well_formed(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_attempt(metrics, STR("crm"), OUTCOME_DONE, true);
    const char *text = text_at(metrics, &arena, NOW_US);
    struct str rest = str_from(text), line, name = STR_NONE, word;
    while (rest.n && str_next(&rest, '\n', &line)) {
        if (str_starts(line, STR("# HELP "))) {
            struct str help = str_sub(line, 7, line.n);
            assert_true(str_next(&help, ' ', &name) && help.n);
            const char *again = str_fmt(&arena, "# HELP %.*s ", STR_ARG(name)).p;
            assert_null(strstr(strstr(text, again) + 1, again));
        } else if (str_starts(line, STR("# TYPE "))) {
            struct str type = str_sub(line, 7, line.n);
            assert_true(str_next(&type, ' ', &word) && str_eq(word, name));
        } else {
            assert_true(str_starts(line, name));
        }
    }
    assert_true(str_ends(str_from(text), STR("\n")));
    metrics_free(metrics);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_seeds_gauges),
        cmocka_unit_test(forgets_after_a_minute),
        cmocka_unit_test(counts_by_label),
        cmocka_unit_test(counts_what_sources_brought),
        cmocka_unit_test(hops_stand_in_the_order_of_the_walk),
        cmocka_unit_test(walks_the_sets_that_rooms_bring),
        cmocka_unit_test(sorts_times_into_buckets),
        cmocka_unit_test(writes_open_metrics_with_examples),
        cmocka_unit_test(shows_zeros_of_what_is_configured),
        cmocka_unit_test(escapes_label_values),
        cmocka_unit_test(is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
