/* A command line as the table of commands reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/when.h"
#include "cli/parse.h"

#define WORDS_MAX 24

struct line {
    struct arena arena;
    struct cli cli;
    struct str problem;
    enum parsed parsed;
};

/* Words with single blanks between them. */
static void read_line(struct line *line, const char *text) {
    char *words[WORDS_MAX];
    size_t count = 0;
    struct str rest = str_from(text), word;
    memset(line, 0, sizeof *line);
    line->cli.arena = &line->arena;
    while (str_next(&rest, ' ', &word)) {
        assert_true(count < WORDS_MAX);
        words[count++] = arena_copy(&line->arena, str_dup(&line->arena, word).p, word.n + 1);
    }
    line->parsed = parse_words(&line->cli, words, count, &line->problem);
}

static void assert_str(struct str got, const char *wanted) {
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p ? got.p : "", wanted, got.n);
}

static const struct {
    const char *line, *name;
} commands_read[] = {
    {"serve", "serve"},
    {"events list", "events list"},
    {"-q events list", "events list"},
    {"-o json events list", "events list"},
    {"events -o json list", "events list"},
    {"events list --output=json", "events list"},
    {"--timeout 5s deliveries resolve 123456 --as retry", "deliveries resolve"},
    {"send A --data {}", "send"},
    {"send --data {} A", "send"},
    {"routes test first --event -", "routes test"},
};

static void test_command_is_found_wherever_global_options_stand(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof commands_read / sizeof *commands_read; i++) {
        struct line line;
        read_line(&line, commands_read[i].line);
        assert_int_equal(line.parsed, PARSED_RUN);
        assert_str(command_name(&line.arena, line.cli.command), commands_read[i].name);
        arena_free(&line.arena);
    }
}

static const struct {
    const char *line, *problem;
} refusals[] = {
    {"verify --deap", "unknown option --deap; did you mean '--deep'?"},
    {"statsu", "there is no command 'statsu'; did you mean 'status'?"},
    {"events lsit", "'events' has no 'lsit'; did you mean 'list'?"},
    {"events", "'events' needs a verb"},
    {"zzzzzzzz", "there is no command 'zzzzzzzz'"},
    {"jq-wurker", "there is no command 'jq-wurker'"}, /* hidden: not suggested */
    {"events show", "'events show' needs ID"},
    {"events show a b", "'events show' takes no 'b'"},
    {"serve x", "'serve' takes no 'x'"},
    {"send A", "'send' needs --data JSON|@FILE|-"},
    {"send A --data", "--data needs a value: JSON|@FILE|-"},
    {"keys create --role admin", "--role takes ingest, read, operate, owner, not 'admin'"},
    {"events list --status FAILD",
     "--status takes PENDING, PROCESSING, COMPLETED, FAILED, HELD, not 'FAILD'; did you mean 'FAILED'?"},
    {"-o yaml events list", "--output takes table, json, ndjson, id, not 'yaml'"},
    {"verify --deep=yes", "--deep takes no value"},
    {"status -x", "unknown option -x"},
    {"status --timeout 30", "--timeout takes a length of time as 30s or 5m, not '30'"},
    {"status --timeout 0s", "--timeout takes a length of time as 30s or 5m, not '0s'"},
    {"explain E0502 -o json", "'explain' has one form of output: it takes no --output and no --jq"},
    {"serve -n", "'serve' takes no --dry-run"},
    {"events list a b c d e", "'events list' takes no 'a'"},
    {"--deep verify", "unknown option --deep; did you mean '--help'?"}, /* an option of a command stands behind it */
};

static void test_what_is_wrong_is_said_with_a_suggestion(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct line line;
        read_line(&line, refusals[i].line);
        assert_int_equal(line.parsed, PARSED_WRONG);
        assert_str(line.problem, refusals[i].problem);
        arena_free(&line.arena);
    }
}

static void test_options_have_their_values(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "send A -d {} --key=k=1 --at 2h --wait -qy -ojson --jq .id --timeout 5m -c a.yaml -c b.yaml");
    assert_int_equal(line.parsed, PARSED_RUN);
    assert_str(cli_argument(&line.cli, 0), "A");
    assert_null(cli_argument(&line.cli, 1).p);
    assert_str(cli_value(&line.cli, "data"), "{}");
    assert_str(cli_value(&line.cli, "key"), "k=1");
    assert_str(cli_value(&line.cli, "at"), "2h");
    assert_true(cli_flag(&line.cli, "wait"));
    assert_false(cli_flag(&line.cli, "source"));
    assert_true(line.cli.quiet && line.cli.yes);
    assert_false(line.cli.verbose || line.cli.dry_run || line.cli.no_input);
    assert_int_equal(line.cli.output, OUTPUT_JSON);
    assert_str(line.cli.jq, ".id");
    assert_int_equal(line.cli.timeout_us, 5 * US_PER_MIN);
    assert_str(cli_value(&line.cli, "config"), "b.yaml");
    arena_free(&line.arena);
}

