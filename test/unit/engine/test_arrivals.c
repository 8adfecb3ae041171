/* Requests become events, events become deliveries: whole turns. */
#include "house_acts.h"

static void an_event_is_answered_after_it_is_stored_and_leaves_at_once(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    struct house_reply reply = house_post(house, "a");
    assert_int_equal(reply.status, 200);
    assert_true(str_eq(reply.event_status, STR("ACCEPTED")));
    assert_int_equal(house->call_count, 1);
    assert_true(str_eq(house->calls[0].outgoing->body, STR("{\"k\":\"a\"}")));
    assert_status(house, PROCESSING);
    assert_int_equal(loop_view(house->loop).open_deliveries, 1);
}

static void the_same_key_is_answered_as_a_duplicate_or_a_conflict(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    assert_true(str_eq(house_post(house, "a").event_status, STR("DUPLICATE")));
    struct house_reply reply =
        house_get(house, "POST", "/v1/events",
                  "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"a\",\"payload\":{\"k\":\"other\"}}");
    assert_int_equal(reply.status, 422);
    assert_has(reply.body, "/payload/k");
    assert_int_equal(house->call_count, 1);
}

static void two_of_one_key_in_one_turn_are_one_event(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    const char *body = "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"a\",\"payload\":{}}";
    house_ask(house, "POST", "/v1/events", body);
    house_ask(house, "POST", "/v1/events", body);
    house_turn(house);
    assert_true(str_eq(house->replies[0].event_status, STR("ACCEPTED")));
    assert_true(str_eq(house->replies[1].event_status, STR("DUPLICATE")));
    assert_int_equal(house->call_count, 1);
}

static void a_batch_has_one_answer_per_item(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    struct house_reply reply =
        house_get(house, "POST", "/v1/events",
                  "[{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"a\",\"payload\":{}},{\"type\":\"LEAD\"},"
                  "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"b\",\"payload\":{}}]");
    assert_int_equal(reply.status, 200);
    assert_has(reply.body, "\"index\":0,\"status\":\"ACCEPTED\"");
    assert_has(reply.body, "\"index\":1,\"status\":\"INVALID\"");
    assert_has(reply.body, "\"index\":2,\"status\":\"ACCEPTED\"");
    assert_int_equal(house->call_count, 2);
}

static void nothing_is_promised_or_sent_when_the_commit_fails(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house->commit_fails = ERR_STORE_FULL;
    assert_int_equal(house_post(house, "a").status, 503);
    assert_int_equal(house->call_count, 0);
    assert_false(loop_view(house->loop).ready);
    house->commit_fails = ERR_NONE;
    assert_true(str_eq(house_post(house, "a").event_status, STR("ACCEPTED")));
    assert_true(loop_view(house->loop).ready);
    assert_int_equal(house->call_count, 1);
    assert_int_equal(loop_view(house->loop).open_deliveries, 1);
}

static void a_full_queue_refuses(void **state) {
    struct house *house = *state;
    house_open(house, "version: 1\nstore: ./x.db\nserver: {queue: 1}\n"
                      "destinations: {crm: {type: http, url: 'https://crm.example.com/in'}}\n"
                      "routes: {lead: {from: LEAD, to: [crm]}}\n");
    house_post(house, "a");
    assert_int_equal(house_post(house, "b").status, 503);
    house_answer(house, 0, 200, "");
    house_turn(house);
    assert_int_equal(house_post(house, "b").status, 200);
}

static void a_scheduled_event_leaves_when_its_time_has_come(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    struct str at = when_str(&house->arena, T0 + US_PER_MIN);
    struct str body = str_fmt(&house->arena,
                              "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"a\",\"payload\":{},"
                              "\"scheduled_at\":\"%.*s\"}",
                              STR_ARG(at));
    assert_int_equal(house_get(house, "POST", "/v1/events", body.p).status, 200);
    assert_int_equal(house->call_count, 0);
    house_sleep(house);
    assert_true(house->now_us == T0 + US_PER_MIN);
    assert_int_equal(house->call_count, 1);
}

#define HOUSE_JQ                                                                                                       \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    when: .k != null\n    to: [crm]\n"

