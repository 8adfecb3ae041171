/* What somebody else's text looks like on a terminal. */
#include "check.h"

#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

struct shown_case {
    const char *text, *shown;
};

static void check(const struct shown_case *cases, size_t count) {
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < count; i++) {
        const char *shown = cases[i].shown ? cases[i].shown : cases[i].text;
        assert_string_equal(str_safe(&arena, str_from(cases[i].text), true).p, shown);
    }
    arena_free(&arena);
}

static void what_a_terminal_obeys_or_does_not_draw_is_named(void **state) {
    (void)state;
    static const struct shown_case cases[] = {
        {"\033[2J", "\\u001b[2J"},
        {"a\x7f", "a\\u007f"},
        {"a\xc2\x9b"
         "2J",
         "a\\u009b2J"},
        {"\xc2\x85", "\\u0085"},
        {"invoice\u202efdp.exe", "invoice\\u202efdp.exe"},
        {"\u202a\u202b\u202c\u202d", "\\u202a\\u202b\\u202c\\u202d"},
        {"\u2066a\u2067b\u2068c\u2069", "\\u2066a\\u2067b\\u2068c\\u2069"},
        {"\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"},
        {"cr\u200bm\u2060\ufeff\u00ad\u034f", "cr\\u200bm\\u2060\\ufeff\\u00ad\\u034f"},
        {"one\u2028two\u2029three", "one\\u2028two\\u2029three"},
        {"\u115f\u3164\uffa0\u180e\ufff9", "\\u115f\\u3164\\uffa0\\u180e\\ufff9"},
        {"\U000e0041\U000e0020", "\\udb40\\udc41\\udb40\\udc20"},
        {"a\xff\xed\xa0\x80", "a????"},
    };
    check(cases, sizeof cases / sizeof *cases);
}

static void ordinary_texts_stay_as_they_are(void **state) {
    (void)state;
    static const struct shown_case cases[] = {
        {"", NULL},
        {"Größe 漢字 ไทย e\u0301", NULL},
        {"שלום עולם", NULL},
        {"مرحبا بالعالم", NULL},
        {"می\u200cخواهم", NULL},                                /* Persian writes a word so */
        {"ক্\u200cষ and ক্\u200dষ", NULL},                        /* and Bengali */
        {"\U0001f469\u200d\U0001f4bb", NULL},                   /* a woman at a computer */
        {"\U0001f469\U0001f3fd\u200d\U0001f680", NULL},         /* with a colour of skin */
        {"\U0001f3f3\ufe0f\u200d\U0001f308", NULL},             /* a flag */
        {"\U0001f469\u200d\u2764\ufe0f\u200d\U0001f468", NULL}, /* two people and a heart */
        {"\u00a9\ufe0f 1\ufe0f\u20e3 \u2764\ufe0e", NULL},      /* the choice of a form */
        {"\U0001f1e9\U0001f1ea", NULL},                         /* two letters that are a flag */
    };
    check(cases, sizeof cases / sizeof *cases);
}

static void joiners_and_forms_are_hidden_where_they_join_nothing(void **state) {
    (void)state;
    static const struct shown_case cases[] = {
        {"ad\u200dmin", "ad\\u200dmin"},
        {"ad\u200cmin", "ad\\u200cmin"},
        {"\u200dx", "\\u200dx"},
        {"\U0001f469\u200d", "\U0001f469\\u200d"},
        {"\U0001f469\u200c\U0001f4bb", "\U0001f469\\u200c\U0001f4bb"},
        {"\U0001f469\u200d\u200d\U0001f4bb", "\U0001f469\\u200d\\u200d\U0001f4bb"},
        {"ش\u202e\u200cش", "ش\\u202e\\u200cش"},
        {"a\ufe0f", "a\\ufe0f"},
        {"\u2764\ufe0f\ufe0f\ufe01", "\u2764\ufe0f\\ufe0f\\ufe01"},
        {"\u2028\ufe0f", "\\u2028\\ufe0f"},
    };
    check(cases, sizeof cases / sizeof *cases);
}

static void lines_are_kept_unless_told(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_string_equal(str_safe(&arena, STR("a\tb\nc\rd\x7f"), false).p, "a\tb\nc d\\u007f");
    assert_string_equal(str_safe(&arena, STR("a\tb\nc"), true).p, "a b c");
    arena_free(&arena);
}

static void json_stays_the_same_json(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str text = STR("{\r\n\t\"k\u202e\": \"\x7f\xc2\x9b\u200b\U000e0041\U0001f469\u200d\U0001f4bb\"\n}");
    struct str safe = str_safe(&arena, text, false);
    struct json *before, *after;
    assert_int_equal(json_parse(text, 8, &before, NULL), ERR_NONE);
    assert_int_equal(json_parse(safe, 8, &after, NULL), ERR_NONE);
    assert_true(str_eq(json_dump(&arena, before), json_dump(&arena, after)));
    assert_non_null(strstr(safe.p, "\"k\\u202e\": \"\\u007f\\u009b\\u200b\\udb40\\udc41\U0001f469\u200d\U0001f4bb\""));
    json_free(before);
    json_free(after);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_obeys_or_does_not_draw_is_named),
        cmocka_unit_test(ordinary_texts_stay_as_they_are),
        cmocka_unit_test(joiners_and_forms_are_hidden_where_they_join_nothing),
        cmocka_unit_test(lines_are_kept_unless_told),
        cmocka_unit_test(json_stays_the_same_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
