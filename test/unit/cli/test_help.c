/* Help, completion and the reference page are the table of commands, whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/complete.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "os/file.h"

static bool hidden(const struct command *command) {
    return command->traits & COMMAND_HIDDEN;
}

static void test_overview_names_every_command_but_hidden_ones(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str text = help_overview(&arena, 0);
    for (size_t i = 0; i < command_count; i++) {
        struct str line = str_fmt(&arena, "\n  %-22s  %s\n", command_name(&arena, &commands[i]).p, commands[i].summary);
        assert_int_equal(strstr(text.p, line.p) == NULL, hidden(&commands[i]));
    }
    for (const struct option *option = global_options; option->name; option++)
        assert_non_null(strstr(text.p, str_fmt(&arena, "--%s", option->name).p));
    arena_free(&arena);
}

static void test_help_on_a_command_begins_with_examples_and_has_every_option(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < command_count; i++) {
        struct str text = help_command(&arena, &commands[i], 0), name = command_name(&arena, &commands[i]);
        if (*commands[i].examples) assert_true(str_starts(text, str_fmt(&arena, "  drumbeat %.*s", STR_ARG(name))));
        assert_non_null(strstr(text.p, str_fmt(&arena, "usage: drumbeat %.*s", STR_ARG(name)).p));
        for (const struct option *option = commands[i].options; option && option->name; option++) {
            assert_non_null(strstr(text.p, str_fmt(&arena, "--%s", option->name).p));
            assert_non_null(strstr(text.p, option->help));
        }
    }
    arena_free(&arena);
}

static void test_usage_tells_what_must_be_given(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str text = help_command(&arena, command_find(STR("deliveries"), STR("resolve")), 0);
    assert_non_null(
        strstr(text.p, "usage: drumbeat deliveries resolve [ID...] --as WHAT [--note TEXT] [--status STATUS]"));
    assert_non_null(strstr(text.p, ": delivered|not-delivered|retry\n"));
    arena_free(&arena);
}

static void test_help_on_a_noun_has_its_verbs_alone(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str text = help_noun(&arena, STR("keys"), 0);
    assert_non_null(strstr(text.p, "keys create"));
    assert_non_null(strstr(text.p, "keys list"));
    assert_non_null(strstr(text.p, "keys revoke"));
    assert_null(strstr(text.p, "events"));
    arena_free(&arena);
}

static const char *const shells[] = {"bash", "zsh"};

static void test_completion_knows_every_word_of_the_table(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (size_t s = 0; s < 2; s++) {
        struct str text = complete_script(&arena, str_from(shells[s]));
        assert_non_null(strstr(text.p, "'events') echo 'list show cancel retry release' ;;"));
        assert_non_null(strstr(text.p, "'keys create --role') echo 'ingest read operate owner' ;;"));
        assert_non_null(strstr(text.p, "--output|-o) echo 'table json ndjson id' ;;"));
        assert_null(strstr(text.p, "jq-worker"));
        for (size_t i = 0; i < command_count; i++)
            for (const struct option *option = commands[i].options; option && option->name; option++)
                assert_non_null(strstr(text.p, str_fmt(&arena, "--%s", option->name).p));
    }
    assert_null(complete_script(&arena, STR("fish")).p);
    arena_free(&arena);
}

static void test_the_page_of_metrics_is_that_of_the_rooms(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str page, problem, made = metrics_reference(&arena);
    if (file_read(STR("docs/metrics.md"), 1 << 20, &arena, &page, &problem)) fail_msg("%.*s", STR_ARG(problem));
    if (!str_eq(page, made)) fail_msg("docs/metrics.md is not what `drumbeat reference metrics` prints");
    arena_free(&arena);
}

static void test_the_page_in_docs_is_that_of_the_table(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str page, problem, made = help_reference(&arena);
    if (file_read(STR("docs/cli.md"), 1 << 20, &arena, &page, &problem)) fail_msg("%.*s", STR_ARG(problem));
    if (!str_eq(page, made)) fail_msg("docs/cli.md is not what `drumbeat reference cli` prints");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overview_names_every_command_but_hidden_ones),
        cmocka_unit_test(test_help_on_a_command_begins_with_examples_and_has_every_option),
        cmocka_unit_test(test_usage_tells_what_must_be_given),
        cmocka_unit_test(test_help_on_a_noun_has_its_verbs_alone),
        cmocka_unit_test(test_completion_knows_every_word_of_the_table),
        cmocka_unit_test(test_the_page_in_docs_is_that_of_the_table),
        cmocka_unit_test(test_the_page_of_metrics_is_that_of_the_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
