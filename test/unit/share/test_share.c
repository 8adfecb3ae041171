/* test_share.c - what several processes see of each other's takes, quiet spells, and names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "member.h"

/* Long enough that nothing ends during a test. */
static const struct limit_rule rules[] = {{10, 900 * US_PER_S}, {100, US_PER_HOUR}};
static const struct limit_ask usual = {
    .limit = {"x_api", 5}, .rules = rules, .rule_count = ARRAY_COUNT(rules), .want = 4, .hold_us = 30 * US_PER_S};

struct fixture {
    struct server server;
    struct member one, two;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    server_start(&fixture->server, false, NULL, 0);
    member_open(&fixture->one, fixture->server.url);
    member_open(&fixture->two, fixture->server.url);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    member_close(&fixture->one);
    member_close(&fixture->two);
    server_stop(&fixture->server);
    free(fixture);
    return 0;
}

static void test_what_one_takes_another_cannot(void **state) {
    struct fixture *fixture = *state;
    struct limit_grant grant = member_take(&fixture->one, &usual);
    assert_int_equal(grant.granted, 4);
    assert_int_equal(grant.remaining, 6);
    assert_int_equal(grant.wait_us, 0);
    assert_int_equal(grant.quiet_us, 0);
    assert_true(share_is_up(fixture->one.share));
    assert_string_equal(share_trouble(fixture->one.share), "");

    struct limit_ask ask = usual;
    ask.want = 50;
    grant = member_take(&fixture->two, &ask);
    assert_int_equal(grant.granted, 6);
    assert_int_equal(grant.remaining, 0);
    /* The first could leave at once, and would then count from now. */
    assert_int_equal(grant.wait_us, rules[0].window_us);
    member_started(&fixture->two, usual.limit, 6);
    grant = member_take(&fixture->two, &ask);
    assert_int_equal(grant.granted, 0);
    assert_true(grant.wait_us > 0 && grant.wait_us < rules[0].window_us);
}

static void test_what_did_not_start_is_given_back(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(member_take(&fixture->one, &usual).granted, 4);
    assert_int_equal(member_remaining(&fixture->two, &usual), 6);
    member_started(&fixture->one, usual.limit, 1);
    assert_int_equal(member_take(&fixture->one, &usual).remaining, 5);
    member_started(&fixture->one, usual.limit, 0);
    assert_int_equal(member_remaining(&fixture->one, &usual), 9);
    /* Nothing is open any more. */
    member_started(&fixture->one, usual.limit, 3);
    member_started(&fixture->one, STR("never asked"), 3);
    assert_int_equal(member_remaining(&fixture->one, &usual), 9);
    /* Each rule's set says the same. */
    assert_int_equal(server_number(&fixture->server, "ZCARD rate_limit:x_api:10/900000"), 2);
    assert_int_equal(server_number(&fixture->server, "ZSCORE rate_limit:x_api:10/900000 total"), -1);
    assert_int_equal(server_number(&fixture->server, "ZSCORE rate_limit:x_api:100/3600000 total"), -1);
}

/* Until the last of a take began to leave, its places count as at the end of its hold, and no later take or doubt gives
 * them back; then they count from that moment. */
static void test_what_flies_counts_from_when_it_began(void **state) {
    struct fixture *fixture = *state;
    struct limit_ask ask = usual;
    const struct limit_ask other = {.limit = STR("other")};
    struct limit_ticket ticket = member_take(&fixture->one, &ask).ticket;
    member_flying(&fixture->one, ask.limit, 3);
    assert_int_equal(member_take(&fixture->one, &ask).remaining, 3); /* 3 fly, 4 are pending */
    member_started(&fixture->one, ask.limit, 0);
    assert_int_equal(member_remaining(&fixture->two, &ask), 7);
    long long server_us = server_number(&fixture->server, "EVAL %s 0", "return redis.call('TIME')[1] * 1000000");
    const char *marks = "ZCOUNT rate_limit:x_api:10/900000 (%lld +inf";
    long long later_us = server_us + ask.hold_us / 2;
    assert_int_equal(server_number(&fixture->server, marks, later_us), 1);
    member_began(&fixture->one, ticket, 3);
    member_remaining(&fixture->one, &other); /* its answer comes after that of the note */
    assert_int_equal(server_number(&fixture->server, marks, later_us), 0);
    assert_int_equal(member_remaining(&fixture->two, &ask), 7);
    member_began(&fixture->one, ticket, 3); /* again: nothing flies any more */
    assert_int_equal(member_remaining(&fixture->one, &ask), 7);
}

static void test_the_tightest_rule_decides(void **state) {
    struct fixture *fixture = *state;
    const struct limit_rule loose_first[] = {{100, US_PER_S}, {7, 900 * US_PER_S}, {9, US_PER_HOUR}};
    struct limit_ask ask = usual;
    ask.rules = loose_first;
    ask.rule_count = 3;
    ask.want = 8;
    struct limit_grant grant = member_take(&fixture->one, &ask);
    assert_int_equal(grant.granted, 7);
    assert_int_equal(grant.wait_us, 900 * US_PER_S);
    assert_int_equal(member_remaining(&fixture->one, &ask), 0);
    ask.rules = loose_first + 2;
    ask.rule_count = 1;
    assert_int_equal(member_remaining(&fixture->one, &ask), 2);
}

