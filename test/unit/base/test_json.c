#include "check.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

static struct json *parsed(const char *text) {
    struct json *root = NULL;
    struct json_error error;
    if (json_parse(str_from(text), JSON_DEPTH_MAX, &root, &error)) fail_msg("%s: %s", text, error.text);
    return root;
}

static bool parses(struct str text) {
    struct json *root = NULL;
    enum err err = json_parse(text, JSON_DEPTH_MAX, &root, NULL);
    assert_true((err == ERR_NONE) == (root != NULL));
    json_free(root);
    return !err;
}

static const struct str valid_texts[] = {
    STR("[]"),
    STR("{}"),
    STR("[[]]"),
    STR("null"),
    STR("true"),
    STR("false"),
    STR("0"),
    STR("-0"),
    STR("-0.0"),
    STR("\"\""),
    STR(" [ 1 , 2 ] "),
    STR("\t\r\n{\"a\" : [ ] }\n"),
    STR("[1e3,1E3,1e+3,1e-3,1.5e3]"),
    STR("[123e65,0e1,0e+1,20e1]"),
    STR("[-1,-123,123.456789]"),
    STR("1e-400"),
    STR("123456789012345678901234567890"),
    STR("-123456789012345678901234567890"),
    STR("[9223372036854775808,1,-9223372036854775809]"),
    STR("[1e308,-1e308,5e-324]"),
    STR("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    STR("[\"\\u0041\\u00e9\\u20AC\"]"),
    STR("[\"\\uD83D\\uDE00\"]"),
    STR("[\"\\u0000\"]"),
    STR("[\"\\uFFFF\\uFFFE\"]"),
    STR("[\"\x7f\"]"),
    STR("[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]"),
    STR("[\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"]"),
    STR("[\"a/*b*/c//d#e\"]"),
    STR("{\"\":0}"),
    STR("{\"a\":1,\"A\":2}"),
    STR("{\"a\":{\"a\":{\"a\":null}}}"),
    STR("{\"\\u0061b\":1}"),
    STR("[1,null,true,\"x\",{},[]]"),
};

static void valid_texts_are_accepted(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(valid_texts); i++)
        if (!parses(valid_texts[i])) fail_msg("refused: %s", valid_texts[i].p);
}

static const struct str invalid_texts[] = {
    STR_NONE,
    STR(""),
    STR(" "),
    STR("["),
    STR("]"),
    STR("{"),
    STR("[1"),
    STR("[1,"),
    STR("[1,]"),
    STR("[,1]"),
    STR("[1,,2]"),
    STR("[1 2]"),
    STR("[1]]"),
    STR("[1}"),
    STR("[1]x"),
    STR("{}{}"),
    STR("1 2"),
    STR("[1]\0"),
    STR("0\0"),
    STR("\0"),
    STR("{\"a\"}"),
    STR("{\"a\":}"),
    STR("{\"a\":1,}"),
    STR("{,\"a\":1}"),
    STR("{\"a\" 1}"),
    STR("{\"a\"::1}"),
    STR("{a:1}"),
    STR("{'a':1}"),
    STR("{1:1}"),
    STR("{null:1}"),
    STR("{\"a\":1,\"a\":1}"),
    STR("{\"a\":1,\"\\u0061\":2}"),
    STR("{\"x\":{\"a\":1,\"a\":2}}"),
    STR("{\"a\\u0000b\":1}"),
    STR("nul"),
    STR("True"),
    STR("NULL"),
    STR("tru e"),
    STR("undefined"),
    STR("NaN"),
    STR("Infinity"),
    STR("-Infinity"),
    STR("+1"),
    STR("01"),
    STR("-01"),
    STR("-"),
    STR("--1"),
    STR("1."),
    STR(".5"),
    STR("-.5"),
    STR("1.e3"),
    STR("1e"),
    STR("1e+"),
    STR("1ee3"),
    STR("1.2.3"),
    STR("0x10"),
    STR("1_000"),
    STR("1e400"),
    STR("-1e400"),
    STR("\""),
    STR("\"abc"),
    STR("\"\\\""),
    STR("'a'"),
    STR("\"\\x41\""),
    STR("\"\\a\""),
    STR("\"\\u12\""),
    STR("\"\\u12G4\""),
    STR("\"\\U0041\""),
    STR("\"a\nb\""),
    STR("\"a\tb\""),
    STR("\"a\0b\""),
    STR("\"\x1f\""),
    STR("\"\x80\""),
    STR("\"\xc0\xaf\""),
    STR("\"\xed\xa0\x80\""),
    STR("\"\xf4\x90\x80\x80\""),
    STR("\"\xff\""),
    STR("\"\xe2\x82\""),
    STR("{\"\xff\":1}"),
    STR("\xef\xbb\xbf{}"),
    STR("[]\xc2\xa0"),
    STR("\f[]"),
    STR("[1]//x"),
    STR("/*x*/[1]"),
    STR("[1]#x"),
};

