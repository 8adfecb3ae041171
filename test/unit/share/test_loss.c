/* test_loss.c - Redis without what it had been told: found, counted, and taught again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "member.h"

static const struct limit_rule rules[] = {{10, 900 * US_PER_S}, {2000, US_PER_HOUR}};
static const struct limit_ask usual = {
    .limit = {"x_api", 5}, .rules = rules, .rule_count = ARRAY_COUNT(rules), .want = 1, .hold_us = 30 * US_PER_S};

struct fixture {
    struct server server;
    struct member one, two, fresh;
};

/* One and two have used the limit: one place each. The fresh one has not. */
static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    server_start(&fixture->server, false, NULL, 0);
    member_open(&fixture->one, fixture->server.url);
    member_open(&fixture->two, fixture->server.url);
    member_open(&fixture->fresh, fixture->server.url);
    assert_int_equal(member_take(&fixture->one, &usual).remaining, 9);
    member_started(&fixture->one, usual.limit, 1);
    assert_int_equal(member_take(&fixture->two, &usual).remaining, 8);
    member_started(&fixture->two, usual.limit, 1);
    assert_int_equal(member_remaining(&fixture->one, &usual), 8);
    assert_int_equal(member_remaining(&fixture->two, &usual), 8);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    member_close(&fixture->one);
    member_close(&fixture->two);
    member_close(&fixture->fresh);
    server_stop(&fixture->server);
    free(fixture);
    return 0;
}

static void teach(struct member *member, size_t count, int64_t age_us) {
    int64_t *ages_us = calloc(count ? count : 1, sizeof *ages_us);
    assert_non_null(ages_us);
    for (size_t i = 0; i < count; i++) ages_us[i] = age_us;
    member_teach(member, &usual, ages_us, count);
    free(ages_us);
}

static void assert_losses(const struct member *member, uint64_t losses) {
    assert_int_equal(member->losses, losses);
}

static size_t take_and_start(struct member *member) {
    struct limit_grant grant = member_take(member, &usual);
    assert_int_equal(grant.granted, 1);
    member_started(member, usual.limit, 1);
    return grant.remaining;
}

static void test_a_flush_is_told_once_to_each_that_had_used_it(void **state) {
    struct fixture *fixture = *state;
    server_number(&fixture->server, "FLUSHALL");
    member_fails(&fixture->one, &usual);
    assert_non_null(strstr(share_trouble(fixture->one.share), "forgotten"));
    assert_true(share_is_up(fixture->one.share));
    assert_losses(&fixture->one, 1);
    assert_int_equal(take_and_start(&fixture->one), 9);
    assert_int_equal(take_and_start(&fixture->fresh), 8);
    member_fails(&fixture->two, &usual);
    assert_int_equal(take_and_start(&fixture->two), 7);
    assert_int_equal(take_and_start(&fixture->one), 6);
    assert_losses(&fixture->one, 1);
    assert_losses(&fixture->two, 1);
    assert_losses(&fixture->fresh, 0);
}

static void test_the_first_teacher_is_believed(void **state) {
    struct fixture *fixture = *state;
    server_number(&fixture->server, "FLUSHALL");
    member_fails(&fixture->one, &usual);
    teach(&fixture->one, 7, 10 * US_PER_S);
    assert_int_equal(take_and_start(&fixture->one), 2);
    member_fails(&fixture->two, &usual);
    teach(&fixture->two, 9, 10 * US_PER_S);
    teach(&fixture->fresh, 9, 10 * US_PER_S);
    assert_int_equal(take_and_start(&fixture->two), 1);
    assert_losses(&fixture->one, 1);
    assert_losses(&fixture->two, 1);
}

/* Somebody who knows nothing came first; that must not hide the loss from those who do know. */
static void test_a_loss_is_found_behind_a_newcomer(void **state) {
    struct fixture *fixture = *state;
    server_number(&fixture->server, "FLUSHALL");
    assert_int_equal(take_and_start(&fixture->fresh), 9);
    member_fails(&fixture->one, &usual);
    teach(&fixture->one, 5, 10 * US_PER_S);
    assert_int_equal(take_and_start(&fixture->one), 3);
    assert_int_equal(take_and_start(&fixture->fresh), 2);
    assert_losses(&fixture->fresh, 0);
}