static void test_defaults_without_options(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "status");
    assert_int_equal(line.cli.output, OUTPUT_TABLE);
    assert_int_equal(line.cli.timeout_us, 30 * US_PER_S);
    assert_null(line.cli.jq.p);
    arena_free(&line.arena);
}

static void test_a_value_may_look_like_an_option(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "send A --data - --key --deep");
    assert_int_equal(line.parsed, PARSED_RUN);
    assert_str(cli_value(&line.cli, "data"), "-");
    assert_str(cli_value(&line.cli, "key"), "--deep");
    arena_free(&line.arena);
}

static void test_two_dashes_end_the_options(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "events show -- -x");
    assert_int_equal(line.parsed, PARSED_RUN);
    assert_str(cli_argument(&line.cli, 0), "-x");
    arena_free(&line.arena);
}

static const struct {
    const char *line;
    enum parsed parsed;
    const char *noun;
} special[] = {
    {"", PARSED_NOTHING, ""},          {"-v", PARSED_NOTHING, ""},
    {"--version", PARSED_VERSION, ""}, {"-V", PARSED_VERSION, ""},
    {"-h", PARSED_HELP, ""},           {"events -h", PARSED_HELP, "events"},
    {"send -h", PARSED_HELP, "send"},  {"send --help --nonsense", PARSED_HELP, "send"},
};

static void test_help_and_version_need_nothing_else(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        struct line line;
        read_line(&line, special[i].line);
        assert_int_equal(line.parsed, special[i].parsed);
        assert_str(line.cli.noun, special[i].noun);
        arena_free(&line.arena);
    }
}

static void test_more_options_than_there_is_room_for_are_refused(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "status -qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq");
    assert_int_equal(line.parsed, PARSED_WRONG);
    assert_str(line.problem, "more than 32 options");
    arena_free(&line.arena);
}

/* ---- the table itself ---- */

static void test_names_are_unique_and_options_do_not_hide_global_ones(void **state) {
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        for (size_t j = i + 1; j < command_count; j++)
            assert_false(!strcmp(commands[i].noun, commands[j].noun) &&
                         str_eq(str_from(commands[i].verb), str_from(commands[j].verb)));
        for (const struct option *own = commands[i].options; own && own->name; own++)
            for (const struct option *global = global_options; global->name; global++) {
                assert_string_not_equal(own->name, global->name);
                assert_false(own->letter && own->letter == global->letter);
            }
    }
}

static void test_a_noun_is_a_command_or_has_verbs(void **state) {
    (void)state;
    for (size_t i = 0; i < command_count; i++)
        if (commands[i].verb) assert_null(command_find(str_from(commands[i].noun), STR("")));
}

static void test_every_example_is_read_by_its_command(void **state) {
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        struct str rest = str_from(commands[i].examples), example;
        while (str_next(&rest, '\n', &example)) {
            struct line line;
            struct arena arena = ARENA_EMPTY;
            struct str text = example;
            const char *ends[] = {" >", " <", " |"};
            for (size_t j = 0; j < 3; j++) { /* what the shell does with it */
                const char *end = memmem(text.p, text.n, ends[j], 2);
                if (end) text = str_sub(text, 0, (size_t)(end - text.p));
            }
            /* Quoted blanks would be taken apart here. */
            if (str_find(text, '\'') != SIZE_MAX && strchr(str_dup(&arena, text).p, '{') == NULL)
                text = str_sub(text, 0, str_find(text, '\'') + 2);
            read_line(&line, str_dup(&arena, text).p);
            assert_int_equal(line.parsed, PARSED_RUN);
            assert_ptr_equal(line.cli.command, &commands[i]);
            arena_free(&line.arena);
            arena_free(&arena);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_is_found_wherever_global_options_stand),
        cmocka_unit_test(test_what_is_wrong_is_said_with_a_suggestion),
        cmocka_unit_test(test_options_have_their_values),
        cmocka_unit_test(test_defaults_without_options),
        cmocka_unit_test(test_a_value_may_look_like_an_option),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_help_and_version_need_nothing_else),
        cmocka_unit_test(test_more_options_than_there_is_room_for_are_refused),
        cmocka_unit_test(test_names_are_unique_and_options_do_not_hide_global_ones),
        cmocka_unit_test(test_a_noun_is_a_command_or_has_verbs),
        cmocka_unit_test(test_every_example_is_read_by_its_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
