/* test_jq.c - one program of many functions, and what stands between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/jq.h"

#include <stdlib.h>
#include <string.h>

#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))

static void assert_str(struct str s, const char *expected) {
    char text[512];
    assert_true(s.n < sizeof text);
    if (s.n) memcpy(text, s.p, s.n);
    text[s.n] = 0;
    assert_string_equal(text, expected);
}

static struct jq *open_all(struct arena *arena, const char *const *texts, size_t count) {
    struct jq_source source = {.arena = arena};
    for (size_t i = 0; i < count; i++) assert_int_equal(jq_add(&source, str_from(texts[i])), i);
    struct jq *jq;
    struct str problem = STR_NONE;
    enum err err = jq_open(jq_program(&source, arena), &jq, arena, &problem);
    if (err) fail_msg("%.*s", STR_ARG(problem));
    return jq;
}

static struct jq_call run(struct jq *jq, size_t function, const char *input, const char *event, struct arena *arena) {
    struct jq_call call = {.function = function, .input = str_from(input), .event = str_from(event)};
    jq_run(jq, &call, arena);
    return call;
}

static void assert_result(struct jq *jq, size_t function, const char *input, const char *expected) {
    struct arena arena = ARENA_EMPTY;
    struct jq_call call = run(jq, function, input, "", &arena);
    if (call.err) fail_msg("%.*s", STR_ARG(call.result));
    assert_str(call.result, expected);
    arena_free(&arena);
}

static void each_function_has_its_number(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[] = {".a", ".a + 1", ".a # a comment", "def f: 7; f", ".a, .a", "empty", ".a | tostring"};
    const char *results[] = {"1", "2", "1", "7", "1", "", "\"1\""};
    struct jq *jq = open_all(&arena, texts, ARRAY_COUNT(texts));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) assert_result(jq, i, "{\"a\":1}", results[i]);
    jq_close(jq);
    arena_free(&arena);
}

/* Together they are larger than one function of jq may be. */
static void many_functions_are_all_reached(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[300];
    struct buf filler = {.arena = &arena};
    for (int i = 0; i < 20; i++) buf_add(&filler, STR(" | {a: .} | .a"));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        texts[i] = str_fmt(&arena, ". + %zu%.*s", i * 3, STR_ARG(buf_str(&filler))).p;
    struct jq *jq = open_all(&arena, texts, ARRAY_COUNT(texts));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) assert_result(jq, i, "0", str_fmt(&arena, "%zu", i * 3).p);
    jq_close(jq);
    arena_free(&arena);
}

static void the_same_text_has_the_same_number(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct jq_source source = {.arena = &arena};
    assert_int_equal(jq_add(&source, STR(".a")), 0);
    assert_int_equal(jq_add(&source, STR(".b")), 1);
    assert_int_equal(jq_add(&source, STR(".a")), 0);
    assert_int_equal(source.count, 2);
    arena_free(&arena);
}

static void a_full_source_takes_no_more(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct jq_source source = {.arena = &arena};
    for (size_t i = 0; i < JQ_FUNCTIONS_MAX; i++) assert_int_equal(jq_add(&source, str_fmt(&arena, "%zu", i)), i);
    assert_int_equal(jq_add(&source, STR("one more")), SIZE_MAX);
    assert_int_equal(jq_add(&source, STR("17")), 17);
    const char *texts[] = {"."};
    struct jq *jq = open_all(&arena, texts, 1);
    assert_int_equal(run(jq, SIZE_MAX, "1", "", &arena).err, ERR_JQ_RUN);
    jq_close(jq);
    arena_free(&arena);
}

static void an_empty_program_compiles(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct jq *jq = open_all(&arena, NULL, 0);
    assert_result(jq, 0, "1", "null");
    jq_close(jq);
    arena_free(&arena);
}

