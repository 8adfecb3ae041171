/* Desks whose state other processes write too. */
#include "world.h"

static struct deliver *two(struct world *world) {
    two_desks(world);
    return opened(world);
}

/* What another wrote: nothing out of the ordinary. */
static struct desk_view stored(void) {
    return (struct desk_view){0};
}

static struct breaker breaker_in(enum breaker_state state, int64_t until_us) {
    return (struct breaker){.state = state, .opened = state != BREAKER_CLOSED, .until_us = until_us};
}

static void adopt(struct deliver *deliver, struct desk_view view) {
    deliver_adopt(deliver, 0, &view, T0);
    deliver_commit(deliver);
}

/* ---- waiting for a shared limit ---- */

static void a_desk_waits_until_more_may_be_had(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    struct desk_change changed[4];
    deliver_set_due(deliver, 1, WHEN_NEVER);
    deliver_commit(deliver);
    deliver_wait(deliver, 0, T0 + US_PER_S);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1), 0);
    assert_int_equal(deliver_budget(deliver, 1, T0, 1), 1);
    assert_us(deliver_next(deliver, T0), T0 + US_PER_S);
    assert_int_equal(deliver_budget(deliver, 0, T0 + US_PER_S, 1), 1);
    assert_int_equal(deliver_changed(deliver, changed, 4), 0); /* nothing to store */
    deliver_rollback(deliver);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1), 1);
    deliver_free(deliver);
}

/* ---- probing ---- */

static void opened_until(struct deliver *deliver, int64_t until_us) {
    struct desk_view view = stored();
    view.breaker = breaker_in(BREAKER_OPEN, until_us);
    adopt(deliver, view);
}

static void only_an_open_breaker_whose_time_is_over_is_probed(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    assert_false(deliver_would_probe(deliver, 0, T0));
    opened_until(deliver, T0 + US_PER_S);
    assert_false(deliver_would_probe(deliver, 0, T0));
    assert_true(deliver_would_probe(deliver, 0, T0 + US_PER_S));
    assert_false(deliver_would_probe(deliver, 1, T0 + US_PER_S));
    assert_int_equal(deliver_budget(deliver, 0, T0 + US_PER_S, 9), 1);
    assert_false(deliver_would_probe(deliver, 0, T0 + US_PER_S)); /* it is half-open now */
    deliver_rollback(deliver);
    assert_true(deliver_would_probe(deliver, 0, T0 + US_PER_S));
    world.destinations[0].breaker.on = false;
    assert_false(deliver_would_probe(deliver, 0, T0 + US_PER_S));
    deliver_free(deliver);
}

static void what_may_not_leave_is_no_probe(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 1, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    opened_until(deliver, T0);
    assert_true(deliver_would_probe(deliver, 0, T0));
    deliver_pause(deliver, 0, 0, STR("why"));
    assert_false(deliver_would_probe(deliver, 0, T0));
    deliver_rollback(deliver);
    deliver_wait(deliver, 0, T0 + 1);
    assert_false(deliver_would_probe(deliver, 0, T0));
    deliver_rollback(deliver);
    deliver_quiet(deliver, 0, T0 + 1, T0);
    assert_false(deliver_would_probe(deliver, 0, T0));
    deliver_rollback(deliver);
    deliver_restore_send(deliver, 0, T0 - 1, T0);
    assert_false(deliver_would_probe(deliver, 0, T0));
    deliver_free(deliver);
}

static void who_has_a_call_out_there_waits_for_it(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    send(deliver, 0, 1, T0);
    opened_until(deliver, T0);
    assert_false(deliver_would_probe(deliver, 0, T0));
    deliver_ended(deliver, 0);
    assert_true(deliver_would_probe(deliver, 0, T0));
    deliver_free(deliver);
}

static void who_is_put_off_looks_again(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    struct desk_change changed[4];
    opened_until(deliver, T0);
    deliver_put_off(deliver, 0, T0 + US_PER_S);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1), 0);
    assert_false(deliver_would_probe(deliver, 0, T0));
    assert_true(deliver_would_probe(deliver, 0, T0 + US_PER_S));
    assert_int_equal(deliver_changed(deliver, changed, 4), 0); /* another's state, not ours to write */
    deliver_rollback(deliver);
    assert_true(deliver_would_probe(deliver, 0, T0));
    deliver_free(deliver);
}

/* ---- what changed, by its aspects ---- */

static unsigned changed_of(struct deliver *deliver) {
    struct desk_change changed[4];
    size_t count = deliver_changed(deliver, changed, 4);
    unsigned aspects = 0;
    for (size_t i = 0; i < count; i++)
        if (changed[i].desk == 0) aspects = changed[i].aspects;
    return aspects;
}

