#include "check.h"

#include "base/hash.h"

static void hex_both_ways(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    uint8_t bytes[4] = {0};
    struct str text = hex_encode(&arena, "\x00\x9f\xff\x10", 4);
    assert_string_equal(text.p, "009fff10");
    assert_true(hex_decode(STR("009FfF10"), bytes, 4));
    assert_memory_equal(bytes, "\x00\x9f\xff\x10", 4);
    const char *bad[] = {"", "009fff1", "009fff1g", "009fff100", "0x9fff10", " 09fff10"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(hex_decode(str_from(bad[i]), bytes, 4));
    assert_memory_equal(bytes, "\x00\x9f\xff\x10", 4);
    assert_true(hex_decode(STR(""), bytes, 0));
    arena_free(&arena);
}

/* RFC 4648, 10, and bytes that use the whole alphabet. */
static void base64_vectors(void **state) {
    (void)state;
    static const struct {
        struct str data;
        const char *text;
    } cases[] = {
        {STR(""), ""},
        {STR("f"), "Zg=="},
        {STR("fo"), "Zm8="},
        {STR("foo"), "Zm9v"},
        {STR("foob"), "Zm9vYg=="},
        {STR("fooba"), "Zm9vYmE="},
        {STR("foobar"), "Zm9vYmFy"},
        {STR("\0\0\0"), "AAAA"},
        {STR("\xff\xff\xfe"), "///+"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str text = base64_encode(&arena, cases[i].data), data = STR_NONE;
        assert_string_equal(text.p, cases[i].text);
        assert_true(base64_decode(&arena, text, &data));
        assert_true(str_eq(data, cases[i].data));
    }
    arena_free(&arena);
}

static void every_byte_survives_base64(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    char bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)i;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct str data = STR_NONE;
        assert_true(base64_decode(&arena, base64_encode(&arena, (struct str){bytes, n}), &data));
        assert_true(str_eq(data, (struct str){bytes, n}));
    }
    arena_free(&arena);
}

static void other_base64_is_refused(void **state) {
    (void)state;
    const char *bad[] = {"Zg",   "Zg=",    "Zg===", "Z===", "====", "=",    "Zm9vYg",   "Zh==",
                         "Zm9=", "Zg==\n", " Zg==", "Z=g=", "Zm9-", "Zm9_", "Zg==Zg==", "Zm9v="};
    struct arena arena = ARENA_EMPTY;
    struct str data = STR("untouched");
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (base64_decode(&arena, str_from(bad[i]), &data)) fail_msg("'%s' was accepted", bad[i]);
    assert_str(data, "untouched");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_both_ways),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(every_byte_survives_base64),
        cmocka_unit_test(other_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
