/* test_route.c - routes compiled and blamed; and a program
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
        if (i > 2) { /* the program was not run again in this batch */
            assert_true(plans[i].put_off);
            continue;
        }
        assert_int_equal(plans[i].count, 2);
        assert_str(plans[i].deliveries[0].params, str_fmt(&bench->arena, "%zu", i * 2).p);
    }
    assert_int_equal(plans[2].count, 3);
    assert_str(plans[2].error, "route wild: stopped: it ran longer than 250ms");
    assert_int_equal(plans[2].deliveries[0].status, DELIVERY_PENDING);
    assert_int_equal(plans[2].deliveries[1].status, DELIVERY_FAILED);
    assert_int_equal(plans[2].deliveries[2].status, DELIVERY_FAILED);
    assert_false(routes_is_stopped(bench->routes, STR("wild")));
    assert_int_equal(sandbox_restarts(sandbox), 1);
    sandbox_close(sandbox);
    bench_close(bench);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "jq-worker") == 0) return sandbox_worker_main();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_without_jq_add_no_function),  cmocka_unit_test(all_trouble_is_found_at_once),
        cmocka_unit_test(blame_names_the_expression),         cmocka_unit_test(too_many_functions_are_a_finding),
        cmocka_unit_test(a_runaway_costs_its_own_event_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