/* At a start: what Redis has is better than what a store remembers. */
static void test_nobody_is_taught_who_knows(void **state) {
    struct fixture *fixture = *state;
    teach(&fixture->fresh, 5, 10 * US_PER_S);
    assert_int_equal(take_and_start(&fixture->fresh), 7);
    server_number(&fixture->server, "FLUSHALL");
    member_close(&fixture->one);
    member_open(&fixture->one, fixture->server.url);
    teach(&fixture->one, 5, 10 * US_PER_S);
    assert_int_equal(take_and_start(&fixture->one), 4);
    assert_losses(&fixture->one, 0);
}

/* Members of the longest rule that count from so long from now. */
static long long count_between(struct fixture *fixture, int64_t from_us, int64_t until_us) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long now_us = now.tv_sec * US_PER_S + now.tv_nsec / 1000;
    return server_number(&fixture->server, "ZCOUNT rate_limit:x_api:2000/3600000 %lld %lld", now_us + from_us,
                         now_us + until_us);
}

static void test_what_is_taught_has_its_age(void **state) {
    struct fixture *fixture = *state;
    const int64_t ages_us[] = {
        901 * US_PER_S, US_PER_HOUR, 899 * US_PER_S, -US_PER_MIN, WHEN_NEVER, 2 * US_PER_HOUR, 0};
    server_number(&fixture->server, "FLUSHALL");
    member_teach(&fixture->fresh, &usual, ages_us, ARRAY_COUNT(ages_us));
    assert_int_equal(server_number(&fixture->server, "ZSCORE rate_limit:x_api:10/900000 total"), -3);
    assert_int_equal(server_number(&fixture->server, "ZSCORE rate_limit:x_api:2000/3600000 total"), -4);
    struct limit_ask ask = usual;
    ask.want = 8;
    struct limit_grant grant = member_take(&fixture->fresh, &ask);
    assert_int_equal(grant.granted, 7);
    assert_true(grant.wait_us > 0 && grant.wait_us <= US_PER_S); /* the one of 899 s */
    member_started(&fixture->fresh, ask.limit, 0);
    member_remaining(&fixture->fresh, &ask);
    assert_int_equal(count_between(fixture, -US_PER_MIN, US_PER_HOUR), 2); /* the one of the future is of now */
    assert_int_equal(count_between(fixture, US_PER_S, US_PER_HOUR), 0);
}

/* Pairs of one old and one young: in groups of two there are as many of each, whatever their order was. */
static void test_groups_are_of_neighbours(void **state) {
    struct fixture *fixture = *state;
    int64_t ages_us[2048];
    for (size_t i = 0; i < ARRAY_COUNT(ages_us); i++) ages_us[i] = i % 2 ? 0 : 50 * US_PER_MIN;
    server_number(&fixture->server, "FLUSHALL");
    member_teach(&fixture->fresh, &usual, ages_us, ARRAY_COUNT(ages_us));
    assert_int_equal(count_between(fixture, -US_PER_HOUR, -40 * US_PER_MIN), 512);
    assert_int_equal(count_between(fixture, -US_PER_MIN, US_PER_MIN), 512);
}

/* Joined in groups, none is forgotten and none counts as older than it is. */
static void test_many_may_be_taught(void **state) {
    struct fixture *fixture = *state;
    enum { MANY = 100001 };
    struct limit_ask ask = usual;
    const struct limit_rule wide = {100000, US_PER_HOUR};
    int64_t *ages_us = calloc(MANY, sizeof *ages_us);
    assert_non_null(ages_us);
    for (int i = 0; i < MANY; i++) ages_us[i] = (MANY - i) * 30 * US_PER_MS; /* the oldest is of 3000 s */
    ask.rules = &wide;
    ask.rule_count = 1;
    server_number(&fixture->server, "FLUSHALL");
    member_teach(&fixture->fresh, &ask, ages_us, MANY);
    assert_int_equal(server_number(&fixture->server, "ZSCORE rate_limit:x_api:100000/3600000 total"), -MANY);
    assert_true(server_number(&fixture->server, "ZCARD rate_limit:x_api:100000/3600000") < 1100);
    assert_int_equal(member_take(&fixture->fresh, &ask).granted, 0);
    /* Two must go before one may come: the oldest group has more than that, and is at least 600 s from its end. */
    struct limit_grant grant = member_take(&fixture->fresh, &ask);
    assert_true(grant.wait_us > 595 * US_PER_S && grant.wait_us < 610 * US_PER_S);
    free(ages_us);
}

