/* test_plan.c - from events to deliveries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"

#define EVENT bench_event("LEAD", "{\"n\":1}")

static struct event event_with(const char *payload) {
    return bench_event("LEAD", payload);
}

static void types_globs_and_sources_choose(void **state) {
    (void)state;
    struct bench *bench = bench_open("  exact: {from: LEAD, to: [crm]}\n"
                                     "  globs: {from: [page.*, L?AD], to: [log]}\n"
                                     "  here: {from: \"*\", source: landing-page, to: [crm, log]}\n");
    static const struct {
        const char *type, *source;
        size_t count;
    } cases[] = {{"LEAD", "landing-page", 4}, {"LEAD", "other", 2},         {"page.view", "other", 1},
                 {"LOAD", "other", 1},        {"LEADS", "landing-page", 2}, {"lead", "other", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event event = bench_event(cases[i].type, "{}");
        event.source = str_from(cases[i].source);
        struct plan plan = bench_plan(bench, event);
        assert_int_equal(plan.count, cases[i].count);
        assert_int_equal(plan.wanted, cases[i].count > 0);
        assert_str(plan.error, "");
    }
    assert_int_equal(bench->batches, 0); /* no jq: the evaluator is never called */
    bench_close(bench);
}

static void a_delivery_says_what_it_is(void **state) {
    (void)state;
    struct bench *bench = bench_open("  new-lead:\n    from: LEAD\n    late: 2h\n    to:\n"
                                     "      - crm\n      - mail.send: {after: 3d, late: 1h, to: x}\n      - crm\n");
    struct event event = EVENT;
    event.run = 2;
    struct plan plan = bench_plan(bench, event);
    assert_int_equal(plan.count, 3);
    const struct delivery *first = &plan.deliveries[0], *second = &plan.deliveries[1], *third = &plan.deliveries[2];
    assert_str(first->destination, "crm");
    assert_str(first->action, "");
    assert_str(first->route, "new-lead");
    assert_str(first->step, "new-lead");
    assert_str(third->step, "new-lead.2");
    assert_str(second->destination, "mail");
    assert_str(second->action, "send");
    assert_str(second->step, "new-lead");
    assert_str(second->params, "{\"to\":\"x\"}");
    assert_int_equal(first->run, 2);
    assert_int_equal(first->status, DELIVERY_PENDING);
    assert_true(uuid_eq(first->event_id, event.id));
    assert_non_null(first->event);
    assert_str(first->event->key, "key-1");
    assert_int_equal(first->due_us, NOW_US);
    assert_int_equal(first->first_due_us, NOW_US);
    assert_int_equal(first->late_us, NOW_US + 2 * US_PER_HOUR);
    assert_int_equal(second->due_us, NOW_US + 3 * US_PER_DAY);
    assert_int_equal(second->first_due_us, NOW_US + 3 * US_PER_DAY);
    assert_int_equal(second->late_us, NOW_US + 3 * US_PER_DAY + US_PER_HOUR);
    assert_int_equal(first->created_us, NOW_US);
    struct uuid key = delivery_derive_key(bench->hasher, STR("key-1"), STR("crm"), STR("new-lead.2"), 2);
    assert_true(uuid_eq(third->key, key));
    assert_true(uuid_eq(third->id, uuid_dated(key, event.created_us)));
    bench_close(bench);
}

/* The calendar by which an event is due may be ahead of the loop's clock, or far behind it. */
static void due_counts_from_now(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {after: 1h}\n");
    struct event event = EVENT;
    event.scheduled_us = NOW_US + US_PER_DAY;
    assert_int_equal(bench_plan(bench, event).deliveries[0].due_us, NOW_US + US_PER_HOUR);
    event.scheduled_us = NOW_US - US_PER_DAY;
    struct plan plan = bench_plan(bench, event);
    assert_int_equal(plan.deliveries[0].due_us, NOW_US + US_PER_HOUR);
    assert_int_equal(plan.deliveries[0].late_us, 0);
    assert_int_equal(plan.deliveries[0].status, DELIVERY_PENDING);
    bench_close(bench);
}

static void what_is_to_be_joined_comes_due_together(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {batch: {max: 10, wait: 2s}}\n"
                                     "      - log\n");
    struct event event = EVENT;
    static const int64_t offsets_us[] = {1, US_PER_S - 1, US_PER_S};
    for (size_t i = 0; i < COUNT(offsets_us); i++) {
        struct plan plan = bench_plan_at(bench, event, NOW_US + offsets_us[i]);
        assert_int_equal(plan.deliveries[0].due_us, NOW_US + US_PER_S); /* NOW_US is an odd second */
        assert_int_equal(plan.deliveries[1].due_us, NOW_US + offsets_us[i]);
    }
    bench_close(bench);
}

