/* The token of a destination: fetched when a delivery needs it, renewed in time, shared with other processes. */
#include "house_acts.h"

#include "shop_acts.h"

#define MADE      "{\"access_token\":\"a-1\",\"refresh_token\":\"r-2\",\"expires_in\":1000}"
#define MADE_NEXT "{\"access_token\":\"a-2\",\"refresh_token\":\"r-3\",\"expires_in\":1000}"

/* ---- fetched ---- */

static void it_is_fetched_when_a_delivery_first_needs_it_and_kept(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    assert_int_equal(house->call_count, 0);
    house_post(house, "first");
    shop_last_asks(house, 1, "refresh_token=r-1");
    shop_waits(house);
    house_turn(house);
    house_pass(house, 2 * US_PER_S);
    house_post(house, "second");
    assert_int_equal(house->call_count, 1); /* one asks for all */
    shop_answer(house, 200, MADE);
    assert_int_equal(house->call_count, 3);
    shop_last_sends(house, 3, "Bearer a-1");
    house_answer(house, 1, 200, "{}");
    shop_answer(house, 200, "{}");
    house_post(house, "third");
    shop_last_sends(house, 4, "Bearer a-1");
    house_crash(house);
    house_turn(house);
    house_post(house, "fourth");
    shop_last_sends(house, 5, "Bearer a-1"); /* the one in the store */
}

/* What the provider gave is in the store before anything is sent with it. */
static void it_is_durable_before_it_is_used(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    house->commit_fails = ERR_STORE_FULL;
    house_answer(house, 0, 200, MADE);
    for (int i = 0; i < 3; i++) house_turn(house);
    assert_int_equal(house->call_count, 1);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    for (int i = 0; i < 2; i++) house_turn(house);
    shop_last_sends(house, 2, "Bearer a-1");
    assert_int_equal(shop_row(house).generation, 1);
}

static void one_from_credentials_is_kept_in_memory_alone(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_CREDENTIALS, SHOP_CONFIG("it", "secret: s"));
    house_post(house, "first");
    shop_last_asks(house, 1, "grant_type=client_credentials");
    shop_answer(house, 200, "{\"access_token\":\"a-1\"}");
    shop_last_sends(house, 2, "Bearer a-1");
    shop_answer(house, 200, "{}");
    house_pass(house, 30 * US_PER_DAY); /* whose end is not known is good until it is refused */
    house_post(house, "second");
    shop_last_sends(house, 3, "Bearer a-1");
    assert_int_equal(shop_row(house).asked_until_us + shop_row(house).generation, 0);
    house_crash(house);
    house_turn(house);
    assert_int_equal(house->call_count, 3);
    house_post(house, "third");
    shop_last_asks(house, 4, "grant_type=client_credentials");
}

/* ---- renewed ---- */

/* A quarter of its life before its end, and at most five minutes; deliveries go on with the one that is there. */
static void it_is_renewed_before_it_ends(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_pass(house, 749 * US_PER_S);
    house_post(house, "before");
    shop_last_sends(house, 3, "Bearer a-1");
    house_pass(house, US_PER_S);
    house_post(house, "after");
    assert_int_equal(house->call_count, 5);
    shop_sends(house, 4, "Bearer a-1");
    shop_asks(house, 5, "refresh_token=r-2");
    shop_answer(house, 200, MADE_NEXT);
    house_post(house, "renewed");
    shop_last_sends(house, 6, "Bearer a-2");
}

static void a_long_life_is_renewed_five_minutes_before_its_end(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, "{\"access_token\":\"a-1\",\"refresh_token\":\"r-2\",\"expires_in\":86400}");
    house_pass(house, US_PER_DAY - 301 * US_PER_S);
    house_post(house, "before");
    shop_last_sends(house, 3, "Bearer a-1");
    house_pass(house, US_PER_S);
    house_post(house, "after");
    assert_int_equal(house->call_count, 5);
    shop_asks(house, 5, "refresh_token=r-2");
}

