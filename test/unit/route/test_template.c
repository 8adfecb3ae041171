/* test_template.c - what a delivery holds, from the configuration's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"

#define PAYLOAD                                                                                                        \
    "{\"email\":\"ada@example.com\",\"name\":\"Ada \\\"L\\\" \\u00e9\",\"n\":7,\"big\":1e3,\"ok\":true,\"none\":null," \
    "\"list\":[1,{\"a\":2}],\"empty\":\"\"}"

static const struct {
    const char *body, *params;
    bool is_jq;
} cases[] = {
    /* whole values keep their kind */
    {"${.email}", "\"ada@example.com\"", true},
    {"\"${.n}\"", "7", true},
    {"'${.list}'", "[1,{\"a\":2}]", true},
    {"${.none}", "null", true},
    {"${.missing}", "null", true},
    {"${.ok}", "true", true},
    {"${.}", NULL, true},
    {"${.list[]}", "1", true}, /* the first output */
    {"${empty}", "null", true},
    {"${.missing // \"direct\"}", "\"direct\"", true},
    {"'${{a: .n, b: \"}\"}}'", "{\"a\":7,\"b\":\"}\"}", true},
    {"\"${.email | split(\\\"@\\\")[1]}\"", "\"example.com\"", true},
    {"${$event.type}", "\"LEAD\"", true},
    /* inside a text */
    {"'Hello ${.name} <${.email}>'", "\"Hello Ada \\\"L\\\" é <ada@example.com>\"", true},
    {"'${.n}${.ok}${.none}${.empty}${.list}'", "\"7true[1,{\\\"a\\\":2}]\"", true},
    {"' ${.n}'", "\" 7\"", true},
    {"'${.n} '", "\"7 \"", true},
    {"'a \"quoted\" \\(.n) \\ ${.n}'", "\"a \\\"quoted\\\" \\\\(.n) \\\\ 7\"", true},
    {"'${.n}$${.n}'", "\"7${.n}\"", true},
    {"'${\"a}b\"} c'", "\"a}b c\"", true},
    {"\"${.n # a remark }\\n} end\"", "\"7 end\"", true},
    /* without references it is JSON at once */
    {"hello", "\"hello\"", false},
    {"'$${.n} costs $5 and {braces}'", "\"${.n} costs $5 and {braces}\"", false},
    {"'$$${x'", "\"$${x\"", false},
    {"{kind: followup, n: 3}", "{\"kind\":\"followup\",\"n\":3}", false},
    {"[]", "[]", false},
    {"[1.50, -2, 1e3, 'x', '1', \"true\"]", "[1.50,-2,1e3,\"x\",\"1\",\"true\"]", false},
    {"[true, false, null, ~, True, 01, .5, 12:30, +1, 0x10, 1_0, inf]",
     "[true,false,null,null,\"True\",\"01\",\".5\",\"12:30\",\"+1\",\"0x10\",\"1_0\",\"inf\"]", false},
    {"{a: {b: ''}, c: }", "{\"a\":{\"b\":\"\"},\"c\":null}", false},
    {"9007199254740991", "9007199254740991", false},
    {"'9007199254740993'", "\"9007199254740993\"", false},
    {"1.5e300", "1.5e300", false},
    /* one reference makes the whole of it jq */
    {"{a: -1, b: [true, ~, 'x', '${.n}'], \"c d\": {}}", "{\"a\":-1,\"b\":[true,null,\"x\",7],\"c d\":{}}", true},
    {"{a: 'x${.n}'}", "{\"a\":\"x7\"}", true},
};

static void params_are_made_of_words_and_values(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        struct bench *bench = bench_open(str_fmt(&arena,
                                                 "  r:\n    from: LEAD\n    to:\n      - crm:\n"
                                                 "          body: %s\n",
                                                 cases[i].body)
                                             .p);
        struct plan plan = bench_plan(bench, bench_event("LEAD", PAYLOAD));
        if (plan.error.n) fail_msg("%s: %.*s", cases[i].body, STR_ARG(plan.error));
        assert_int_equal(plan.count, 1);
        if (cases[i].params) assert_str(plan.deliveries[0].params, cases[i].params);
        assert_int_equal(bench->calls, cases[i].is_jq);
        bench_close(bench);
        arena_free(&arena);
    }
}

