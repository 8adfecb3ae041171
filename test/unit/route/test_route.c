/* test_route.c - routes compiled, blamed, put into quarantine; and a program
 * that really runs away, in a real process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"
#include "sandbox/sandbox.h"

static void routes_without_jq_add_no_function(void **state) {
    (void)state;
    struct bench *bench = bench_read("  a: {from: LEAD, to: [crm, mail.send: {text: hi}]}\n"
                                     "  b: {from: LEAD, when: .a, to: [crm]}\n"
                                     "  c: {from: VIEW, when: .a, to: [log]}\n");
    assert_int_equal(bench->err, ERR_NONE);
    assert_int_equal(bench->source.count, 1); /* b and c say the same */
    bench_close(bench);
}

static void all_trouble_is_found_at_once(void **state) {
    (void)state;
    struct bench *bench = bench_read("  r:\n    from: LEAD\n    when: .a +\n    to:\n"
                                     "      - crm:\n          when: (.b\n          unless: .c d\n"
                                     "          key: foo\n          order_by: .fine\n          body: ${.e]}\n"
                                     "      - log:\n          body: {x: \"${nope(1)}\", y: \"${.fine}\"}\n");
    assert_int_equal(bench->err, ERR_CONFIG);
    assert_null(bench->routes);
    assert_str(findings_text(&bench->arena, &bench->findings),
               "drumbeat.yaml:9:11: error E0420: jq: unexpected end of the expression, in 'when' of route 'r'\n"
               "drumbeat.yaml:12:17: error E0420: jq: '(' at column 1 is not closed, in 'when' for crm in route 'r'\n"
               "drumbeat.yaml:13:19: error E0420: jq: unexpected name, in 'unless' for crm in route 'r'\n"
               "drumbeat.yaml:14:16: error E0420: jq: foo/0 is not defined, in 'key' for crm in route 'r'\n"
               "drumbeat.yaml:16:17: error E0420: jq: unexpected ']' at column 3, in ${.e]} for crm in route 'r'\n"
               "drumbeat.yaml:18:21: error E0420: jq: nope/1 is not defined, in ${nope(1)} for log in route 'r'\n");
    bench_close(bench);
}

/* What is sound lexically is found when the whole program fails. */
static void blame_names_the_expression(void **state) {
    (void)state;
    struct bench *bench = bench_read("  a: {from: LEAD, when: .a, to: [crm]}\n"
                                     "  b: {from: LEAD, when: .a b, to: [crm]}\n");
    assert_int_equal(bench->err, ERR_NONE);
    routes_blame(bench->routes, &bench->findings);
    assert_str(findings_text(&bench->arena, &bench->findings),
               "drumbeat.yaml:8:25: error E0420: jq: unexpected name, in 'when' of route 'b'\n");
    bench_close(bench);
}

static void too_many_functions_are_a_finding(void **state) {
    (void)state;
    struct bench *bench = bench_read("  a: {from: LEAD, when: .a, to: [crm]}\n");
    struct jq_source full = {.arena = &bench->arena};
    for (size_t i = 0; i < JQ_FUNCTIONS_MAX; i++) (void)jq_add(&full, str_fmt(&bench->arena, "%zu", i));
    struct routes *routes;
    assert_int_equal(routes_compile(bench->settings, &full, &bench->findings, &bench->arena, &routes), ERR_CONFIG);
    assert_str(findings_text(&bench->arena, &bench->findings),
               "drumbeat.yaml:7:3: error E0426: more than 4096 jq programs, from route 'a' on\n");
    bench_close(bench);
}

static void a_quarantined_route_fails_what_it_would_have_taken(void **state) {
    (void)state;
    struct bench *bench = bench_open("  a: {from: LEAD, when: .a, to: [crm]}\n  b: {from: \"*\", to: [log]}\n");
    assert_false(routes_is_quarantined(bench->routes, STR("a")));
    routes_quarantine(bench->routes, STR("a"));
    routes_quarantine(bench->routes, STR("gone")); /* of an earlier configuration */
    assert_true(routes_is_quarantined(bench->routes, STR("a")));
    assert_false(routes_is_quarantined(bench->routes, STR("b")));
    assert_false(routes_is_quarantined(bench->routes, STR("gone")));
    struct plan plan = bench_plan(bench, bench_event("LEAD", "{\"a\":1}"));
    assert_int_equal(plan.count, 0);
    assert_true(plan.wanted);
    assert_true(str_starts(plan.error, STR("route a: quarantined")));
    assert_str(plan.runaway_route, "");
    assert_int_equal(bench->calls, 0);
    plan = bench_plan(bench, bench_event("VIEW", "{\"a\":1}"));
    assert_int_equal(plan.count, 1);
    bench_close(bench);
}

static struct str hash_of(const char *routes, const char *name, struct arena *arena) {
    struct bench *bench = bench_read(routes);
    assert_int_equal(bench->err, ERR_NONE);
    struct str hash = routes_program_hash(bench->routes, str_from(name), bench->hasher, arena);
    bench_close(bench);
    return hash;
}

