/* What servers showed of their certificates: learned by turns that commit, of the configuration in force alone. */
#include "house_acts.h"

#include "engine/loop_state.h"

#define ELSEWHERE                                                                                                      \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.net/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm]\n"
#define DAYS_3 (T0 + 3 * US_PER_DAY)

static const struct expiry *known(const struct house *house) {
    return expiry_first(map_get(&house->loop->expiries.all, STR("crm")), house->now_us);
}

/* The answer to a call, whose server showed a certificate that ends in three days. */
static void answer_shown(struct house *house, size_t call) {
    house_answer(house, call, 200, "");
    house->done[house->done_count - 1].answer.holds_until_us = DAYS_3;
}

static void what_an_answer_shows_is_known_after_the_commit(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    assert_null(known(house));
    answer_shown(house, 0);
    house->commit_fails = ERR_STORE_FULL;
    house_turn(house);
    assert_null(known(house));
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_non_null(known(house));
    assert_int_equal(known(house)->holds_until_us, DAYS_3);
    assert_string_equal(known(house)->host, "crm.example.com");
}

static void another_place_begins_with_nothing(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    answer_shown(house, 0);
    house_turn(house);
    assert_non_null(known(house));
    house_configure(house, ELSEWHERE);
    assert_null(known(house));
}

static void the_same_place_keeps_what_is_known(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    answer_shown(house, 0);
    house_turn(house);
    house_configure(house, HOUSE_PLAIN);
    assert_non_null(known(house));
}

/* Also when the answer to a call of the place before comes late. */
static void what_an_earlier_configuration_called_teaches_nothing(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    house_configure(house, ELSEWHERE);
    answer_shown(house, 0);
    house_turn(house);
    assert_null(known(house));
}

/* ---- told ---- */

#define TELLING                                                                                                        \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "  chat:\n    type: http\n    url: http://chat.example.com/in\n    allow_private: true\n"                          \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm]\nalerts:\n  to: [chat]\n"

static bool is_told(struct house *house, const char *type) {
    const char *path = str_fmt(&house->arena, "/v1/events?type=%s", type).p;
    return !str_eq(house_get(house, "GET", path, "").body, STR("{\"items\":[],\"next\":null}"));
}

/* So many looks, each a minute apart, at what waits for people. */
static void look(struct house *house, int looks) {
    for (int i = 0; i < looks; i++) {
        house_pass(house, US_PER_MIN);
        for (int j = 0; j < 3; j++) house_turn(house);
    }
}

/* An event goes out, and the server it goes to shows a certificate that holds until then. */
static void deliver_shown(struct house *house, const char *key, int64_t holds_until_us) {
    size_t call = house->call_count;
    house_post(house, key);
    assert_true(str_eq(house->calls[call].outgoing->url, STR("https://crm.example.com/in")));
    house_answer(house, call, 200, "");
    house->done[house->done_count - 1].answer.holds_until_us = holds_until_us;
    house_turn(house);
}

static void after_a_restart_it_is_over_when_a_call_shows_another(void **state) {
    struct house *house = *state;
    house_open(house, TELLING);
    deliver_shown(house, "a", DAYS_3);
    look(house, 2);
    assert_true(is_told(house, "drumbeat.alert"));
    house_crash(house);
    look(house, 10);
    assert_null(known(house));
    assert_false(is_told(house, "drumbeat.alert.resolved"));
    deliver_shown(house, "b", DAYS_3 + 90 * US_PER_DAY);
    look(house, 4);
    assert_true(is_told(house, "drumbeat.alert.resolved"));
}

/* Somebody who is no longer called must not stay for ever. */
static void after_a_day_without_a_call_it_is_over(void **state) {
    struct house *house = *state;
    house_open(house, TELLING);
    deliver_shown(house, "a", DAYS_3);
    look(house, 2);
    house_crash(house);
    look(house, 2);
    house_pass(house, US_PER_DAY);
    look(house, 4);
    assert_true(is_told(house, "drumbeat.alert.resolved"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_an_answer_shows_is_known_after_the_commit, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(another_place_begins_with_nothing, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(the_same_place_keeps_what_is_known, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(what_an_earlier_configuration_called_teaches_nothing, house_setup,
                                        house_teardown),
        cmocka_unit_test_setup_teardown(after_a_restart_it_is_over_when_a_call_shows_another, house_setup,
                                        house_teardown),
        cmocka_unit_test_setup_teardown(after_a_day_without_a_call_it_is_over, house_setup, house_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
