/* What one process finds out of a destination, a route or a key is in force in all. */
#include "deliver/breaker.h"
#include "fleet_acts.h"

#include "base/json.h"

#define FLEET_BREAKER                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    timeout: 10s\n    breaker: {failures: 2, open: 30s}\n" FLEET_ROUTE
#define LEASE_US (40 * US_PER_S)

/* ---- pause, quiet ---- */

static void a_pause_holds_everywhere_and_so_does_its_end(void **state) {
    struct fleet *fleet = *state;
    struct house *front = fleet_join(fleet, LOOP_INGEST), *a = fleet_join(fleet, LOOP_WORKER);
    struct house *b = fleet_join(fleet, LOOP_WORKER);
    assert_int_equal(house_get(front, "POST", "/v1/destinations/crm/pause", "{\"reason\":\"tea\"}").status, 200);
    fleet_post(front, "abc");
    house_turn(a);
    house_turn(b);
    assert_called(a, "");
    assert_called(b, "");
    assert_has(house_get(b, "GET", "/v1/destinations/crm", "").body, "\"pause_reason\":\"tea\"");
    assert_int_equal(house_get(front, "POST", "/v1/destinations/crm/resume", "").status, 200);
    house_turn(b);
    assert_called(b, "ab");
    house_turn(a);
    assert_called(a, "c");
}

static void a_pause_is_found_by_looking(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet->deaf = true;
    house_get(a, "POST", "/v1/destinations/crm/pause", "");
    fleet_post(b, "a");
    assert_called(b, "a");
    fleet_pass(fleet, 2 * US_PER_S);
    fleet_post(b, "b");
    assert_called(b, "a");
}

static void when_the_provider_wants_quiet_all_are_quiet(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    static struct header later[] = {{{"Retry-After", 11}, {"60", 2}}};
    fleet_post(a, "a");
    house_answer(a, 0, 429, "");
    a->done[0].answer.headers = later;
    a->done[0].answer.header_count = 1;
    house_turn(a);
    fleet_post(b, "b");
    fleet_pass(fleet, 59 * US_PER_S);
    house_turn(b);
    assert_called(b, "");
    fleet_pass(fleet, US_PER_S);
    house_turn(b);
    assert_called(b, "ba");
}

/* ---- breaker ---- */

/* Two of this house's calls failed: open for 30 s. */
static void open_breaker(struct house *house, const char *keys) {
    size_t from = house->call_count;
    fleet_post(house, keys);
    fleet_answer_all(house, from, 503);
}

#define assert_breaker(house, state)                                                                                   \
    assert_has(house_get(house, "GET", "/v1/destinations/crm", "").body, "\"breaker\":\"" state "\"")

static void one_process_probes_and_all_hear_what_came_of_it(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    open_breaker(a, "ab");
    fleet_post(b, "c");
    assert_called(b, "");
    assert_breaker(b, "open");
    fleet_pass(fleet, 30 * US_PER_S);
    house_turn(b);
    assert_int_equal(b->call_count, 1);
    house_turn(a);
    fleet_pass(fleet, 2 * US_PER_S);
    house_turn(a);
    assert_int_equal(a->call_count, 2);
    fleet_answer_all(b, 0, 503); /* again open, for twice as long */
    fleet_pass(fleet, 59 * US_PER_S);
    house_turn(a);
    house_turn(b);
    assert_int_equal(a->call_count + b->call_count, 3);
    fleet_pass(fleet, US_PER_S);
    house_turn(a);
    house_turn(b);
    assert_int_equal(a->call_count, 3);
    assert_int_equal(b->call_count, 1);
    house_answer(a, 2, 200, "");
    house_turn(a);
    assert_breaker(b, "closed");
    assert_int_equal(b->call_count, 2);
}

/* Thirty seconds, and all have looked just before. */
static void pass_until_probe(struct fleet *fleet, struct house *a, struct house *b) {
    fleet_pass(fleet, 29 * US_PER_S);
    house_turn(a);
    house_turn(b);
    fleet_pass(fleet, US_PER_S);
}

static void of_two_whose_time_has_come_one_probes(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    open_breaker(a, "ab");
    pass_until_probe(fleet, a, b);
    fleet->deaf = true;
    house_turn(b);
    house_turn(a);
    assert_int_equal(b->call_count, 1);
    assert_int_equal(a->call_count, 2);
    loop_wait(a->loop, WHEN_NEVER);
    assert_true(a->waited_until_us > fleet->now_us);
}

static void who_probes_and_dies_is_followed(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    open_breaker(a, "ab");
    fleet_pass(fleet, 30 * US_PER_S);
    house_turn(b);
    assert_int_equal(b->call_count, 1);
    fleet_lose(b);
    for (int i = 0; i < 39; i++) {
        fleet_pass(fleet, US_PER_S);
        house_turn(a);
    }
    assert_int_equal(a->call_count, 2);
    for (int i = 0; i < 3; i++) {
        fleet_pass(fleet, US_PER_S);
        house_turn(a);
    }
    assert_int_equal(a->call_count, 3);
}

static void who_comes_while_another_probes_does_not(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    open_breaker(a, "ab");
    fleet_pass(fleet, 30 * US_PER_S);
    house_turn(a);
    assert_int_equal(a->call_count, 3);
    struct house *b = fleet_join(fleet, LOOP_ALL);
    fleet_pass(fleet, 2 * US_PER_S);
    house_turn(b);
    assert_called(b, "");
    assert_breaker(b, "open");
}

