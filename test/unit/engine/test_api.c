/* Handlers in whole turns: who may ask, acts of operators, the counter of what is open. */
#include "house_file.h"

#include "api/serve.h"

#define HOUSE_HOLD                                                                                                     \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    on_unknown: hold\nroutes:\n  lead:\n    from: LEAD\n    to: [crm]\n"

static struct str path_of(struct house *house, const char *noun, struct uuid id, const char *act) {
    return str_fmt(&house->arena, "/v1/%s/%.*s/%s", noun, STR_ARG(uuid_str(&house->arena, id)), act);
}

static int64_t open_now(struct house *house) {
    return loop_view(house->loop).open_deliveries;
}

static void an_event_that_waits_is_no_delivery_less_when_it_is_cancelled(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_get(house, "POST", "/v1/events",
              "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"later\",\"payload\":{},"
              "\"scheduled_at\":\"2099-01-01T00:00:00Z\"}");
    struct str reply = house->replies[0].body;
    struct uuid id;
    assert_true(uuid_parse(str_sub(reply, reply.n - 38, 36), &id));
    assert_int_equal(house_get(house, "POST", path_of(house, "events", id, "cancel").p, "").status, 200);
    assert_int_equal(open_now(house), 0);
}

static void what_a_person_resolves_is_no_longer_open(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_HOLD);
    house_post(house, "a");
    house_cut(house, 0);
    house_turn(house);
    assert_status(house, HELD);
    assert_int_equal(open_now(house), 0); /* it is in nobody's way */
    struct str path = path_of(house, "deliveries", house_delivery(house).id, "resolve");
    assert_int_equal(house_get(house, "POST", path.p, "{\"as\":\"maybe\"}").status, 400);
    assert_int_equal(house_get(house, "POST", path.p, "{\"as\":\"delivered\"}").status, 200);
    assert_status(house, COMPLETED);
    assert_int_equal(open_now(house), 0);
    assert_int_equal(house_get(house, "POST", path.p, "{\"as\":\"delivered\"}").status, 409);
}

static void a_failed_delivery_is_tried_again_as_a_new_run(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    house_answer(house, 0, 400, "");
    house_turn(house);
    struct uuid failed = house_delivery(house).id;
    house_get(house, "POST", path_of(house, "deliveries", failed, "retry").p, "");
    assert_int_equal(house->call_count, 2);
    assert_false(uuid_eq(house_delivery(house).id, failed));
    assert_int_equal(open_now(house), 1);
}

static void one_in_flight_cannot_be_cancelled(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house_post(house, "a");
    struct str path = path_of(house, "deliveries", house_delivery(house).id, "cancel");
    assert_int_equal(house_get(house, "POST", path.p, "").status, 409);
    assert_status(house, PROCESSING);
    assert_int_equal(open_now(house), 1);
}

static void a_pause_ends_at_its_time(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    assert_int_equal(house_get(house, "POST", "/v1/destinations/crm/pause", "{\"for\":\"30s\"}").status, 200);
    house_post(house, "a");
    assert_int_equal(house->call_count, 0);
    house_sleep(house);
    assert_true(house->now_us == T0 + 30 * US_PER_S);
    assert_int_equal(house->call_count, 1);
}

static void a_pause_that_was_not_stored_is_none(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house->commit_fails = ERR_STORE_FULL;
    assert_int_equal(house_get(house, "POST", "/v1/destinations/crm/pause", "").status, 503);
    house->commit_fails = ERR_NONE;
    house_post(house, "a");
    assert_int_equal(house->call_count, 1);
}

static void nobody_without_a_key_is_let_in_from_outside(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    assert_int_equal(house_get(house, "GET", "/v1/status", "").status, 200);
    house->exposed = true;
    house_crash(house);
    assert_int_equal(house_get(house, "GET", "/v1/status", "").status, 401);
    house->trusted = true;
    assert_int_equal(house_get(house, "GET", "/v1/status", "").status, 200);
}