static void what_could_only_leave_too_late_is_held(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    late: 2h\n    to: [crm, log: {after: 1d, late: 3h}]\n");
    struct event event = EVENT;
    event.scheduled_us = NOW_US - 2 * US_PER_HOUR;
    struct plan plan = bench_plan(bench, event);
    assert_int_equal(plan.deliveries[0].status, DELIVERY_PENDING); /* on the limit is not past it */
    event.scheduled_us -= 1;
    plan = bench_plan(bench, event);
    assert_int_equal(plan.deliveries[0].status, DELIVERY_HELD);
    assert_str(plan.deliveries[0].last_error, "late: due 2026-11-24T11:20:38.999999Z, limit 2h");
    assert_int_equal(plan.deliveries[1].status, DELIVERY_PENDING);
    event.scheduled_us = NOW_US - 4 * US_PER_HOUR;
    plan = bench_plan(bench, event);
    assert_int_equal(plan.deliveries[1].status, DELIVERY_HELD);
    assert_str(plan.deliveries[1].last_error, "late: due 2026-11-25T09:20:39Z, limit 3h");
    bench_close(bench);
}

static void when_is_jqs_truth(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r: {from: LEAD, when: .a, to: [crm]}\n");
    static const struct {
        const char *payload;
        bool holds;
    } cases[] = {{"{\"a\":true}", true},   {"{\"a\":0}", true},     {"{\"a\":\"\"}", true}, {"{\"a\":[]}", true},
                 {"{\"a\":false}", false}, {"{\"a\":null}", false}, {"{}", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct plan plan = bench_plan(bench, event_with(cases[i].payload));
        assert_int_equal(plan.wanted, cases[i].holds);
        assert_int_equal(plan.count, cases[i].holds);
        assert_str(plan.error, "");
    }
    bench_close(bench);
}

static void only_the_first_output_of_a_condition_counts(void **state) {
    (void)state;
    struct bench *bench = bench_open("  none: {from: LEAD, when: empty, to: [crm]}\n"
                                     "  many: {from: LEAD, when: \"false, true\", to: [crm]}\n"
                                     "  first: {from: LEAD, when: \"true, error\", to: [log]}\n");
    struct plan plan = bench_plan(bench, EVENT);
    assert_str(plan.error, "");
    assert_int_equal(plan.count, 1);
    assert_str(plan.deliveries[0].route, "first");
    bench_close(bench);
}

static void a_steps_when_leaves_it_out_and_unless_skips_it(void **state) {
    (void)state;
    struct bench *bench =
        bench_open("  r:\n    from: LEAD\n    to:\n"
                   "      - crm: {when: .n > 1}\n"
                   "      - log: {unless: .n == 1, body: \"${error(\\\"never asked for\\\")}\", order_by: .n}\n"
                   "      - crm: {when: .n == 1, unless: .n == 2, body: \"${.n}\"}\n");
    struct plan plan = bench_plan(bench, EVENT);
    assert_str(plan.error, "");
    assert_int_equal(plan.count, 2);
    assert_str(plan.deliveries[0].destination, "log");
    assert_int_equal(plan.deliveries[0].status, DELIVERY_SKIPPED);
    assert_str(plan.deliveries[0].last_error, "unless: .n == 1");
    assert_str(plan.deliveries[1].step, "r.2"); /* the name does not depend on what was left out */
    assert_str(plan.deliveries[1].params, "1");
    assert_int_equal(plan.deliveries[1].status, DELIVERY_PENDING);
    plan = bench_plan(bench, event_with("{\"n\":3}"));
    assert_true(str_starts(plan.error, STR("route r: never asked for")));
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.deliveries[0].status, DELIVERY_PENDING);
    assert_int_equal(plan.deliveries[1].status, DELIVERY_FAILED);
    bench_close(bench);
}

static void wanted_without_a_delivery(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {when: .n > 1}\n");
    struct plan plan = bench_plan(bench, EVENT);
    assert_true(plan.wanted);
    assert_int_equal(plan.count, 0);
    assert_str(plan.error, "");
    bench_close(bench);
}

