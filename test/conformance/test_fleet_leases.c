/* What one process leaves behind, by its end or by standing still, another takes up; and who is there. */
#include "fleet_acts.h"

#include "engine/company.h"

/* A lease is the timeout and 30 s more. */
#define FLEET_LEASED                                                                                                   \
    "version: 1\nstore: ./x.db\nkeep:\n  events: 1h\ndestinations:\n  crm:\n    type: http\n"                          \
    "    url: https://crm.example.com/in\n    timeout: 10s\n" FLEET_ROUTE
#define LEASE_US (40 * US_PER_S)

static int64_t lost_attempts(struct fleet *fleet) {
    return fleet_number(fleet, "SELECT count(*) FROM attempts WHERE outcome = 'unknown'");
}

/* Leases are looked at every 10 s. */
static void pass_lease(struct fleet *fleet) {
    fleet_pass(fleet, LEASE_US + 10 * US_PER_S);
}

static void a_lease_that_ran_out_is_settled_by_another(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    fleet_lose(a);
    fleet_pass(fleet, LEASE_US - 1);
    house_turn(b);
    assert_int_equal(lost_attempts(fleet), 0);
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    assert_int_equal(lost_attempts(fleet), 1);
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    assert_called(b, "a");
    fleet_answer_all(b, 0, 200);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events WHERE status = 'COMPLETED'"), 1);
}

static void one_who_starts_settles_only_what_ran_out(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    fleet_pass(fleet, LEASE_US - 1);
    fleet_join(fleet, LOOP_ALL);
    assert_int_equal(lost_attempts(fleet), 0);
    fleet_pass(fleet, 1);
    fleet_join(fleet, LOOP_ALL);
    assert_int_equal(lost_attempts(fleet), 1);
}

static void who_still_waits_for_an_answer_leaves_its_own_lease_alone(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    pass_lease(fleet);
    house_turn(a);
    assert_int_equal(lost_attempts(fleet), 0);
    fleet_answer_all(a, 0, 200);
    assert_status(a, COMPLETED);
}

static void a_late_answer_changes_nothing_and_counts_nowhere(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    pass_lease(fleet);
    house_turn(b);
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    assert_called(b, "a");
    fleet_answer_all(a, 0, 400); /* would be the end of it */
    assert_status(b, PROCESSING);
    assert_int_equal(loop_in_flight(a->loop), 0);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts"), 1);
    struct str text = loop_metrics(a->loop, &fleet->arena).plain;
    assert_null(memmem(text.p, text.n, "outcome=\"failed\"} 1", 19));
    fleet_answer_all(b, 0, 200);
    assert_status(b, COMPLETED);
    text = loop_metrics(b->loop, &fleet->arena).plain;
    assert_has(text, "outcome=\"done\"} 1");
    assert_int_equal(loop_view(b->loop).open_deliveries, 0);
}

static void what_was_claimed_too_long_ago_does_not_leave(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    member_of(a)->stall_us = LEASE_US;
    fleet_post(a, "a");
    assert_called(a, "");
    assert_int_equal(loop_in_flight(a->loop), 1); /* until a turn has given it back */
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    assert_called(b, "a");
    member_of(a)->stall_us = 0;
    house_turn(a); /* too late: it is another one's */
    assert_int_equal(loop_in_flight(a->loop), 0);
    assert_status(b, PROCESSING);
}

static void what_did_not_leave_is_given_back_to_whoever_comes_first(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    member_of(a)->stall_us = LEASE_US;
    fleet_post(a, "a");
    assert_called(a, "");
    member_of(a)->stall_us = 0;
    house_turn(a);
    assert_int_equal(loop_in_flight(a->loop), 0);
    assert_status(b, PENDING);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM deliveries WHERE in_doubt <> 0"), 0);
}

static void what_was_claimed_just_now_leaves(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    member_of(a)->stall_us = LEASE_US - 1;
    fleet_post(a, "a");
    assert_called(a, "a");
}

/* ---- chores ---- */

static void one_retires_what_is_old(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LEASED;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    bool ours = false;
    fleet_post(a, "a");
    fleet_answer_all(a, 0, 200);
    OK(store_begin(fleet->store));
    OK(store_try_task(fleet->store, TASK_RETIRE, &ours));
    assert_true(ours);
    fleet_pass(fleet, 2 * US_PER_HOUR);
    house_turn(a);
    house_turn(b);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events"), 1);
    store_rollback(fleet->store);
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    house_turn(a);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events"), 0);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts"), 0);
}

/* ---- who is there ---- */

static size_t instances_seen(struct house *house, const char *token) {
    struct str body = house_get(house, "GET", "/v1/status", "").body;
    size_t count = 0;
    for (const char *at = body.p; (at = memmem(at, (size_t)(body.p + body.n - at), token, strlen(token))); at++)
        count++;
    return count;
}

static void all_are_seen_until_they_leave(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_INGEST);
    assert_int_equal(instances_seen(a, "\"token\":\"member-"), 2);
    assert_int_equal(instances_seen(a, "\"token\":\"member-2\",\"role\":\"ingest\""), 1);
    company_leave(b->store);
    assert_int_equal(instances_seen(a, "\"token\":\"member-"), 1);
    assert_int_equal(instances_seen(a, "\"token\":\"member-1\",\"role\":\"all\""), 1);
}

static void who_is_silent_is_gone_and_who_speaks_is_there(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_join(fleet, LOOP_ALL);
    fleet_number(fleet, "UPDATE instances SET seen_at = seen_at - 31000000");
    assert_int_equal(instances_seen(a, "\"token\":\"member-"), 0);
    fleet_pass(fleet, 5 * US_PER_S);
    house_turn(a);
    assert_int_equal(instances_seen(a, "\"token\":\"member-"), 1);
}

/* Made and ended by others: counted anew, so that the bound of the queue is one for all. */
static void open_deliveries_are_counted_over_all(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abc");
    fleet_pass(fleet, 5 * US_PER_S);
    house_turn(b);
    assert_int_equal(loop_view(b->loop).open_deliveries, 3);
    fleet_answer_all(a, 0, 200);
    fleet_pass(fleet, 5 * US_PER_S);
    house_turn(b);
    assert_int_equal(loop_view(b->loop).open_deliveries, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_lease_that_ran_out_is_settled_by_another),
        T(one_who_starts_settles_only_what_ran_out),
        T(who_still_waits_for_an_answer_leaves_its_own_lease_alone),
        T(a_late_answer_changes_nothing_and_counts_nowhere),
        T(what_was_claimed_too_long_ago_does_not_leave),
        T(what_did_not_leave_is_given_back_to_whoever_comes_first),
        T(what_was_claimed_just_now_leaves),
        T(one_retires_what_is_old),
        T(all_are_seen_until_they_leave),
        T(who_is_silent_is_gone_and_who_speaks_is_there),
        T(open_deliveries_are_counted_over_all),
    };
    return RUN(tests);
}
