/* A turn that another process, or a broken connection, was in the way of: done again, or as if it had not been. */
#include "fleet_acts.h"

static void a_raced_turn_is_done_again_and_answered_once(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    member_of(a)->races = 3;
    struct house_reply reply = house_post(a, "a");
    assert_int_equal(a->reply_count, 1);
    assert_true(str_eq(reply.event_status, STR("ACCEPTED")));
    assert_called(a, "a");
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events"), 1);
    assert_int_equal(loop_in_flight(a->loop), 1);
    assert_int_equal(loop_view(a->loop).open_deliveries, 1);
    fleet_answer_all(a, 0, 200);
    assert_int_equal(loop_view(a->loop).open_deliveries, 0);
}

static void a_turn_that_is_raced_four_times_never_was(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    member_of(a)->races = 4;
    struct house_reply reply = house_post(a, "a");
    assert_int_equal(reply.status, 503);
    assert_has(reply.body, "E0125");
    assert_int_equal(member_of(a)->races, 0);
    assert_int_equal(a->reply_count, 1);
    assert_called(a, "");
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events"), 0);
    fleet_pass(fleet, US_PER_S);
    assert_true(str_eq(house_post(a, "a").event_status, STR("ACCEPTED")));
    assert_called(a, "a");
}

static void what_came_back_is_settled_once_by_a_raced_turn(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abc");
    assert_called(a, "ab");
    member_of(a)->races = 2;
    fleet_answer_all(a, 0, 200);
    assert_called(a, "abc");
    assert_int_equal(a->released, 2);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts"), 2);
    assert_int_equal(loop_view(a->loop).open_deliveries, 1);
}

/* A scheduled event is due, nobody is to tell, and the look is a second off. */
static void a_raced_turn_still_finds_what_was_due(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    struct str at = when_str(&fleet->arena, T0 + US_PER_S);
    house_get(a, "POST", "/v1/events",
              str_fmt(&fleet->arena,
                      "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"a\",\"payload\":{\"k\":\"a\"},"
                      "\"scheduled_at\":\"%.*s\"}",
                      STR_ARG(at))
                  .p);
    assert_called(a, "");
    fleet_pass(fleet, US_PER_S);
    member_of(a)->races = 1;
    house_turn(a);
    assert_int_equal(member_of(a)->races, 0);
    assert_called(a, "a");
}

static void a_raced_turn_still_settles_what_ran_out(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    fleet_lose(a);
    fleet_pass(fleet, US_PER_HOUR);
    member_of(b)->races = 1;
    house_turn(b);
    assert_int_equal(member_of(b)->races, 0);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts WHERE outcome = 'unknown'"), 1);
}

/* ---- a commit that happened and was said not to have ---- */

static void an_event_that_was_stored_after_all_is_stored_once(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    member_of(a)->raced_late = true;
    struct house_reply reply = house_post(a, "a");
    assert_int_equal(a->reply_count, 1);
    assert_int_equal(reply.status, 200);
    assert_true(str_eq(reply.event_status, STR("DUPLICATE")));
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events"), 1);
    assert_called(a, "");
    assert_int_equal(loop_in_flight(a->loop), 0);
    /* It was claimed, and nobody sends it: the lease runs out. */
    fleet_pass(fleet, US_PER_HOUR);
    house_turn(b);
    fleet_pass(fleet, US_PER_MIN);
    house_turn(b);
    assert_called(b, "a");
    assert_true(house_delivery(b).in_doubt);
}

static void an_answer_that_was_stored_after_all_is_stored_once(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    member_of(a)->raced_late = true;
    fleet_answer_all(a, 0, 200);
    assert_status(a, COMPLETED);
    assert_int_equal(a->released, 1);
    assert_int_equal(loop_in_flight(a->loop), 0);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts"), 1);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events WHERE status = 'COMPLETED'"), 1);
}

/* ---- no connection ---- */

static void a_server_that_is_away_costs_time_alone(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    a->begin_fails = ERR_STORE_BUSY;
    fleet_answer_all(a, 0, 200);
    struct house_reply reply = house_post(a, "b");
    assert_int_equal(reply.status, 503);
    assert_has(reply.body, "E0122");
    assert_false(loop_view(a->loop).ready);
    assert_int_equal(a->released, 0);
    assert_int_equal(house_post(b, "c").status, 200); /* the other goes on */
    a->begin_fails = ERR_NONE;
    fleet_pass(fleet, US_PER_S);
    house_turn(a);
    assert_int_equal(a->released, 1);
    assert_true(loop_view(a->loop).ready);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM deliveries WHERE status = 'COMPLETED'"), 1);
    assert_called(a, "a");
}

static void a_commit_that_was_lost_is_made_up_for(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    a->commit_fails = ERR_STORE_BUSY;
    house_answer(a, 0, 200, "");
    assert_int_equal(house_post(a, "b").status, 503);
    assert_called(a, "a");
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts"), 0);
    a->commit_fails = ERR_NONE;
    fleet_pass(fleet, US_PER_S);
    house_turn(a);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts"), 1);
    assert_int_equal(house_post(a, "b").status, 200);
    assert_called(a, "ab");
}

/* ---- effects ---- */

static void a_key_is_made_once(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    member_of(a)->races = 2;
    struct house_reply reply = house_get(a, "POST", "/v1/keys", "{\"role\":\"read\"}");
    assert_int_equal(reply.status, 201);
    assert_int_equal(a->reply_count, 1);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM api_keys"), 1);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM audit"), 1);
    assert_has(house_get(a, "GET", "/v1/status", "").body, "\"keys\":1");
}

static void a_pause_is_made_once(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    member_of(a)->races = 2;
    assert_int_equal(house_get(a, "POST", "/v1/destinations/crm/pause", "").status, 200);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM audit"), 1);
    assert_int_equal(fleet_number(fleet, "SELECT paused FROM destinations"), 1);
    member_of(a)->races = 4;
    assert_int_equal(house_get(a, "POST", "/v1/destinations/crm/resume", "").status, 503);
    assert_has(house_get(a, "GET", "/v1/destinations/crm", "").body, "\"paused\":true");
    assert_int_equal(fleet_number(fleet, "SELECT paused FROM destinations"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_raced_turn_is_done_again_and_answered_once),
        T(a_turn_that_is_raced_four_times_never_was),
        T(what_came_back_is_settled_once_by_a_raced_turn),
        T(a_raced_turn_still_finds_what_was_due),
        T(a_raced_turn_still_settles_what_ran_out),
        T(an_event_that_was_stored_after_all_is_stored_once),
        T(an_answer_that_was_stored_after_all_is_stored_once),
        T(a_server_that_is_away_costs_time_alone),
        T(a_commit_that_was_lost_is_made_up_for),
        T(a_key_is_made_once),
        T(a_pause_is_made_once),
    };
    return RUN(tests);
}