static void invalid_texts_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(invalid_texts); i++)
        if (parses(invalid_texts[i])) fail_msg("accepted: %s", invalid_texts[i].p);
}

static void an_integer_too_large_for_a_double_is_refused(void **state) {
    (void)state;
    char digits[400];
    memset(digits, '9', sizeof digits);
    assert_false(parses((struct str){digits, sizeof digits}));
    assert_true(parses((struct str){digits, 300}));
}

static void depth_is_bounded(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *root = NULL;
    struct json_error error;
    for (size_t depth = 0; depth < 70; depth++) {
        struct buf buf = {.arena = &arena};
        for (size_t i = 0; i < depth; i++) buf_add(&buf, i % 2 ? STR("[") : STR("{\"a\":"));
        buf_byte(&buf, '1');
        for (size_t i = depth; i-- > 0;) buf_byte(&buf, i % 2 ? ']' : '}');
        assert_int_equal(json_parse(buf_str(&buf), depth, &root, &error), ERR_NONE);
        json_free(root);
        if (depth) assert_int_equal(json_parse(buf_str(&buf), depth - 1, &root, &error), ERR_BAD_JSON);
    }
    char *deep = arena_alloc(&arena, 1000000);
    memset(deep, '[', 1000000);
    assert_false(parses((struct str){deep, 1000000}));
    assert_true(parses(STR("[[],[],[[]],{\"[[[[\":\"\\\"[[[\"}]")));
    assert_int_equal(json_parse(STR("{\"a\":\n [[1]]}"), 2, &root, &error), ERR_BAD_JSON);
    assert_string_equal(error.text, "nested deeper than 2 levels");
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 3);
    assert_int_equal(error.offset, 8);
    arena_free(&arena);
}

static void an_error_says_where_and_what(void **state) {
    (void)state;
    struct json *root = NULL;
    struct json_error error;
    assert_int_equal(json_parse(STR("{\"a\": 1,\n \"b\": }"), 64, &root, &error), ERR_BAD_JSON);
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 7);
    assert_int_equal(error.offset, 15);
    assert_non_null(strstr(error.text, "unexpected token"));
    assert_int_equal(json_parse(STR("{\"a\":1,\"a\":2}"), 64, &root, &error), ERR_BAD_JSON);
    assert_non_null(strstr(error.text, "duplicate"));
    assert_int_equal(json_parse(STR("[1e400]"), 64, &root, &error), ERR_BAD_JSON);
    assert_non_null(strstr(error.text, "overflow"));
    assert_null(root);
}

