/* Several processes and one table of chores: one takes the steps at a time, and another goes on when it is gone. */
#include "fleet_acts.h"

#include "store/chore.h"

#define FILL                                                                                                           \
    "INSERT INTO marketing_events(idempotency_key, type, source, status) SELECT 'k' || i, 'LEAD', 't', 'COMPLETED'"    \
    " FROM generate_series(1, 6000) i"
#define REACHED "SELECT last_seq FROM chores WHERE name = 'verify'"
#define OVER    "SELECT count(*) FROM chores WHERE name = 'verify' AND finished > 0"

static void begin_verify(struct fleet *fleet, struct house *house) {
    fleet_number(fleet, FILL);
    assert_int_equal(house_get(house, "POST", "/v1/verify", "").status, 202);
    assert_true(fleet_number(fleet, REACHED) > 0);
    assert_int_equal(fleet_number(fleet, OVER), 0);
}

static void another_goes_on_when_one_dies(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    begin_verify(fleet, a);
    int64_t reached = fleet_number(fleet, REACHED);
    fleet_lose(a);
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    assert_true(fleet_number(fleet, REACHED) > reached);
    for (int i = 0; i < 30 && !fleet_number(fleet, OVER); i++) {
        fleet_pass(fleet, US_PER_S);
        house_turn(b);
    }
    assert_int_equal(fleet_number(fleet, OVER), 1);
    struct chore_round round;
    OK(store_begin(fleet->store));
    OK(store_chore_get(fleet->store, STR("verify"), &fleet->arena, &round));
    assert_int_equal(verify_found(&round, &fleet->arena).events, 6000); /* each looked at once */
    store_rollback(fleet->store);
}

/* Whoever holds the lock in an open transaction keeps the others from the round, not from their turns. */
static void one_takes_the_steps_at_a_time(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    bool ours = false;
    begin_verify(fleet, a);
    int64_t reached = fleet_number(fleet, REACHED);
    OK(store_begin(fleet->store));
    OK(store_try_task(fleet->store, TASK_VERIFY, &ours));
    assert_true(ours);
    for (int i = 0; i < 3; i++) {
        fleet_pass(fleet, 10 * US_PER_S);
        house_turn(a);
        house_turn(b);
    }
    assert_int_equal(fleet_number(fleet, REACHED), reached);
    store_rollback(fleet->store);
    fleet_pass(fleet, 10 * US_PER_S);
    house_turn(b);
    assert_true(fleet_number(fleet, REACHED) > reached);
}

/* ---- due, but somebody else's transaction has it ---- */

/* How often the loop finds something to do within so long. */
static uint64_t turns_within(struct fleet *fleet, struct house *house, int64_t span_us) {
    uint64_t turns = loop_turns(house->loop);
    int64_t until_us = house->now_us + span_us;
    for (int i = 0; i < 1000 && house->now_us < until_us; i++) {
        loop_wait(house->loop, until_us);
        if (house->waited_until_us > house->now_us) fleet_pass(fleet, house->waited_until_us - house->now_us);
        house_turn(house);
    }
    assert_true(house->now_us >= until_us);
    return loop_turns(house->loop) - turns;
}

static void lock_rows(struct fleet *fleet, const char *sql) {
    OK(fleet->beside.begin(fleet->beside.self));
    fleet_number(fleet, sql);
}

static void a_delivery_that_is_locked_is_asked_for_less_and_less(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    house_get(a, "POST", "/v1/destinations/crm/pause", "");
    fleet_post(a, "a");
    lock_rows(fleet, "SELECT 1 FROM deliveries FOR UPDATE");
    house_get(a, "POST", "/v1/destinations/crm/resume", "");
    assert_true(turns_within(fleet, a, 20 * US_PER_S) < 60);
    assert_called(a, "");
    fleet->beside.rollback(fleet->beside.self);
    turns_within(fleet, a, 2 * US_PER_S);
    assert_called(a, "a");
}

static void an_event_that_is_locked_is_asked_for_less_and_less(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_number(
        fleet, "INSERT INTO marketing_events(idempotency_key, type, source, scheduled_at, payload) VALUES ('a', 'LEAD',"
               " 't', to_timestamp(1764000000),"
               " '{\"k\":\"a\"}')");
    lock_rows(fleet, "SELECT 1 FROM marketing_events FOR UPDATE");
    assert_true(turns_within(fleet, a, 20 * US_PER_S) < 60);
    assert_int_equal(a->call_count, 0);
    fleet->beside.rollback(fleet->beside.self);
    turns_within(fleet, a, 4 * US_PER_S);
    assert_int_equal(a->call_count, 1);
}

static void orphans_that_a_clean_up_leaves_are_swept(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    house_get(a, "POST", "/v1/destinations/crm/pause", "");
    fleet_post(a, "abc");
    fleet_number(fleet, "DELETE FROM marketing_events");
    house_get(a, "POST", "/v1/destinations/crm/resume", "");
    turns_within(fleet, a, 10 * US_PER_S);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM deliveries"), 0);
    assert_int_equal(loop_view(a->loop).open_deliveries, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(another_goes_on_when_one_dies),
        T(one_takes_the_steps_at_a_time),
        T(a_delivery_that_is_locked_is_asked_for_less_and_less),
        T(an_event_that_is_locked_is_asked_for_less_and_less),
        T(orphans_that_a_clean_up_leaves_are_swept),
    };
    return RUN(tests);
}