/* So long before its end nothing is sent with it any more. */
static void assert_guard(struct house *house, const char *made, int64_t life_us, int64_t guard_us) {
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, made);
    house_pass(house, life_us - guard_us - 1);
    house_post(house, "before");
    assert_int_equal(house->call_count, 4);
    shop_sends(house, 3, "Bearer a-1");
    shop_asks(house, 4, "refresh_token");
    house_pass(house, 1);
    house_post(house, "after");
    assert_int_equal(house->call_count, 4);
    shop_waits(house);
}

static void none_is_sent_with_ten_seconds_before_its_end(void **state) {
    assert_guard(*state, MADE, 1000 * US_PER_S, 10 * US_PER_S);
}

static void none_is_sent_with_in_the_last_tenth_of_a_short_life(void **state) {
    assert_guard(*state, "{\"access_token\":\"a-1\",\"expires_in\":20}", 20 * US_PER_S, 2 * US_PER_S);
}

/* A provider that gives no other refresh token means the one it had. */
static void a_refresh_token_that_is_not_replaced_stays(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, "{\"access_token\":\"a-1\",\"expires_in\":1000}");
    house_pass(house, 1000 * US_PER_S);
    house_post(house, "second");
    shop_last_asks(house, 3, "refresh_token=r-1");
}

/* Whatever ended, nothing is asked for while there is nothing to send. */
static void an_idle_one_asks_for_nothing(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    for (int i = 0; i < 10; i++) {
        house_pass(house, US_PER_HOUR);
        house_turn(house);
    }
    assert_int_equal(house->call_count, 2);
}

/* ---- people and configurations ---- */

/* Somebody logs in while a token is asked for: theirs counts. */
static void a_login_wins_over_an_answer_from_before(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_pass(house, 1000 * US_PER_S);
    house_post(house, "second");
    shop_last_asks(house, 3, "refresh_token=r-2");
    shop_log_in(house, shop_sealed(house, "a-person", "r-person"), US_PER_HOUR);
    shop_answer(house, 200, MADE_NEXT);
    shop_last_sends(house, 4, "Bearer a-person");
    house_pass(house, US_PER_HOUR);
    house_post(house, "third");
    shop_last_asks(house, 5, "refresh_token=r-person");
}

/* The refresh token of the configuration is used once, and again only when the configuration names another. */
static void another_first_token_in_the_configuration_begins_anew(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_configure(house, SHOP_CONFIG("it", "first: r-new, secret: s"));
    house_pass(house, 1000 * US_PER_S);
    house_post(house, "second");
    shop_last_asks(house, 3, "refresh_token=r-new");
}

static void other_credentials_forget_what_the_old_ones_made(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_CREDENTIALS, SHOP_CONFIG("it", "secret: s"));
    house_post(house, "first");
    shop_answer(house, 200, "{\"access_token\":\"a-old\"}");
    shop_answer(house, 200, "{}");
    house_configure(house, SHOP_CONFIG("it", "secret: other"));
    house_post(house, "second");
    shop_last_asks(house, 3, "secret=other");
}

static void what_the_old_credentials_asked_for_is_not_taken(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_CREDENTIALS, SHOP_CONFIG("it", "secret: s"));
    house_post(house, "first");
    shop_last_asks(house, 1, "secret=s");
    house_configure(house, SHOP_CONFIG("it", "secret: other"));
    house_turn(house);
    shop_answer(house, 200, "{\"access_token\":\"a-old\"}");
    house_pass(house, US_PER_S);
    house_turn(house);
    shop_last_asks(house, 2, "secret=other");
    shop_answer(house, 200, "{\"access_token\":\"a-new\"}");
    shop_last_sends(house, 3, "Bearer a-new");
}

