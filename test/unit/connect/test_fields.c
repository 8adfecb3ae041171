#include "connect/fields.h"

#include "base/arena.h"
#include "base/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 2026-11-24T12:00:00Z */
#define NOW_S 1795521600
#define NOW   (NOW_S * US_PER_S)
#define NONE  INT64_MIN /* names no moment */

struct reset_row {
    const char *value;
    enum reset_unit unit;
    int64_t at_us;
};

static const struct reset_row reset_rows[] = {
    /* X, GitHub: epoch seconds */
    {"1795521630", RESET_AUTO, NOW + 30 * US_PER_S},
    {"1795521630", RESET_EPOCH_S, NOW + 30 * US_PER_S},
    /* Mailgun: a float; some pages say milliseconds */
    {"1795521630.5", RESET_AUTO, NOW + 30 * US_PER_S + 500000},
    {"1795521630.0", RESET_EPOCH_S, NOW + 30 * US_PER_S},
    {"1795521630000", RESET_AUTO, NOW + 30 * US_PER_S},
    {"1795521630250", RESET_EPOCH_MS, NOW + 30 * US_PER_S + 250000},
    /* Discord: fractions, epoch and to go */
    {"1795521600.25", RESET_AUTO, NOW + 250000},
    {"0.25", RESET_AUTO, NOW + 250000},
    {"0.25", RESET_DELTA_S, NOW + 250000},
    {"1500", RESET_DELTA_MS, NOW + 1500000},
    /* Resend: seconds to go */
    {"1", RESET_AUTO, NOW + US_PER_S},
    {"0", RESET_AUTO, NOW},
    {"  30 ", RESET_AUTO, NOW + 30 * US_PER_S},
    {"1000000000", RESET_AUTO, NOW + 1000000000 * US_PER_S},
    {"1795521630", RESET_DELTA_S, NOW + 1795521630 * US_PER_S},
    /* Mastodon, Buffer: dates */
    {"2026-11-24T12:05:00.000000Z", RESET_AUTO, NOW + 300 * US_PER_S},
    {"2026-11-24T13:05:00+01:00", RESET_DATE, NOW + 300 * US_PER_S},
    {"Tue, 24 Nov 2026 12:05:00 GMT", RESET_AUTO, NOW + 300 * US_PER_S},
    {"Tue, 24 Nov 2026 12:05:00 GMT", RESET_DATE, NOW + 300 * US_PER_S},
    /* what is past is still a moment */
    {"1600000000", RESET_AUTO, 1600000000 * US_PER_S},
    {"2020-01-01T00:00:00Z", RESET_AUTO, 1577836800 * US_PER_S},
    /* what names none */
    {"", RESET_AUTO, NONE},
    {"-1", RESET_AUTO, NONE},
    {"-1795521630", RESET_EPOCH_S, NONE},
    {"soon", RESET_AUTO, NONE},
    {"30s", RESET_AUTO, NONE},
    {"1,5", RESET_AUTO, NONE},
    {"30, 60", RESET_AUTO, NONE},
    {"0x1e", RESET_AUTO, NONE},
    {"inf", RESET_DELTA_S, NONE},
    {"nan", RESET_DELTA_S, NONE},
    {"1e300", RESET_AUTO, NONE},
    {"1e300", RESET_DELTA_MS, NONE},
    {"99999999999999999999999999999999", RESET_EPOCH_S, NONE},
    {"2026-11-24 12:05:00", RESET_AUTO, NONE},
    {"2026-13-24T12:05:00Z", RESET_DATE, NONE},
    {"30", RESET_DATE, NONE},
    {"2026-11-24T12:05:00Z", RESET_EPOCH_S, NONE},
};

static void resets_are_read_in_their_unit(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof reset_rows / sizeof *reset_rows; i++) {
        const struct reset_row *row = &reset_rows[i];
        int64_t at_us = 77;
        bool read = field_reset(str_from(row->value), row->unit, (struct field_clock){NOW, NOW}, &at_us);
        if (read != (row->at_us != NONE) || at_us != (read ? row->at_us : 77))
            fail_msg("'%s' as %d: read %d, %lld", row->value, (int)row->unit, read, (long long)(at_us - NOW));
    }
}

#define HEADERS_MAX 8

