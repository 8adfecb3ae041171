/* What a clock that was ahead wrote waits, once the clock is right, no longer than it did when it was written. */
#include "work.h"

#include "store/ahead.h"
#include "store/memory.h"

#define AHEAD_US (2 * US_PER_HOUR)
#define NOW_US   (T0 - AHEAD_US) /* the clock is right again; what the fixture writes at T0 is written ahead */

static struct ahead_moved move_deliveries(struct fixture *f, int64_t now_us, size_t limit, int64_t after_seq) {
    struct ahead_moved moved;
    fixture_begin(f);
    OK(store_ahead_deliveries(f->store, &(struct ahead_window){after_seq, 1000, limit, now_us}, &f->arena, &moved));
    fixture_commit(f);
    return moved;
}

static struct delivery got(struct fixture *f, struct uuid id) {
    fixture_begin(f);
    struct delivery delivery = fixture_get(f, id);
    fixture_commit(f);
    return delivery;
}

static void the_newest_moment_is_known(void **state) {
    struct fixture *f = *state;
    int64_t newest_us;
    fixture_begin(f);
    OK(store_ahead_newest(f->store, &newest_us));
    assert_int_equal(newest_us, 0);
    fixture_append(f, "event", T0);
    OK(store_ahead_newest(f->store, &newest_us));
    assert_int_equal(newest_us, T0);
    struct delivery delivery = fixture_deliver(f, "delivery", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &delivery, DELIVERY_COMPLETED, "done");
    OK(store_ahead_newest(f->store, &newest_us));
    assert_true(newest_us >= T0);
    fixture_commit(f);
    fixture_sql(f, "UPDATE attempts SET started = 9000000000000000");
    fixture_begin(f);
    OK(store_ahead_newest(f->store, &newest_us));
    fixture_commit(f);
    assert_int_equal(newest_us, 9000000000000000);
}

static void what_waits_is_due_as_long_after_now_as_it_was(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery at_once = fixture_deliver(f, "at-once", "crm", DELIVERY_PENDING);
    struct delivery later = fixture_deliver(f, "later", "mail", DELIVERY_PENDING);
    struct delivery under_way = fixture_deliver(f, "under-way", "crm", DELIVERY_PROCESSING);
    fixture_commit(f);
    fixture_sql(f, "UPDATE deliveries SET due = due + 60000000 WHERE destination = 'mail'");
    struct ahead_moved moved = move_deliveries(f, NOW_US, 100, 0);
    assert_int_equal(moved.count, 3);
    assert_text(moved.destinations[1], "mail");
    assert_int_equal(got(f, at_once.id).due_us, NOW_US);
    assert_int_equal(got(f, at_once.id).first_due_us, NOW_US);
    assert_int_equal(got(f, later.id).due_us, NOW_US + US_PER_MIN);
    assert_int_equal(got(f, under_way.id).lease_until_us, NOW_US + US_PER_MIN);
    assert_int_equal(got(f, under_way.id).status, DELIVERY_PROCESSING);
    assert_int_equal(move_deliveries(f, NOW_US, 100, 0).count, 0); /* never twice */
}

static void what_is_over_or_was_written_in_time_stays(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery done = fixture_deliver(f, "done", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &done, DELIVERY_COMPLETED, "done");
    struct delivery in_time = fixture_deliver(f, "in-time", "crm", DELIVERY_PENDING);
    fixture_commit(f);
    fixture_sql(f, "UPDATE deliveries SET updated_at = updated_at - 7200000000 WHERE status = 'PENDING'");
    assert_int_equal(move_deliveries(f, NOW_US, 100, 0).count, 0);
    assert_int_equal(got(f, in_time.id).due_us, T0);
}

static void a_step_is_bounded_by_its_window(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    for (int i = 0; i < 5; i++) fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_PENDING);
    fixture_commit(f);
    struct ahead_moved moved = move_deliveries(f, NOW_US, 2, 0);
    assert_int_equal(moved.count, 2);
    assert_true(moved.more);
    moved = move_deliveries(f, NOW_US, 2, moved.last_seq);
    assert_int_equal(moved.count, 2);
    moved = move_deliveries(f, NOW_US, 2, moved.last_seq);
    assert_int_equal(moved.count, 1);
    assert_false(moved.more);
}

static void an_event_that_was_due_at_once_is_due_now(void **state) {
    struct fixture *f = *state;
    struct ahead_moved moved;
    fixture_begin(f);
    struct event at_once = fixture_append(f, "at-once", T0);
    struct event planned = fixture_event(f, "planned", T0);
    planned.scheduled_us = T0 + 1;
    struct append_result result;
    OK(store_append(f->store, &planned, 1, &f->arena, &result));
    OK(store_ahead_events(f->store, &(struct ahead_window){0, 1000, 100, NOW_US}, &f->arena, &moved));
    assert_int_equal(moved.count, 1);
    assert_int_equal(fixture_get_event(f, at_once.id).scheduled_us, NOW_US);
    assert_int_equal(fixture_get_event(f, planned.id).scheduled_us, T0 + 1); /* its sender named the moment */
    fixture_commit(f);
}

static void what_destinations_wait_for_is_moved(void **state) {
    struct fixture *f = *state;
    const struct destination_state wrote[] = {{.name = STR("crm"),
                                               .paused = true,
                                               .paused_until_us = T0 + 10,
                                               .breaker_until_us = T0 + 20,
                                               .quiet_until_us = T0 + 30,
                                               .aspects = STATE_ALL},
                                              {.name = STR("mail"), .paused = true, .aspects = STATE_ALL}};
    const struct stopped_route stop = {STR("lead"), STR("hash"), STR("ran away"), T0 + US_PER_HOUR};
    struct destination_state *states;
    struct stopped_route *stops;
    size_t count;
    fixture_begin(f);
    OK(store_save_destination(f->store, wrote, 2, T0));
    OK(store_route_stop(f->store, &stop));
    OK(store_ahead_states(f->store, NOW_US));
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(states[0].paused_until_us, NOW_US + 10);
    assert_int_equal(states[0].breaker_until_us, NOW_US + 20);
    assert_int_equal(states[0].quiet_until_us, NOW_US + 30);
    assert_int_equal(states[1].paused_until_us, 0); /* until somebody resumes it */
    OK(store_route_stops(f->store, &f->arena, &stops, &count));
    assert_int_equal(stops[0].until_us, NOW_US + US_PER_HOUR);
    OK(store_ahead_states(f->store, NOW_US)); /* never twice */
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(states[0].paused_until_us, NOW_US + 10);
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(the_newest_moment_is_known),
        ON_EVERY_DRIVER(what_waits_is_due_as_long_after_now_as_it_was),
        ON_EVERY_DRIVER(what_is_over_or_was_written_in_time_stays),
        ON_EVERY_DRIVER(a_step_is_bounded_by_its_window),
        ON_EVERY_DRIVER(an_event_that_was_due_at_once_is_due_now),
        ON_EVERY_DRIVER(what_destinations_wait_for_is_moved),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
