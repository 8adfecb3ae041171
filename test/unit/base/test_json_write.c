#include "check.h"

#include "base/json.h"

#include <string.h>

static struct json *parsed(struct str text) {
    struct json *root = NULL;
    assert_int_equal(json_parse(text, JSON_DEPTH_MAX, &root, NULL), ERR_NONE);
    return root;
}

static struct str canonical(struct arena *arena, struct str text) {
    struct json *root = parsed(text);
    struct buf buf = {.arena = arena};
    json_canonical(&buf, root);
    json_free(root);
    return buf_str(&buf);
}

/* RFC 8785, 3.2.2 and 3.2.3 */
static void the_examples_of_rfc_8785(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_str(canonical(&arena, STR("{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3,"
                                     " 0.000000000000000000000000001],"
                                     "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
                                     "\"literals\": [null, true, false]}")),
               "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
               "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
    assert_str(canonical(&arena, STR("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
                                     "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
                                     "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
                                     "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}")),
               "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
               "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
               "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
               "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
    arena_free(&arena);
}

static void canonical_forms(void **state) {
    (void)state;
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {" {} ", "{}"},
        {"[ ]", "[]"},
        {"-0", "0"},
        {"[-0.0,0e5,-0e-1]", "[0,0,0]"},
        {"[1.0,1e0,10e-1,0.1e1]", "[1,1,1,1]"},
        {"[9007199254740993,9007199254740992]", "[9007199254740993,9007199254740992]"},
        {"12345678901234567890", "12345678901234567890"},
        {"[-820982911946154508,820982911946154500]", "[-820982911946154508,820982911946154500]"},
        {"[1e24,1000000000000000000000000,1000000000000000000000001]", "[1e+24,1e+24,1000000000000000000000001]"},
        {"[9007199254740993.0,9007199254740993e0]", "[9007199254740992,9007199254740992]"},
        {"[\"\\ud83d\",\"\\udc00x\",\"\\ud83d\\ud83d\\ude00\"]",
         "[\"\xef\xbf\xbd\",\"\xef\xbf\xbdx\",\"\xef\xbf\xbd\xf0\x9f\x98\x80\"]"},
        {"{\"b\":1,\"a\":{\"d\":1,\"c\":2}}", "{\"a\":{\"c\":2,\"d\":1},\"b\":1}"},
        {"{\"aa\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"aa\":1}"},
        {"{\"a\":1,\"B\":2}", "{\"B\":2,\"a\":1}"},
        {"[{\"b\":1,\"a\":2},null]", "[{\"a\":2,\"b\":1},null]"},
        {"{\"\\ue000\":1,\"\\ud800\\udc00\":2}", "{\"\xf0\x90\x80\x80\":2,\"\xee\x80\x80\":1}"},
        {"{\"x\\ue000\":1,\"x\\ud7ff\":2}", "{\"x\xed\x9f\xbf\":2,\"x\xee\x80\x80\":1}"},
        {"\"\\/\\u002f\\u007f\\u2028\"", "\"//\x7f\xe2\x80\xa8\""},
        {"\"\\u0000\\u0008\\u0009\\u000a\\u000b\\u000c\\u000d\\u001F\"", "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\""},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_str(canonical(&arena, str_from(cases[i].text)), cases[i].canonical);
    arena_free(&arena);
}

/* What was stored before integers counted by their digits. */
static void the_form_of_doubles_is_the_standard_s(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    struct json *root = parsed(STR("{\"b\":12345678901234567890,\"a\":9007199254740993}"));
    json_canonical_doubles(&buf, root);
    assert_str(buf_str(&buf), "{\"a\":9007199254740992,\"b\":12345678901234567000}");
    json_free(root);
    arena_free(&arena);
}

static void digits_stay_in_a_copy(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *root = parsed(STR("[820982911946154508, 7]")), *copy = json_copy(root);
    assert_true(str_eq(json_digits(json_at(root, 0)), STR("820982911946154508")));
    assert_int_equal(json_digits(json_at(root, 1)).n, 0);
    json_free(root);
    assert_str(json_dump(&arena, copy), "[820982911946154508,7]");
    json_free(copy);
    arena_free(&arena);
}

static void large_objects_are_sorted_too(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (int size = 1; size < 200; size += 11) {
        struct buf text = {.arena = &arena}, expected = {.arena = &arena};
        for (int i = 0; i < size; i++) {
            buf_fmt(&text, "%s\"%03d\":%d", i ? "," : "{", (i * 97) % size, (i * 97) % size);
            buf_fmt(&expected, "%s\"%03d\":%d", i ? "," : "{", i, i);
        }
        buf_byte(&text, '}');
        buf_byte(&expected, '}');
        assert_str(canonical(&arena, buf_str(&text)), buf_str(&expected).p);
    }
    arena_free(&arena);
}

static void a_dump_keeps_the_order(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *root = parsed(STR("{ \"b\" : [ 1 , 2.50 , -0 ] , \"a\" : \"\\u00e9\\n\" , \"c\" : {} , \"d\" : [] }"));
    struct str text = json_dump(&arena, root);
    assert_string_equal(text.p, "{\"b\":[1,2.5,0],\"a\":\"\xc3\xa9\\n\",\"c\":{},\"d\":[]}");
    assert_int_equal(text.n, strlen(text.p));
    assert_str(json_dump(&arena, NULL), "null");
    assert_str(json_dump_pretty(&arena, root), "{\n"
                                               "  \"b\": [\n"
                                               "    1,\n"
                                               "    2.5,\n"
                                               "    0\n"
                                               "  ],\n"
                                               "  \"a\": \"\xc3\xa9\\n\",\n"
                                               "  \"c\": {},\n"
                                               "  \"d\": []\n"
                                               "}");
    json_free(root);
    arena_free(&arena);
}

static void quotes_are_valid_json_whatever_the_bytes(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    json_quote(&buf, STR("a\"b\\c\x01\x7f\xff\xc3\xa9\xe2\x82"));
    assert_str(buf_str(&buf), "\"a\\\"b\\\\c\\u0001\x7f\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"");
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        buf.n = 0;
        json_quote(&buf, (struct str){&c, 1});
        struct json *root = parsed(buf_str(&buf));
        assert_true(str_eq(json_text(root), byte < 128 ? (struct str){&c, 1} : STR("\xef\xbf\xbd")));
        json_free(root);
    }
    buf.n = 0;
    json_quote(&buf, STR_NONE);
    assert_str(buf_str(&buf), "\"\"");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_8785),
        cmocka_unit_test(canonical_forms),
        cmocka_unit_test(the_form_of_doubles_is_the_standard_s),
        cmocka_unit_test(digits_stay_in_a_copy),
        cmocka_unit_test(large_objects_are_sorted_too),
        cmocka_unit_test(a_dump_keeps_the_order),
        cmocka_unit_test(quotes_are_valid_json_whatever_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
