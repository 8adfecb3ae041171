/* The codes of findings: one form, each once, each with words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/code.h"

#include <string.h>

static void codes_are_of_one_form_and_all_different(void **state) {
    (void)state;
    for (enum code code = 0; code < CODE_COUNT; code++) {
        const char *text = code_text(code);
        assert_int_equal(strlen(text), 5);
        assert_true(text[0] == 'E' || text[0] == 'W');
        for (enum code other = 0; other < code; other++) assert_string_not_equal(text, code_text(other));
    }
}

static void codes_are_explained_however_they_are_written(void **state) {
    (void)state;
    for (enum code code = 0; code < CODE_COUNT; code++) assert_true(code_explain(str_from(code_text(code))).n > 0);
    assert_true(str_starts(code_explain(STR("e0420")), STR("The jq expression does not compile.")));
    assert_true(code_explain(STR("w0356")).n > 0);
    assert_false(code_explain(STR("E0999")).p);
    assert_false(code_explain(STR("")).p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_of_one_form_and_all_different),
        cmocka_unit_test(codes_are_explained_however_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