/* A stop that was not stored is none: the turn that would have stored it never happened. */
static void a_route_is_stopped_with_its_commit(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_JQ);
    house_post(house, "RUNAWAY-1");
    house_post(house, "RUNAWAY-2");
    house->commit_fails = ERR_STORE_FULL;
    assert_int_equal(house_post(house, "RUNAWAY-3").status, 503);
    assert_false(routes_is_stopped(house->setup->routes, STR("lead")));
    house->commit_fails = ERR_NONE;
    assert_int_equal(house_post(house, "RUNAWAY-3").status, 200);
    assert_true(routes_is_stopped(house->setup->routes, STR("lead")));
    house_crash(house);
    assert_true(routes_is_stopped(house->setup->routes, STR("lead")));
}

/* What a stopped route owes is held, and goes after a probe that came back. */
static void what_a_stopped_route_owes_goes_when_it_heals(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_JQ);
    for (int i = 1; i <= 3; i++) house_post(house, str_fmt(&house->arena, "RUNAWAY-%d", i).p);
    house_post(house, "a");
    house_post(house, "b");
    assert_int_equal(house->call_count, 0);
    assert_has(house_get(house, "GET", "/v1/deliveries?status=HELD", "").body, "route lead is stopped: ");
    assert_int_equal(loop_view(house->loop).open_deliveries, 0); /* what is held is in nobody's way */
    while (house->now_us < T0 + US_PER_MIN) house_sleep(house);
    for (int i = 0; i < 4 && house->call_count < 2; i++) house_turn(house);
    assert_int_equal(house->call_count, 2);
    assert_false(routes_is_stopped(house->setup->routes, STR("lead")));
    assert_int_equal(loop_view(house->loop).open_deliveries, 2);
}

/* A probe that ran away too heals nothing: the next look is at the next probe, not at once. */
static void a_probe_in_vain_leaves_the_route_stopped(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_JQ);
    house->trusted = true;
    for (int i = 1; i <= 3; i++) house_post(house, str_fmt(&house->arena, "RUNAWAY-%d", i).p);
    struct str path =
        str_fmt(&house->arena, "/v1/deliveries/%.*s/retry", STR_ARG(uuid_str(&house->arena, house_delivery(house).id)));
    assert_has(house_get(house, "POST", path.p, "").body, "asked for again; route lead is stopped: ");
    while (house->now_us < T0 + US_PER_MIN) house_sleep(house);
    for (int i = 0; i < 4 && house_delivery(house).status == DELIVERY_HELD; i++) house_turn(house);
    assert_status(house, FAILED);
    assert_true(routes_is_stopped(house->setup->routes, STR("lead")));
    loop_wait(house->loop, WHEN_NEVER);
    assert_true(house->waited_until_us > house->now_us);
}

#define HOUSE_TWO                                                                                                      \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  all: {from: LEAD, to: [crm]}\n  lead:\n    from: LEAD\n    to:\n      - crm: {body: '${.k + 1}'}\n"

/* A jq error costs one delivery. It is a row of its own, and a retry by hand makes it anew. */
static void what_cannot_be_made_fails_alone_and_is_retried(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_TWO);
    house_post(house, "a");
    assert_int_equal(house->call_count, 1);
    struct str failed = house_get(house, "GET", "/v1/deliveries?status=FAILED", "").body;
    assert_has(failed, "route lead: string (\\\"a\\\") and number (1) cannot be added");
    house_configure(
        house, "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"
               "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm: {body: '${.k}'}\n");
    const char *id = strstr(str_dup(&house->arena, failed).p, "\"id\":\"");
    assert_non_null(id);
    struct str path = str_fmt(&house->arena, "/v1/deliveries/%.36s/retry", id + 6);
    assert_int_equal(house_get(house, "POST", path.p, "{}").status, 200);
    house_turn(house);
    assert_int_equal(house->call_count, 2);
    assert_true(str_eq(house->calls[1].outgoing->body, STR("\"a\"")));
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(an_event_is_answered_after_it_is_stored_and_leaves_at_once),
        T(the_same_key_is_answered_as_a_duplicate_or_a_conflict),
        T(two_of_one_key_in_one_turn_are_one_event),
        T(a_batch_has_one_answer_per_item),
        T(nothing_is_promised_or_sent_when_the_commit_fails),
        T(a_full_queue_refuses),
        T(a_scheduled_event_leaves_when_its_time_has_come),
        T(a_route_is_stopped_with_its_commit),
        T(a_probe_in_vain_leaves_the_route_stopped),
        T(what_a_stopped_route_owes_goes_when_it_heals),
        T(what_cannot_be_made_fails_alone_and_is_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
