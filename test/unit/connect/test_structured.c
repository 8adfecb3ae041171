#include "connect/structured.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* All members as `key=value{name:number:text}`, then the count of bytes not read. */
static void describe(const char *field, char *out, size_t room) {
    struct str rest = str_from(field);
    struct sf_member member;
    size_t n = 0;
    while (sf_next(&rest, &member)) {
        n += (size_t)snprintf(out + n, room - n, "%.*s=%g{", STR_ARG(member.key), member.value);
        for (size_t i = 0; i < member.param_count; i++)
            n += (size_t)snprintf(out + n, room - n, "%.*s:%g:%.*s ", STR_ARG(member.params[i].name),
                                  member.params[i].number, STR_ARG(member.params[i].text));
        n += (size_t)snprintf(out + n, room - n, "}");
    }
    snprintf(out + n, room - n, "+%zu", rest.n);
}

static const struct {
    const char *field, *members;
} rows[] = {
    {"", "+0"},
    {"   ", "+3"},
    {"\"name\";r=0;t=30", "name=0{r:0:0 t:30:30 }+0"},
    {"\"a\";r=1, \"b\";r=2", "a=0{r:1:1 }b=0{r:2:2 }+0"},
    {"\"a\"\t,\t\"b\"", "a=0{}b=0{}+0"},
    {"limit=100, remaining=0, reset=30", "limit=100{}remaining=0{}reset=30{}+0"},
    {"limit=100;w=60", "limit=100{w:60:60 }+0"},
    {"5000;w=3600", "=5000{w:3600:3600 }+0"},
    {"-1.5", "=-1.5{}+0"},
    {"token;flag;q=?1", "token=0{flag:0: q:0:1 }+0"},
    {"a=:aGk=:;x=\"y\"", "a=0{x:0:y }+0"},
    {"\"say \\\"hi\\\"\"", "say \\\"hi\\\"=0{}+0"},
    {"1;a;b;c;d;e;f;g;h;i;j, 2", "=1{a:0: b:0: c:0: d:0: e:0: f:0: g:0: h:0: }=2{}+0"},
    /* the good members before an error are given */
    {"1, 2, \"x", "=1{}=2{}+3"},
    {"1,", "=1{}+0"},
    {"1 2", "+3"},
    {"1;", "+2"},
    {"1;=2", "+4"},
    {"(1 2);q=1", "+9"},
    {"\"bad \\n\"", "+8"},
    {"\"\x01\"", "+3"},
    {"1.", "+2"},
    {"-", "+1"},
    {"1234567890123456", "+16"},
    {":nope", "+5"},
    {"?2", "+2"},
    {"a=", "+2"},
    {"a=;r=1", "+6"},
};

static void members_are_taken_one_by_one(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        describe(rows[i].field, text, sizeof text);
        if (strcmp(text, rows[i].members)) fail_msg("%s gives %s", rows[i].field, text);
    }
}

static void a_parameter_is_found_by_name(void **state) {
    (void)state;
    struct str field = STR("x;R=1;t=2");
    struct sf_member member;
    assert_true(sf_next(&field, &member));
    assert_true(sf_param(&member, STR("r"))->number > 0.5);
    assert_null(sf_param(&member, STR("q")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_taken_one_by_one),
        cmocka_unit_test(a_parameter_is_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
