/* test_guard.c - a route whose program runs away is stopped, probed and healed; what it owed meanwhile is made then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"

#define ROUTES "  a: {from: LEAD, when: .a, to: [crm, log]}\n  b: {from: LEAD, to: [log]}\n"

/* Runs away on a payload that says so. */
static void run_some(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    struct bench *bench = self;
    for (size_t i = 0; i < count; i++) {
        bench->calls++;
        if (memmem(calls[i].input.p, calls[i].input.n, "RUN", 3)) {
            calls[i].err = ERR_JQ_RUNAWAY;
            calls[i].result = STR("stopped: it ran longer than 250ms");
        } else {
            jq_run(bench->jq, &calls[i], arena);
        }
    }
}

static struct bench *guarded(void) {
    struct bench *bench = bench_open(ROUTES);
    bench->evaluator = (struct evaluator){run_some, bench};
    return bench;
}

static struct plan plan_of(struct bench *bench, uint8_t id, const char *payload, int64_t now_us) {
    struct event event = bench_event("LEAD", payload);
    event.id.b[15] = id;
    struct plan plan = bench_plan_at(bench, event, now_us);
    routes_commit(bench->routes);
    return plan;
}

static void stop(struct bench *bench) {
    for (uint8_t i = 1; i <= 3; i++) (void)plan_of(bench, i, "{\"a\":\"RUN\"}", NOW_US);
}

static void one_runaway_costs_its_deliveries_of_the_route(void **state) {
    (void)state;
    struct bench *bench = guarded();
    struct plan plan = plan_of(bench, 1, "{\"a\":\"RUN\"}", NOW_US);
    assert_int_equal(plan.count, 3);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(plan.deliveries[i].status, DELIVERY_FAILED);
        assert_str(plan.deliveries[i].last_error, "route a: stopped: it ran longer than 250ms");
    }
    assert_int_equal(plan.deliveries[2].status, DELIVERY_PENDING);
    assert_false(routes_is_stopped(bench->routes, STR("a")));
    bench_close(bench);
}

static void three_events_within_ten_minutes_stop_it(void **state) {
    (void)state;
    struct bench *bench = guarded();
    for (int i = 0; i < 5; i++) (void)plan_of(bench, 1, "{\"a\":\"RUN\"}", NOW_US); /* one event is one event */
    assert_false(routes_is_stopped(bench->routes, STR("a")));
    (void)plan_of(bench, 2, "{\"a\":\"RUN\"}", NOW_US + 9 * US_PER_MIN);
    (void)plan_of(bench, 3, "{\"a\":\"RUN\"}", NOW_US + 11 * US_PER_MIN); /* the first is too old by now */
    assert_false(routes_is_stopped(bench->routes, STR("a")));
    (void)plan_of(bench, 4, "{\"a\":\"RUN\"}", NOW_US + 12 * US_PER_MIN);
    assert_true(routes_is_stopped(bench->routes, STR("a")));
    assert_false(routes_is_stopped(bench->routes, STR("b")));
    bench_close(bench);
}

static void a_stopped_route_holds_what_it_owes(void **state) {
    (void)state;
    struct bench *bench = guarded();
    stop(bench);
    size_t calls = bench->calls;
    struct plan plan = plan_of(bench, 9, "{\"a\":1}", NOW_US + 1);
    assert_int_equal(bench->calls, calls);
    assert_int_equal(plan.count, 3);
    assert_str(plan.error, "");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(plan.deliveries[i].status, DELIVERY_HELD);
        assert_true(plan.deliveries[i].unmade);
        assert_str(plan.deliveries[i].last_error, "route a is stopped: stopped: it ran longer than 250ms");
    }
    assert_int_equal(plan.deliveries[2].status, DELIVERY_PENDING);
    bench_close(bench);
}

