#include "check.h"

#include <string.h>

static void equality_is_by_bytes(void **state) {
    (void)state;
    assert_true(str_eq(STR("abc"), STR("abc")));
    assert_false(str_eq(STR("abc"), STR("abd")));
    assert_false(str_eq(STR("abc"), STR("ab")));
    assert_true(str_eq(STR(""), STR_NONE));
    assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_false(str_eq_nocase(STR("a["), STR("a{")));
    assert_false(str_eq_nocase(STR("ab"), STR("abc")));
    assert_null(str_from(NULL).p);
}

static void order_is_memcmp_then_length(void **state) {
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR("\x7f"), STR("\x80")) < 0);
    assert_int_equal(str_cmp(STR(""), STR_NONE), 0);
}

static void parts_are_found(void **state) {
    (void)state;
    assert_true(str_starts(STR("landing.page"), STR("landing.")));
    assert_false(str_starts(STR("lan"), STR("landing")));
    assert_true(str_ends(STR("a.yaml"), STR(".yaml")));
    assert_false(str_ends(STR("yaml"), STR(".yaml")));
    assert_true(str_starts(STR("x"), STR("")) && str_ends(STR("x"), STR("")));
    assert_int_equal(str_find(STR("a=b=c"), '='), 1);
    assert_int_equal(str_find(STR("abc"), '='), SIZE_MAX);
    assert_int_equal(str_find(STR_NONE, 'x'), SIZE_MAX);
    assert_str(str_trim(STR(" \t a b \r\n")), "a b");
    assert_str(str_trim(STR(" \n ")), "");
    assert_str(str_sub(STR("abcdef"), 2, 3), "cde");
    assert_str(str_sub(STR("abc"), 2, SIZE_MAX), "c");
    assert_str(str_sub(STR("abc"), 9, 1), "");
    assert_null(str_sub(STR_NONE, 1, 1).p);
}

static void a_head_has_no_half_of_a_character(void **state) {
    (void)state;
    assert_str(str_head(STR("abc"), 3), "abc");
    assert_str(str_head(STR("abc"), 2), "ab");
    assert_str(str_head(STR("a\u00fcb"), 2), "a");
    assert_str(str_head(STR("a\u00fcb"), 3), "a\u00fc");
    assert_str(str_head(STR("\U0001f469"), 3), "");
    assert_str(str_head(STR("x"), 0), "");
    assert_int_equal(str_head(STR_NONE, 5).n, 0);
}

static void next_takes_part_after_part(void **state) {
    (void)state;
    struct str rest = STR("a,,bc,"), part;
    assert_true(str_next(&rest, ',', &part));
    assert_str(part, "a");
    assert_true(str_next(&rest, ',', &part));
    assert_str(part, "");
    assert_true(str_next(&rest, ',', &part));
    assert_str(part, "bc");
    assert_false(str_next(&rest, ',', &part));
    assert_str(part, "bc");
    rest = STR_NONE;
    assert_false(str_next(&rest, ',', &part));
}

static void whole_numbers_are_read_whole(void **state) {
    (void)state;
    uint64_t u = 7;
    assert_true(str_to_u64(STR("0"), &u) && u == 0);
    assert_true(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    const char *bad[] = {"", "18446744073709551616", "99999999999999999999", "-1", "+1", " 1", "1 ", "1a", "0x1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(str_to_u64(str_from(bad[i]), &u));
    assert_true(u == UINT64_MAX);
    int64_t v = 7;
    assert_true(str_to_i64(STR("-9223372036854775808"), &v) && v == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &v) && v == INT64_MAX);
    const char *bad_signed[] = {"", "-", "--1", "9223372036854775808", "-9223372036854775809", "+1"};
    for (size_t i = 0; i < COUNT_OF(bad_signed); i++) assert_false(str_to_i64(str_from(bad_signed[i]), &v));
    assert_true(v == INT64_MAX);
}

static void doubles_follow_the_grammar_of_json(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0}, {"-0.5", -0.5}, {"1e3", 1000}, {"1E-2", 0.01}, {"12.25e+1", 122.5}, {"1e-400", 0}};
    double value = 0;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(str_to_double(str_from(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    const char *bad[] = {"",    "-",   "01",  "1.", ".5", "+1",    "1e",  "1e+",  "0x1p3",
                         "nan", "inf", "1,5", " 1", "1 ", "1e400", "--1", "1.5.1"};
    value = 42;
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(str_to_double(str_from(bad[i]), &value));
    char digits[402];
    memset(digits, '1', sizeof digits);
    assert_false(str_to_double((struct str){digits, 401}, &value));
    assert_true(value == 42);
}

static void copies_and_formats_end_in_nul(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str copy = str_dup(&arena, (struct str){"abcdef", 3});
    assert_string_equal(copy.p, "abc");
    assert_string_equal(str_dup(&arena, STR_NONE).p, "");
    struct str text = str_fmt(&arena, "%s-%03d", "n", 7);
    assert_string_equal(text.p, "n-007");
    assert_int_equal(text.n, 5);
    for (size_t width = 60; width < 70; width++) {
        text = str_fmt(&arena, "%*d", (int)width, 1);
        assert_int_equal(text.n, width);
        assert_int_equal(strlen(text.p), width);
        assert_int_equal(text.p[width - 1], '1');
    }
    arena_free(&arena);
}

static void distance_counts_edits_up_to_a_limit(void **state) {
    (void)state;
    assert_int_equal(str_distance(STR("limit"), STR("limit"), 3), 0);
    assert_int_equal(str_distance(STR("limt"), STR("limit"), 3), 1);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 5), 3);
    assert_int_equal(str_distance(STR("ab"), STR("ba"), 5), 2);
    assert_int_equal(str_distance(STR(""), STR("abc"), 5), 3);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 3);
    assert_int_equal(str_distance(STR("a"), STR("abcdefgh"), 2), 3);
    char longer[200];
    memset(longer, 'x', sizeof longer);
    struct str a = {longer, 199}, b = {longer, 200};
    assert_int_equal(str_distance(a, b, 4), 5);
    assert_int_equal(str_distance(b, b, 4), 0);
}

