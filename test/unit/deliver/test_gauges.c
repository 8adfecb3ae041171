/* The numbers that desks show. */
#include "world.h"

#include "base/arena.h"
#include "deliver/gauges.h"
#include "deliver/meter.h"

/* Notes each reading as "name{label} value\n". */
struct notes {
    struct gauge_sink sink;
    struct buf *buf;
    const char *name;
};

static void note(struct gauge_sink *sink, struct str label, double value) {
    struct notes *notes = (struct notes *)sink;
    buf_fmt(notes->buf, "%s{%.*s} %g\n", notes->name, STR_ARG(label), value);
}

static const char *readings(const struct deliver *deliver, struct arena *arena) {
    struct buf *buf = arena_new(arena, struct buf);
    *buf = (struct buf){.arena = arena};
    struct gauge_set set = deliver_gauges(deliver);
    for (size_t i = 0; i < set.count; i++) {
        struct notes notes = {{.now_us = T0, .put = note}, buf, set.gauges[i].name};
        set.gauges[i].read(set.self, &notes.sink);
    }
    return buf_str(buf).p;
}

static void each_desk_is_shown_and_a_shared_limit_once(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct world world;
    two_desks(&world);
    world.destinations[1].account = STR("a");
    limit(&world.destinations[0], 7, US_PER_MIN);
    world.destinations[0].meter = STR("room");
    world.destinations[0].meter_limits[0] = (struct limit_rule){1, US_PER_S};
    world.destinations[0].meter_limit_count = 1;
    struct deliver *deliver = opened(&world);
    send(deliver, 0, 3, T0);
    deliver_pause(deliver, 1, 0, STR("by hand"));
    meters_take(deliver_meters(deliver, 1), STR("hall"), T0);
    deliver_commit(deliver);
    assert_string_equal(readings(deliver, &arena), "drumbeat_breaker_state{a} 0\ndrumbeat_breaker_state{b} 0\n"
                                                   "drumbeat_in_flight{a} 3\ndrumbeat_in_flight{b} 0\n"
                                                   "drumbeat_paused{a} 0\ndrumbeat_paused{b} 1\n"
                                                   "drumbeat_destination_waiting{a} 0\n"
                                                   "drumbeat_destination_waiting{b} 0\n"
                                                   "drumbeat_destination_overflows{a} 0\n"
                                                   "drumbeat_destination_overflows{b} 0\n"
                                                   "drumbeat_limit_remaining{a} 4\n"
                                                   "drumbeat_limit_values{a} 1\n"
                                                   "drumbeat_limit_used_ratio{a} 0.428571\n");
    deliver_free(deliver);
    arena_free(&arena);
}

static void an_open_breaker_and_a_closed_desk(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct world world;
    two_desks(&world);
    struct deliver *deliver = opened(&world);
    fail_often(deliver, 1, T0);
    deliver_commit(deliver);
    world.settings.destinations = &world.destinations[1];
    world.settings.destination_count = 1;
    deliver_configure(deliver, &world.settings);
    assert_string_equal(readings(deliver, &arena),
                        "drumbeat_breaker_state{b} 1\ndrumbeat_in_flight{b} 0\ndrumbeat_paused{b} 0\n"
                        "drumbeat_destination_waiting{b} 0\ndrumbeat_destination_overflows{b} 0\n");
    deliver_free(deliver);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_desk_is_shown_and_a_shared_limit_once),
        cmocka_unit_test(an_open_breaker_and_a_closed_desk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
