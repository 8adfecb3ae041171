/* The token of a destination when things go wrong: trouble at the provider, refusals, answers that are lost. */
#include "house_acts.h"

#include "shop_acts.h"

#define MADE      "{\"access_token\":\"a-1\",\"refresh_token\":\"r-2\",\"expires_in\":86400}"
#define MADE_NEXT "{\"access_token\":\"a-2\",\"refresh_token\":\"r-3\",\"expires_in\":86400}"
#define REFUSED   "{\"error\":\"invalid_grant\"}"

/* ---- trouble ---- */

/* 1, 2, 4 ... seconds, at most five minutes; nothing of the delivery is spent. */
static void trouble_is_waited_out_for_longer_each_time(void **state) {
    static const int64_t waits_s[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    for (size_t i = 0; i < sizeof waits_s / sizeof *waits_s; i++) {
        shop_last_asks(house, i + 1, "refresh_token=r-1");
        shop_answer(house, 503, "busy");
        shop_waits(house);
        shop_calls_after(house, waits_s[i] * US_PER_S, i + 2);
    }
    shop_answer(house, 200, MADE);
    shop_sends(house, house->call_count, "Bearer a-1");
    shop_answer(house, 200, "{}");
    assert_status(house, COMPLETED);
    assert_int_equal(house_delivery(house).attempts, 1);
}

/* After one that was made the waits begin anew. */
static void success_ends_the_waits(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    shop_answer(house, 503, "busy");
    shop_calls_after(house, US_PER_S, 2);
    shop_answer(house, 200, MADE);
    shop_answer(house, 200, "{}");
    house_pass(house, US_PER_DAY);
    house_post(house, "second");
    shop_last_asks(house, 4, "refresh_token=r-2");
    shop_answer(house, 503, "busy");
    shop_calls_after(house, US_PER_S, 5);
}

/* The provider says when. */
static void a_moment_that_is_named_is_waited_for(void **state) {
    struct header later = {{"Retry-After", 11}, {"90", 2}};
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    house_answer(house, 0, 429, "");
    house->done[0].answer.headers = &later;
    house->done[0].answer.header_count = 1;
    house_turn(house);
    house_turn(house);
    shop_waits(house);
    shop_calls_after(house, 90 * US_PER_S, 2);
}

/* A token that ends as it comes is not sent with and not asked for in a storm; the refresh token beside it is the only
 * good one. */
static void a_token_that_ends_at_once_is_trouble(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house->commit_takes_us = 1; /* its life */
    house_post(house, "first");
    shop_answer(house, 200, "{\"access_token\":\"a-1\",\"refresh_token\":\"r-2\",\"expires_in\":0.000001}");
    shop_waits(house);
    shop_calls_after(house, US_PER_S, 2);
    shop_last_asks(house, 2, "refresh_token=r-2");
    shop_answer(house, 200, "{\"access_token\":\"a-2\",\"refresh_token\":\"r-3\",\"expires_in\":0.000001}");
    shop_calls_after(house, 2 * US_PER_S, 3);
    shop_last_asks(house, 3, "refresh_token=r-3");
}

/* Another process waits as long: it might ask in vain. */
static void trouble_keeps_others_from_asking(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    shop_answer(house, 503, "busy");
    assert_true(shop_row(house).asked_until_us == house->now_us + US_PER_S);
    assert_false(shop_row(house).asked_by.n);
}

/* ---- the delivery is refused ---- */

static void a_refused_token_is_replaced_and_costs_no_retry(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_post(house, "second");
    shop_last_sends(house, 3, "Bearer a-1");
    shop_answer(house, 401, "{\"error\":\"token expired\"}");
    shop_last_asks(house, 4, "refresh_token=r-2");
    assert_false(shop_desk(house).paused);
    shop_answer(house, 200, MADE_NEXT);
    shop_last_sends(house, 5, "Bearer a-2");
    shop_answer(house, 200, "{}");
    assert_status(house, COMPLETED);
    assert_int_equal(house_delivery(house).retry_count, 0);
}

/* Two were under way with the token that is refused: one other is fetched. */
static void two_refusals_of_one_token_fetch_one(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_post(house, "second");
    house_post(house, "third");
    house_answer(house, 2, 401, "{}");
    house_turn(house);
    house_turn(house);
    shop_last_asks(house, 5, "refresh_token=r-2");
    shop_answer(house, 200, MADE_NEXT);
    shop_last_sends(house, 6, "Bearer a-2");
    house_answer(house, 3, 401, "{}"); /* with the old one still */
    house_turn(house);
    house_turn(house);
    shop_last_sends(house, 7, "Bearer a-2");
    assert_false(shop_desk(house).paused);
}

/* It is not the token: its successor is refused too. */
static void a_second_refusal_pauses(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    shop_answer(house, 200, MADE);
    shop_answer(house, 401, "{\"error\":\"no such user\"}");
    shop_last_asks(house, 3, "refresh_token=r-2");
    shop_answer(house, 200, MADE_NEXT);
    shop_last_sends(house, 4, "Bearer a-2");
    shop_answer(house, 401, "{\"error\":\"no such user\"}");
    assert_true(shop_desk(house).paused);
    assert_has(shop_desk(house).pause_reason, "no such user");
    assert_int_equal(house->call_count, 4);
    assert_int_equal(house_delivery(house).retry_count, 0);
}

/* What was accepted ends the probation of a successor: its own end is no second refusal. */
static void a_refusal_after_something_was_accepted_is_a_first_one(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_post(house, "second");
    shop_answer(house, 401, "{}");
    shop_answer(house, 200, MADE_NEXT);
    shop_answer(house, 200, "{}");
    assert_status(house, COMPLETED);
    house_post(house, "third");
    shop_last_sends(house, 6, "Bearer a-2");
    shop_answer(house, 401, "{}");
    assert_false(shop_desk(house).paused);
    shop_last_asks(house, 7, "refresh_token=r-3");
}

/* ---- the login is refused ---- */

static void a_login_that_ended_pauses_and_is_not_asked_for_again(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    shop_answer(house, 400, REFUSED);
    assert_true(shop_desk(house).paused);
    assert_int_equal(shop_desk(house).paused_until_us, 0);
    assert_has(shop_desk(house).pause_reason, "its login ended, ");
    assert_has(shop_desk(house).pause_reason, "drumbeat destinations resume it");
    assert_int_equal(shop_row(house).asked_until_us, 0);
    for (int i = 0; i < 3; i++) {
        house_pass(house, US_PER_HOUR);
        house_turn(house);
    }
    assert_int_equal(house->call_count, 1);
    assert_int_equal(house_delivery(house).retry_count, 0);
    assert_int_equal(house_get(house, "POST", "/v1/destinations/it/resume", "{}").status, 200);
    house_turn(house);
    shop_last_asks(house, 2, "refresh_token=r-1");
}

/* What is made from credentials is tried again from time to time, as an account that is refused is. */
static void refused_credentials_pause_for_a_time(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_CREDENTIALS, SHOP_CONFIG("it", "secret: s"));
    house_post(house, "first");
    shop_answer(house, 401, "{\"error\":\"invalid_client\"}");
    assert_true(shop_desk(house).paused);
    assert_has(shop_desk(house).pause_reason, "no token: ");
    int64_t until_us = shop_desk(house).paused_until_us;
    assert_true(until_us > house->now_us);
    shop_calls_after(house, until_us - house->now_us, 2);
    shop_last_asks(house, 2, "grant_type=client_credentials");
}