static void each_aspect_is_told_apart(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    assert_int_equal(changed_of(deliver), 0);
    deliver_pause(deliver, 0, 0, STR("why"));
    assert_int_equal(changed_of(deliver), DESK_PAUSE);
    deliver_pause(deliver, 0, 0, STR("why"));
    assert_int_equal(changed_of(deliver), 0);
    deliver_quiet(deliver, 0, T0 + 1, T0);
    assert_int_equal(changed_of(deliver), DESK_QUIET);
    deliver_record(deliver, 0, T0, true);
    assert_int_equal(changed_of(deliver), 0);
    deliver_record(deliver, 0, T0, false);
    assert_int_equal(changed_of(deliver), DESK_COUNT);
    fail_often(deliver, 0, T0);
    assert_int_equal(changed_of(deliver) & DESK_BREAKER, DESK_BREAKER);
    deliver_resume(deliver, 0);
    assert_int_equal(changed_of(deliver), DESK_PAUSE | DESK_BREAKER | DESK_QUIET | DESK_SUSPICION);
    deliver_free(deliver);
}

static void what_was_told_by_a_dropped_turn_is_told_again(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    deliver_pause(deliver, 0, 0, STR("why"));
    deliver_commit(deliver);
    assert_int_equal(changed_of(deliver), DESK_PAUSE);
    deliver_rollback(deliver);
    assert_int_equal(changed_of(deliver), DESK_PAUSE);
    deliver_commit(deliver);
    assert_int_equal(changed_of(deliver), 0);
    deliver_free(deliver);
}

static void a_probe_is_a_change(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    opened_until(deliver, T0);
    assert_int_equal(changed_of(deliver), 0);
    deliver_budget(deliver, 0, T0, 1);
    assert_int_equal(changed_of(deliver), DESK_BREAKER);
    deliver_record(deliver, 0, T0, true);
    assert_int_equal(changed_of(deliver), DESK_BREAKER);
    deliver_free(deliver);
}

/* ---- adopting ---- */

static void what_another_wrote_is_taken_over(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    const struct desk_view theirs = {.paused = true,
                                     .paused_until_us = T0 + 5,
                                     .pause_reason = STR("tea"),
                                     .quiet_until_us = T0 + 7,
                                     .breaker = breaker_in(BREAKER_OPEN, T0 + 9)};
    adopt(deliver, theirs);
    struct desk_view view = deliver_view(deliver, 0, T0);
    assert_true(view.paused && str_eq(view.pause_reason, STR("tea")));
    assert_us(view.paused_until_us, T0 + 5);
    assert_us(view.quiet_until_us, T0 + 7);
    assert_us(view.breaker.until_us, T0 + 9);
    assert_us(deliver_next(deliver, T0), T0); /* the other desk */
    assert_int_equal(changed_of(deliver), 0); /* it is no news to those who wrote it */
    adopt(deliver, stored());
    view = deliver_view(deliver, 0, T0);
    assert_false(view.paused);
    assert_us(view.quiet_until_us, 0);
    assert_int_equal(view.breaker.state, BREAKER_CLOSED);
    deliver_free(deliver);
}

static void what_a_dropped_turn_took_over_is_forgotten(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    const struct desk_view theirs = {.paused = true, .quiet_until_us = T0 + 7};
    deliver_adopt(deliver, 0, &theirs, T0);
    deliver_rollback(deliver);
    assert_int_equal(deliver_budget(deliver, 0, T0, 1), 1);
    deliver_free(deliver);
}

/* Each aspect for itself: what of ours is not yet given out stays. */
static void what_is_ours_and_untold_stays(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    const struct desk_view theirs = {.quiet_until_us = T0 + 7, .breaker = breaker_in(BREAKER_OPEN, T0 + 9)};
    deliver_pause(deliver, 0, 0, STR("mine"));
    adopt(deliver, theirs);
    struct desk_view view = deliver_view(deliver, 0, T0);
    assert_true(view.paused);
    assert_int_equal(view.breaker.state, BREAKER_OPEN);
    assert_us(view.quiet_until_us, T0 + 7);
    deliver_resume(deliver, 0);
    adopt(deliver, theirs);
    view = deliver_view(deliver, 0, T0);
    assert_false(view.paused);
    assert_int_equal(view.breaker.state, BREAKER_CLOSED);
    assert_us(view.quiet_until_us, 0);
    assert_int_equal(changed_of(deliver), DESK_PAUSE | DESK_BREAKER | DESK_QUIET | DESK_SUSPICION);
    adopt(deliver, theirs); /* told: the store's word counts again */
    assert_int_equal(deliver_view(deliver, 0, T0).breaker.state, BREAKER_OPEN);
    deliver_free(deliver);
}