static void probes_come_later_each_time(void **state) {
    (void)state;
    struct bench *bench = guarded();
    int64_t now_us = NOW_US;
    stop(bench);
    static const int minutes[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (uint8_t i = 0; i < COUNT(minutes); i++) {
        assert_true(routes_next_probe(bench->routes) == now_us + minutes[i] * US_PER_MIN);
        now_us += minutes[i] * US_PER_MIN;
        size_t calls = bench->calls;
        (void)plan_of(bench, (uint8_t)(20 + i), "{\"a\":1}", now_us - 1);
        assert_int_equal(bench->calls, calls);
        (void)plan_of(bench, (uint8_t)(40 + i), "{\"a\":\"RUN\"}", now_us);
        assert_int_equal(bench->calls, calls + 1);
    }
    bench_close(bench);
}

static void a_probe_that_comes_back_heals(void **state) {
    (void)state;
    struct bench *bench = guarded();
    stop(bench);
    struct plan held = plan_of(bench, 9, "{\"a\":1}", NOW_US + 1), other = plan_of(bench, 10, "{}", NOW_US + 2);
    struct delivery unmade[4] = {held.deliveries[0], held.deliveries[1], other.deliveries[0], other.deliveries[1]};
    struct uuid id = unmade[0].id;
    int64_t now_us = NOW_US + US_PER_MIN;
    route_unmade(bench->routes, unmade, 4, now_us - 1, bench->hasher, &bench->evaluator, &bench->arena);
    for (size_t i = 0; i < 4; i++) assert_int_equal(unmade[i].status, DELIVERY_HELD);
    route_unmade(bench->routes, unmade, 4, now_us, bench->hasher, &bench->evaluator, &bench->arena);
    routes_rollback(bench->routes); /* a turn that never was heals nobody */
    assert_true(routes_next_probe(bench->routes) == now_us);
    unmade[0] = held.deliveries[0];
    unmade[1] = held.deliveries[1];
    route_unmade(bench->routes, unmade, 4, now_us, bench->hasher, &bench->evaluator, &bench->arena);
    struct route_stop stops[2];
    assert_int_equal(routes_changed(bench->routes, bench->hasher, &bench->arena, stops, 2), 1);
    assert_false(stops[0].stopped);
    routes_commit(bench->routes);
    assert_false(routes_is_stopped(bench->routes, STR("a")));
    assert_int_equal(unmade[0].status, DELIVERY_PENDING); /* the probe's event */
    assert_int_equal(unmade[1].status, DELIVERY_PENDING);
    assert_false(unmade[0].unmade);
    assert_true(uuid_eq(unmade[0].id, id));
    assert_int_equal(unmade[2].status, DELIVERY_HELD); /* one event a time */
    route_unmade(bench->routes, unmade + 2, 2, now_us, bench->hasher, &bench->evaluator, &bench->arena);
    assert_int_equal(unmade[2].status, DELIVERY_SKIPPED); /* `when` could not be asked before */
    assert_str(unmade[2].last_error, "when: .a");
    bench_close(bench);
}

static void what_the_configuration_knows_no_more_fails(void **state) {
    (void)state;
    struct bench *bench = guarded();
    stop(bench);
    struct plan held = plan_of(bench, 9, "{\"a\":1}", NOW_US + 1);
    struct bench *later = bench_open("  a: {from: LEAD, when: .b, to: [crm]}\n");
    struct delivery unmade[] = {held.deliveries[0], held.deliveries[1], held.deliveries[1]};
    unmade[2].route = STR("gone");
    route_unmade(later->routes, unmade, 3, NOW_US, later->hasher, &later->evaluator, &later->arena);
    assert_int_equal(unmade[0].status, DELIVERY_SKIPPED); /* of a mended route, by what it says now */
    assert_int_equal(unmade[1].status, DELIVERY_FAILED);
    assert_str(unmade[1].last_error, "route a: it has no delivery to log any more");
    assert_str(unmade[2].last_error, "route gone: it has no delivery to log any more");
    bench_close(later);
    bench_close(bench);
}

static void a_stop_is_of_one_program(void **state) {
    (void)state;
    struct bench *bench = guarded();
    struct route_stop stops[2];
    (void)plan_of(bench, 1, "{\"a\":\"RUN\"}", NOW_US);
    (void)plan_of(bench, 2, "{\"a\":\"RUN\"}", NOW_US);
    struct event event = bench_event("LEAD", "{\"a\":\"RUN\"}");
    (void)bench_plan(bench, event);
    assert_int_equal(routes_changed(bench->routes, bench->hasher, &bench->arena, stops, 2), 1);
    assert_str(stops[0].route, "a");
    assert_true(stops[0].stopped && stops[0].until_us == NOW_US + US_PER_MIN);
    assert_int_equal(stops[0].program_hash.n, 64);
    static const struct {
        const char *routes;
        bool stopped;
    } cases[] = {
        {ROUTES, true},
        {"  a: {from: [LEAD, X], when: .a, to: [crm: {after: 1d}, log]}\n", true},
        {"  a: {from: LEAD, when: .b, to: [crm, log]}\n", false},
        {"  a: {from: LEAD, when: .a, to: [crm: {body: x}, log]}\n", false},
        {"  a: {from: LEAD, when: .a, to: [crm: {body: \"${.x}\"}, log]}\n", false},
        {"  z: {from: LEAD, when: .a, to: [crm, log]}\n", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bench *other = bench_open(cases[i].routes);
        routes_restore(other->routes, stops, 1, other->hasher, &other->arena, NOW_US);
        assert_int_equal(routes_is_stopped(other->routes, STR("a")), cases[i].stopped);
        routes_restore(other->routes, NULL, 0, other->hasher, &other->arena, NOW_US); /* healed by another process */
        assert_false(routes_is_stopped(other->routes, STR("a")));
        bench_close(other);
    }
    bench_close(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_runaway_costs_its_deliveries_of_the_route),
        cmocka_unit_test(three_events_within_ten_minutes_stop_it),
        cmocka_unit_test(a_stopped_route_holds_what_it_owes),
        cmocka_unit_test(probes_come_later_each_time),
        cmocka_unit_test(a_probe_that_comes_back_heals),
        cmocka_unit_test(what_the_configuration_knows_no_more_fails),
        cmocka_unit_test(a_stop_is_of_one_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
