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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_an_answer_shows_is_known_after_the_commit, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(another_place_begins_with_nothing, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(the_same_place_keeps_what_is_known, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(what_an_earlier_configuration_called_teaches_nothing, house_setup,
                                        house_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