static void a_key_names_the_delivery(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {key: .k, unless: .off}\n");
    static const struct {
        const char *payload, *step, *error;
    } cases[] = {
        {"{\"k\":\"a b\"}", "r:a b", ""},
        {"{\"k\":1.50}", "r:1.5", ""},
        {"{\"k\":12}", "r:12", ""},
        {"{\"k\":\"x\",\"off\":true}", "r:x", ""},
        {"{\"k\":\"\\u00e9\"}", "r:é", ""},
        {"{}", "", "route r: key gives nothing; it must be a text or a number"},
        {"{\"k\":[]}", "", "route r: key gives a list; it must be a text or a number"},
        {"{\"k\":{}}", "", "route r: key gives an object; it must be a text or a number"},
        {"{\"k\":true}", "", "route r: key gives true; it must be a text or a number"},
        {"{\"k\":\"\"}", "", "route r: key gives an empty text"},
        {"{\"k\":\"a\\u0000b\"}", "", "route r: key gives a text with U+0000 in it; it must be a text or a number"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct plan plan = bench_plan(bench, event_with(cases[i].payload));
        assert_str(plan.error, cases[i].error);
        assert_int_equal(plan.count, 1);
        assert_int_equal(plan.deliveries[0].unmade, !cases[i].step[0]);
        assert_str(plan.deliveries[0].step, cases[i].step[0] ? cases[i].step : "r");
    }
    struct buf payload = {.arena = &bench->arena};
    buf_add(&payload, STR("{\"k\":\""));
    for (int i = 0; i < 256; i++) buf_byte(&payload, 'k');
    buf_add(&payload, STR("\"}"));
    assert_str(bench_plan(bench, event_with(buf_str(&payload).p)).error,
               "route r: key gives more than 255 bytes; it must be a text or a number");
    bench_close(bench);
}

/* A step has its place as its name until it has its key; then it keeps that beside it. */
static void what_is_owed_says_whether_a_key_will_come(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {key: .k}\n"
                                     "      - crm: {key: '\"tips\"', body: {a: \"${.a + 1}\"}}\n      - crm\n");
    struct event event = event_with("{\"k\":\"x\",\"a\":1}");
    struct plan plan;
    route_owed(bench->routes, &event, NOW_US, bench->hasher, &bench->arena, &plan);
    assert_int_equal(plan.count, 3);
    assert_str(plan.deliveries[0].step, "r");
    assert_true(plan.deliveries[0].key_to_come);
    assert_str(plan.deliveries[0].name_to_come, "");
    assert_str(plan.deliveries[1].step, "r.2");
    assert_true(plan.deliveries[1].key_to_come);
    assert_str(plan.deliveries[1].name_to_come, "r:tips");
    assert_false(plan.deliveries[2].key_to_come);
    plan = bench_plan(bench, event);
    assert_str(plan.deliveries[0].place, "r");
    assert_str(plan.deliveries[1].step, "r:tips");
    assert_str(plan.deliveries[1].place, "r.2");
    assert_str(plan.deliveries[2].place, "");
    plan = bench_plan(bench, event_with("{\"k\":\"x\",\"a\":[]}"));
    assert_true(plan.deliveries[1].unmade);
    assert_str(plan.deliveries[1].step, "r.2");
    assert_str(plan.deliveries[1].place, "");
    bench_close(bench);
}

static void two_deliveries_of_one_name_are_an_error(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {key: .a}\n      - log: {key: .a}\n"
                                     "      - crm: {key: .b}\n");
    assert_int_equal(bench_plan(bench, event_with("{\"a\":1,\"b\":2}")).count, 3);
    struct plan plan = bench_plan(bench, event_with("{\"a\":1,\"b\":1}"));
    assert_str(plan.error, "route r: two deliveries to crm have the key '1'");
    assert_int_equal(plan.count, 3);
    assert_int_equal(plan.deliveries[1].status, DELIVERY_PENDING);
    assert_int_equal(plan.deliveries[2].status, DELIVERY_FAILED);
    assert_str(plan.deliveries[2].step, "r.2");
    bench_close(bench);
}