static void test_a_rule_that_stands_twice_counts_once(void **state) {
    struct fixture *fixture = *state;
    const struct limit_rule twice[] = {{10, 900 * US_PER_S}, {10, 900 * US_PER_S}};
    struct limit_ask ask = usual;
    ask.rules = twice;
    assert_int_equal(member_take(&fixture->one, &ask).remaining, 6);
    member_started(&fixture->one, ask.limit, 3);
    const struct limit_ask other = {.limit = STR("other")};
    member_remaining(&fixture->one, &other); /* its answer comes after that of the note */
    assert_int_equal(server_number(&fixture->server, "GET rate_limit:x_api:window"), 7);
    assert_int_equal(member_remaining(&fixture->one, &ask), 7);
}

static void test_people_read_what_is_left(void **state) {
    struct fixture *fixture = *state;
    member_take(&fixture->one, &usual);
    assert_int_equal(server_number(&fixture->server, "GET rate_limit:x_api:window"), 6);
    member_started(&fixture->one, usual.limit, 1);
    const struct limit_ask other = {.limit = STR("other")};
    member_remaining(&fixture->one, &other); /* its answer comes after that of the note */
    assert_int_equal(server_number(&fixture->server, "GET rate_limit:x_api:window"), 9);
    server_number(&fixture->server, "DEL rate_limit:x_api:window");
    assert_int_equal(member_remaining(&fixture->one, &usual), 9);
    assert_int_equal(server_number(&fixture->server, "GET rate_limit:x_api:window"), 9);
}

/* A place that time gave back is seen when somebody looks. */
static void test_remaining_forgets_what_is_over(void **state) {
    struct fixture *fixture = *state;
    const struct limit_rule brief = {3, US_PER_MS};
    struct limit_ask ask = usual;
    ask.rules = &brief;
    ask.rule_count = 1;
    ask.want = 3;
    assert_int_equal(member_take(&fixture->one, &ask).granted, 3);
    member_started(&fixture->one, ask.limit, 3);
    while (member_remaining(&fixture->one, &ask) != 3) nap(US_PER_MS);
    assert_int_equal(server_number(&fixture->server, "GET rate_limit:x_api:window"), 3);
}

static void test_no_key_stays_for_ever(void **state) {
    struct fixture *fixture = *state;
    static const char *const names[] = {"window", "quiet", "epoch", "10/900000", "100/3600000"};
    member_take(&fixture->one, &usual);
    member_quiet(&fixture->one, usual.limit, US_PER_HOUR);
    member_remaining(&fixture->one, &usual);
    assert_int_equal(server_number(&fixture->server, "DBSIZE"), ARRAY_COUNT(names));
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        long long life_ms = server_number(&fixture->server, "PTTL rate_limit:x_api:%s", names[i]);
        assert_true(life_ms > 0 && life_ms <= 3600 * 1000 + 30 * 1000 + 60 * 1000);
    }
    /* One that holds for less does not shorten what another's take needs. */
    struct limit_ask ask = usual;
    ask.hold_us = 0;
    ask.rule_count = 1;
    member_take(&fixture->two, &ask);
    assert_true(server_number(&fixture->server, "PTTL rate_limit:x_api:10/900000") > 3600 * 1000);
}

static void test_a_quiet_spell_is_for_all(void **state) {
    struct fixture *fixture = *state;
    member_quiet(&fixture->one, usual.limit, US_PER_HOUR); /* not connected yet: goes with the take */
    struct limit_grant grant = member_take(&fixture->one, &usual);
    assert_int_equal(grant.granted, 0);
    assert_int_equal(grant.remaining, 10);
    grant = member_take(&fixture->two, &usual);
    assert_int_equal(grant.granted, 0);
    assert_true(grant.quiet_us > US_PER_MIN && grant.quiet_us <= US_PER_HOUR);
    assert_int_equal(grant.wait_us, grant.quiet_us);

    member_quiet(&fixture->two, usual.limit, US_PER_S);
    member_remaining(&fixture->two, &usual);
    assert_true(member_take(&fixture->one, &usual).quiet_us > US_PER_MIN); /* no sooner */
    member_quiet(&fixture->two, usual.limit, 50 * US_PER_DAY);
    member_remaining(&fixture->two, &usual);
    grant = member_take(&fixture->one, &usual);
    assert_true(grant.quiet_us > US_PER_HOUR && grant.quiet_us <= US_PER_DAY);
    assert_true(server_number(&fixture->server, "PTTL rate_limit:x_api:quiet") <= US_PER_DAY / US_PER_MS + 1);
    server_number(&fixture->server,
                  "SET rate_limit:x_api:quiet 9000000000000000"); /* as after a clock that stepped back */
    assert_int_equal(member_take(&fixture->one, &usual).quiet_us, US_PER_DAY);

    member_quiet(&fixture->two, usual.limit, 0);
    member_remaining(&fixture->two, &usual);
    grant = member_take(&fixture->one, &usual);
    assert_int_equal(grant.granted, 4);
    assert_int_equal(grant.quiet_us, 0);
}

