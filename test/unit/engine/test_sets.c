/* Joined calls whose set is not whole in the hand, and what comes of their members. */
#include "house_acts.h"

#define LETTERS                                                                                                        \
    "version: 1\nname: letters\nfields: {}\nactions:\n  post:\n    params: {text: required}\n"                         \
    "    request: {url: \"https://mail.test/one\", json: {text: \"${.text}\"}}\n"                                      \
    "    idempotency: {header: Idempotency-Key, keep: 24h}\n"                                                          \
    "    batch: {max: 3, request: {url: \"https://mail.test/many\", json: {all: \"${items}\"}}}\n"
#define HOUSE_LETTERS                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n  mail: {type: letters, retry: {max: 5, base: 1s, cap: 1s}}\n"          \
    "routes:\n  lead: {from: LEAD, to: [{mail.post: {text: \"${.k}\", batch: {max: 3, wait: 10s}}}]}\n"

static void run_sql(struct house *house, const char *sql) {
    OK(house->real.script(house->real.self, str_from(sql), &house->arena, NULL));
}

static int64_t ask_sql(struct house *house, const char *sql) {
    struct sql_result result;
    OK(house->real.script(house->real.self, str_from(sql), &house->arena, &result));
    return result.rows[0].values[0].number;
}

static struct str key_of(const struct house *house, size_t call) {
    const struct outgoing *outgoing = house->calls[call].outgoing;
    for (size_t i = 0; i < outgoing->header_count; i++)
        if (str_eq(outgoing->headers[i].name, STR("Idempotency-Key"))) return outgoing->headers[i].value;
    return STR("");
}

/* Three are sent in one call, which is answered with 503; one of them is in another process's hand when the others are
 * due again. */
static void send_and_take_one_away(struct house *house) {
    house->connector = LETTERS;
    house->beside = true;
    house_open(house, HOUSE_LETTERS);
    house_pass(house, US_PER_S); /* between the moments to which what waits for others is rounded */
    house_post(house, "a");
    house_post(house, "b");
    house_post(house, "c");
    house_turn(house);
    assert_int_equal(house->call_count, 1);
    assert_has(house->calls[0].outgoing->url, "/many");
    house_answer(house, 0, 503, "");
    house_turn(house);
    assert_int_equal(ask_sql(house, "SELECT count(*) FROM deliveries WHERE status = 'PENDING'"), 3);
    assert_int_equal(ask_sql(house, "SELECT count(DISTINCT due) FROM deliveries"), 1); /* one wait for all */
    run_sql(house, "UPDATE deliveries SET status = 'PROCESSING', lease_owner = 'another',"
                   " lease_until = 9000000000000000 WHERE seq = (SELECT max(seq) FROM deliveries)");
    house_pass(house, 10 * US_PER_S);
    house_turn(house);
}

/* Under the key of all three the provider knows three: two must not go under it, and not under another one either. */
static void what_is_left_of_a_set_waits_for_the_one_that_is_away(void **state) {
    struct house *house = *state;
    send_and_take_one_away(house);
    assert_int_equal(house->call_count, 1);
    assert_int_equal(ask_sql(house, "SELECT count(*) FROM deliveries WHERE status = 'PENDING'"), 2);
    assert_int_equal(ask_sql(house, "SELECT count(DISTINCT batch) FROM deliveries"), 1);
    assert_int_equal(ask_sql(house, "SELECT min(due) FROM deliveries WHERE status = 'PENDING'"),
                     house->now_us + US_PER_S);
    for (int i = 0; i < 3; i++) house_turn(house); /* nobody asks again before */
    assert_int_equal(ask_sql(house, "SELECT max(lease_epoch) FROM deliveries"), 2);
    run_sql(house, "UPDATE deliveries SET status = 'PENDING', lease_owner = NULL, lease_until = 0"
                   " WHERE status = 'PROCESSING'");
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 2);
    assert_true(str_eq(key_of(house, 0), key_of(house, 1)));
    assert_true(str_eq(house->calls[0].outgoing->body, house->calls[1].outgoing->body));
}

/* One of the three is done elsewhere: what is left will never be whole, and may have had its effect. */
static void what_is_left_of_a_set_that_is_never_whole_again_is_held(void **state) {
    struct house *house = *state;
    send_and_take_one_away(house);
    run_sql(house, "UPDATE deliveries SET status = 'COMPLETED', lease_owner = NULL, lease_until = 0"
                   " WHERE status = 'PROCESSING'");
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 1);
    assert_int_equal(ask_sql(house, "SELECT count(*) FROM deliveries WHERE status = 'HELD' AND batch IS NULL"), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_is_left_of_a_set_waits_for_the_one_that_is_away),
        T(what_is_left_of_a_set_that_is_never_whole_again_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