/* ours, what was stored, sends of ours on their way, what we come to */
struct meeting {
    enum breaker_state ours, stored;
    size_t in_flight;
    enum breaker_state becomes;
};
static const struct meeting meetings[] = {
    {BREAKER_CLOSED, BREAKER_CLOSED, 0, BREAKER_CLOSED},
    {BREAKER_CLOSED, BREAKER_OPEN, 0, BREAKER_OPEN},
    {BREAKER_CLOSED, BREAKER_HALF_OPEN, 0, BREAKER_OPEN},
    {BREAKER_OPEN, BREAKER_CLOSED, 0, BREAKER_CLOSED},
    {BREAKER_OPEN, BREAKER_OPEN, 0, BREAKER_OPEN},
    {BREAKER_OPEN, BREAKER_HALF_OPEN, 0, BREAKER_OPEN},
    {BREAKER_HALF_OPEN, BREAKER_CLOSED, 1, BREAKER_CLOSED},
    {BREAKER_HALF_OPEN, BREAKER_HALF_OPEN, 1, BREAKER_HALF_OPEN},
    {BREAKER_HALF_OPEN, BREAKER_OPEN, 1, BREAKER_HALF_OPEN},
    {BREAKER_HALF_OPEN, BREAKER_OPEN, 0, BREAKER_OPEN},
    {BREAKER_HALF_OPEN, BREAKER_HALF_OPEN, 0, BREAKER_HALF_OPEN},
};

static void breakers_meet(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(meetings); i++) {
        const struct meeting *meeting = &meetings[i];
        struct world world;
        struct deliver *deliver = two(&world);
        struct desk_view view = stored();
        view.breaker = breaker_in(meeting->ours, T0 - 1);
        deliver_restore(deliver, 0, &view, T0);
        if (meeting->in_flight) send(deliver, 0, meeting->in_flight, T0);
        view.breaker = breaker_in(meeting->stored, T0 + US_PER_MIN);
        adopt(deliver, view);
        view = deliver_view(deliver, 0, T0);
        if (view.breaker.state != meeting->becomes) fail_msg("meeting %zu comes to %d", i, (int)view.breaker.state);
        if (view.breaker.state == BREAKER_OPEN) assert_us(view.breaker.until_us, T0 + US_PER_MIN);
        deliver_free(deliver);
    }
}

/* Failures in a row are each process's own. */
static void two_closed_breakers_count_apart(void **state) {
    (void)state;
    struct world world;
    struct deliver *deliver = two(&world);
    struct desk_view theirs = stored();
    theirs.breaker.consecutive = 4;
    deliver_record(deliver, 0, T0, false);
    changed_of(deliver);
    deliver_commit(deliver);
    adopt(deliver, theirs);
    assert_int_equal(deliver_view(deliver, 0, T0).breaker.consecutive, 1);
    deliver_free(deliver);
}

/* ---- parts ---- */

static void every_limit_is_parted(void **state) {
    (void)state;
    struct world world;
    two_desks(&world);
    limit(&world.destinations[0], 6, US_PER_MIN);
    limit(&world.destinations[1], 9, US_PER_MIN);
    struct deliver *deliver = opened(&world);
    size_t count = 0;
    assert_int_equal(deliver_rules(deliver, 1, &count)[0].count, 9);
    assert_int_equal(count, 1);
    deliver_part(deliver, 3, false);
    assert_int_equal(deliver_budget(deliver, 0, T0, 9), 2);
    assert_int_equal(deliver_budget(deliver, 1, T0, 9), 3);
    assert_false(deliver_used(deliver, 0, T0));
    send(deliver, 0, 1, T0);
    assert_true(deliver_used(deliver, 0, T0));
    assert_false(deliver_used(deliver, 1, T0));
    deliver_part(deliver, 2, true);
    assert_false(deliver_used(deliver, 0, T0));
    deliver_restore_send(deliver, 0, T0, T0);
    assert_int_equal(deliver_budget(deliver, 0, T0, 9), 2);
    deliver_part(deliver, 1, false);
    assert_int_equal(deliver_budget(deliver, 0, T0, 9), 5);
    deliver_free(deliver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_desk_waits_until_more_may_be_had),
        cmocka_unit_test(only_an_open_breaker_whose_time_is_over_is_probed),
        cmocka_unit_test(what_may_not_leave_is_no_probe),
        cmocka_unit_test(who_has_a_call_out_there_waits_for_it),
        cmocka_unit_test(who_is_put_off_looks_again),
        cmocka_unit_test(each_aspect_is_told_apart),
        cmocka_unit_test(what_was_told_by_a_dropped_turn_is_told_again),
        cmocka_unit_test(a_probe_is_a_change),
        cmocka_unit_test(what_another_wrote_is_taken_over),
        cmocka_unit_test(what_a_dropped_turn_took_over_is_forgotten),
        cmocka_unit_test(what_is_ours_and_untold_stays),
        cmocka_unit_test(breakers_meet),
        cmocka_unit_test(two_closed_breakers_count_apart),
        cmocka_unit_test(every_limit_is_parted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
