/* Tables: aligned by columns of a terminal, cut to its width, harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/grid.h"
#include "cli/writer.h"

static const struct grid_column columns[] = {
    {.title = "ID", .whole = true},
    {.title = "STATUS", .status = true},
    {.title = "N", .right = true},
    {.title = "NOTE"},
};

static struct str make(struct arena *arena, const char *const *cells, size_t count, size_t width, bool colour) {
    struct grid grid = {.arena = arena, .columns = columns, .column_count = 4};
    for (size_t i = 0; i < count; i++) grid_cell(&grid, str_from(cells[i]));
    return grid_text(&grid, width, colour);
}

static void test_columns_are_aligned_by_what_a_terminal_shows(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    static const char *const cells[] = {"a1", "FAILED", "5", "Grüße", "b", "OK", "1234", ""};
    assert_string_equal(make(&arena, cells, 8, 0, false).p, "ID  STATUS     N  NOTE\n"
                                                            "a1  FAILED     5  Grüße\n"
                                                            "b   OK      1234  \n");
    static const char *const wide[] = {"漢字", "x", "1", "n", "abcd", "y", "2", "e\xcc\x81"};
    assert_string_equal(make(&arena, wide, 8, 0, false).p, "ID    STATUS  N  NOTE\n"
                                                           "漢字  x       1  n\n"
                                                           "abcd  y       2  e\xcc\x81\n");
    arena_free(&arena);
}

static void test_nothing_is_shown_of_no_rows(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_int_equal(make(&arena, NULL, 0, 0, false).n, 0);
    arena_free(&arena);
}

static void test_the_widest_is_cut_first_and_ids_never(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    static const char *const cells[] = {"0123456789abcdef", "FAILED", "1", "a long note that does not fit at all"};
    struct str text = make(&arena, cells, 4, 50, false), line;
    struct str rest = text;
    while (rest.n && str_next(&rest, '\n', &line)) assert_true(text_columns(line) <= 50);
    assert_non_null(strstr(text.p, "0123456789abcdef"));
    assert_non_null(strstr(text.p, "FAILED"));
    assert_non_null(strstr(text.p, "a long note that doe…"));
    /* Narrower than what may be cut: it stays readable and is wider than the terminal. */
    text = make(&arena, cells, 4, 10, false);
    assert_non_null(strstr(text.p, "0123456789abcdef"));
    assert_non_null(strstr(text.p, "a long …"));
    arena_free(&arena);
}

static const struct grid_column with_spare[] = {
    {.title = "ID", .whole = true},
    {.title = "SOURCE", .spare = true},
    {.title = "NOTE"},
    {.title = "LATER", .whole = true, .spare = true},
};

static struct str make_spare(struct arena *arena, const char *later, size_t width) {
    struct grid grid = {.arena = arena, .columns = with_spare, .column_count = 4};
    const char *const cells[] = {"0123456789", "shop", "a note of this length", later};
    for (size_t i = 0; i < 4; i++) grid_cell(&grid, str_from(cells[i]));
    return grid_text(&grid, width, false);
}

static void test_what_is_spare_goes_when_the_rest_has_no_room(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    /* All of it fits. */
    assert_string_equal(make_spare(&arena, "", 48).p, "ID          SOURCE  NOTE                   LATER\n"
                                                      "0123456789  shop    a note of this length  \n");
    /* What is empty goes before anything is cut, then texts are cut, then what is spare goes. */
    assert_string_equal(make_spare(&arena, "", 47).p, "ID          SOURCE  NOTE\n"
                                                      "0123456789  shop    a note of this length\n");
    assert_string_equal(make_spare(&arena, "x", 35).p, "ID          SOURCE  NOTE      LATER\n"
                                                       "0123456789  shop    a note …  x\n");
    assert_string_equal(make_spare(&arena, "x", 34).p, "ID          SOURCE  NOTE\n"
                                                       "0123456789  shop    a note of thi…\n");
    assert_string_equal(make_spare(&arena, "x", 20).p, "ID          NOTE\n"
                                                       "0123456789  a note …\n");
    arena_free(&arena);
}

static void wrapped(struct arena *arena, const char *text, size_t at, size_t indent, const char *expected) {
    struct buf buf = {.arena = arena};
    text_wrap(&buf, str_from(text), at, indent, 20);
    assert_string_equal(buf_str(&buf).p, expected);
}