static void an_error_is_of_one_call_only(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[] = {".a.b", "error({code: 7})", "[range(3)]"};
    struct jq *jq = open_all(&arena, texts, ARRAY_COUNT(texts));
    struct jq_call call = run(jq, 0, "{\"a\":\"x\"}", "", &arena);
    assert_int_equal(call.err, ERR_JQ_RUN);
    assert_str(call.result, "Cannot index string with string \"b\"");
    call = run(jq, 1, "null", "", &arena);
    assert_int_equal(call.err, ERR_JQ_RUN);
    assert_str(call.result, "{\"code\":7}");
    assert_result(jq, 2, "null", "[0,1,2]");
    assert_result(jq, 0, "{\"a\":{\"b\":5}}", "5");
    jq_close(jq);
    arena_free(&arena);
}

static void long_messages_are_cut_at_a_character(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[] = {"error(\"a\" + \"é\" * 1000)"};
    struct jq *jq = open_all(&arena, texts, 1);
    struct jq_call call = run(jq, 0, "null", "", &arena);
    assert_int_equal(call.err, ERR_JQ_RUN);
    assert_int_equal(call.result.n, JQ_MESSAGE_MAX - 1 + 3); /* an odd number of bytes ends before the limit */
    assert_true(str_is_utf8(call.result));
    assert_true(str_ends(call.result, STR("...")));
    jq_close(jq);
    arena_free(&arena);
}

static void large_results_are_refused(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[] = {"\"x\" * 4194302", "\"x\" * 4194303"};
    struct jq *jq = open_all(&arena, texts, 2);
    assert_int_equal(run(jq, 0, "null", "", &arena).result.n, JQ_RESULT_MAX);
    assert_int_equal(run(jq, 1, "null", "", &arena).err, ERR_JQ_RUN);
    jq_close(jq);
    arena_free(&arena);
}

static void bad_json_is_an_error_of_the_call(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[] = {"."};
    struct jq *jq = open_all(&arena, texts, 1);
    assert_int_equal(run(jq, 0, "{", "", &arena).err, ERR_JQ_RUN);
    assert_int_equal(run(jq, 0, "1", "{", &arena).err, ERR_JQ_RUN);
    assert_int_equal(run(jq, 0, "1 2", "", &arena).err, ERR_JQ_RUN);
    assert_result(jq, 0, "", "null");
    jq_close(jq);
    arena_free(&arena);
}

static void the_outside_is_taken_away(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_int_equal(setenv("DRUMBEAT_TEST_SECRET", "canary", 1), 0);
    const char *texts[] = {"env",
                           "$ENV",
                           "env.DRUMBEAT_TEST_SECRET",
                           "$ENV.DRUMBEAT_TEST_SECRET",
                           "debug",
                           "stderr",
                           "get_search_list",
                           "input_filename",
                           "input_line_number",
                           "0 | localtime"};
    const char *results[] = {"{}", "{}", "null", "null", "5", "5", "[]", "null", "0", "[1970,0,1,0,0,0,4,0]"};
    struct jq *jq = open_all(&arena, texts, ARRAY_COUNT(texts));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) assert_result(jq, i, "5", results[i]);
    jq_close(jq);
    const char *refused[] = {"input", "[inputs]", "halt", "halt_error", "halt_error(3)", "\"x\" | modulemeta", "now"};
    jq = open_all(&arena, refused, ARRAY_COUNT(refused));
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) assert_int_equal(run(jq, i, "5", "", &arena).err, ERR_JQ_RUN);
    jq_close(jq);
    arena_free(&arena);
}

static void now_is_the_time_of_the_event(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[] = {"now", "$event.type", "now | todate"};
    struct jq *jq = open_all(&arena, texts, ARRAY_COUNT(texts));
    const char *event = "{\"type\":\"LEAD\",\"scheduled_at\":\"2026-11-24T13:20:39.25Z\"}";
    assert_str(run(jq, 0, "null", event, &arena).result, "1795526439.25");
    assert_str(run(jq, 1, "null", event, &arena).result, "\"LEAD\"");
    assert_str(run(jq, 2, "null", "{\"scheduled_at\":\"2026-11-24T13:20:39Z\"}", &arena).result,
               "\"2026-11-24T13:20:39Z\"");
    jq_close(jq);
    arena_free(&arena);
}

