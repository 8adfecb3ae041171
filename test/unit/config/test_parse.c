/* YAML to tree: kinds, places, limits. Findings of bad texts are in bad/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static struct tree *parse(struct arena *arena, const char *text, struct findings *findings) {
    *findings = (struct findings){.arena = arena};
    return config_parse(arena, STR("x.yaml"), str_from(text), findings);
}

static void assert_mark(struct tree_mark mark, unsigned line, unsigned column) {
    assert_int_equal(mark.line, line);
    assert_int_equal(mark.column, column);
}

static void assert_text(const struct tree *map, const char *name, const char *text) {
    struct str found = tree_text(map, str_from(name));
    assert_non_null(found.p);
    assert_int_equal(found.n, strlen(text));
    assert_memory_equal(found.p, text, found.n);
}

static void test_scalars_stay_text(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct tree *tree = parse(&arena,
                              "a: no\nb: 12:30\nc: 1e3\nd: 0x10\ne: ${NAME}\nf: .email != null\ng: 'it''s'\n"
                              "h: \"a\\tb\\u00e4\"\ni: two\n  lines\nj: |\n  one\n  two\nk: >-\n  folded\n  text\n",
                              &findings);
    assert_int_equal(findings.errors + findings.warnings, 0);
    assert_text(tree, "a", "no");
    assert_text(tree, "b", "12:30");
    assert_text(tree, "c", "1e3");
    assert_text(tree, "d", "0x10");
    assert_text(tree, "e", "${NAME}");
    assert_text(tree, "f", ".email != null");
    assert_text(tree, "g", "it's");
    assert_text(tree, "h", "a\tb\u00e4");
    assert_text(tree, "i", "two lines");
    assert_text(tree, "j", "one\ntwo\n");
    assert_text(tree, "k", "folded text");
    arena_free(&arena);
}

static void test_nothing_is_no_text(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct tree *tree = parse(&arena, "a:\nb: ~\nc: null\nd: \"\"\ne: 'null'\nf: Null\n", &findings);
    static const enum tree_kind kinds[] = {TREE_NULL, TREE_NULL, TREE_NULL, TREE_SCALAR, TREE_SCALAR, TREE_SCALAR};
    static const bool quoted[] = {false, false, false, true, true, false};
    assert_int_equal(tree->count, COUNT(kinds));
    for (size_t i = 0; i < COUNT(kinds); i++) {
        assert_int_equal(tree->items[i]->kind, kinds[i]);
        assert_int_equal(tree->items[i]->quoted, quoted[i]);
    }
    arena_free(&arena);
}

static void test_places_of_keys_and_values(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct tree *tree = parse(&arena,
                              "a: 1\n"
                              "b:\n"
                              "  - x\n"
                              "  - {c: 'q', \"d\": [e]}\n"
                              "\u00e4\u00e4: \u00fc\n"
                              "block: |\n"
                              "  text\n"
                              "empty:\n"
                              "long:   far\n",
                              &findings);
    assert_mark(tree->mark, 1, 1);
    assert_mark(tree->name_marks[0], 1, 1);
    assert_mark(tree->items[0]->mark, 1, 4);
    const struct tree *list = tree->items[1];
    assert_int_equal(list->kind, TREE_LIST);
    assert_mark(list->items[0]->mark, 3, 5);
    const struct tree *flow = list->items[1];
    assert_int_equal(flow->kind, TREE_MAP);
    assert_mark(flow->mark, 4, 5);
    assert_mark(flow->items[0]->mark, 4, 9);
    assert_mark(flow->name_marks[1], 4, 14);
    assert_mark(flow->items[1]->mark, 4, 19);
    assert_mark(tree->items[2]->mark, 5, 5); /* characters, not bytes */
    assert_mark(tree->items[3]->mark, 6, 1); /* a block text has its key's place */
    assert_mark(tree->items[4]->mark, 8, 1); /* and so has nothing */
    assert_mark(tree->items[5]->mark, 9, 9);
    assert_true(str_eq(flow->items[0]->file, STR("x.yaml")));
    arena_free(&arena);
}

static void test_the_empty_file(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena arena = ARENA_EMPTY;
        struct findings findings;
        struct tree *tree = parse(&arena, texts[i], &findings);
        assert_non_null(tree);
        assert_int_equal(tree->kind, TREE_NULL);
        assert_int_equal(findings.errors, 0);
        arena_free(&arena);
    }
}

static void test_line_ends_and_byte_order_marks(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct tree *tree = parse(&arena,
                              "\xef\xbb\xbf"
                              "a: b\r\nc: d\r\n",
                              &findings);
    assert_int_equal(findings.errors, 0);
    assert_text(tree, "a", "b");
    assert_text(tree, "c", "d");
    assert_mark(tree->items[1]->mark, 2, 4);
    arena_free(&arena);
}

static void test_an_alias_repeats_its_anchor(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct tree *tree = parse(&arena, "a: &rule {max: 3, in: &deep [1, 2]}\nb: *rule\nc: *deep\n", &findings);
    assert_int_equal(findings.errors, 0);
    const struct tree *again = tree_get(tree, STR("b"));
    assert_text(again, "max", "3");
    assert_mark(again->mark, 2, 4);
    assert_int_equal(tree_get(tree, STR("c"))->count, 2);
    arena_free(&arena);
}

