/* While Redis is away each process keeps to its part of every limit (redis.on_failure: fail_local). */
#include "house_redis_acts.h"

static void keep_apart(struct house *house) {
    house->redis_failure = REDIS_FAIL_LOCAL;
    redis_open(house);
    house->driver.run = run_beside_others;
    house_pass(house, 5 * US_PER_S); /* whoever was counted is counted anew */
}

/* So many more events come, and all that may leave for them leaves and is answered. Counts the calls to one place. */
static size_t sent_of(struct house *house, size_t events, const char *place) {
    size_t answered = house->call_count, sent = 0;
    for (size_t i = 0; i < events; i++) house_post(house, str_fmt(&house->arena, "k%zu", house->reply_count).p);
    for (int i = 0; i < 12; i++, house_pass(house, US_PER_S)) {
        house_turn(house);
        for (; answered < house->call_count; answered++) {
            struct str url = house->calls[answered].outgoing->url;
            sent += memmem(url.p, url.n, place, strlen(place)) != NULL;
            house_answer(house, answered, 200, "{}");
        }
    }
    return sent;
}

static void assert_parts(struct house *house, const char *parts) {
    assert_has(house_get(house, "GET", "/v1/status", "").body, parts);
}

static void what_was_sent_before_counts_once(void **state) {
    struct house *house = *state;
    keep_apart(house);
    assert_int_equal(sent_of(house, 1, "crm"), 1);
    redis_of(house)->take_fails = ERR_IO;
    assert_int_equal(sent_of(house, 8, "crm"), 5);
}

static void each_takes_an_equal_part(void **state) {
    struct house *house = *state;
    redis_of(house)->others = 1;
    redis_of(house)->take_fails = ERR_IO;
    keep_apart(house);
    assert_int_equal(sent_of(house, 6, "crm"), 3);
    assert_parts(house, "\"parts\":2");
}

/* A process that went may have sent what its part was. */
static void parts_grow_and_never_shrink_meanwhile(void **state) {
    struct house *house = *state;
    redis_of(house)->take_fails = ERR_IO;
    keep_apart(house);
    assert_int_equal(sent_of(house, 1, "crm"), 1);
    redis_of(house)->others = 2;
    assert_int_equal(sent_of(house, 4, "crm"), 1); /* of the 5 that are left, 3 for each that it sends */
    assert_parts(house, "\"parts\":3");
    for (size_t others = 2; others-- > 0;) {
        redis_of(house)->others = others;
        assert_int_equal(sent_of(house, 1, "crm"), 0);
        assert_parts(house, "\"parts\":3");
    }
}

/* A Redis that is back has not heard of what was sent without it. */
static void parts_last_a_window_longer_than_the_failure(void **state) {
    struct house *house = *state;
    redis_of(house)->others = 1;
    redis_of(house)->take_fails = ERR_IO;
    keep_apart(house);
    assert_int_equal(sent_of(house, 1, "crm"), 1);
    house_pass(house, 2 * US_PER_HOUR);
    assert_int_equal(sent_of(house, 1, "crm"), 1); /* in vain it asks once more */
    redis_of(house)->take_fails = ERR_NONE;
    house_pass(house, 30 * US_PER_MIN);
    assert_int_equal(sent_of(house, 1, "crm"), 1);
    assert_parts(house, "\"parts\":2");
    house_pass(house, 31 * US_PER_MIN);
    redis_of(house)->others = 2;
    assert_int_equal(sent_of(house, 1, "crm"), 1);
    assert_parts(house, "\"parts\":3");
    house_pass(house, 31 * US_PER_MIN);
    assert_int_equal(sent_of(house, 6, "crm"), 3); /* what was sent half an hour ago counts as it counted then */
    assert_parts(house, "\"parts\":1");
}

static void an_account_that_is_new_gets_its_part(void **state) {
    struct house *house = *state;
    redis_of(house)->others = 1;
    redis_of(house)->take_fails = ERR_IO;
    keep_apart(house);
    assert_int_equal(sent_of(house, 4, "crm"), 3);
    house_configure(house, "version: 1\nstore: ./x.db\ndestinations:\n"
                           "  crm: {type: http, url: \"https://crm.example.com/in\", limit: 6/1h}\n"
                           "  sms: {type: http, url: \"https://sms.example.com/in\", limit: 4/1h}\n"
                           "routes:\n  lead:\n    from: LEAD\n    to: [crm, sms]\n");
    assert_int_equal(sent_of(house, 4, "sms"), 2);
    assert_int_equal(sent_of(house, 1, "crm"), 0);
}

static void a_reload_keeps_what_was_sent(void **state) {
    struct house *house = *state;
    redis_of(house)->others = 1;
    redis_of(house)->take_fails = ERR_IO;
    keep_apart(house);
    assert_int_equal(sent_of(house, 4, "crm"), 3);
    house_configure(house, HOUSE_LIMITED);
    assert_int_equal(sent_of(house, 1, "crm"), 0);
}

/* The others may still share by a count that it is not in. */
static void who_is_new_takes_no_part(void **state) {
    struct house *house = *state;
    house->beside = true;
    redis_of(house)->others = 1;
    redis_of(house)->take_fails = ERR_IO;
    keep_apart(house);
    assert_int_equal(sent_of(house, 2, "crm"), 0);
    assert_parts(house, "\"parts\":1");
}

/* What is not taught yet may be granted by a Redis that does not know of it. */
static void parts_last_while_a_lesson_is_not_learned(void **state) {
    struct house *house = *state;
    redis_of(house)->others = 1;
    keep_apart(house);
    assert_int_equal(sent_of(house, 1, "crm"), 1);
    redis_of(house)->forgot = true;
    redis_of(house)->teach_fails = 1000;
    for (int i = 0; i < 2; i++) assert_int_equal(sent_of(house, 1, "crm"), 1); /* the second time Redis answers */
    house_pass(house, US_PER_HOUR + US_PER_MIN);
    assert_int_equal(sent_of(house, 6, "crm"), 3);
    assert_parts(house, "\"parts\":2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        R(what_was_sent_before_counts_once),
        R(each_takes_an_equal_part),
        R(parts_grow_and_never_shrink_meanwhile),
        R(parts_last_a_window_longer_than_the_failure),
        R(an_account_that_is_new_gets_its_part),
        R(a_reload_keeps_what_was_sent),
        R(who_is_new_takes_no_part),
        R(parts_last_while_a_lesson_is_not_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