/* "name: value" lines. */
static struct answer answer_of(struct header headers[HEADERS_MAX], const char *lines) {
    struct answer answer = {.end = EXCHANGE_ANSWERED, .status = 200, .headers = headers};
    struct str rest = str_from(lines), line;
    while (str_next(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        assert_true(colon != SIZE_MAX && answer.header_count < HEADERS_MAX);
        headers[answer.header_count++] =
            (struct header){str_sub(line, 0, colon), str_trim(str_sub(line, colon + 1, line.n))};
    }
    return answer;
}

struct header_row {
    const char *lines;
    int64_t after_us; /* from now */
};

static void check_rows(const struct header_row *rows, size_t count,
                       bool (*read)(const struct answer *, int64_t, int64_t *)) {
    for (size_t i = 0; i < count; i++) {
        struct header headers[HEADERS_MAX];
        struct answer answer = answer_of(headers, rows[i].lines);
        int64_t at_us = 77;
        bool found = read(&answer, NOW, &at_us);
        int64_t expected = rows[i].after_us == NONE ? 77 : NOW + rows[i].after_us;
        if (found != (rows[i].after_us != NONE) || at_us != expected)
            fail_msg("'%s': found %d, %lld us from now", rows[i].lines, found, (long long)(at_us - NOW));
    }
}

static const struct header_row retry_rows[] = {
    {"Retry-After: 120", 120 * US_PER_S},
    {"retry-after: 120", 120 * US_PER_S},
    {"RETRY-AFTER: 1.5", 1500000},
    {"Retry-After: Tue, 24 Nov 2026 12:02:00 GMT", 120 * US_PER_S},
    {"Retry-After: Tuesday, 24-Nov-26 12:02:00 GMT", 120 * US_PER_S},
    {"Retry-After: 2026-11-24T12:02:00Z", 120 * US_PER_S},
    {"Retry-After: 0", US_PER_S},
    {"Retry-After: 0.2", US_PER_S},
    {"Retry-After: Mon, 23 Nov 2026 12:00:00 GMT", US_PER_S},
    {"Retry-After: 315360000", US_PER_DAY},
    {"Retry-After: Tue, 24 Nov 2026 12:02:00 UTC", 120 * US_PER_S},
    {"Retry-After: Tue, 24 Nov 2026 12:02:00 +0000", 120 * US_PER_S},
    {"Retry-After: Tue, 24 Nov 2026 14:02:00 +0200", NONE},
    /* an epoch is a moment; without a Date nobody knows how far the clocks are apart */
    {"Retry-After: 1795521630", 30 * US_PER_S},
    {"Retry-After: 1795525200", 900 * US_PER_S},
    {"Retry-After: Tue, 24 Nov 2036 12:02:00 GMT", 900 * US_PER_S},
    {"Date: Tue, 24 Nov 2036 12:01:00 GMT\nRetry-After: Tue, 24 Nov 2036 12:02:00 GMT", 60 * US_PER_S},
    {"Date: Tue, 24 Nov 2026 13:00:00 GMT\nRetry-After: 1795525205", 5 * US_PER_S},
    {"Date: Tue, 24 Nov 2026 11:00:00 GMT\nRetry-After: 1795525200", US_PER_DAY / 12},
    {"Date: yesterday\nRetry-After: 1795521630", 30 * US_PER_S},
    {"Retry-After: 3\nRetry-After: 90", 90 * US_PER_S},
    {"Retry-After: 90\nRetry-After: 3", 90 * US_PER_S},
    {"Retry-After: soon\nRetry-After: 3", 3 * US_PER_S},
    {"Retry-After: -5", NONE},
    {"Retry-After: soon", NONE},
    {"Retry-After:", NONE},
    {"Retry-After: 1e400", NONE},
    {"Retry-After: 120, 240", 240 * US_PER_S},
    {"Retry-After: 240,120", 240 * US_PER_S},
    {"Retry-After: 120, soon", NONE},
    {"X-Retry-After: 120", NONE},
    {"", NONE},
};

static void retry_after_is_obeyed_within_bounds(void **state) {
    (void)state;
    check_rows(retry_rows, sizeof retry_rows / sizeof *retry_rows, field_retry_after);
}

static const struct header_row quiet_rows[] = {
    /* X */
    {"x-rate-limit-limit: 100\nx-rate-limit-remaining: 0\nx-rate-limit-reset: 1795521660", 60 * US_PER_S},
    {"x-rate-limit-remaining: 1\nx-rate-limit-reset: 1795521660", NONE},
    /* Mastodon */
    {"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 2026-11-24T12:01:00.000000Z", 60 * US_PER_S},
    /* Mailgun */
    {"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795521660.0", 60 * US_PER_S},
    /* Discord: seconds to go count, whatever its clock says */
    {"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795525200.5\nX-RateLimit-Reset-After: 0.5", US_PER_S},
    {"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795521660.5\nX-RateLimit-Reset-After: bad", 60500000},
    /* Bluesky */
    {"RateLimit-Limit: 5000\nRateLimit-Remaining: 0\nRateLimit-Reset: 1795521660\nRateLimit-Policy: 5000;w=3600",
     60 * US_PER_S},
    /* Resend */
    {"ratelimit-limit: 2\nratelimit-remaining: 0\nratelimit-reset: 1", US_PER_S},
    /* Buffer, in both of its forms */
    {"RateLimit-Remaining: 0\nRateLimit-Reset: 2026-11-24T12:15:00Z", 900 * US_PER_S},
    {"RateLimit: \"15min\";r=12;t=30\nRateLimit: \"24h\";r=0;t=5000\nRateLimit: \"30d\";r=0;t=70", 5000 * US_PER_S},
    {"RateLimit: \"15min\";r=12;t=30, \"24h\";r=0;t=50", 50 * US_PER_S},
    {"RateLimit: \"15min\";r=12;t=30, \"24h\";r=1;t=50", NONE},
    /* the draft's dictionary */
    {"RateLimit: limit=100, remaining=0, reset=45", 45 * US_PER_S},
    {"RateLimit: limit=100, remaining=3, reset=45", NONE},
    /* two limits: the later one */
    {"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 20\nRateLimit: \"d\";r=0;t=60", 60 * US_PER_S},
    /* bounds */
    {"RateLimit-Remaining: 0\nRateLimit-Reset: 315360000", US_PER_DAY},
    {"RateLimit-Remaining: 0.5\nRateLimit-Reset: 10", 10 * US_PER_S},
    /* nothing to obey */
    {"RateLimit-Remaining: 0\nRateLimit-Reset: 1600000000", NONE},
    {"RateLimit-Remaining: 0\nRateLimit-Reset: 0", NONE},
    {"RateLimit-Remaining: 0", NONE},
    {"RateLimit-Remaining: -1\nRateLimit-Reset: 10", NONE},
    {"RateLimit-Remaining: none\nRateLimit-Reset: 10", NONE},
    {"RateLimit-Reset: 10", NONE},
    {"RateLimit: \"d\";r=0", NONE},
    {"RateLimit: \"d\";t=10", NONE},
    {"RateLimit: \"d\";r=\"0\";t=-10", NONE},
    {"RateLimit: garbage", NONE},
    {"RateLimit: \"broken;r=0;t=5", NONE},
    {"", NONE},
};

static void quiet_is_read_from_every_usual_form(void **state) {
    (void)state;
    check_rows(quiet_rows, sizeof quiet_rows / sizeof *quiet_rows, field_quiet_until);
}

static void named_limits_are_read_with_their_units(void **state) {
    (void)state;
    struct header headers[HEADERS_MAX];
    struct answer answer = answer_of(headers, "X-Left: 0\nX-Until: 2500\nX-Hour: 0\nX-Hour-Reset: 1795521650");
    const struct limit_field fields[] = {{STR("x-left"), STR("x-until"), RESET_DELTA_MS},
                                         {STR("x-hour"), STR("x-hour-reset"), RESET_EPOCH_S}};
    int64_t at_us = 0;
    assert_true(field_limit(&answer, fields, 1, false, NOW, &at_us));
    assert_int_equal(at_us, NOW + 2500000);
    assert_true(field_limit(&answer, fields, 2, false, NOW, &at_us));
    assert_int_equal(at_us, NOW + 50 * US_PER_S);
}

static void a_reset_alone_counts_only_after_a_refusal(void **state) {
    (void)state;
    struct header headers[HEADERS_MAX];
    struct answer answer = answer_of(headers, "X-RateLimit-Reset: 1795521620.0");
    const struct limit_field field = {STR_NONE, STR("x-ratelimit-reset"), RESET_EPOCH_S};
    int64_t at_us = 0;
    assert_false(field_limit(&answer, &field, 1, false, NOW, &at_us));
    assert_true(field_limit(&answer, &field, 1, true, NOW, &at_us));
    assert_int_equal(at_us, NOW + 20 * US_PER_S);
}

static void a_structured_header_may_be_named(void **state) {
    (void)state;
    struct header headers[HEADERS_MAX];
    struct answer answer = answer_of(headers, "X-Limits: \"a\";r=0;t=9, \"b\";r=1;t=99");
    const struct limit_field field = {STR("x-limits"), STR_NONE, RESET_AUTO};
    int64_t at_us = 0;
    assert_true(field_limit(&answer, &field, 1, false, NOW, &at_us));
    assert_int_equal(at_us, NOW + 9 * US_PER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets_are_read_in_their_unit),
        cmocka_unit_test(retry_after_is_obeyed_within_bounds),
        cmocka_unit_test(quiet_is_read_from_every_usual_form),
        cmocka_unit_test(named_limits_are_read_with_their_units),
        cmocka_unit_test(a_reset_alone_counts_only_after_a_refusal),
        cmocka_unit_test(a_structured_header_may_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