/* Time alone does not mend a certificate. */
static void a_provider_that_is_not_trusted_pauses(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    shop_end(house, EXCHANGE_NO_TRUST);
    assert_true(shop_desk(house).paused);
    assert_has(shop_desk(house).pause_reason, "no token: ");
}

/* A session that cannot be renewed is made anew, and nobody is troubled. */
static void a_session_begins_anew_where_it_is_refused(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_SESSION, SHOP_CONFIG("it", "secret: s"));
    house_post(house, "first");
    shop_last_asks(house, 1, "grant_type=client_credentials");
    shop_answer(house, 200, MADE);
    shop_answer(house, 200, "{}");
    house_pass(house, US_PER_DAY);
    house_post(house, "second");
    shop_last_asks(house, 3, "refresh_token=r-2");
    shop_answer(house, 400, REFUSED);
    shop_last_asks(house, 4, "grant_type=client_credentials");
    assert_false(shop_desk(house).paused);
    shop_answer(house, 200, MADE_NEXT);
    shop_last_sends(house, 5, "Bearer a-2");
    shop_answer(house, 200, "{}");
    house_pass(house, US_PER_DAY);
    house_post(house, "third");
    shop_last_asks(house, 6, "refresh_token=r-3"); /* the new one is renewed as the first was */
}

/* ---- there is none ---- */