static void test_a_quiet_spell_that_was_taken_back_is_not_told_later(void **state) {
    struct fixture *fixture = *state;
    member_quiet(&fixture->one, usual.limit, US_PER_MIN);
    member_quiet(&fixture->one, usual.limit, 0);
    assert_int_equal(member_take(&fixture->one, &usual).granted, 4);
}

static void test_a_limit_without_rules_has_quiet_spells(void **state) {
    struct fixture *fixture = *state;
    struct limit_ask ask = {.limit = STR("free"), .want = 1000};
    struct limit_grant grant = member_take(&fixture->one, &ask);
    assert_int_equal(grant.granted, 1000);
    assert_true(grant.remaining == SIZE_MAX);
    assert_true(member_remaining(&fixture->one, &ask) == SIZE_MAX);
    member_started(&fixture->one, ask.limit, 10);
    member_quiet(&fixture->one, ask.limit, US_PER_MIN);
    assert_true(member_remaining(&fixture->one, &ask) == SIZE_MAX);
    assert_int_equal(member_take(&fixture->two, &ask).granted, 0);
}

/* Every name has its own places, whatever bytes are in it. */
static void test_names_may_hold_anything(void **state) {
    struct fixture *fixture = *state;
    static const struct str names[] = {
        {"", 0},
        {" ", 1},
        {"a b", 3},
        {"a\r\nFLUSHALL\r\n", 13},
        {"a\0b", 3},
        {"a", 1},
        {":", 1},
        {"a:window", 8},
        {"a:10/900000", 11},
        {"*$1\r\n", 5},
        {"\xff\xfe", 2},
        {"'..redis.call('flushall')..'", 28},
        {"%s%n", 4},
        {"a:10/900000:total", 17},
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct limit_ask ask = usual;
        ask.limit = names[i];
        ask.want = 1 + i % 9;
        assert_int_equal(member_take(&fixture->one, &ask).remaining, 10 - ask.want);
        member_started(&fixture->one, ask.limit, 1);
    }
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct limit_ask ask = usual;
        ask.limit = names[i];
        assert_int_equal(member_take(&fixture->one, &ask).granted, 4);
        assert_int_equal(member_remaining(&fixture->one, &ask), 5);
    }
    assert_int_equal(server_number(&fixture->server, "EXISTS rate_limit:%b:window", "a\0b", (size_t)3), 1);
}

static void test_a_take_is_named_after_who_took_it(void **state) {
    struct fixture *fixture = *state;
    member_take(&fixture->one, &usual);
    redisReply *reply = redisCommand(fixture->server.eye, "ZRANGEBYSCORE rate_limit:x_api:10/900000 (0 +inf");
    assert_non_null(reply);
    assert_int_equal(reply->elements, 1);
    assert_int_equal(strncmp(reply->element[0]->str, "here/", 5), 0);
    assert_string_equal(strrchr(reply->element[0]->str, ':'), ":4");
    freeReplyObject(reply);
}

static void test_limits_have_a_number(void **state) {
    struct fixture *fixture = *state;
    struct limit_ask ask = {.want = 1};
    char name[16];
    for (int i = 0; i < SHARE_LIMITS_MAX; i++) {
        ask.limit = (struct str){name, (size_t)snprintf(name, sizeof name, "l%d", i)};
        member_quiet(&fixture->one, ask.limit, 0);
    }
    assert_int_equal(member_take(&fixture->one, &ask).granted, 1);
    ask.limit = STR("one more");
    member_fails(&fixture->one, &ask);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_what_one_takes_another_cannot),
        WITH_SERVER(test_what_did_not_start_is_given_back),
        WITH_SERVER(test_what_flies_counts_from_when_it_began),
        WITH_SERVER(test_the_tightest_rule_decides),
        WITH_SERVER(test_a_rule_that_stands_twice_counts_once),
        WITH_SERVER(test_people_read_what_is_left),
        WITH_SERVER(test_remaining_forgets_what_is_over),
        WITH_SERVER(test_no_key_stays_for_ever),
        WITH_SERVER(test_a_quiet_spell_is_for_all),
        WITH_SERVER(test_a_quiet_spell_that_was_taken_back_is_not_told_later),
        WITH_SERVER(test_a_limit_without_rules_has_quiet_spells),
        WITH_SERVER(test_names_may_hold_anything),
        WITH_SERVER(test_a_take_is_named_after_who_took_it),
        WITH_SERVER(test_limits_have_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