static void globs(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"landing.*", "landing.page", true},
        {"landing.*", "landing.", true},
        {"landing.*", "landing", false},
        {"*", "", true},
        {"", "", true},
        {"", "a", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"?", "", false},
        {"*.paid", "order.paid", true},
        {"*.paid", "order.paid.x", false},
        {"a*b*c", "a__b__c", true},
        {"a*b*c", "a__c__b", false},
        {"**", "x", true},
        {"*aab", "aaaab", true},
        {"A", "a", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(str_glob(str_from(cases[i].pattern), str_from(cases[i].text)), cases[i].matches);
}

static void utf8_is_rfc_3629(void **state) {
    (void)state;
    const char *good[] = {"",
                          "plain",
                          "\xc2\x80",
                          "\xdf\xbf",
                          "\xe0\xa0\x80",
                          "\xed\x9f\xbf",
                          "\xee\x80\x80",
                          "\xef\xbf\xbf",
                          "\xf0\x90\x80\x80",
                          "\xf4\x8f\xbf\xbf",
                          "a\xc3\xa9z"};
    const char *bad[] = {"\x80",
                         "\xc0\x80",
                         "\xc1\xbf",
                         "\xc2",
                         "\xc2g",
                         "\xe0\x9f\xbf",
                         "\xed\xa0\x80",
                         "\xed\xbf\xbf",
                         "\xe2\x82",
                         "\xf0\x8f\xbf\xbf",
                         "\xf4\x90\x80\x80",
                         "\xf5\x80\x80\x80",
                         "\xff",
                         "\xfe",
                         "ok\xf0\x9f\x98"};
    for (size_t i = 0; i < COUNT_OF(good); i++) assert_true(str_is_utf8(str_from(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(str_is_utf8(str_from(bad[i])));
    assert_true(str_is_utf8(STR("a\0b")));
    assert_int_equal(str_utf8_length(STR("x\xe2\x82\xac"), 1), 3);
    assert_int_equal(str_utf8_length(STR("x\xe2\x82"), 1), 0);
}

static void a_buf_grows_and_keeps_a_nul_behind(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    assert_string_equal(buf_str(&buf).p, "");
    for (int i = 0; i < 1000; i++) {
        buf_fmt(&buf, "%d", i % 10);
        buf_byte(&buf, ',');
        buf_add(&buf, STR("xyz"));
    }
    struct str text = buf_str(&buf);
    assert_int_equal(text.n, 5000);
    assert_int_equal(strlen(text.p), 5000);
    for (size_t i = 0; i < 1000; i++) {
        char part[6] = {(char)('0' + i % 10), ',', 'x', 'y', 'z'};
        assert_memory_equal(text.p + i * 5, part, 5);
    }
    buf_add(&buf, STR_NONE);
    assert_int_equal(buf.n, 5000);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_is_by_bytes),
        cmocka_unit_test(order_is_memcmp_then_length),
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(a_head_has_no_half_of_a_character),
        cmocka_unit_test(next_takes_part_after_part),
        cmocka_unit_test(whole_numbers_are_read_whole),
        cmocka_unit_test(doubles_follow_the_grammar_of_json),
        cmocka_unit_test(copies_and_formats_end_in_nul),
        cmocka_unit_test(distance_counts_edits_up_to_a_limit),
        cmocka_unit_test(globs),
        cmocka_unit_test(utf8_is_rfc_3629),
        cmocka_unit_test(a_buf_grows_and_keeps_a_nul_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