static void an_error_is_told_where_it_stands(void **state) {
    (void)state;
    static const struct {
        struct str text;
        size_t line, column;
        const char *words;
    } rows[] = {
        {STR(""), 1, 1, "unexpected token at the end of the text"},
        {STR("\n[1,\n 2"), 3, 3, "',' or ']' is missing at the end of the text"},
        {STR("{\"a\":1 \"b\":2}"), 1, 8, "',' or '}' is missing near '\"'"},
        {STR("{\"a\" 1}"), 1, 6, "':' is missing near '1'"},
        {STR("{a:1}"), 1, 2, "unexpected token where a name is to be near 'a'"},
        {STR("[tru]"), 1, 2, "unexpected token near 'tru'"},
        {STR("[1.]"), 1, 4, "a digit is missing near ']'"},
        {STR("[1] x"), 1, 5, "unexpected token behind the value near 'x'"},
        {STR("[\"ab\\x\"]"), 1, 5, "invalid escape near '\\x'"},
        {STR("[\"a\\n\t\"]"), 1, 6, "invalid byte in a string near byte 0x09"},
        {STR("[\"abc"), 1, 6, "a string without its closing quote at the end of the text"},
        {STR("{\"a\\u0000\":1}"), 1, 2, "a name with \\u0000 in it near '\"'"},
        {STR("{\"b\":1,\n\"a\":2,\"a\":3}"), 2, 7, "duplicate name near '\"'"},
        {STR("[1e999]"), 1, 2, "number overflow near '1e999'"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json *root = NULL;
        struct json_error error;
        assert_int_equal(json_parse(rows[i].text, 64, &root, &error), ERR_BAD_JSON);
        assert_string_equal(error.text, rows[i].words);
        assert_int_equal(error.line, rows[i].line);
        assert_int_equal(error.column, rows[i].column);
    }
}

/* {"m0":0,"m1":1,...}; the last member has the name of the one at `repeated`, if there is one. */
static struct str many_members(struct arena *arena, size_t count, size_t repeated) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < count; i++)
        buf_fmt(&buf, "%s\"m%zu\":%zu", i ? "," : "{", i + 1 == count && repeated < i ? repeated : i, i);
    buf_byte(&buf, '}');
    return buf_str(&buf);
}

static void an_object_may_have_any_number_of_members(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 15, 16, 17, 18, 33, 1000};
    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        struct arena arena = ARENA_EMPTY;
        size_t count = counts[c];
        struct json *root = NULL;
        struct str name;
        void *cursor = NULL;
        assert_int_equal(json_parse(many_members(&arena, count, SIZE_MAX), 1, &root, NULL), ERR_NONE);
        assert_int_equal(json_size(root), count);
        for (size_t i = 0; i < count; i++) {
            const struct json *child = json_get(root, str_fmt(&arena, "m%zu", i));
            assert_int_equal(json_integer(child, -1), i);
            assert_ptr_equal(json_next(root, &cursor, &name), child);
            assert_str(name, str_fmt(&arena, "m%zu", i).p);
        }
        assert_null(json_next(root, &cursor, &name));
        assert_null(json_get(root, STR("m")));
        assert_null(json_get(root, STR("m1000")));
        json_free(root);
        arena_free(&arena);
    }
}

static void a_name_is_found_twice_however_many_there_are(void **state) {
    (void)state;
    static const size_t counts[] = {2, 16, 17, 18, 300};
    for (size_t c = 0; c < COUNT_OF(counts); c++)
        for (size_t repeated = 0; repeated + 1 < counts[c]; repeated += 1 + counts[c] / 20) {
            struct arena arena = ARENA_EMPTY;
            struct str text = many_members(&arena, counts[c], repeated);
            struct json *root = NULL;
            struct json_error error;
            assert_int_equal(json_parse(text, 1, &root, &error), ERR_BAD_JSON);
            assert_string_equal(error.text, "duplicate name near '\"'");
            assert_int_equal(error.offset, str_find(str_sub(text, error.offset, text.n), ',') == SIZE_MAX
                                               ? error.offset
                                               : SIZE_MAX); /* the last of them */
            arena_free(&arena);
        }
}