static void helpers_for_made_texts(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *texts[] = {"drumbeat_one(.[])", "map(drumbeat_text)"};
    struct jq *jq = open_all(&arena, texts, ARRAY_COUNT(texts));
    assert_result(jq, 0, "[]", "null");
    assert_result(jq, 0, "[false,2]", "false");
    assert_result(jq, 1, "[null,\"a\",1.5,true,{\"b\":[]}]", "[\"\",\"a\",\"1.5\",\"true\",\"{\\\"b\\\":[]}\"]");
    jq_close(jq);
    arena_free(&arena);
}

static const struct {
    const char *text, *problem; /* NULL: fine */
} lexical[] = {
    {".a", NULL},
    {"\"\\(.a + \"}\")\" | {b: [.]}", NULL},
    {"\"\\\\(\"", NULL}, /* an escaped backslash, then a bracket inside the text */
    {".a # ) ] } \"", NULL},
    {".a # )\n| .b", NULL},
    {".include + {import: 1}", NULL},
    {".a != 1 and (.b // 2) > 3.5e1 and @base64 \"x\" == $event.y", NULL},
    {"\"é '&!`\"", NULL},
    {"", "the expression is empty"},
    {" \n", "the expression is empty"},
    {".a)", "unexpected ')' at column 3"},
    {".a) , (1", "unexpected ')' at column 3"},
    {"[.a}", "unexpected '}' at column 4"},
    {"\"\\(.a]\"", "unexpected ']' at column 6"},
    {"{a: (1}", "unexpected '}' at column 7"},
    {"(.a", "'(' at column 1 is not closed"},
    {".b | [{", "'{' at column 7 is not closed"},
    {"\"\\(1", "'\\(' at column 2 is not closed"},
    {".a == \"x", "the text that begins at column 7 has no closing '\"'"},
    {"\"\\", "the text that begins at column 1 has no closing '\"'"},
    {".é", "unexpected 'é' at column 2"},
    {"\"é\" ^ 1", "unexpected '^' at column 5"},
    {".a == 'x'", "unexpected ''' at column 7; texts stand in double quotes"},
    {".a && .b", "unexpected '&' at column 4; \"and\" is the word for it"},
    {"!.a", "unexpected '!' at column 1; \"not\" is the word for it"},
    {"@ x", "unexpected '@' at column 1"},
    {".a\n| .b\n  )", "unexpected ')' at line 3, column 3"},
    {".a \x01", "unexpected control character at column 4"},
    {".a # c \\\n)", "a comment must not end in '\\' (line 1, column 8)"},
    {".a # c \\", "a comment must not end in '\\' (column 8)"},
    {"include \"x\"; .", "include, import and $__loc__ are not available (column 1)"},
    {"import \"x\" as x; .", "include, import and $__loc__ are not available (column 1)"},
    {"{$__loc__}", "include, import and $__loc__ are not available (column 3)"},
    {"\"\xff\"", "the expression is not valid UTF-8"},
};

static void lexical_problems_are_sentences(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < ARRAY_COUNT(lexical); i++) {
        const char *problem = jq_lex_problem(&arena, str_from(lexical[i].text));
        if (problem && lexical[i].problem)
            assert_string_equal(problem, lexical[i].problem);
        else if (problem || lexical[i].problem)
            fail_msg("%s: %s", lexical[i].text, problem ? problem : "fine");
    }
    assert_string_equal(jq_lex_problem(&arena, STR("1\0")), "the expression holds a NUL");
    arena_free(&arena);
}

static void lexical_bounds(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    char text[JQ_TEXT_MAX + 1];
    memset(text, '1', sizeof text);
    assert_null(jq_lex_problem(&arena, (struct str){text, JQ_TEXT_MAX}));
    assert_non_null(jq_lex_problem(&arena, (struct str){text, JQ_TEXT_MAX + 1}));
    memset(text, '(', 257);
    assert_string_equal(jq_lex_problem(&arena, (struct str){text, 257}),
                        "more than 256 brackets inside each other at column 257");
    arena_free(&arena);
}

/* What the scan calls sound must keep its neighbours as they are; libjq is the judge. */
static void sound_expressions_leave_their_neighbours_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(lexical); i++) {
        if (lexical[i].problem) continue;
        struct arena arena = ARENA_EMPTY;
        const char *texts[] = {"\"before\"", lexical[i].text, "\"behind\""};
        struct jq *jq = open_all(&arena, texts, 3);
        assert_result(jq, 0, "null", "\"before\"");
        assert_result(jq, 2, "null", "\"behind\"");
        jq_close(jq);
        arena_free(&arena);
    }
}

