#include "check.h"

#include "base/json.h"

static void a_member_is_given_as_received(void **state) {
    (void)state;
    static const struct str text =
        STR(" {\n \"type\" : \"LEAD\" , \"payload\":{ \"b\" : 1.0, \"a\":[ \"}\" , \"\\\"]\" ] } ,\"n\":-1.50e+3,"
            "\"t\":true,\"e\":[],\"last\":null}\n");
    static const struct {
        const char *name, *slice;
    } cases[] = {
        {"type", "\"LEAD\""}, {"payload", "{ \"b\" : 1.0, \"a\":[ \"}\" , \"\\\"]\" ] }"},
        {"n", "-1.50e+3"},    {"t", "true"},
        {"e", "[]"},          {"last", "null"},
    };
    struct str slice = STR("untouched");
    assert_false(json_slice(text, STR("b"), &slice));
    assert_false(json_slice(text, STR("LEAD"), &slice));
    assert_false(json_slice(text, STR(""), &slice));
    assert_str(slice, "untouched");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(json_slice(text, str_from(cases[i].name), &slice));
        assert_str(slice, cases[i].slice);
        assert_in_range((uintptr_t)slice.p, (uintptr_t)text.p, (uintptr_t)text.p + text.n);
    }
}

static void names_are_compared_as_they_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        struct str name;
    } cases[] = {
        {"{\"p\\u0061yload\":1}", STR("payload")},
        {"{\"\\u20AC\":1}", STR("\xe2\x82\xac")},
        {"{\"\\u00e9\":1}", STR("\xc3\xa9")},
        {"{\"\\ud83d\\uDE00\":1}", STR("\xf0\x9f\x98\x80")},
        {"{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":1}", STR("\"\\/\b\f\n\r\t")},
        {"{\"x\":0,\"a\\\"b\":1}", STR("a\"b")},
        {"{\"\":1}", STR("")},
    };
    struct str slice;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(json_slice(str_from(cases[i].text), cases[i].name, &slice));
        assert_str(slice, "1");
    }
    assert_false(json_slice(STR("{\"\\u0061b\":1}"), STR("a"), &slice));
    assert_false(json_slice(STR("{\"\\u0061\":1}"), STR("ab"), &slice));
    assert_false(json_slice(STR("{\"\\u0061\":1}"), STR("\\u0061"), &slice));
}

static void items_are_given_in_order(void **state) {
    (void)state;
    static const struct str text = STR(" [ {\"a\": [1,2]} ,\"x,]\" , [ ] ,3.0,null ] ");
    static const char *const items[] = {"{\"a\": [1,2]}", "\"x,]\"", "[ ]", "3.0", "null"};
    size_t cursor = 0;
    struct str slice;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        assert_true(json_slice_item(text, &cursor, &slice));
        assert_str(slice, items[i]);
    }
    assert_false(json_slice_item(text, &cursor, &slice));
    assert_false(json_slice_item(text, &cursor, &slice));
    const char *empty[] = {"[]", " [ ] ", "", "{}", "1"};
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        cursor = 0;
        assert_false(json_slice_item(str_from(empty[i]), &cursor, &slice));
    }
}

static void broken_texts_end_in_false(void **state) {
    (void)state;
    const char *broken[] = {"",
                            "{",
                            "{\"a",
                            "{\"a\"",
                            "{\"a\":",
                            "{\"a\":[",
                            "{\"a\":\"",
                            "{\"a\":\"\\",
                            "{\"a\":}",
                            "[1]",
                            "{\"b\":1",
                            "{\"b\":1,",
                            "{\"b\" 1}",
                            "{\"\\u00",
                            "{\"\\u00\":1}",
                            "{\"\\q\":1}",
                            "{\"\\ud800\":1}",
                            "{\"\\ud800\\u0041\":1}",
                            "{\"\\udxyz\":1}"};
    struct str slice;
    for (size_t i = 0; i < COUNT_OF(broken); i++) assert_false(json_slice(str_from(broken[i]), STR("a"), &slice));
}

static void items_are_counted_where_they_can_be_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int count; /* -1: they cannot */
    } cases[] = {{"[]", 0},         {" [ ] ", 0},  {"[1]", 1},        {" [ {\"a\":1e400} , \"]\" , [[]] ] ", 3},
                 {"[1,]", -1},      {"[1 2]", -1}, {"[,1]", -1},      {"[1", -1},
                 {"[1]]", -1},      {"[1] x", -1}, {"]", -1},         {"", -1},
                 {"{\"a\":1}", -1}, {"[\"a]", -1}, {"[{\"a\":1]", -1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t count = 99;
        assert_int_equal(json_slice_count(str_from(cases[i].text), &count), cases[i].count >= 0);
        if (cases[i].count >= 0) assert_int_equal(count, cases[i].count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_counted_where_they_can_be_told_apart),
        cmocka_unit_test(a_member_is_given_as_received),
        cmocka_unit_test(names_are_compared_as_they_read),
        cmocka_unit_test(items_are_given_in_order),
        cmocka_unit_test(broken_texts_end_in_false),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
