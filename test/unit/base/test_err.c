#include "check.h"

#include "base/err.h"

#include <string.h>

static void every_error_says_what_it_is(void **state) {
    (void)state;
    for (enum err err = ERR_NONE + 1; err < ERR_COUNT; err++) {
        assert_int_equal(strlen(err_code(err)), 5);
        assert_int_equal(err_code(err)[0], 'E');
        assert_true(strlen(err_label(err)) > 0 && strlen(err_text(err)) > 0);
        assert_in_range(err_http(err), 400, 599);
        assert_int_not_equal(err_class(err), ERR_CLASS_NONE);
    }
    assert_int_equal(err_class(ERR_NONE), ERR_CLASS_NONE);
    assert_int_equal(err_http(ERR_NONE), 200);
    assert_string_equal(err_code(ERR_NONE), "");
}

static void codes_and_labels_are_unique(void **state) {
    (void)state;
    for (enum err a = ERR_NONE; a < ERR_COUNT; a++)
        for (enum err b = a + 1; b < ERR_COUNT; b++) {
            assert_string_not_equal(err_code(a), err_code(b));
            assert_string_not_equal(err_label(a), err_label(b));
        }
}

static void known_rows(void **state) {
    (void)state;
    assert_string_equal(err_code(ERR_CONFLICT), "E0502");
    assert_int_equal(err_http(ERR_CONFLICT), 422);
    assert_int_equal(err_class(ERR_FULL), ERR_CLASS_RETRY);
    assert_int_equal(err_class(ERR_STORE_CORRUPT), ERR_CLASS_FATAL);
    assert_string_equal(err_label(ERR_BAD_JSON), "bad_json");
}

static enum err tried(enum err first) {
    TRY(first);
    return ERR_INTERNAL;
}

static void try_hands_an_error_up(void **state) {
    (void)state;
    assert_int_equal(tried(ERR_FULL), ERR_FULL);
    assert_int_equal(tried(ERR_NONE), ERR_INTERNAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_says_what_it_is),
        cmocka_unit_test(codes_and_labels_are_unique),
        cmocka_unit_test(known_rows),
        cmocka_unit_test(try_hands_an_error_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