static void the_closing_brace_is_found_by_jqs_rules(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        {".a} and more }", 2},
        {"{b: \"}\"}}", 8},
        {"\"\\(\"}\")\"}", 8},
        {"}", 0},
        {".a", SIZE_MAX},
        {".a # }\n}", 7},
        {"\"\\\"}\"}", 5},
        {".a[\"}\"]} \"it's", 7},
        {"\"}", SIZE_MAX},
        {"{}", SIZE_MAX},
        /* wrong, but with an end */
        {"(.a}", 3},
        {".a)}", 3},
        {"'}", 1},
        {"include}", 7},
        {"é}", 2},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        assert_int_equal(jq_closing_brace(str_from(cases[i].text)), cases[i].at);
}

static void an_assignment_is_told_where_it_is_sure(void **state) {
    (void)state;
    static const char *const assignments[] = {
        ".a = \"b\"",      ".a=1",         ".a|=2",         ".n += 1",         ".n//=1",
        ".a = .b == 1",    ".x | .a = 1",  ".a = 1 # | .b", ".a = (.b | not)", ".a = \"\\(1 | not)\"",
        ".a = 1 // false", ".default = 1", ".if = 1"};
    static const char *const others[] = {".a == 1",
                                         ".a != 1",
                                         ".a <= 1",
                                         ".a >= 1",
                                         "(.a = 1).b",
                                         ".a = 1 | .b",
                                         "{a: (.b = 1)}",
                                         "\"=\"",
                                         ". as $x | .a = $x",
                                         "if .a then .b = 1 else false end",
                                         "def f: .a = 1; f == 2",
                                         ".a = 1, false",
                                         ".a # = 1",
                                         "try (.a = 1) catch false",
                                         "",
                                         ".a = 1 )",
                                         ".a[\"=\"] | not"};
    for (size_t i = 0; i < ARRAY_COUNT(assignments); i++)
        if (!jq_assigns(str_from(assignments[i]))) fail_msg("%s", assignments[i]);
    for (size_t i = 0; i < ARRAY_COUNT(others); i++)
        if (jq_assigns(str_from(others[i]))) fail_msg("%s", others[i]);
}

static void conditions_say_what_is_wrong_and_where(void **state) {
    struct arena arena = {0};
    (void)state;
    assert_null(jq_condition_problem(&arena, STR(".a == 1")));
    assert_string_equal(jq_condition_problem(&arena, STR(".a ==! 1")),
                        "unexpected '!' at column 6; \"not\" is the word for it");
    assert_string_equal(jq_condition_problem(&arena, STR(".a = 1")),
                        "'=' at column 4 changes a value and so is always true; == compares");
    assert_string_equal(jq_condition_problem(&arena, STR(".[\"ä\"] | .b += 1")),
                        "'+=' at column 13 changes a value and so is always true; == compares");
    arena_free(&arena);
}

static const struct {
    const char *text, *problem;
} compiles[] = {
    {".a | foo", "foo/0 is not defined"},
    {"foo(1)", "foo/1 is not defined"},
    {"$x", "$x is not defined"},
    {".a +", "unexpected end of the expression"},
    {"if . then 1", "unexpected end of the expression"},
    {".a b", "unexpected name"},
    {".a \"x\"", "unexpected text"},
    {".a 5", "unexpected number"},
    {".a; .b", "unexpected ';'"},
    {"reduce .[] as $x", "unexpected end of the expression, expecting '('"},
    {"\"a\\qb\"", "Invalid escape at line 1, column 4 (while parsing '\"\\q\"')"},
    {"1\n+\nfoo", "foo/0 is not defined in line 3"},
    {".a)", "unexpected ')' at column 3"},
};

