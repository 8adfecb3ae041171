#include "check.h"

#include "base/json.h"

static struct json *parsed(const char *text) {
    struct json *root = NULL;
    assert_int_equal(json_parse(str_from(text), JSON_DEPTH_MAX, &root, NULL), ERR_NONE);
    return root;
}

/* RFC 6901, 5 */
static void the_examples_of_rfc_6901(void **state) {
    (void)state;
    struct json *root = parsed("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
                               "\"k\\\"l\":6,\" \":7,\"m~n\":8}");
    const char *numbers[] = {"/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"};
    assert_ptr_equal(json_point(root, STR("")), root);
    assert_int_equal(json_type(json_point(root, STR("/foo"))), JSON_ARRAY);
    assert_str(json_text(json_point(root, STR("/foo/0"))), "bar");
    assert_str(json_text(json_point(root, STR("/foo/1"))), "baz");
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(json_integer(json_point(root, str_from(numbers[i])), -1), i);
    json_free(root);
}

static void pointers_to_nothing(void **state) {
    (void)state;
    struct json *root = parsed("{\"foo\":[\"bar\",{\"x\":null}],\"m~n\":8,\"~1\":9,\"a\":\"text\"}");
    const char *nowhere[] = {"foo",     "/bar",    "/foo/2", "/foo/-",  "/foo/00",  "/foo/01",
                             "/foo/+1", "/foo/ 1", "/foo/",  "/foo/0/", "/foo/0/x", "/foo/18446744073709551616",
                             "/m~n",    "/m~",     "/m~2n",  "/a/0",    "/foo//",   "//foo",
                             "/m~01n",  "#/foo"};
    for (size_t i = 0; i < COUNT_OF(nowhere); i++)
        if (json_point(root, str_from(nowhere[i]))) fail_msg("'%s' points at something", nowhere[i]);
    assert_int_equal(json_integer(json_point(root, STR("/~01")), 0), 9);
    assert_non_null(json_point(root, STR("/foo/1/x")));
    assert_null(json_point(NULL, STR("/a")));
    json_free(root);
}

static void the_first_difference_is_pointed_at(void **state) {
    (void)state;
    static const struct {
        const char *a, *b, *pointer; /* NULL: no difference */
    } cases[] = {
        {"{}", "{}", NULL},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", NULL},
        {"[1,1.0,1e0]", "[1,1,1]", NULL},
        {"-0", "0", NULL},
        {"9007199254740993", "9007199254740992", ""},
        {"[820982911946154508]", "[820982911946154508]", NULL},
        {"[820982911946154508]", "[820982911946154509]", "/0"},
        {"null", "null", NULL},
        {"1", "2", ""},
        {"1", "\"1\"", ""},
        {"true", "false", ""},
        {"null", "0", ""},
        {"[]", "{}", ""},
        {"{\"a\":1}", "{\"a\":2}", "/a"},
        {"{\"a\":1}", "{}", "/a"},
        {"{}", "{\"a\":1}", "/a"},
        {"{\"a\":null}", "{}", "/a"},
        {"{\"x\":1,\"y\":1,\"z\":1}", "{\"z\":2,\"y\":2,\"x\":1}", "/y"},
        {"{\"x\":1}", "{\"x\":2,\"b\":1}", "/x"},
        {"{\"a\":{\"b\":[1,{\"c\":true}]}}", "{\"a\":{\"b\":[1,{\"c\":false}]}}", "/a/b/1/c"},
        {"[1,2]", "[1]", "/1"},
        {"[1]", "[1,2]", "/1"},
        {"[1,2,3]", "[1,9]", "/1"},
        {"{\"a/b\":{\"m~n\":1}}", "{\"a/b\":{\"m~n\":2}}", "/a~1b/m~0n"},
        {"{\"\":1}", "{\"\":2}", "/"},
        {"\"a\"", "\"b\"", ""},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json *a = parsed(cases[i].a), *b = parsed(cases[i].b);
        struct str pointer = json_first_difference(&arena, a, b);
        if (cases[i].pointer) {
            assert_non_null(pointer.p);
            assert_str(pointer, cases[i].pointer);
        } else
            assert_null(pointer.p);
        json_free(a);
        json_free(b);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_6901),
        cmocka_unit_test(pointers_to_nothing),
        cmocka_unit_test(the_first_difference_is_pointed_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
