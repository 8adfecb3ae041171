#include "check.h"

#include "base/tree.h"

static void members_are_found_by_name(void **state) {
    (void)state;
    struct tree text = {.kind = TREE_SCALAR, .text = STR("10s")}, list = {.kind = TREE_LIST};
    struct tree *items[] = {&text, &list};
    struct str names[] = {STR("timeout"), STR("to")};
    struct tree map = {.kind = TREE_MAP, .count = 2, .items = items, .names = names};
    assert_ptr_equal(tree_get(&map, STR("to")), &list);
    assert_null(tree_get(&map, STR("limit")));
    assert_null(tree_get(&text, STR("to")));
    assert_null(tree_get(NULL, STR("to")));
    assert_str(tree_text(&map, STR("timeout")), "10s");
    assert_null(tree_text(&map, STR("to")).p);
    assert_null(tree_text(&map, STR("limit")).p);
}

static void findings_are_kept_in_order_of_place(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    struct str file = STR("drumbeat.yaml");
    finding_add(&findings, file, (struct tree_mark){31, 7}, "E0204", "unknown key '%s'", "limt");
    finding_add(&findings, file, (struct tree_mark){2, 9}, "W0107", "second");
    finding_add(&findings, file, (struct tree_mark){2, 1}, "E0201", "first");
    finding_add(&findings, file, (struct tree_mark){31, 7}, "E0205", "same place, later");
    finding_add(&findings, STR("crm.yaml"), (struct tree_mark){99, 1}, "E0206", "file before");
    const char *codes[] = {"E0206", "E0201", "W0107", "E0204", "E0205"};
    const struct finding *finding = findings.first;
    for (size_t i = 0; i < COUNT_OF(codes); i++, finding = finding->next) assert_string_equal(finding->code, codes[i]);
    assert_null(finding);
    finding = findings.first->next->next;
    assert_true(finding->warning);
    assert_false(finding->next->warning);
    assert_str(finding->next->text, "unknown key 'limt'");
    assert_int_equal(finding->next->mark.line, 31);
    assert_int_equal(findings.errors, 4);
    assert_int_equal(findings.warnings, 1);
    arena_free(&arena);
}

static void a_finding_outlives_what_it_was_made_from(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    char file[] = "a.yaml", text[] = "limt";
    finding_add(&findings, str_from(file), (struct tree_mark){1, 1}, "E0204", "unknown key '%s'", text);
    file[0] = text[0] = 'X';
    assert_str(findings.first->file, "a.yaml");
    assert_str(findings.first->text, "unknown key 'limt'");
    arena_free(&arena);
}

static void too_many_findings_are_counted_and_not_kept(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    for (uint32_t i = 0; i < FINDINGS_MAX + 5; i++)
        finding_add(&findings, STR("f"), (struct tree_mark){FINDINGS_MAX + 5 - i, 1}, "E0204", "wrong");
    size_t kept = 0;
    for (const struct finding *finding = findings.first; finding; finding = finding->next) kept++;
    assert_int_equal(kept, FINDINGS_MAX);
    assert_int_equal(findings.errors, FINDINGS_MAX + 5);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_name),
        cmocka_unit_test(findings_are_kept_in_order_of_place),
        cmocka_unit_test(a_finding_outlives_what_it_was_made_from),
        cmocka_unit_test(too_many_findings_are_counted_and_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