/* One that is paused, or waits for a call of its own, leaves the probe to others. */
static void who_cannot_send_does_not_take_the_probe(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abc");
    house_answer(a, 0, 503, "");
    house_answer(a, 1, 503, "");
    house_turn(a); /* the third is still out there */
    fleet_pass(fleet, 30 * US_PER_S);
    house_turn(a);
    assert_int_equal(a->call_count, 3);
    house_turn(b);
    assert_int_equal(b->call_count, 1);
}

/* The count of failures is each one's own: it undoes no opening that another wrote. */
static void who_counts_on_does_not_close_what_another_opened(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(b, "c");
    fleet->deaf = true;
    open_breaker(a, "ab");
    house_answer(b, 0, 503, "");
    house_turn(b);
    fleet->deaf = false;
    assert_int_equal(fleet_number(fleet, "SELECT breaker_state FROM destinations"), BREAKER_OPEN);
    fleet_pass(fleet, 2 * US_PER_S);
    fleet_post(b, "d");
    assert_called(b, "c");
    assert_breaker(a, "open");
}

/* It took the probe, found nothing to send, and hears that another's went wrong. */
static void who_found_nothing_to_probe_with_hears_of_the_next(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    open_breaker(a, "ab");
    pass_until_probe(fleet, a, b);
    fleet_number(fleet, "UPDATE deliveries SET status = 'HELD'");
    fleet->deaf = true;
    house_turn(a);
    assert_int_equal(fleet_number(fleet, "SELECT breaker_state FROM destinations"), BREAKER_HALF_OPEN);
    fleet->deaf = false;
    fleet_pass(fleet, LEASE_US);
    fleet_post(b, "c");
    house_turn(b);
    assert_called(b, "c");
    fleet_answer_all(b, 0, 503);
    fleet_pass(fleet, 2 * US_PER_S);
    fleet_post(a, "d");
    assert_called(a, "ab");
}

/* ---- aspects ---- */

static void one_pauses_while_the_other_opens(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_BREAKER;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet->deaf = true;
    house_get(a, "POST", "/v1/destinations/crm/pause", "{\"reason\":\"tea\"}");
    open_breaker(b, "ab");
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM destinations WHERE paused = 1 AND breaker_state = 1"),
                     1);
    fleet_pass(fleet, 2 * US_PER_S);
    for (size_t i = 0; i < 2; i++) {
        struct str body = house_get(i ? a : b, "GET", "/v1/destinations/crm", "").body;
        assert_has(body, "\"breaker\":\"open\"");
        assert_has(body, "\"pause_reason\":\"tea\"");
    }
}

/* ---- routes, keys ---- */

static void a_stopped_route_is_stopped_everywhere(void **state) {
    struct fleet *fleet = *state;
    fleet->config = "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n"
                    "    url: https://crm.example.com/in\nroutes:\n  lead:\n    from: LEAD\n    when: .k != null\n"
                    "    to: [crm]\n";
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    house_post(a, "RUNAWAY-1");
    house_post(a, "RUNAWAY-2");
    house_post(a, "RUNAWAY-3");
    assert_true(routes_is_stopped(a->setup->routes, STR("lead")));
    assert_int_equal(member_of(b)->news & SQL_NEWS_STATE, SQL_NEWS_STATE);
    house_turn(b);
    assert_true(routes_is_stopped(b->setup->routes, STR("lead")));
}

static int ask_with(struct house *house, struct str key) {
    struct header with = {STR("Authorization"), str_fmt(&house->arena, "Bearer %.*s", STR_ARG(key))};
    house_ask(house, "GET", "/v1/routes", "");
    house->requests[0].headers = &with;
    house->requests[0].trusted = false;
    house_turn(house);
    return house->replies[house->reply_count - 1].status;
}

static struct str field(struct house *house, struct str body, const char *name) {
    struct json *root = NULL;
    struct json_error error;
    OK(json_parse(body, JSON_DEPTH_MAX, &root, &error));
    struct str text = str_dup(&house->arena, json_text(json_get(root, str_from(name))));
    json_free(root);
    return text;
}

static void a_key_opens_every_door_until_it_is_revoked(void **state) {
    struct fleet *fleet = *state;
    struct house *front = fleet_join(fleet, LOOP_INGEST), *b = fleet_join(fleet, LOOP_ALL);
    struct str made = house_get(front, "POST", "/v1/keys", "{\"role\":\"read\"}").body;
    assert_int_equal(ask_with(b, STR("db_read_00")), 401);
    assert_int_equal(ask_with(b, field(front, made, "key")), 200);
    assert_int_equal(ask_with(front, field(front, made, "key")), 200);
    struct str path = str_fmt(&fleet->arena, "/v1/keys/%.*s/revoke", STR_ARG(field(front, made, "id")));
    assert_int_equal(house_get(b, "POST", path.p, "").status, 200);
    assert_int_equal(ask_with(front, field(front, made, "key")), 401);
    assert_int_equal(ask_with(b, field(front, made, "key")), 401);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_pause_holds_everywhere_and_so_does_its_end),
        T(a_pause_is_found_by_looking),
        T(when_the_provider_wants_quiet_all_are_quiet),
        T(one_process_probes_and_all_hear_what_came_of_it),
        T(of_two_whose_time_has_come_one_probes),
        T(who_probes_and_dies_is_followed),
        T(who_comes_while_another_probes_does_not),
        T(who_cannot_send_does_not_take_the_probe),
        T(who_counts_on_does_not_close_what_another_opened),
        T(who_found_nothing_to_probe_with_hears_of_the_next),
        T(one_pauses_while_the_other_opens),
        T(a_stopped_route_is_stopped_everywhere),
        T(a_key_opens_every_door_until_it_is_revoked),
    };
    return RUN(tests);
}