static void without_a_login_it_pauses_and_says_so(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_CONFIG("it", "secret: s"));
    house_post(house, "first");
    house_turn(house);
    assert_int_equal(house->call_count, 0);
    assert_true(shop_desk(house).paused);
    assert_has(shop_desk(house).pause_reason, "it has no token yet: ");
}

static void a_login_that_cannot_be_renewed_lasts_as_long_as_its_token(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_CONFIG("it", "secret: s"));
    shop_log_in(house, shop_sealed(house, "a-person", ""), US_PER_HOUR);
    house_pass(house, US_PER_HOUR - 11 * US_PER_S);
    house_post(house, "first");
    shop_last_sends(house, 1, "Bearer a-person");
    shop_answer(house, 200, "{}");
    assert_false(shop_desk(house).paused);
    house_pass(house, US_PER_S);
    house_post(house, "second");
    house_turn(house);
    assert_int_equal(house->call_count, 1);
    assert_has(shop_desk(house).pause_reason, "its login ended, and it cannot be renewed: ");
}

static void a_token_that_was_sealed_with_another_key_is_lost(void **state) {
    struct house *house = *state;
    char other[32];
    shop_open(house, SHOP_LOGIN, SHOP_CONFIG("it", "secret: s"));
    memset(other, 'k', sizeof other);
    const struct str key = {other, sizeof other};
    shop_log_in(house, token_seal(key, STR("it"), STR("a"), STR("r"), &house->arena), 0);
    house_post(house, "first");
    house_turn(house);
    assert_int_equal(house->call_count, 0);
    assert_has(shop_desk(house).pause_reason, "its token was sealed with another DRUMBEAT_TOKEN_KEY: ");
}

/* ---- answers that are lost ---- */

/* The process dies after the provider may have given another refresh token: the old one is tried once more, and if it
 * is refused, that is why. */
static void a_refusal_after_a_lost_answer_says_so(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    house_crash(house);
    house_turn(house);
    house_turn(house);
    shop_last_asks(house, 2, "refresh_token=r-1");
    shop_answer(house, 400, REFUSED);
    assert_has(shop_desk(house).pause_reason, "its login ended (an earlier answer was lost), ");
}

/* How the first request ends, and whether the provider may have given another refresh token in it. */
static const struct first_end {
    enum exchange_end end;
    int status;
    bool in_doubt;
} first_ends[] = {
    {EXCHANGE_CUT, 0, true},         {EXCHANGE_TIMED_OUT, 0, true},   {EXCHANGE_ANSWERED, 503, true},
    {EXCHANGE_ANSWERED, 200, true}, /* and no token in it */
    {EXCHANGE_ANSWERED, 429, false}, {EXCHANGE_NO_CONNECT, 0, false}, {EXCHANGE_NO_ROOM, 0, false},
};

static void only_what_may_have_been_lost_is_said_to_be(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    for (size_t i = 0; i < sizeof first_ends / sizeof *first_ends; i++) {
        const struct first_end *first = &first_ends[i];
        int64_t before = shop_row(house).in_doubt;
        if (first->end == EXCHANGE_ANSWERED)
            shop_answer(house, first->status, "{}");
        else
            shop_end(house, first->end);
        shop_waits(house);
        assert_int_equal(shop_row(house).in_doubt, before - !first->in_doubt);
        house_pass(house, 5 * US_PER_MIN);
        house_turn(house);
        shop_last_asks(house, i + 2, "refresh_token=r-1");
    }
    shop_answer(house, 200, MADE);
    assert_int_equal(shop_row(house).in_doubt, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, house_setup, house_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(trouble_is_waited_out_for_longer_each_time),
        T(success_ends_the_waits),
        T(a_moment_that_is_named_is_waited_for),
        T(a_token_that_ends_at_once_is_trouble),
        T(trouble_keeps_others_from_asking),
        T(a_refused_token_is_replaced_and_costs_no_retry),
        T(two_refusals_of_one_token_fetch_one),
        T(a_second_refusal_pauses),
        T(a_refusal_after_something_was_accepted_is_a_first_one),
        T(a_login_that_ended_pauses_and_is_not_asked_for_again),
        T(refused_credentials_pause_for_a_time),
        T(a_provider_that_is_not_trusted_pauses),
        T(a_session_begins_anew_where_it_is_refused),
        T(without_a_login_it_pauses_and_says_so),
        T(a_login_that_cannot_be_renewed_lasts_as_long_as_its_token),
        T(a_token_that_was_sealed_with_another_key_is_lost),
        T(a_refusal_after_a_lost_answer_says_so),
        T(only_what_may_have_been_lost_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
