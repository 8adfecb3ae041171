/* The Prometheus text: its form, its names, and the seed's gauges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <string.h>

#include "base/when.h"
#include "observe/metrics.h"

#define NOW_US (1000000 * US_PER_S)

static const char *text_at(struct metrics *metrics, struct arena *arena, int64_t now_us) {
    const struct metrics_view view = {.now_us = now_us, .config_ok = true};
    return metrics_text(metrics, &view, arena).p;
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
    metrics_attempt(metrics, STR("crm"), OUTCOME_DONE);
    metrics_attempt(metrics, STR("crm"), OUTCOME_RETRY);
    metrics_attempt(metrics, STR("crm"), OUTCOME_FAILED);
    metrics_attempt(metrics, STR("crm"), OUTCOME_DONE);
    const struct metrics_view view = {.now_us = NOW_US, .lag_us = 1500000, .queue_depth = 42};
    const char *text = metrics_text(metrics, &view, &arena).p;
    assert_has(text, "# TYPE marketing_event_ingestion_rate gauge\nmarketing_event_ingestion_rate 2\n");
    assert_has(text, "\nworker_retry_ratio 0.25\n");
    assert_has(text, "\napi_error_rate 0.5\n");
    assert_has(text, "\nevent_processing_lag 1.5\n");
    assert_has(text, "\nqueue_depth 42\n");
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
    metrics_hop(metrics, "intake_event", 5);
    metrics_hop(metrics, "store_append", 4);
    metrics_hop(metrics, "intake_event", 1);
    metrics_attempt(metrics, STR("crm"), OUTCOME_UNKNOWN);
    metrics_attempt(metrics, STR("mail"), OUTCOME_DONE);
    metrics_settled(metrics, STR("mail"), STR("COMPLETED"));
    metrics_settled(metrics, STR("mail"), STR("COMPLETED"));
    metrics_settled(metrics, STR("mail"), STR("FAILED"));
    const char *text = text_at(metrics, &arena, NOW_US);
    assert_has(text, "drumbeat_events_total{status=\"conflict\"} 3\n");
    assert_has(text, "drumbeat_events_unrouted_total 2\n");
    assert_has(text, "drumbeat_hops_total{hop=\"intake_event\"} 6\n");
    assert_has(text, "drumbeat_attempts_total{destination=\"crm\",outcome=\"unknown\"} 1\n");
    assert_has(text, "drumbeat_attempts_total{destination=\"mail\",outcome=\"done\"} 1\n");
    assert_has(text, "drumbeat_settled_total{destination=\"mail\",status=\"COMPLETED\"} 2\n");
    assert_has(text, "drumbeat_settled_total{destination=\"mail\",status=\"FAILED\"} 1\n");
    metrics_free(metrics);
    arena_free(&arena);
}

static void shows_destinations_and_shared_limits_once(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    const struct metrics_desk desks[] = {{STR("a"), STR("x_api"), 1, 3, 7, false},
                                         {STR("b"), STR("x_api"), 0, 0, 7, true},
                                         {STR("c"), STR("c"), 2, 0, SIZE_MAX, false}};
    const struct metrics_view view = {.now_us = NOW_US, .desks = desks, .desk_count = 3, .open = {5, 1, 9, 9, 2, 3, 9}};
    const char *text = metrics_text(metrics, &view, &arena).p;
    assert_has(text, "drumbeat_breaker_state{destination=\"a\"} 1\n");
    assert_has(text, "drumbeat_breaker_state{destination=\"c\"} 2\n");
    assert_has(text, "drumbeat_in_flight{destination=\"a\"} 3\n");
    assert_has(text, "drumbeat_paused{destination=\"b\"} 1\n");
    const char *first = strstr(text, "drumbeat_limit_remaining{limit=\"x_api\"} 7\n");
    assert_non_null(first);
    assert_null(strstr(first + 1, "drumbeat_limit_remaining{"));
    assert_has(text, "drumbeat_deliveries{status=\"PENDING\"} 5\n");
    assert_has(text, "drumbeat_deliveries{status=\"HELD\"} 3\n");
    assert_null(strstr(text, "COMPLETED"));
    assert_has(text, "\ndrumbeat_config_reload_success 0\n");
    metrics_free(metrics);
    arena_free(&arena);
}

static void sorts_times_into_buckets(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_ingest_seconds(metrics, 500); /* the bound itself belongs to its bucket */
    metrics_ingest_seconds(metrics, 501);
    metrics_ingest_seconds(metrics, 2000000);
    metrics_ingest_seconds(metrics, 3600 * US_PER_S);
    metrics_ingest_seconds(metrics, -1); /* a clock that stepped back counts as nothing */
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

static void escapes_label_values(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_attempt(metrics, STR("a\"b\\c\nd"), OUTCOME_DONE);
    assert_has(text_at(metrics, &arena, NOW_US), "{destination=\"a\\\"b\\\\c\\nd\",outcome=\"done\"} 1\n");
    metrics_free(metrics);
    arena_free(&arena);
}

/* Every sample belongs to the metric whose HELP and TYPE stand before it, and no metric is announced twice. */
static void is_well_formed(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct metrics *metrics = metrics_new();
    metrics_attempt(metrics, STR("crm"), OUTCOME_DONE);
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
        cmocka_unit_test(has_the_seeds_gauges),     cmocka_unit_test(forgets_after_a_minute),
        cmocka_unit_test(counts_by_label),          cmocka_unit_test(shows_destinations_and_shared_limits_once),
        cmocka_unit_test(sorts_times_into_buckets), cmocka_unit_test(escapes_label_values),
        cmocka_unit_test(is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
