/* Limits that hold for each value of a parameter, as the turn that claims keeps them: one message a second in each
 * chat, 30 in all. What deliver/meter.h promises of one value has its own tests; here is whom the turn lets go. */
#include "house_acts.h"

#include "base/json.h"

#define CHATS(limits)                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n  telegram:\n    token: ${TOKEN}\n    on_unknown: retry\n" limits       \
    "routes:\n  all:\n    from: LEAD\n    to:\n      - telegram.message: {chat: \"${.chat}\", text: \"${.text}\"}\n"
#define WINDOW_US (US_PER_S + US_PER_S / 100) /* a second, and the margin for the way to the provider */

static void say(struct house *house, const char *chat, const char *text) {
    struct str body = str_fmt(&house->arena,
                              "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"%s\",\"payload\":{\"chat\":%s,"
                              "\"text\":\"%s\"}}",
                              text, chat, text);
    house_ask(house, "POST", "/v1/events", body.p);
}

/* What left, by the texts, in order: "a1 b1". */
static const char *left(struct house *house, size_t first) {
    struct buf texts = {.arena = &house->arena};
    for (size_t i = first; i < house->call_count; i++) {
        struct json *body;
        OK(json_parse(house->calls[i].outgoing->body, 8, &body, NULL));
        buf_fmt(&texts, "%s%.*s", i > first ? " " : "", STR_ARG(json_text(json_get(body, STR("text")))));
        json_free(body);
    }
    return buf_str(&texts).p;
}

static void answer_all(struct house *house, size_t first) {
    for (size_t i = first; i < house->call_count; i++) house_answer(house, i, 200, "{\"ok\":true,\"result\":{}}");
    house_turn(house);
}

static void a_value_without_room_waits_and_is_in_nobodys_way(void **state) {
    struct house *house = *state;
    house_open(house, CHATS(""));
    say(house, "\"a\"", "a1"), say(house, "\"a\"", "a2"), say(house, "\"a\"", "a3"), say(house, "\"b\"", "b1");
    house_turn(house);
    assert_string_equal(left(house, 0), "a1 b1");
    answer_all(house, 0);
    say(house, "\"c\"", "c1");
    house_turn(house);
    assert_string_equal(left(house, 2), "c1"); /* what waits is looked past */
    answer_all(house, 2);
    house_pass(house, WINDOW_US - 2 * US_PER_MS);
    house_turn(house);
    assert_int_equal(house->call_count, 3);
    house_pass(house, 2 * US_PER_MS);
    house_turn(house);
    assert_string_equal(left(house, 3), "a2"); /* and no more than one */
    answer_all(house, 3);
    house_pass(house, WINDOW_US);
    house_turn(house);
    assert_string_equal(left(house, 4), "a3");
}

static void a_number_and_its_text_are_one_value(void **state) {
    struct house *house = *state;
    house_open(house, CHATS(""));
    say(house, "7", "n1"), say(house, "\"7\"", "n2");
    house_turn(house);
    assert_string_equal(left(house, 0), "n1");
}

static void the_limit_of_all_holds_beside_those_of_each(void **state) {
    struct house *house = *state;
    house_open(house, CHATS("    limit: [2/s, 1/s per chat]\n"));
    say(house, "\"a\"", "a1"), say(house, "\"b\"", "b1"), say(house, "\"c\"", "c1");
    house_turn(house);
    assert_string_equal(left(house, 0), "a1 b1");
    answer_all(house, 0);
    house_pass(house, WINDOW_US);
    house_turn(house);
    assert_string_equal(left(house, 2), "c1");
}

static void a_turn_that_is_dropped_takes_no_place(void **state) {
    struct house *house = *state;
    house_open(house, CHATS(""));
    say(house, "\"a\"", "a1");
    house->commit_fails = ERR_STORE_FULL;
    house_turn(house);
    assert_int_equal(house->call_count, 0);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_MS);
    say(house, "\"a\"", "a2");
    house_turn(house);
    assert_string_equal(left(house, 0), "a2");
}

static void what_waits_for_its_value_spends_no_try(void **state) {
    struct house *house = *state;
    house_open(house, CHATS(""));
    say(house, "\"a\"", "a1");
    house_turn(house);
    say(house, "\"a\"", "a2");
    house_turn(house);
    struct delivery waits = house_delivery(house);
    assert_int_equal(waits.status, DELIVERY_PENDING);
    assert_int_equal(waits.retry_count, 0);
    assert_int_equal(waits.due_us, T0 + WINDOW_US);
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_value_without_room_waits_and_is_in_nobodys_way), T(a_number_and_its_text_are_one_value),
        T(the_limit_of_all_holds_beside_those_of_each),      T(a_turn_that_is_dropped_takes_no_place),
        T(what_waits_for_its_value_spends_no_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