static void test_texts_are_broken_between_words_and_commands_never(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    wrapped(&arena, "one two three four five", 0, 2, "one two three four\n  five");
    wrapped(&arena, "one two three four", 10, 4, "one two\n    three four");
    wrapped(&arena, "aaaaaaaaaaaaaaaaaaaaaaaaa b", 4, 2, "\n  aaaaaaaaaaaaaaaaaaaaaaaaa\n  b");
    wrapped(&arena, "漢字漢字漢字 漢字漢字", 0, 0, "漢字漢字漢字\n漢字漢字");
    wrapped(&arena, "paused; drumbeat destinations resume crm; then wait", 0, 2,
            "paused;\n  drumbeat destinations resume crm;\n  then wait");
    wrapped(&arena, "it is so: `drumbeat verify --deep` says", 0, 0, "it is so:\n`drumbeat verify --deep`\nsays");
    wrapped(&arena, "", 3, 3, "");
    text_wrap(&buf, STR("as long as it gets, however wide it is"), 0, 2, 0);
    assert_string_equal(buf_str(&buf).p, "as long as it gets, however wide it is");
    arena_free(&arena);
}

static void test_the_last_column_may_wrap_and_zeros_go_first(void **state) {
    (void)state;
    static const struct grid_column help[] = {{.title = "NAME", .whole = true}, {.title = "HELP", .wraps = true}};
    static const struct grid_column counts[] = {{.title = "NAME"},
                                                {.title = "IN", .right = true, .whole = true},
                                                {.title = "HELD", .right = true, .whole = true, .spare = true},
                                                {.title = "DIFFERENCE", .right = true, .whole = true, .spare = true}};
    struct arena arena = ARENA_EMPTY;
    struct grid wraps = {.arena = &arena, .columns = help, .column_count = 2};
    struct grid zeros = {.arena = &arena, .columns = counts, .column_count = 4};
    grid_cell(&wraps, STR("token"));
    grid_cell(&wraps, STR("a key of the account that may write"));
    assert_string_equal(grid_text(&wraps, 30, false).p,
                        "NAME   HELP\ntoken  a key of the account\n       that may write\n");
    assert_string_equal(grid_text(&wraps, 0, false).p, "NAME   HELP\ntoken  a key of the account that may write\n");
    for (int i = 0; i < 2; i++) {
        grid_cell(&zeros, STR("customer-relations"));
        grid_cell(&zeros, STR("0"));
        grid_cell(&zeros, STR("0"));
        grid_cell(&zeros, i ? STR("3") : STR("0"));
    }
    assert_string_equal(grid_text(&zeros, 34, false).p, "NAME                IN  DIFFERENCE\n"
                                                        "customer-relations   0           0\n"
                                                        "customer-relations   0           3\n");
    assert_string_equal(grid_text(&zeros, 30, false).p, "NAME            IN  DIFFERENCE\n"
                                                        "customer-rela…   0           0\n"
                                                        "customer-rela…   0           3\n");
    arena_free(&arena);
}

static void test_cutting_keeps_characters_whole(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_string_equal(text_cut(&arena, STR("Grüße"), 4).p, "Grü…");
    assert_string_equal(text_cut(&arena, STR("漢字漢字"), 4).p, "漢…");
    assert_string_equal(text_cut(&arena, STR("Grüße"), 5).p, "Grüße");
    assert_int_equal(text_columns(text_cut(&arena, STR("漢字漢字"), 5)), 5);
    arena_free(&arena);
}

static void test_colour_is_for_status_words_and_does_not_move_columns(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    static const char *const cells[] = {"FAILED", "FAILED", "1", "FAILED", "x", "HELD", "2", "y"};
    assert_string_equal(make(&arena, cells, 8, 0, true).p, "ID      STATUS  N  NOTE\n"
                                                           "FAILED  \033[31mFAILED\033[0m  1  FAILED\n"
                                                           "x       \033[33mHELD\033[0m    2  y\n");
    arena_free(&arena);
}

static void test_cells_cannot_command_the_terminal(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    static const char *const cells[] = {"\033[2J", "a\nb", "1",
                                        "c\xc2\x9b"
                                        "d\xff"};
    assert_string_equal(make(&arena, cells, 4, 0, false).p, "ID         STATUS  N  NOTE\n"
                                                            "\\u001b[2J  a b     1  c\\u009bd?\n");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_aligned_by_what_a_terminal_shows),
        cmocka_unit_test(test_nothing_is_shown_of_no_rows),
        cmocka_unit_test(test_the_widest_is_cut_first_and_ids_never),
        cmocka_unit_test(test_what_is_spare_goes_when_the_rest_has_no_room),
        cmocka_unit_test(test_texts_are_broken_between_words_and_commands_never),
        cmocka_unit_test(test_the_last_column_may_wrap_and_zeros_go_first),
        cmocka_unit_test(test_cutting_keeps_characters_whole),
        cmocka_unit_test(test_colour_is_for_status_words_and_does_not_move_columns),
        cmocka_unit_test(test_cells_cannot_command_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