static void an_order_may_be_absent(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {order_by: .o}\n");
    static const struct {
        const char *payload, *order, *error;
    } cases[] = {
        {"{\"o\":\"ada\"}", "ada", ""},
        {"{\"o\":7}", "7", ""},
        {"{\"o\":null}", "", ""},
        {"{}", "", ""},
        {"{\"o\":false}", "", "route r: order_by gives false; it must be a text or a number"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct plan plan = bench_plan(bench, event_with(cases[i].payload));
        assert_str(plan.error, cases[i].error);
        assert_int_equal(plan.deliveries[0].status, cases[i].error[0] ? DELIVERY_FAILED : DELIVERY_PENDING);
        assert_str(plan.deliveries[0].order_key, cases[i].order);
    }
    bench_close(bench);
}

static void an_error_fails_the_deliveries_of_its_route_alone(void **state) {
    (void)state;
    struct bench *bench = bench_open("  plain: {from: LEAD, to: [log]}\n"
                                     "  new-lead: {from: LEAD, when: .a.b == 1, to: [crm]}\n");
    struct event events[] = {event_with("{\"a\":{\"b\":1}}"), event_with("{\"a\":\"x\"}"), event_with("{\"a\":{}}")};
    struct plan plans[COUNT(events)];
    route_events(bench->routes, events, COUNT(events), NOW_US, bench->hasher, &bench->evaluator, &bench->arena, plans);
    assert_int_equal(plans[0].count, 2);
    assert_int_equal(plans[1].count, 2);
    assert_true(plans[1].wanted);
    assert_str(plans[1].error, "route new-lead: Cannot index string with string \"b\"");
    assert_int_equal(plans[1].deliveries[0].status, DELIVERY_PENDING);
    assert_int_equal(plans[1].deliveries[1].status, DELIVERY_FAILED);
    assert_str(plans[1].deliveries[1].destination, "crm");
    assert_str(plans[1].deliveries[1].last_error, "route new-lead: Cannot index string with string \"b\"");
    assert_int_equal(plans[2].count, 1);
    assert_int_equal(bench->batches, 1);
    bench_close(bench);
}

static void one_call_for_an_event_and_a_route(void **state) {
    (void)state;
    struct bench *bench = bench_open("  a:\n    from: LEAD\n    when: .n\n    to:\n"
                                     "      - crm: {key: .n, order_by: .n, body: {x: \"${.n}\", y: \"${.n}\"}}\n"
                                     "      - log: {unless: .m}\n"
                                     "  b: {from: LEAD, when: $event.run == 0, to: [crm]}\n"
                                     "  c: {from: LEAD, to: [log]}\n"
                                     "  d: {from: OTHER, when: .n, to: [log]}\n");
    struct event events[] = {EVENT, EVENT, EVENT};
    struct plan plans[COUNT(events)];
    route_events(bench->routes, events, COUNT(events), NOW_US, bench->hasher, &bench->evaluator, &bench->arena, plans);
    assert_int_equal(bench->batches, 1);
    assert_int_equal(bench->calls, 6);
    assert_int_equal(bench->events_passed, 3); /* only to the route that asks for it */
    assert_int_equal(plans[2].count, 4);
    bench_close(bench);
}

static void now_is_the_events_time(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n      - crm: {body: \"${now | todate}\"}\n");
    struct event event = EVENT;
    event.scheduled_us = NOW_US - 365 * US_PER_DAY;
    assert_str(bench_plan(bench, event).deliveries[0].params, "\"2025-11-24T13:20:39Z\"");
    bench_close(bench);
}

static void an_event_may_owe_many_deliveries(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf routes = {.arena = &arena};
    for (int i = 0; i < 300; i++) buf_fmt(&routes, "  r%d: {from: LEAD, to: [crm]}\n", i);
    struct bench *bench = bench_open(buf_str(&routes).p);
    assert_int_equal(bench_plan(bench, EVENT).count, 300);
    bench_close(bench);
    arena_free(&arena);
}

static void more_deliveries_than_one_event_may_owe_are_a_finding(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf routes = {.arena = &arena};
    for (int i = 0; i < 101; i++) {
        buf_fmt(&routes, "  r%d: {from: LEAD, to: [", i);
        for (int j = 0; j < 100; j++) buf_fmt(&routes, "%scrm", j ? ", " : "");
        buf_add(&routes, STR("]}\n"));
    }
    struct bench *bench = bench_read(buf_str(&routes).p);
    assert_int_equal(bench->err, ERR_CONFIG);
    assert_str(findings_text(&bench->arena, &bench->findings),
               "drumbeat.yaml:107:3: error E0427: more than 10000 deliveries in all routes together, from route 'r100' "
               "on\n");
    bench_close(bench);
    arena_free(&arena);
}

static const char *plan_text(struct arena *arena, const struct plan *plan) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < plan->count; i++) {
        const struct delivery *delivery = &plan->deliveries[i];
        buf_fmt(&buf, "%s %.*s %.*s %.*s %d %lld %.*s\n", uuid_str(arena, delivery->id).p,
                STR_ARG(delivery->destination), STR_ARG(delivery->step), STR_ARG(delivery->params),
                (int)delivery->status, (long long)delivery->due_us, STR_ARG(delivery->order_key));
    }
    return buf_str(&buf).p;
}

