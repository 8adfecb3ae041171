/* Forms as lists of names and values, and as JSON. */
#include "../base/check.h"

#include <string.h>

#include "base/json.h"
#include "ingest/form.h"

static struct arena arena;

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static const struct {
    const char *body, *json;
} cases[] = {
    {"", "{}"},
    {"&&", "{}"},
    {"a=1&b=2", "{\"a\":\"1\",\"b\":\"2\"}"},
    {"a", "{\"a\":\"\"}"},
    {"a=", "{\"a\":\"\"}"},
    {"=1", "{\"\":\"1\"}"},
    {"=", "{\"\":\"\"}"},
    {"a=b=c", "{\"a\":\"b=c\"}"},
    {"b=1&a=2&b=3&b=1", "{\"b\":[\"1\",\"3\",\"1\"],\"a\":\"2\"}"},
    {"a[]=1&a%5b%5d=2", "{\"a[]\":[\"1\",\"2\"]}"},
    {"full+name=Ada+Lovelace&e=a%2Bb%40c", "{\"full name\":\"Ada Lovelace\",\"e\":\"a+b@c\"}"},
    {"a=%C3%A9%e2%82%ac&%F0%9F%98%80=1", "{\"a\":\"\u00e9\u20ac\",\"\U0001F600\":\"1\"}"},
    {"a=100%&b=%zz&c=%4", "{\"a\":\"100%\",\"b\":\"%zz\",\"c\":\"%4\"}"},
    {"a=\"%5C%0A%00x", "{\"a\":\"\\\"\\\\\\n\\u0000x\"}"},
    {"__proto__=1&constructor=2", "{\"__proto__\":\"1\",\"constructor\":\"2\"}"},
};

static void test_forms_as_json(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct form form;
        struct str problem;
        struct json *root;
        assert_true(form_read(str_from(cases[i].body), &arena, &form, &problem));
        struct str json = form_json(&form, &arena);
        assert_str(json, cases[i].json);
        assert_int_equal(json_parse(json, JSON_DEPTH_MAX, &root, NULL), ERR_NONE);
        json_free(root);
    }
}

static void test_the_first_value_of_a_name(void **state) {
    (void)state;
    struct form form;
    struct str problem;
    assert_true(form_read(STR("b=2&a=1&a=3&c"), &arena, &form, &problem));
    assert_int_equal(form.count, 4);
    assert_str(form_value(&form, STR("a")), "1");
    assert_str(form_value(&form, STR("c")), "");
    assert_null(form_value(&form, STR("A")).p);
}

static void test_texts_that_are_not_utf_8(void **state) {
    (void)state;
    static const char *const bodies[] = {"a=%FF",       "%FF=a",    "a=\xff",          "a=%C3",
                                         "a=%ED%A0%80", "a=%C0%80", "a=1&b=%E2%82&c=3"};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct form form;
        struct str problem = STR("");
        assert_false(form_read(str_from(bodies[i]), &arena, &form, &problem));
        assert_str(problem, "a form's names and values must be UTF-8");
    }
}

static struct str members(size_t count) {
    struct buf body = {.arena = &arena};
    for (size_t i = 0; i < count; i++) buf_fmt(&body, "%sn%zu=v", i ? "&" : "", i);
    return buf_str(&body);
}

static void test_a_thousand_members_and_one_more(void **state) {
    (void)state;
    struct form form;
    struct str problem = STR("");
    assert_true(form_read(members(FORM_MEMBERS_MAX), &arena, &form, &problem));
    assert_int_equal(form.count, 1000);
    assert_str(form_value(&form, STR("n999")), "v");
    assert_false(form_read(members(FORM_MEMBERS_MAX + 1), &arena, &form, &problem));
    assert_str(problem, "a form may have 1000 members");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_as_json),
        cmocka_unit_test(test_the_first_value_of_a_name),
        cmocka_unit_test(test_texts_that_are_not_utf_8),
        cmocka_unit_test(test_a_thousand_members_and_one_more),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
