/* How many wait, and whether one more has room. */
#include "world.h"

#include "deliver/backlog.h"

static void a_desk_takes_half_of_the_common_queue_or_its_own(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.settings.server.queue_max = 7;
    world.destinations[1].queue_max = 10;
    struct deliver *deliver = opened(&world);
    backlog_change(deliver, 0, 3);
    backlog_change(deliver, 1, 9);
    assert_false(backlog_is_full(deliver, 0));
    assert_false(backlog_is_full(deliver, 1));
    backlog_change(deliver, 0, 1);
    backlog_change(deliver, 1, 1);
    assert_true(backlog_is_full(deliver, 0));
    assert_true(backlog_is_full(deliver, 1));
    assert_int_equal(backlog_total(deliver), 14);
    world.settings.server.queue_max = 0; /* no bound but a destination's own */
    deliver_commit(deliver);
    deliver_configure(deliver, &world.settings);
    assert_false(backlog_is_full(deliver, 0));
    assert_true(backlog_is_full(deliver, 1));
    deliver_free(deliver);
}

static void a_quarter_must_be_free_before_more_may_come(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    world.destinations[0].queue_max = 8;
    struct deliver *deliver = opened(&world);
    backlog_change(deliver, 0, 8);
    assert_int_equal(backlog_room(deliver, 0), 0);
    backlog_change(deliver, 0, -1);
    assert_int_equal(backlog_room(deliver, 0), 0);
    backlog_change(deliver, 0, -1);
    assert_int_equal(backlog_room(deliver, 0), 2);
    world.destinations[0].queue_max = 1; /* the smallest opens too */
    backlog_change(deliver, 0, -6);
    deliver_commit(deliver);
    deliver_configure(deliver, &world.settings);
    assert_int_equal(backlog_room(deliver, 0), 1);
    deliver_free(deliver);
}

static void a_turn_that_is_dropped_counts_nothing(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    backlog_read(deliver, 0, 5);
    backlog_change(deliver, 0, 2);
    backlog_overflow(deliver, 0);
    deliver_rollback(deliver);
    assert_int_equal(backlog_of(deliver, 0).waiting, 5);
    assert_false(backlog_of(deliver, 0).overflows);
    backlog_change(deliver, 0, -9); /* an estimate is never below nothing */
    backlog_change(deliver, SIZE_MAX, 1);
    deliver_commit(deliver);
    assert_int_equal(backlog_total(deliver), 0);
    deliver_free(deliver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_desk_takes_half_of_the_common_queue_or_its_own),
        cmocka_unit_test(a_quarter_must_be_free_before_more_may_come),
        cmocka_unit_test(a_turn_that_is_dropped_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