static void no_body_is_the_payload_as_received(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r: {from: LEAD, to: [crm]}\n");
    struct plan plan = bench_plan(bench, bench_event("LEAD", "{ \"a\" : 1.0 }"));
    assert_int_equal(plan.count, 1);
    assert_str(plan.deliveries[0].params, "");
    bench_close(bench);
}

static void a_connectors_params_are_a_map(void **state) {
    (void)state;
    struct bench *bench = bench_open("  r:\n    from: LEAD\n    to:\n"
                                     "      - mail.send: {to: \"${.email}\", text: hi}\n"
                                     "      - mail.send: {after: 1d}\n");
    struct plan plan = bench_plan(bench, bench_event("LEAD", PAYLOAD));
    assert_int_equal(plan.count, 2);
    assert_str(plan.deliveries[0].params, "{\"to\":\"ada@example.com\",\"text\":\"hi\"}");
    assert_str(plan.deliveries[0].action, "send");
    assert_str(plan.deliveries[1].params, "{}");
    bench_close(bench);
}

static const struct {
    const char *body, *finding;
} bad[] = {
    {"'${CRM_TOKEN}'", "11:17: error E0312: secrets are not allowed in routes: ${CRM_TOKEN}, in crm in route 'r'"},
    {"'x ${A}'", "11:17: error E0312: secrets are not allowed in routes: ${A}, in crm in route 'r'"},
    {"'${.a'", "11:17: error E0423: '${' has no closing '}', in crm in route 'r'"},
    {"'${.a)}'", "11:17: error E0420: jq: unexpected ')' at column 3, in ${.a)} for crm in route 'r'"},
    {"'${(.a} b'", "11:17: error E0420: jq: '(' at column 1 is not closed, in ${(.a} for crm in route 'r'"},
    {"'x ${\"}'", "11:17: error E0423: '${' has no closing '}', in crm in route 'r'"},
    {"'${}'", "11:17: error E0420: jq: the expression is empty, in ${} for crm in route 'r'"},
    {"'${ }'", "11:17: error E0420: jq: the expression is empty, in ${ } for crm in route 'r'"},
    {"'${.a + ''x''}'",
     "11:17: error E0420: jq: unexpected ''' at column 6; texts stand in double quotes, in ${.a + 'x'} for crm in "
     "route 'r'"},
    {"'${name}'", "11:17: error E0420: jq: name/0 is not defined, in ${name} for crm in route 'r'"},
    {"'Dear ${.a +}'", "11:17: error E0420: jq: unexpected end of the expression, in ${.a +} for crm in route 'r'"},
    {"{a: [{'${.b}': 1}]}", "11:32: error E0424: a name cannot hold ${…}, in crm in route 'r'"},
    {"{id: 9007199254740992}",
     "11:22: error E0425: this number is too large for JSON; write it in quotes, in crm in route 'r'"},
    {"-123456789012345678901234567890",
     "11:17: error E0425: this number is too large for JSON; write it in quotes, in crm in route 'r'"},
};

/* Lexical trouble is found by compiling routes, the rest when the program did not compile. */
static void trouble_has_a_place(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct arena arena = ARENA_EMPTY;
        struct bench *bench = bench_read(str_fmt(&arena,
                                                 "  r:\n    from: LEAD\n    to:\n      - crm:\n"
                                                 "          body: %s\n",
                                                 bad[i].body)
                                             .p);
        if (!bench->err) routes_blame(bench->routes, &bench->findings);
        struct str expected = str_fmt(&arena, "drumbeat.yaml:%s\n", bad[i].finding);
        assert_str(findings_text(&bench->arena, &bench->findings), expected.p);
        bench_close(bench);
        arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(params_are_made_of_words_and_values),
        cmocka_unit_test(no_body_is_the_payload_as_received),
        cmocka_unit_test(a_connectors_params_are_a_map),
        cmocka_unit_test(trouble_has_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