/* The same event, another engine, other neighbours in the program: the same plan to the byte. */
static void a_plan_depends_on_the_event_and_its_routes_alone(void **state) {
    (void)state;
    static const char route[] = "  r:\n    from: LEAD\n    when: .n\n    to:\n"
                                "      - crm: {key: \"[.n, .b] | tojson\", body: {b: \"${.}\", a: \"x${.n}\"}}\n"
                                "      - log: {body: \"${[1, 2, 3] | map(. / 3)}\", order_by: now}\n";
    struct event event = event_with("{\"z\":1,\"n\":0.1,\"b\":{\"y\":1e100,\"x\":[]},\"a\":\"é\"}");
    struct bench *bench = bench_open(route);
    struct arena arena = ARENA_EMPTY;
    struct plan plan = bench_plan(bench, event);
    assert_str(plan.error, "");
    assert_int_equal(plan.count, 2);
    const char *first = plan_text(&arena, &plan);
    plan = bench_plan(bench, event);
    assert_string_equal(plan_text(&arena, &plan), first);
    bench_close(bench);
    bench = bench_open(str_fmt(&arena, "  q: {from: NONE, when: .n + .m, to: [crm]}\n%s", route).p);
    plan = bench_plan(bench, event);
    assert_string_equal(plan_text(&arena, &plan), first);
    bench_close(bench);
    arena_free(&arena);
}

/* ---- what another process may answer ---- */

static void answer_badly(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    (void)arena;
    for (size_t i = 0; i < count; i++) {
        calls[i].err = ERR_NONE;
        calls[i].result = str_from(*(const char **)self);
    }
}

static void an_answer_of_another_form_is_an_error(void **state) {
    (void)state;
    struct bench *bench = bench_open(
        "  r:\n    from: LEAD\n    to:\n      - crm: {body: \"${.n + 0}\", key: .n + 0, order_by: .n + 0}\n");
    static const char *const answers[] = {"",
                                          "[",
                                          "[{\"p\":[1]}",
                                          "true",
                                          "7",
                                          "{}",
                                          "[]",
                                          "[{},{}]",
                                          "[[]]",
                                          "[7]",
                                          "[{\"k\":\"a\"}]",
                                          "[{\"p\":[1]}]",
                                          "[{\"k\":7,\"p\":1}]",
                                          "[{\"k\":7,\"p\":[]}]",
                                          "[{\"k\":7,\"o\":[],\"p\":[1]}]",
                                          "[{\"k\":\"a\",\"p\":[1]}] x",
                                          "[{\"k\":\"a\",\"k\":\"b\",\"p\":[1]}]"};
    const char *answer;
    bench->evaluator = (struct evaluator){answer_badly, &answer};
    for (size_t i = 0; i < COUNT(answers); i++) {
        answer = answers[i];
        struct plan plan = bench_plan(bench, EVENT);
        if (!str_starts(plan.error, STR("route r: "))) fail_msg("%s is taken", answer);
        assert_int_equal(plan.count, 1);
        assert_int_equal(plan.deliveries[0].status, DELIVERY_FAILED);
    }
    answer = "[{\"k\":\"a\",\"p\":[1.0 ]}]";
    struct plan plan = bench_plan(bench, EVENT);
    assert_str(plan.error, "");
    assert_str(plan.deliveries[0].params, "1.0");
    bench_close(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_globs_and_sources_choose),
        cmocka_unit_test(a_delivery_says_what_it_is),
        cmocka_unit_test(due_counts_from_now),
        cmocka_unit_test(what_is_to_be_joined_comes_due_together),
        cmocka_unit_test(what_could_only_leave_too_late_is_held),
        cmocka_unit_test(when_is_jqs_truth),
        cmocka_unit_test(only_the_first_output_of_a_condition_counts),
        cmocka_unit_test(a_steps_when_leaves_it_out_and_unless_skips_it),
        cmocka_unit_test(wanted_without_a_delivery),
        cmocka_unit_test(a_key_names_the_delivery),
        cmocka_unit_test(what_is_owed_says_whether_a_key_will_come),
        cmocka_unit_test(two_deliveries_of_one_name_are_an_error),
        cmocka_unit_test(an_order_may_be_absent),
        cmocka_unit_test(an_error_fails_the_deliveries_of_its_route_alone),
        cmocka_unit_test(one_call_for_an_event_and_a_route),
        cmocka_unit_test(now_is_the_events_time),
        cmocka_unit_test(an_event_may_owe_many_deliveries),
        cmocka_unit_test(more_deliveries_than_one_event_may_owe_are_a_finding),
        cmocka_unit_test(a_plan_depends_on_the_event_and_its_routes_alone),
        cmocka_unit_test(an_answer_of_another_form_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