static void test_a_hundred_aliases_are_allowed(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct buf text = {.arena = &arena};
    buf_add(&text, STR("a: &a x\nb: ["));
    for (int i = 0; i < 100; i++) buf_add(&text, STR("*a,"));
    buf_add(&text, STR("]\n"));
    struct tree *tree = parse(&arena, buf_str(&text).p, &findings);
    assert_int_equal(findings.errors, 0);
    assert_int_equal(tree_get(tree, STR("b"))->count, 100);
    arena_free(&arena);
}

static void test_aliases_cannot_pile_up_levels(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct buf text = {.arena = &arena};
    buf_add(&text, STR("a0: &a0 [x]\n"));
    for (int i = 1; i < 60; i++) buf_fmt(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    assert_null(parse(&arena, buf_str(&text).p, &findings));
    assert_int_equal(findings.errors, 1);
    assert_string_equal(findings.first->code, "E0203");
    arena_free(&arena);
}

static void test_an_anchor_cannot_hold_itself(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    assert_null(parse(&arena, "a: &a [*a]\n", &findings));
    assert_string_equal(findings.first->code, "E0201");
    arena_free(&arena);
}

static void assert_refused(struct str text, const char *code, unsigned line, unsigned column) {
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    assert_null(config_parse(&arena, STR("x.yaml"), text, &findings));
    assert_int_equal(findings.errors, 1);
    assert_string_equal(findings.first->code, code);
    assert_mark(findings.first->mark, line, column);
    arena_free(&arena);
}

static void test_what_is_no_text_is_refused(void **state) {
    (void)state;
    assert_refused(STR("a: b\nc: \xff\n"), "E0201", 2, 4);
    assert_refused(STR("\u00e4: \xc3\x28\n"), "E0201", 1, 4);
    assert_refused(STR("a: \0b\n"), "E0201", 1, 4);
    assert_refused(STR("a: \x1b[31m\n"), "E0201", 1, 4);
}

static void test_the_limits(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf large = {.arena = &arena}, many = {.arena = &arena};
    while (large.n <= CONFIG_TEXT_MAX) buf_add(&large, STR("# a comment that fills the file, line by line by line\n"));
    assert_refused(buf_str(&large), "E0203", 1, 1);
    buf_add(&many, STR("a: ["));
    for (int i = 0; i < CONFIG_NODES_MAX; i++) buf_add(&many, STR("x,"));
    buf_add(&many, STR("]\n"));
    assert_refused(buf_str(&many), "E0203", 1, 200001); /* the map and the list count too */
    arena_free(&arena);
}

static void test_a_key_written_twice_keeps_the_first(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct tree *tree = parse(&arena, "a: 1\nb: 2\na: 3\nb: 4\n", &findings);
    assert_int_equal(findings.errors, 2);
    assert_int_equal(tree->count, 2);
    assert_text(tree, "a", "1");
    assert_text(tree, "b", "2");
    arena_free(&arena);
}

static void test_which_comments_are_warned_of(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t warnings;
    } cases[] = {
        {"a: lead #1 ${.n}\n", 1},
        {"a: lead # ${.n}\n", 1},
        {"a: ${.n} #1\n", 1},
        {"a: ${.x | split(\" #\")}\n", 1},
        {"a: two\n  lines ${.n} #1\n", 1},
        {"a: ${.n} # a remark\n", 0},
        {"a: ${.n}    # ${...} is jq\n", 0},
        {"a: ${.n} ## a remark\n", 0},
        {"a: ${.n} #\n", 0},
        {"a: ${.n}#1\n", 0},
        {"a: \"lead #1 ${.n}\"\n", 0},
        {"a: lead # a remark\n", 0},
        {"# ${.n} is jq\na: b\n", 0},
        {"a: |\n  lead #1 ${.n}\n", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        struct findings findings;
        assert_non_null(parse(&arena, cases[i].text, &findings));
        if (findings.warnings != cases[i].warnings) print_error("%s", cases[i].text);
        assert_int_equal(findings.warnings, cases[i].warnings);
        arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_stay_text),
        cmocka_unit_test(test_nothing_is_no_text),
        cmocka_unit_test(test_places_of_keys_and_values),
        cmocka_unit_test(test_the_empty_file),
        cmocka_unit_test(test_line_ends_and_byte_order_marks),
        cmocka_unit_test(test_an_alias_repeats_its_anchor),
        cmocka_unit_test(test_a_hundred_aliases_are_allowed),
        cmocka_unit_test(test_aliases_cannot_pile_up_levels),
        cmocka_unit_test(test_an_anchor_cannot_hold_itself),
        cmocka_unit_test(test_what_is_no_text_is_refused),
        cmocka_unit_test(test_the_limits),
        cmocka_unit_test(test_a_key_written_twice_keeps_the_first),
        cmocka_unit_test(test_which_comments_are_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