static void compile_problems_are_sentences(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < ARRAY_COUNT(compiles); i++) {
        struct str problem = STR_NONE;
        assert_int_equal(jq_check(&arena, str_from(compiles[i].text), &problem), ERR_JQ_COMPILE);
        assert_str(problem, compiles[i].problem);
    }
    struct str problem = STR_NONE;
    assert_int_equal(jq_check(&arena, STR(".a // $event.b | now"), &problem), ERR_NONE);
    assert_null(problem.p);
    assert_int_equal(jq_check(&arena, STR("def f: 1;"), &problem), ERR_JQ_COMPILE); /* would compile only bare */
    assert_int_not_equal(problem.n, 0);
    arena_free(&arena);
}

static void the_bad_ones_of_many_are_found(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str texts[40], problems[ARRAY_COUNT(texts)];
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) texts[i] = str_fmt(&arena, ".a%zu", i);
    texts[0] = STR("foo");
    texts[17] = STR(".a)");
    texts[39] = STR(".b c");
    jq_check_all(&arena, texts, ARRAY_COUNT(texts), problems);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        const char *expected = i == 0 ? "foo/0 is not defined" : i == 17 ? "unexpected ')' at column 3" : "";
        assert_str(problems[i], i == 39 ? "unexpected name" : expected);
    }
    jq_check_all(&arena, texts, 0, problems);
    arena_free(&arena);
}

static void opening_a_bad_program_says_why(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct jq *jq = NULL;
    struct str problem = STR_NONE;
    assert_int_equal(jq_open(STR("nope"), &jq, &arena, &problem), ERR_JQ_COMPILE);
    assert_null(jq);
    assert_str(problem, "nope/0 is not defined");
    jq_close(NULL);
    arena_free(&arena);
}

static void a_filter_gives_all_outputs(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str output = STR_NONE, problem = STR_NONE;
    assert_int_equal(jq_filter(&arena, STR(".[]"), STR("[1,\"a\",null]"), false, &output, &problem), ERR_NONE);
    assert_str(output, "1\n\"a\"\nnull\n");
    assert_int_equal(jq_filter(&arena, STR(".[]"), STR("[1,\"a\",null]"), true, &output, &problem), ERR_NONE);
    assert_str(output, "1\na\nnull\n");
    assert_int_equal(jq_filter(&arena, STR("empty"), STR("1"), true, &output, &problem), ERR_NONE);
    assert_str(output, "");
    assert_int_equal(jq_filter(&arena, STR("1, error(\"no\")"), STR("1"), true, &output, &problem), ERR_JQ_RUN);
    assert_str(problem, "no");
    assert_int_equal(jq_filter(&arena, STR("1"), STR("{"), true, &output, &problem), ERR_JQ_RUN);
    assert_int_equal(jq_filter(&arena, STR("(1"), STR("1"), true, &output, &problem), ERR_JQ_COMPILE);
    assert_int_equal(jq_filter(&arena, STR("\"x\" * 1000000 | repeat(.)"), STR("1"), true, &output, &problem),
                     ERR_LIMIT);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_function_has_its_number),
        cmocka_unit_test(many_functions_are_all_reached),
        cmocka_unit_test(the_same_text_has_the_same_number),
        cmocka_unit_test(a_full_source_takes_no_more),
        cmocka_unit_test(an_empty_program_compiles),
        cmocka_unit_test(an_error_is_of_one_call_only),
        cmocka_unit_test(long_messages_are_cut_at_a_character),
        cmocka_unit_test(large_results_are_refused),
        cmocka_unit_test(bad_json_is_an_error_of_the_call),
        cmocka_unit_test(the_outside_is_taken_away),
        cmocka_unit_test(now_is_the_time_of_the_event),
        cmocka_unit_test(helpers_for_made_texts),
        cmocka_unit_test(lexical_problems_are_sentences),
        cmocka_unit_test(lexical_bounds),
        cmocka_unit_test(sound_expressions_leave_their_neighbours_alone),
        cmocka_unit_test(the_closing_brace_is_found_by_jqs_rules),
        cmocka_unit_test(an_assignment_is_told_where_it_is_sure),
        cmocka_unit_test(conditions_say_what_is_wrong_and_where),
        cmocka_unit_test(compile_problems_are_sentences),
        cmocka_unit_test(the_bad_ones_of_many_are_found),
        cmocka_unit_test(opening_a_bad_program_says_why),
        cmocka_unit_test(a_filter_gives_all_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