static void a_document_keeps_nothing_of_its_text(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    char text[] = "{\"name\":\"Ada\",\"\\u00e9\\n\":\"\\ud83d\\ude00 and \\\\ on\",\"e\":\"\"}";
    struct json *root = parsed(text);
    memset(text, 'x', sizeof text - 1);
    assert_str(json_text(json_get(root, STR("name"))), "Ada");
    assert_string_equal(json_text(json_get(root, STR("\xc3\xa9\n"))).p, "\xf0\x9f\x98\x80 and \\ on");
    assert_string_equal(json_text(json_get(root, STR("e"))).p, "");
    assert_str(json_dump(&arena, root),
               "{\"name\":\"Ada\",\"\xc3\xa9\\n\":\"\xf0\x9f\x98\x80 and \\\\ on\",\"e\":\"\"}");
    json_free(root);
    arena_free(&arena);
}

static void values_are_read(void **state) {
    (void)state;
    struct json *root =
        parsed("{\"n\":null,\"t\":true,\"f\":false,\"i\":-41,\"d\":2.75,\"s\":\"a\\u0000b\",\"l\":[1,[]],"
               "\"o\":{\"x\":1}}");
    static const struct {
        const char *name;
        enum json_type type;
        size_t size;
    } members[] = {
        {"n", JSON_NULL, 0},   {"t", JSON_TRUE, 0},   {"f", JSON_FALSE, 0}, {"i", JSON_NUMBER, 0},
        {"d", JSON_NUMBER, 0}, {"s", JSON_STRING, 0}, {"l", JSON_ARRAY, 2}, {"o", JSON_OBJECT, 1},
    };
    void *cursor = NULL;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        struct str name;
        const struct json *node = json_next(root, &cursor, &name);
        assert_str(name, members[i].name);
        assert_ptr_equal(node, json_get(root, name));
        assert_int_equal(json_type(node), members[i].type);
        assert_int_equal(json_size(node), members[i].size);
    }
    struct str name;
    assert_null(json_next(root, &cursor, &name));
    assert_int_equal(json_integer(json_get(root, STR("i")), 0), -41);
    assert_int_equal(json_integer(json_get(root, STR("d")), 0), 2);
    assert_true(json_number(json_get(root, STR("d")), 0) == 2.75);
    assert_true(json_true(json_get(root, STR("t"))));
    assert_false(json_true(json_get(root, STR("f"))));
    assert_true(str_eq(json_text(json_get(root, STR("s"))), STR("a\0b")));
    assert_int_equal(json_text(json_get(root, STR("s"))).p[3], 0);
    assert_int_equal(json_integer(json_at(json_get(root, STR("l")), 0), 0), 1);
    json_free(root);
}

static void what_is_absent_has_a_harmless_value(void **state) {
    (void)state;
    struct json *root = parsed("{\"s\":\"5\",\"l\":[1]}");
    const struct json *text = json_get(root, STR("s"));
    struct str name;
    void *cursor = NULL;
    assert_null(json_get(root, STR("x")));
    assert_null(json_get(text, STR("x")));
    assert_null(json_get(NULL, STR("x")));
    assert_null(json_get(root, STR_NONE));
    assert_null(json_get(root, STR("s\0x")));
    assert_null(json_at(json_get(root, STR("l")), 1));
    assert_null(json_at(text, 0));
    assert_null(json_next(text, &cursor, &name));
    assert_int_equal(json_type(NULL), JSON_NULL);
    assert_int_equal(json_size(NULL), 0);
    assert_null(json_text(NULL).p);
    assert_null(json_text(root).p);
    assert_int_equal(json_integer(text, 7), 7);
    assert_true(json_number(NULL, 0.5) == 0.5);
    assert_false(json_true(text));
    json_free(root);
    json_free(NULL);
}

static void integers_are_bounded_by_int64(void **state) {
    (void)state;
    struct json *root = parsed("[1e300,-1e300,9223372036854775808,-9223372036854775808,9007199254740991,-2.9,1e3]");
    static const int64_t expected[] = {7, 7, 7, INT64_MIN, 9007199254740991, -2, 1000};
    for (size_t i = 0; i < COUNT_OF(expected); i++) assert_int_equal(json_integer(json_at(root, i), 7), expected[i]);
    json_free(root);
}

