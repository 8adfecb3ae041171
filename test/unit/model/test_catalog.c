/* What each type of parameter takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "model/catalog.h"

static const struct {
    enum param_type type;
    const char *json;
    bool takes;
} rows[] = {
    {PARAM_ANY, "[1]", true},
    {PARAM_TEXT, "\"\"", true},
    {PARAM_TEXT, "4.5", true},
    {PARAM_TEXT, "false", true},
    {PARAM_TEXT, "[]", false},
    {PARAM_TEXT, "{}", false},
    {PARAM_TEXT, "null", true}, /* missing */
    {PARAM_ADDRESS, "\"ada@example.com\"", true},
    {PARAM_ADDRESS, "\" ada@example.com\\t\"", true},
    {PARAM_ADDRESS, "\"ada+news@mail.example.com\"", true},
    {PARAM_ADDRESS, "\"\\u00e4da@example.com\"", true},
    {PARAM_ADDRESS, "\"ada\"", false},
    {PARAM_ADDRESS, "\"@example.com\"", false},
    {PARAM_ADDRESS, "\"ada@\"", false},
    {PARAM_ADDRESS, "\"\"", false},
    {PARAM_ADDRESS, "\"Ada <ada@example.com>\"", false},
    {PARAM_ADDRESS, "\"ada@example.com,bob@example.com\"", false},
    {PARAM_ADDRESS, "\"ada@example.com\\r\\nBcc: x@y.z\"", false},
    {PARAM_ADDRESS, "4", false},
    {PARAM_URL, "\"https://example.com/a?b=c\"", true},
    {PARAM_URL, "\"http://example.com\"", true},
    {PARAM_URL, "\"https:///a\"", false},
    {PARAM_URL, "\"https://\"", false},
    {PARAM_URL, "\"ftp://example.com\"", false},
    {PARAM_URL, "\"https://example.com/a b\"", false},
    {PARAM_NUMBER, "7", true},
    {PARAM_NUMBER, "\"7.5\"", true},
    {PARAM_NUMBER, "\"seven\"", false},
    {PARAM_NUMBER, "true", false},
    {PARAM_TRUTH, "true", true},
    {PARAM_TRUTH, "\"false\"", true},
    {PARAM_TRUTH, "1", false},
    {PARAM_LIST, "[]", true},
    {PARAM_LIST, "{}", false},
    {PARAM_LIST, "\"a\"", false},
    {PARAM_OBJECT, "{}", true},
    {PARAM_OBJECT, "[]", false},
    {PARAM_OBJECT, "\"{}\"", false},
    {PARAM_INSTANT, "\"2026-12-01T09:00:00+01:00\"", true},
    {PARAM_INSTANT, "\"2026-12-01T08:00:00Z\"", true},
    {PARAM_INSTANT, "\"2026-12-01T08:00:00\"", false},
    {PARAM_INSTANT, "1795521600", false},
};

static void each_type_takes_its_values(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json *value;
        assert_int_equal(json_parse(str_from(rows[i].json), JSON_DEPTH_MAX, &value, NULL), 0);
        if (param_type_takes(rows[i].type, value) != rows[i].takes)
            fail_msg("%s and %s", param_type_word(rows[i].type), rows[i].json);
        json_free(value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_type_takes_its_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