static void test_nothing_to_teach_is_a_lesson_too(void **state) {
    struct fixture *fixture = *state;
    server_number(&fixture->server, "FLUSHALL");
    teach(&fixture->fresh, 0, 0);
    assert_int_equal(take_and_start(&fixture->fresh), 9);
    member_fails(&fixture->one, &usual);
    teach(&fixture->one, 5, 0);
    assert_int_equal(take_and_start(&fixture->one), 8);
    assert_losses(&fixture->fresh, 0);
}

/* Short of memory, Redis may drop any key. */
static void test_a_lost_part_is_a_loss(void **state) {
    struct fixture *fixture = *state;
    static const char *const keys[] = {"rate_limit:x_api:10/900000", "rate_limit:x_api:2000/3600000",
                                       "rate_limit:x_api:epoch"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        assert_int_equal(server_number(&fixture->server, "DEL %s", keys[i]), 1);
        member_fails(&fixture->one, &usual);
        member_fails(&fixture->two, &usual);
        take_and_start(&fixture->one);
        take_and_start(&fixture->two);
        assert_losses(&fixture->one, i + 1);
        assert_losses(&fixture->two, i + 1);
    }
}

/* The lost set of an open take is not begun again by its start. */
static void test_a_start_does_not_hide_a_loss(void **state) {
    struct fixture *fixture = *state;
    member_take(&fixture->one, &usual);
    server_number(&fixture->server, "DEL rate_limit:x_api:10/900000");
    member_started(&fixture->one, usual.limit, 1);
    member_fails(&fixture->one, &usual);
    assert_losses(&fixture->one, 1);
}

/* A replica that took over has not seen the last takes. */
static void test_time_that_went_back_is_a_loss(void **state) {
    struct fixture *fixture = *state;
    server_number(&fixture->server, "HINCRBY rate_limit:x_api:epoch takes -1");
    member_fails(&fixture->two, &usual);
    member_fails(&fixture->one, &usual);
    teach(&fixture->one, 1, 0);
    assert_int_equal(take_and_start(&fixture->one), 6);
    assert_losses(&fixture->two, 1);
}

/* A take is never named like one before it, also when the clock stepped back. */
static void test_numbers_of_takes_do_not_repeat(void **state) {
    struct fixture *fixture = *state;
    const long long future = 8000000000000000;
    server_number(&fixture->server, "HSET rate_limit:x_api:epoch takes %lld", future);
    server_number(&fixture->server, "DEL rate_limit:x_api:10/900000");
    member_fails(&fixture->one, &usual);
    assert_true(server_number(&fixture->server, "HGET rate_limit:x_api:epoch takes") > future);
}

/* When no window holds anything of ours, there is nothing to miss. */
static void test_what_is_over_is_not_missed(void **state) {
    struct fixture *fixture = *state;
    server_number(&fixture->server, "FLUSHALL");
    fixture->one.ahead_us = US_PER_HOUR + 30 * US_PER_S + US_PER_S;
    assert_int_equal(take_and_start(&fixture->one), 9);
    assert_losses(&fixture->one, 0);
}

/* A rule that is new is not a loss. */
static void test_new_rules_are_no_loss(void **state) {
    struct fixture *fixture = *state;
    const struct limit_rule changed = {3, US_PER_MIN};
    struct limit_ask ask = usual;
    ask.rules = &changed;
    ask.rule_count = 1;
    assert_int_equal(member_take(&fixture->one, &ask).granted, 1);
    assert_losses(&fixture->one, 0);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_a_flush_is_told_once_to_each_that_had_used_it),
        WITH_SERVER(test_the_first_teacher_is_believed),
        WITH_SERVER(test_a_loss_is_found_behind_a_newcomer),
        WITH_SERVER(test_nobody_is_taught_who_knows),
        WITH_SERVER(test_what_is_taught_has_its_age),
        WITH_SERVER(test_groups_are_of_neighbours),
        WITH_SERVER(test_many_may_be_taught),
        WITH_SERVER(test_nothing_to_teach_is_a_lesson_too),
        WITH_SERVER(test_a_lost_part_is_a_loss),
        WITH_SERVER(test_a_start_does_not_hide_a_loss),
        WITH_SERVER(test_time_that_went_back_is_a_loss),
        WITH_SERVER(test_numbers_of_takes_do_not_repeat),
        WITH_SERVER(test_what_is_over_is_not_missed),
        WITH_SERVER(test_new_rules_are_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
