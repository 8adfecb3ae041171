/* Each file of bad/ is a configuration that is not right, behind comments that
 * are the findings it must give, all of them, in this order and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <glob.h>
#include <stdio.h>

#define FOLDER    "test/unit/config/bad/"
#define FILES_MIN 60

static struct str read_file(struct arena *arena, const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = arena_alloc(arena, CONFIG_TEXT_MAX + 1);
    size_t length = fread(text, 1, CONFIG_TEXT_MAX + 1, file);
    fclose(file);
    return (struct str){text, length};
}

/* The comments at the head, without their "# ". */
static struct str expected_findings(struct arena *arena, struct str text) {
    struct buf expected = {.arena = arena};
    struct str line;
    while (str_next(&text, '\n', &line) && str_starts(line, STR("# ")))
        buf_fmt(&expected, "%.*s\n", STR_ARG(str_sub(line, 2, line.n)));
    return buf_str(&expected);
}

static bool file_is_as_expected(const char *path) {
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct str text = read_file(&arena, path), expected = expected_findings(&arena, text);
    fixture_read(&arena, text, &findings);
    struct str found = findings_text(&arena, &findings);
    bool same = expected.n && str_eq(found, expected);
    if (!same) print_error("%s:\nexpected\n%.*sfound\n%.*s", path, STR_ARG(expected), STR_ARG(found));
    arena_free(&arena);
    return same;
}

static void test_every_file_gives_its_findings(void **state) {
    (void)state;
    glob_t files;
    size_t wrong = 0;
    assert_int_equal(glob(FOLDER "*.yaml", 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= FILES_MIN);
    for (size_t i = 0; i < files.gl_pathc; i++) wrong += !file_is_as_expected(files.gl_pathv[i]);
    globfree(&files);
    assert_int_equal(wrong, 0);
}

static void test_no_finding_shows_a_secret(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct str text = STR("version: 1\n"
                          "store: mysql://${A}\n"
                          "postgres:\n  listen_dsn: ${A}\n  read_dsn: mysql://u:${A}@b\n"
                          "redis:\n  url: rediss://:${A}@b\n  on_failure: ${A}\n  timeout: ${A}\n"
                          "server:\n  listen: ${A}\n  max_event: ${A}\n  connections: ${A}\n"
                          "sources:\n  s:\n    type: ${A}\n    secret: sk_live_" CANARY "\n"
                          "destinations:\n"
                          "  a:\n    url: ${A}\n    headers: {x: \"${LINES_A}\", y: \"Bearer xoxb-" CANARY "\"}\n"
                          "    signing_secret: whsec_${A}\n    limit: ${A}\n    account: ${A}\n    timeout: ${A}\n"
                          "    breaker: {share: \"${A}\"}\n    on_unknown: ${A}\n    allow_private: ${A}\n"
                          "  b:\n    url: ${PRIVATE_B}\n    signing_secret: sk_" CANARY "\n"
                          "  hubspot:\n    token: pat-" CANARY "\n");
    fixture_read(&arena, text, &findings);
    assert_true(findings.errors >= 19);
    assert_false(fixture_holds(findings_text(&arena, &findings), "canary"));
    assert_false(fixture_holds(findings_json(&arena, &findings), "canary"));
    arena_free(&arena);
}

static void test_findings_as_json(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    fixture_read(&arena, STR("version: 1\nzone: \"a\\tb \\\"\"\n"), &findings);
    assert_string_equal(findings_json(&arena, &findings).p,
                        "[{\"level\":\"error\",\"code\":\"E0207\",\"file\":\"drumbeat.yaml\",\"line\":2,\"column\":7,"
                        "\"text\":\"'zone' takes a time zone such as UTC or Europe/Berlin, got 'a b \\\"'\"}]");
    arena_free(&arena);
}

static void test_more_findings_than_are_kept_are_counted(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings;
    struct buf text = {.arena = &arena};
    buf_add(&text, STR("version: 1\n"));
    for (int i = 0; i < FINDINGS_MAX + 7; i++) buf_fmt(&text, "key%d: x\n", i);
    fixture_read(&arena, buf_str(&text), &findings);
    assert_int_equal(findings.errors, FINDINGS_MAX + 7);
    assert_true(str_ends(findings_text(&arena, &findings), STR("and 7 more\n")));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_file_gives_its_findings),
        cmocka_unit_test(test_no_finding_shows_a_secret),
        cmocka_unit_test(test_findings_as_json),
        cmocka_unit_test(test_more_findings_than_are_kept_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