static void paths_and_methods_that_are_none_are_refused(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    assert_int_equal(house_get(house, "GET", "/v1/nothing", "").status, 404);
    assert_int_equal(house_get(house, "DELETE", "/v1/events", "").status, 405);
    assert_int_equal(house_get(house, "HEAD", "/v1/events", "").status, 200);
    assert_int_equal(house_get(house, "GET", "/v1/events?limit=x", "").status, 400);
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
static void a_configuration_comes_into_force_with_its_turn(void **state) {
    struct house *house = *state;
    house_open_with_file(house, HOUSE_PLAIN);
    assert_int_equal(house_get(house, "POST", "/v1/config/apply", "{\"dry\":true}").status, 200);
    assert_int_equal(house->adopted, 0);
    assert_int_equal(house_get(house, "POST", "/v1/config/apply", "").status, 200);
    assert_int_equal(house->prepared, 1);
    assert_int_equal(house->adopted, 1);
}

static void of_a_turn_that_is_dropped_no_configuration_stays(void **state) {
    struct house *house = *state;
    house_open_with_file(house, HOUSE_PLAIN);
    house->commit_fails = ERR_STORE_FULL;
    assert_int_equal(house_get(house, "POST", "/v1/config/apply", "").status, 503);
    assert_int_equal(house->prepared, 1);
    assert_int_equal(house->adopted, 0);
    assert_int_equal(house->forgotten, 1);
    house->commit_fails = ERR_NONE;
    house_pass(house, 2 * US_PER_S);
    house_turn(house);
    assert_int_equal(house->adopted, 0);
}

static void a_turn_that_was_raced_prepares_its_configuration_anew(void **state) {
    struct house *house = *state;
    house_open_with_file(house, HOUSE_PLAIN);
    house->commit_races = 1;
    assert_int_equal(house_get(house, "POST", "/v1/config/apply", "").status, 200);
    assert_int_equal(house->prepared, 2);
    assert_int_equal(house->adopted, 1);
}

/* Whatever takes a body refuses what it does not know, and bodies that are no object. */
static void no_post_takes_a_word_that_it_does_not_know(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house->trusted = true;
    size_t posts = 0;
    for (size_t i = 0; i < endpoint_count; i++) {
        if (strcmp(endpoints[i].method, "POST") != 0 || endpoints[i].open) continue; /* a sender may say anything */
        struct str path = str_from(endpoints[i].path), name = STR("crm"), whole = path;
        size_t from = str_find(path, '{'), to = str_find(path, '}');
        if (from != SIZE_MAX)
            whole = str_fmt(&house->arena, "%.*s%.*s%.*s", (int)from, path.p, STR_ARG(name), (int)(path.n - to - 1),
                            path.p + to + 1);
        struct house_reply reply = house_get(house, "POST", whole.p, "{\"a/b\":1}");
        assert_int_equal(reply.status, 400);
        assert_has(reply.body, "\"pointer\":\"/a~1b\"");
        assert_int_equal(house_get(house, "POST", whole.p, "1").status, 400);
        posts++;
    }
    assert_true(posts > 10);
}

static void a_member_of_another_type_is_refused_where_it_stands(void **state) {
    static const struct {
        const char *path, *body, *pointer;
    } cases[] = {
        {"/v1/destinations/crm/pause", "{\"for\":5}", "/for"},
        {"/v1/destinations/crm/pause", "{\"for\":\"\"}", "/for"},
        {"/v1/destinations/crm/pause", "{\"reason\":null}", "/reason"},
        {"/v1/bulk/deliveries", "{\"ids\":\"x\",\"act\":\"retry\"}", "/ids"},
        {"/v1/bulk/deliveries", "{\"act\":\"retry\"}", "/ids"},
        {"/v1/bulk/deliveries", "{\"ids\":[1],\"act\":\"retry\"}", "/ids/0"},
        {"/v1/bulk/deliveries", "{\"ids\":[],\"act\":\"retry\"}", "/ids"},
        {"/v1/bulk/deliveries", "{\"act\":\"retry\",\"as_sent\":1}", "/as_sent"},
        {"/v1/bulk/deliveries", "{\"act\":7}", "/act"},
        {"/v1/bulk/deliveries", "{\"act\":\"retry\",\"as\":\"retry\"}", "/as"},
        {"/v1/bulk/deliveries", "{\"act\":\"cancel\",\"as_sent\":true}", "/as_sent"},
        {"/v1/bulk/events", "{\"all\":\"true\"}", "/all"},
        {"/v1/events/x/retry", "{\"all\":\"yes\"}", "/all"},
        {"/v1/deliveries/x/retry", "{\"as_sent\":\"true\"}", "/as_sent"},
        {"/v1/deliveries/x/cancel", "{\"note\":[]}", "/note"},
        {"/v1/deliveries/x/resolve", "{\"as\":true}", "/as"},
        {"/v1/keys", "{\"role\":1}", "/role"},
        {"/v1/keys", "{\"role\":\"read\",\"name\":{}}", "/name"},
        {"/v1/config/apply", "{\"dry\":\"yes\"}", "/dry"},
    };
    struct house *house = *state;
    house_open(house, HOUSE_PLAIN);
    house->trusted = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct house_reply reply = house_get(house, "POST", cases[i].path, cases[i].body);
        assert_int_equal(reply.status, 400);
        assert_has(reply.body, str_fmt(&house->arena, "\"pointer\":\"%s\"", cases[i].pointer).p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(no_post_takes_a_word_that_it_does_not_know),
        T(a_member_of_another_type_is_refused_where_it_stands),
        T(an_event_that_waits_is_no_delivery_less_when_it_is_cancelled),
        T(what_a_person_resolves_is_no_longer_open),
        T(a_failed_delivery_is_tried_again_as_a_new_run),
        T(one_in_flight_cannot_be_cancelled),
        T(a_pause_ends_at_its_time),
        T(a_pause_that_was_not_stored_is_none),
        T(nobody_without_a_key_is_let_in_from_outside),
        T(paths_and_methods_that_are_none_are_refused),
        T(a_configuration_comes_into_force_with_its_turn),
        T(of_a_turn_that_is_dropped_no_configuration_stays),
        T(a_turn_that_was_raced_prepares_its_configuration_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
