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
    {"${.email}", "\"ada@example.com\"", false},
    {"\"${.n}\"", "7", false},
    {"'${.list}'", "[1,{\"a\":2}]", false},
    {"${.none}", "null", false},
    {"${.missing}", "null", false},
    {"${.ok}", "true", false},
    {"${.}", NULL, false},
    {"${.list[]}", "1", true}, /* the first output */
    {"${empty}", "null", true},
    {"${.missing // \"direct\"}", "\"direct\"", true},
    {"'${{a: .n, b: \"}\"}}'", "{\"a\":7,\"b\":\"}\"}", true},
    {"\"${.email | split(\\\"@\\\")[1]}\"", "\"example.com\"", true},
    {"${$event.type}", "\"LEAD\"", true},
    /* inside a text */
    {"'Hello ${.name} <${.email}>'", "\"Hello Ada \\\"L\\\" \\u00e9 <ada@example.com>\"", false},
    {"'${.n}${.ok}${.none}${.empty}${.list}'", "\"7true[1,{\\\"a\\\":2}]\"", false},
    {"' ${.n}'", "\" 7\"", false},
    {"'${.n} '", "\"7 \"", false},
    {"'a \"quoted\" \\(.n) \\ ${.n}'", "\"a \\\"quoted\\\" \\\\(.n) \\\\ 7\"", false},
    {"'${.n}$${.n}'", "\"7${.n}\"", false},
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
    /* each hole is filled by itself */
    {"{a: '${.n}', b: '${.n + 1}', c: '${.list[1].a}', d: 'x${.ok | not}y${.n}', e: '${ .list[7] }'}",
     "{\"a\":7,\"b\":8,\"c\":2,\"d\":\"xfalsey7\",\"e\":null}", true},
    {"{a: -1, b: [true, ~, 'x', '${.n}'], \"c d\": {}}", "{\"a\":-1,\"b\":[true,null,\"x\",7],\"c d\":{}}", false},
    {"{a: 'x${.n}'}", "{\"a\":\"x7\"}", false},
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

/* jq has doubles, which end at 2^53. */
static void a_place_gives_the_bytes_received(void **state) {
    (void)state;
    struct bench *bench =
        bench_open("  r:\n    from: LEAD\n    to:\n      - crm:\n          key: .order.id\n"
                   "          order_by: .order.items[1]\n"
                   "          body: {id: '${.order.id}', t: 'no ${.order.id}', all: '${.order}',\n"
                   "                 list: 'of ${.order.items}', cut: '${.cut}', n: '${.x | length}'}\n");
    struct plan plan = bench_plan(bench, bench_event("LEAD", "{\"order\": {\"id\": 820982911946154508,"
                                                             " \"items\": [1.50, -9007199254740993]},"
                                                             " \"cut\": \"a \\ud83d\", \"x\": []}"));
    assert_str(plan.error, "");
    assert_int_equal(plan.count, 1);
    assert_str(plan.deliveries[0].params,
               "{\"id\":820982911946154508,\"t\":\"no 820982911946154508\",\"all\":{\"id\": 820982911946154508, "
               "\"items\": [1.50, -9007199254740993]},\"list\":\"of [1.50,-9007199254740993]\","
               "\"cut\":\"a \\ud83d\",\"n\":0}");
    assert_str(plan.deliveries[0].step, "r:820982911946154508");
    assert_str(plan.deliveries[0].order_key, "-9007199254740993");
    bench_close(bench);
}

static void a_place_fails_as_jq_does(void **state) {
    (void)state;
    static const struct {
        const char *body, *error;
    } failures[] = {
        {"'${.email.domain}'", "Cannot index string with string \"domain\""},
        {"'${.n.x.y}'", "Cannot index number with string \"x\""},
        {"'x ${.ok[0]}'", "Cannot index boolean with number"},
        {"'${.list.a}'", "Cannot index array with string \"a\""},
        {"'${.[0]}'", "Cannot index object with number"},
    };
    for (size_t i = 0; i < COUNT(failures); i++)
        for (int in_jq = 0; in_jq < 2; in_jq++) {
            struct arena arena = ARENA_EMPTY;
            struct str body = str_from(failures[i].body);
            if (in_jq) /* a sum is none of our places: jq itself says the same */
                body = str_fmt(&arena, "%.*s + null}'", (int)body.n - 2, body.p);
            struct bench *bench = bench_open(
                str_fmt(&arena, "  r:\n    from: LEAD\n    to:\n      - crm:\n          body: %.*s\n", STR_ARG(body))
                    .p);
            struct plan plan = bench_plan(bench, bench_event("LEAD", PAYLOAD));
            struct str expected = str_fmt(&arena, "route r: %s", failures[i].error);
            assert_str(plan.error, expected.p);
            assert_int_equal(bench->calls, in_jq);
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
        cmocka_unit_test(a_place_gives_the_bytes_received),
        cmocka_unit_test(a_place_fails_as_jq_does),
        cmocka_unit_test(no_body_is_the_payload_as_received),
        cmocka_unit_test(a_connectors_params_are_a_map),
        cmocka_unit_test(trouble_has_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