static void the_same_credentials_keep_what_they_made(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_CREDENTIALS, SHOP_CONFIG("it", "secret: s"));
    house_post(house, "first");
    shop_answer(house, 200, "{\"access_token\":\"a-1\"}");
    shop_answer(house, 200, "{}");
    house_configure(house, SHOP_CONFIG("it", "secret: s, concurrency: 2"));
    house_post(house, "second");
    shop_last_sends(house, 3, "Bearer a-1");
}

static void a_new_name_has_the_token_of_the_old_one(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_configure(house, SHOP_CONFIG("shop2", "first: r-1, secret: s, was: [it]"));
    for (int i = 0; i < 3; i++) house_turn(house);
    house_post(house, "second");
    shop_last_sends(house, 3, "Bearer a-1");
}

/* ---- other processes ---- */

static void what_another_process_asks_for_is_waited_for(void **state) {
    struct house *house = *state;
    house->beside = true;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_other_asks(house, house->now_us + US_PER_MIN);
    house_post(house, "first");
    for (int i = 0; i < 5; i++) {
        house_pass(house, US_PER_S);
        house_turn(house);
    }
    assert_int_equal(house->call_count, 0);
    shop_waits(house);
    shop_other_made(house, "a-other", US_PER_HOUR);
    house_pass(house, US_PER_S); /* also without a word from the other */
    house_turn(house);
    shop_last_sends(house, 1, "Bearer a-other");
}

static void what_a_dead_process_asked_for_is_asked_for_when_its_right_ends(void **state) {
    struct house *house = *state;
    house->beside = true;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_other_asks(house, house->now_us + US_PER_MIN);
    house_post(house, "first");
    for (int i = 0; i < 59; i++) {
        house_pass(house, US_PER_S);
        house_turn(house);
    }
    assert_int_equal(house->call_count, 0);
    house_pass(house, US_PER_S);
    house_turn(house);
    shop_last_asks(house, 1, "refresh_token=r-1");
}

/* The right lasts longer than the request may. */
static void the_right_to_ask_outlasts_the_request(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    house_post(house, "first");
    assert_int_equal(shop_call(house, 1)->timeout_us, 30 * US_PER_S);
    assert_true(shop_row(house).asked_until_us == house->now_us + US_PER_MIN);
    shop_answer(house, 200, MADE);
    assert_true(shop_row(house).asked_until_us == 0);
}

/* What another process made since is taken over, and the right to ask is given back. */
static void what_another_process_made_is_taken_over(void **state) {
    struct house *house = *state;
    shop_open(house, SHOP_LOGIN, SHOP_FIRST);
    shop_begin(house, MADE);
    house_pass(house, 995 * US_PER_S);
    shop_other_made(house, "a-other", US_PER_HOUR);
    house_post(house, "second");
    house_turn(house);
    shop_last_sends(house, 3, "Bearer a-other");
    assert_true(shop_row(house).asked_until_us == 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, house_setup, house_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(it_is_fetched_when_a_delivery_first_needs_it_and_kept),
        T(it_is_durable_before_it_is_used),
        T(one_from_credentials_is_kept_in_memory_alone),
        T(it_is_renewed_before_it_ends),
        T(a_long_life_is_renewed_five_minutes_before_its_end),
        T(none_is_sent_with_ten_seconds_before_its_end),
        T(none_is_sent_with_in_the_last_tenth_of_a_short_life),
        T(a_refresh_token_that_is_not_replaced_stays),
        T(an_idle_one_asks_for_nothing),
        T(a_login_wins_over_an_answer_from_before),
        T(another_first_token_in_the_configuration_begins_anew),
        T(other_credentials_forget_what_the_old_ones_made),
        T(what_the_old_credentials_asked_for_is_not_taken),
        T(the_same_credentials_keep_what_they_made),
        T(a_new_name_has_the_token_of_the_old_one),
        T(what_another_process_asks_for_is_waited_for),
        T(what_a_dead_process_asked_for_is_asked_for_when_its_right_ends),
        T(the_right_to_ask_outlasts_the_request),
        T(what_another_process_made_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
