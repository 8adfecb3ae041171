#include "check.h"

#include "base/sf.h"

static const struct {
    const char *value, *text; /* text NULL: refused */
} cases[] = {
    {"abc", "abc"},     {"  abc \t", "abc"},
    {"\"abc\"", "abc"}, {"\"a\\\"b\\\\c\"", "a\"b\\c"},
    {"\"\"", ""},       {"", ""},
    {"\"abc", NULL},    {"\"abc\"x", NULL},
    {"\"abc\\", NULL},  {"\"a\\bc\"", NULL},
    {"a\"b", "a\"b"},
};

static void test_strings_and_bare_texts(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str text = STR("untouched");
        bool taken = sf_string_or_bare(&arena, str_from(cases[i].value), &text);
        assert_int_equal(taken, cases[i].text != NULL);
        assert_str(text, cases[i].text ? cases[i].text : "untouched");
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings_and_bare_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
