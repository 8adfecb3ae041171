/* test_windows.c - in no window do more sends start than a rule says, whoever starts them. The starts are real, and so
 * is Redis; its clock is the system's, which is why starts are read from that one too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "member.h"

#include <pthread.h>

#define MEMBERS    4
#define STARTS_MAX 4096
#define ENOUGH     70 /* starts; several windows of each rule */
#define HOLD_US    (200 * US_PER_MS)

static const struct limit_rule rules[] = {{5, 200 * US_PER_MS}, {11, 500 * US_PER_MS}};
static const struct limit_ask usual = {
    .limit = {"x_api", 5}, .rules = rules, .rule_count = ARRAY_COUNT(rules), .want = 1, .hold_us = HOLD_US};

struct record {
    pthread_mutex_t lock;
    int64_t starts_us[STARTS_MAX];
    size_t count;
    size_t trouble; /* takes that failed */
    const char *url;
};

struct worker {
    struct record *record;
    uint64_t seed;
    pthread_t thread;
};

static int64_t wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* How many of them started: none when the hold is over. */
static size_t record_starts(struct record *record, size_t count, int64_t hold_until_us) {
    pthread_mutex_lock(&record->lock);
    int64_t start_us = wall_us();
    size_t started = start_us < hold_until_us ? count : 0;
    for (size_t i = 0; i < started && record->count < STARTS_MAX; i++) record->starts_us[record->count++] = start_us;
    pthread_mutex_unlock(&record->lock);
    return started;
}

static bool record_is_full(struct record *record) {
    pthread_mutex_lock(&record->lock);
    bool full = record->count >= ENOUGH || record->trouble;
    pthread_mutex_unlock(&record->lock);
    return full;
}

/* Starts some of them at any moment before the hold is over, and says so, or dies before it can. */
static void use_grant(struct worker *worker, struct rng *rng, struct member *member, size_t granted,
                      int64_t hold_until_us) {
    size_t started = rng_below(rng, 4) ? granted : (size_t)rng_below(rng, granted + 1);
    nap((int64_t)rng_below(rng, rng_below(rng, 4) ? 2 * US_PER_MS : HOLD_US / 2));
    started = record_starts(worker->record, started, hold_until_us);
    if (rng_below(rng, 10) == 0) {
        member_close(member);
        member_open(member, worker->record->url);
    } else {
        member_started(member, usual.limit, started);
    }
}

static void *work(void *cls) {
    struct worker *worker = cls;
    struct rng rng;
    struct member member;
    rng_seed(&rng, worker->seed);
    member_open(&member, worker->record->url);
    while (!record_is_full(worker->record)) {
        struct limit_ask ask = usual;
        struct limit_grant grant = {0};
        ask.want = 1 + (size_t)rng_below(&rng, 4);
        int64_t hold_until_us = wall_us() + HOLD_US;
        if (member_try(&member, &ask, &grant)) {
            pthread_mutex_lock(&worker->record->lock);
            worker->record->trouble++;
            pthread_mutex_unlock(&worker->record->lock);
        } else if (grant.granted) {
            use_grant(worker, &rng, &member, grant.granted, hold_until_us);
        } else {
            nap(grant.wait_us < 20 * US_PER_MS ? grant.wait_us : 20 * US_PER_MS);
        }
    }
    member_close(&member);
    return NULL;
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* N + 1 starts in less than W lie in one half-open window. */
static void assert_windows(struct record *record) {
    qsort(record->starts_us, record->count, sizeof *record->starts_us, compare);
    for (size_t r = 0; r < ARRAY_COUNT(rules); r++)
        for (size_t i = 0, n = (size_t)rules[r].count; i + n < record->count; i++) {
            int64_t span_us = record->starts_us[i + n] - record->starts_us[i];
            if (span_us < rules[r].window_us) fail_msg("%zu starts within %lld us", n + 1, (long long)span_us);
        }
}

static void test_no_window_is_passed_by_several_that_start_and_die(void **state) {
    (void)state;
    struct server server;
    server_start(&server, false, NULL, 0);
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER, .url = server.url};
    struct worker workers[MEMBERS];
    for (size_t i = 0; i < MEMBERS; i++) {
        workers[i] = (struct worker){.record = &record, .seed = 7 + i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < MEMBERS; i++) pthread_join(workers[i].thread, NULL);
    assert_int_equal(record.trouble, 0);
    assert_true(record.count >= ENOUGH);
    assert_windows(&record);
    server_stop(&server);
}

/* One takes whatever there is, as soon as the answer says: the waits are long enough, and nothing is wasted by them. */
static void test_waiting_as_told_gets_the_next_place(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    member_open(&member, server.url);
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER};
    while (record.count < 22) {
        struct limit_grant grant = member_take(&member, &usual);
        assert_int_equal(grant.wait_us == 0, grant.granted == 1);
        if (!grant.granted) {
            nap(grant.wait_us);
            grant = member_take(&member, &usual);
            assert_int_equal(grant.granted, 1);
        }
        record_starts(&record, 1, INT64_MAX);
        member_started(&member, usual.limit, 1);
    }
    assert_windows(&record);
    member_close(&member);
    server_stop(&server);
}

/* A take that is neither started nor given back is as good as started at the end of its hold, and then it is over. */
static void test_what_a_dead_process_took_counts_until_its_window_is_over(void **state) {
    (void)state;
    struct server server;
    struct member dead, alive;
    struct limit_ask ask = usual;
    server_start(&server, false, NULL, 0);
    member_open(&dead, server.url);
    member_open(&alive, server.url);
    ask.want = 5;
    int64_t before_us = wall_us();
    assert_int_equal(member_take(&dead, &ask).granted, 5);
    member_close(&dead);
    struct limit_grant grant;
    while (!(grant = member_take(&alive, &ask)).granted) {
        assert_true(grant.wait_us > 0);
        nap(grant.wait_us < 10 * US_PER_MS ? grant.wait_us : 10 * US_PER_MS);
    }
    assert_true(wall_us() - before_us >= HOLD_US + rules[0].window_us);
    assert_int_equal(grant.granted, 5);
    member_close(&alive);
    server_stop(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_window_is_passed_by_several_that_start_and_die),
        cmocka_unit_test(test_waiting_as_told_gets_the_next_place),
        cmocka_unit_test(test_what_a_dead_process_took_counts_until_its_window_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