static void the_hash_changes_with_the_program_alone(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str hash = hash_of("  r: {from: LEAD, when: .a, to: [crm: {body: x}]}\n", "r", &arena);
    assert_int_equal(hash.n, 64);
    static const struct {
        const char *route;
        bool same;
    } cases[] = {
        {"  z: {from: X, when: .z, to: [log]}\n  r: {from: [LEAD, B], when: .a, to: [crm: {body: x}]}\n", true},
        {"  r: {from: LEAD, when: .a , to: [crm: {body: x, after: 1d}]}\n", true},
        {"  r: {from: LEAD, when: .b, to: [crm: {body: x}]}\n", false},
        {"  r: {from: LEAD, when: .a, to: [crm: {body: y}]}\n", false},
        {"  r: {from: LEAD, when: .a, to: [crm: {body: x, unless: .b}]}\n", false},
        {"  r: {from: LEAD, when: .a, to: [crm: {body: \"${.x}\"}]}\n", false},
        {"  r: {from: LEAD, to: [crm: {body: x}]}\n", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(str_eq(hash_of(cases[i].route, "r", &arena), hash), cases[i].same);
    assert_int_equal(hash_of(cases[0].route, "gone", &arena).n, 0);
    arena_free(&arena);
}

/* One route runs away on one payload: every other event of the batch is planned as if nothing had been. */
static void a_runaway_costs_its_own_event_only(void **state) {
    (void)state;
    struct bench *bench =
        bench_read("  steady: {from: LEAD, when: .n >= 0, to: [log: {body: \"${.n * 2}\"}]}\n"
                   "  wild:\n    from: LEAD\n    when: if .n == 2 then last(range(1e12)) else true end\n"
                   "    to: [crm]\n"
                   "  broken: {from: LEAD, when: if .n == 2 then error else false end, to: [crm]}\n");
    static const struct sandbox_options options = {
        .executable = {"/proc/self/exe", 14}, .deadline_us = 250 * US_PER_MS, .memory_bytes = 256 << 20};
    struct sandbox *sandbox;
    struct str problem;
    assert_int_equal(
        sandbox_open(&options, jq_program(&bench->source, &bench->arena), &bench->arena, &sandbox, &problem), ERR_NONE);
    struct evaluator evaluator = sandbox_evaluator(sandbox);
    struct event events[5];
    struct plan plans[COUNT(events)];
    for (size_t i = 0; i < COUNT(events); i++)
        events[i] = bench_event("LEAD", str_fmt(&bench->arena, "{\"n\":%zu}", i).p);
    route_events(bench->routes, events, COUNT(events), NOW_US, bench->hasher, &evaluator, &bench->arena, plans);
    for (size_t i = 0; i < COUNT(events); i++) {
        if (i == 2) continue;
        assert_str(plans[i].error, "");
        assert_str(plans[i].runaway_route, "");
        assert_int_equal(plans[i].count, 2);
        assert_str(plans[i].deliveries[0].params, str_fmt(&bench->arena, "%zu", i * 2).p);
    }
    assert_int_equal(plans[2].count, 0);
    assert_str(plans[2].runaway_route, "wild");
    assert_str(plans[2].error, "route wild: stopped: it ran longer than 250ms");
    assert_int_equal(sandbox_restarts(sandbox), 1);
    sandbox_close(sandbox);
    bench_close(bench);
}

/* An error of an earlier route must not hide which program ran away. */
static void run_away_second(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    (void)self;
    (void)arena;
    assert_int_equal(count, 3);
    calls[0].err = ERR_JQ_RUN;
    calls[1].err = calls[2].err = ERR_JQ_RUNAWAY;
    calls[0].result = calls[2].result = STR("other");
    calls[1].result = STR("ran away");
}

static void a_runaway_goes_before_an_error(void **state) {
    (void)state;
    struct bench *bench = bench_open("  a: {from: LEAD, when: .a, to: [crm]}\n  b: {from: LEAD, when: .b, to: [crm]}\n"
                                     "  c: {from: LEAD, when: .c, to: [crm]}\n");
    bench->evaluator = (struct evaluator){run_away_second, NULL};
    struct plan plan = bench_plan(bench, bench_event("LEAD", "{}"));
    assert_str(plan.runaway_route, "b");
    assert_str(plan.error, "route b: ran away");
    bench_close(bench);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "jq-worker") == 0) return sandbox_worker_main();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_without_jq_add_no_function),
        cmocka_unit_test(all_trouble_is_found_at_once),
        cmocka_unit_test(blame_names_the_expression),
        cmocka_unit_test(too_many_functions_are_a_finding),
        cmocka_unit_test(a_quarantined_route_fails_what_it_would_have_taken),
        cmocka_unit_test(the_hash_changes_with_the_program_alone),
        cmocka_unit_test(a_runaway_costs_its_own_event_only),
        cmocka_unit_test(a_runaway_goes_before_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