static void an_integer_means_the_same_whatever_stands_beside_it(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *alone = parsed("[9007199254740993,12]"),
                *beside = parsed("[9007199254740993,12,99999999999999999999]");
    assert_int_equal(json_integer(json_at(alone, 0), 0), json_integer(json_at(beside, 0), 0));
    assert_str(json_dump(&arena, alone), "[9007199254740993,12]");
    assert_str(json_dump(&arena, beside), "[9007199254740993,12,99999999999999999999]");
    json_free(alone);
    json_free(beside);
    arena_free(&arena);
}

static void documents_are_built(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *root = json_object(), *list = json_array();
    json_set_str(root, "name", STR("Ada"));
    json_set_int(root, "score", 41);
    json_set(root, STR("ratio"), json_num(0.25));
    json_set(root, STR("vip"), json_bool(true));
    json_set(root, STR("old"), json_bool(false));
    json_set(root, STR("none"), NULL);
    json_set(root, STR("nan"), json_num(NAN));
    json_push(list, json_str(STR_NONE));
    json_push(list, NULL);
    json_push(list, json_object());
    json_set(root, STR("list"), list);
    json_set_int(root, "score", 42);
    assert_str(json_dump(&arena, root), "{\"name\":\"Ada\",\"score\":42,\"ratio\":0.25,\"vip\":true,\"old\":false,"
                                        "\"none\":null,\"nan\":null,\"list\":[\"\",null,{}]}");
    json_free(root);
    arena_free(&arena);
}

static void what_was_read_may_be_put_into_what_is_built(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *root = json_object(), *list = json_array(), *read = parsed("{\"a\":[1]}");
    json_set(root, STR("read"), read);
    json_set(root, STR("list"), list);
    for (int i = 0; i < 20; i++) json_push(list, json_int(i));
    json_push(list, parsed("\"last\""));
    json_set(root, STR("read"), parsed("{\"b\":2}"));
    json_set(root, STR("\0x"), json_bool(true));
    assert_int_equal(json_size(list), 21);
    assert_str(json_text(json_at(list, 20)), "last");
    assert_true(json_true(json_get(root, STR("\0x"))));
    assert_str(json_dump(&arena, json_get(root, STR("read"))), "{\"b\":2}");
    json_free(root);
    arena_free(&arena);
}

static void invalid_bytes_are_mended_on_the_way_in(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *root = json_object();
    json_set(root, STR("k\xff"), json_str(STR("a\xc3\xa9\x80z\xe2\x82")));
    assert_str(json_dump(&arena, root), "{\"k\xef\xbf\xbd\":\"a\xc3\xa9\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\"}");
    json_free(root);
    arena_free(&arena);
}

static void a_copy_is_deep(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *root = parsed("{\"a\":{\"b\":[1]}}"), *copy = json_copy(root), *none = json_copy(NULL);
    json_free(root);
    assert_str(json_dump(&arena, copy), "{\"a\":{\"b\":[1]}}");
    assert_int_equal(json_type(none), JSON_NULL);
    json_free(copy);
    json_free(none);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_accepted),
        cmocka_unit_test(invalid_texts_are_refused),
        cmocka_unit_test(an_integer_too_large_for_a_double_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(an_error_says_where_and_what),
        cmocka_unit_test(an_error_is_told_where_it_stands),
        cmocka_unit_test(an_object_may_have_any_number_of_members),
        cmocka_unit_test(a_name_is_found_twice_however_many_there_are),
        cmocka_unit_test(a_document_keeps_nothing_of_its_text),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(what_is_absent_has_a_harmless_value),
        cmocka_unit_test(integers_are_bounded_by_int64),
        cmocka_unit_test(an_integer_means_the_same_whatever_stands_beside_it),
        cmocka_unit_test(documents_are_built),
        cmocka_unit_test(what_was_read_may_be_put_into_what_is_built),
        cmocka_unit_test(invalid_bytes_are_mended_on_the_way_in),
        cmocka_unit_test(a_copy_is_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
