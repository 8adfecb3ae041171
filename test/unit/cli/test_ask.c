/* What answers mean for the exit code, and how paths are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/ask.h"
#include "cli/offline.h"
#include "cli/parse.h"
#include "cli/show.h"

/* A command line whose output is read back from two pipes. */
struct scene {
    struct arena arena;
    struct cli cli;
    int out[2], err[2];
};

static void open_scene(struct scene *scene, const char *text) {
    char *words[16];
    size_t count = 0;
    struct str rest = str_from(text), word, problem;
    memset(scene, 0, sizeof *scene);
    scene->cli.arena = &scene->arena;
    while (str_next(&rest, ' ', &word))
        words[count++] = arena_copy(&scene->arena, str_dup(&scene->arena, word).p, word.n + 1);
    assert_int_equal(parse_words(&scene->cli, words, count, &problem), PARSED_RUN);
    assert_int_equal(pipe(scene->out) | pipe(scene->err), 0);
    scene->cli.out.fd = scene->out[1];
    scene->cli.err.fd = scene->err[1];
}

static struct str take(struct scene *scene, int *ends) {
    char *text = arena_alloc(&scene->arena, 8192);
    close(ends[1]);
    ssize_t n = read(ends[0], text, 8191);
    close(ends[0]);
    return (struct str){text, n > 0 ? (size_t)n : 0};
}

static void close_scene(struct scene *scene, const char *out, const char *err) {
    writer_flush(&scene->cli.out);
    writer_flush(&scene->cli.err);
    assert_string_equal(take(scene, scene->out).p, out);
    assert_string_equal(take(scene, scene->err).p, err);
    arena_free(&scene->arena);
}

static const struct {
    int status, code;
} mapped[] = {{400, EXIT_USAGE},  {401, EXIT_NOT_ALLOWED}, {403, EXIT_NOT_ALLOWED}, {404, EXIT_NOT_FOUND},
              {405, EXIT_FAILED}, {409, EXIT_CONFLICT},    {413, EXIT_FAILED},      {422, EXIT_CONFLICT},
              {500, EXIT_FAILED}, {503, EXIT_FAILED}};

static void test_refusals_have_their_exit_codes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++)
        assert_int_equal(exit_code_of(mapped[i].status), mapped[i].code);
}

static int refuse(struct scene *scene, int status, struct str body) {
    struct asked asked = {.status = status, .body = body};
    if (json_parse(body, ANSWER_DEPTH_MAX, &asked.json, NULL)) asked.json = NULL;
    int code = asked_refused(&scene->cli, &asked);
    asked_free(&asked);
    return code;
}

static void test_a_problem_is_told_with_code_and_place(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, "status -q");
    struct str problem =
        STR("{\"code\":\"E0502\",\"detail\":\"it differs\",\"errors\":[{\"pointer\":\"/payload/a\"}]}");
    assert_int_equal(refuse(&scene, 422, problem), EXIT_CONFLICT);
    assert_int_equal(refuse(&scene, 404, STR("{\"code\":\"E0112\",\"detail\":\"no \\u001bsuch\"}")), EXIT_NOT_FOUND);
    assert_int_equal(refuse(&scene, 404, STR("<html>")), EXIT_FAILED); /* somebody else's server */
    close_scene(&scene, "",
                "error E0502: it differs (at /payload/a)\n"
                "error E0112: no \\u001bsuch\n"
                "error: the server answered 404 and no word of why; is it drumbeat?\n");
}

static void test_paths_are_encoded(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, "events list --type a/b&c --since 2h");
    struct buf path = {.arena = &scene.arena};
    buf_add(&path, STR("/v1/events"));
    path_option(&scene.cli, &path, "status", "status");
    path_option(&scene.cli, &path, "type", "type");
    path_option(&scene.cli, &path, "since", "since");
    assert_string_equal(buf_str(&path).p, "/v1/events?type=a%2Fb%26c&since=2h");
    assert_string_equal(path_of(&scene.cli, "/v1/events/", STR("../x?y"), "/cancel").p, "/v1/events/..%2Fx%3Fy/cancel");
    close_scene(&scene, "", "");
}

static void test_dry_run_asks_nothing(void **state) {
    (void)state;
    struct scene scene;
    struct asked asked;
    open_scene(&scene, "destinations pause crm -n");
    assert_int_equal(ask(&scene.cli, "POST", STR("/v1/destinations/crm/pause"), STR("{}"), &asked), ASK_DRY);
    close_scene(&scene, "would ask POST /v1/destinations/crm/pause with {}\n", "");
}

static void test_only_what_needs_no_server_is_read_from_the_store(void **state) {
    (void)state;
    assert_true(offline_can(STR("GET"), STR("/v1/events?limit=1")));
    assert_true(offline_can(STR("GET"), STR("/v1/deliveries/abc")));
    assert_true(offline_can(STR("GET"), STR("/v1/verify")));
    assert_true(offline_can(STR("POST"), STR("/v1/keys")));
    assert_false(offline_can(STR("POST"), STR("/v1/events")));
    assert_false(offline_can(STR("POST"), STR("/v1/deliveries/abc/retry")));
    assert_false(offline_can(STR("GET"), STR("/v1/destinations")));
}

static const char list_body[] = "{\"items\":[{\"id\":\"a\", \"status\":\"FAILED\"},{\"id\":\"b\",\"status\":\"HELD\"}],"
                                "\"next\":\"7\"}";
static const struct column list_columns[] = {
    {"id", CELL_TEXT, {.title = "ID"}},
    {"status", CELL_TEXT, {.title = "STATUS"}},
    {0},
};

static const struct {
    const char *line, *out, *err;
} forms[] = {
    {"events list", "ID  STATUS\na   FAILED\nb   HELD\n", "2 shown, there are more: --cursor 7 goes on\n"},
    {"events list -q", "ID  STATUS\na   FAILED\nb   HELD\n", ""},
    {"events list -o json",
     "{\"items\":[{\"id\":\"a\", \"status\":\"FAILED\"},{\"id\":\"b\",\"status\":\"HELD\"}],"
     "\"next\":\"7\"}\n",
     ""},
    {"events list -qo ndjson", "{\"id\":\"a\", \"status\":\"FAILED\"}\n{\"id\":\"b\",\"status\":\"HELD\"}\n", ""},
    {"events list -qo id", "a\nb\n", ""},
    {"events list --jq .items[].id", "a\nb\n", ""},
};

static void test_a_list_is_shown_in_the_form_asked_for(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct scene scene;
        struct asked asked = {.status = 200, .body = str_from(list_body)};
        open_scene(&scene, forms[i].line);
        assert_int_equal(json_parse(asked.body, ANSWER_DEPTH_MAX, &asked.json, NULL), ERR_NONE);
        assert_int_equal(show_list(&scene.cli, &asked, list_columns, "id"), EXIT_DONE);
        close_scene(&scene, forms[i].out, forms[i].err);
    }
}

static void test_a_bad_jq_expression_is_wrong_usage(void **state) {
    (void)state;
    struct scene scene;
    int code;
    open_scene(&scene, "events list --jq .[");
    assert_true(show_machine(&scene.cli, str_from(list_body), "id", &code));
    assert_int_equal(code, EXIT_USAGE);
    writer_flush(&scene.cli.err);
    assert_true(str_starts(take(&scene, scene.err), STR("error: --jq: ")));
    assert_int_equal(take(&scene, scene.out).n, 0);
    arena_free(&scene.arena);
}

static const struct {
    const char *delivery, *line;
} deliveries[] = {
    {"{\"destination\":\"crm\",\"action\":null,\"status\":\"COMPLETED\",\"last_status\":200,\"attempts\":[{\"started_"
     "at\":"
     "\"2026-01-01T00:00:00Z\",\"finished_at\":\"2026-01-01T00:00:00.038Z\"}]}",
     "  crm                 delivered  200  38 ms\n"},
    {"{\"destination\":\"hubspot\",\"action\":\"contact\",\"status\":\"FAILED\",\"last_status\":422,\"last_error\":"
     "\"no\\u001b\"}",
     "  hubspot.contact     failed     422  no\\u001b\n"},
    {"{\"destination\":\"crm\",\"status\":\"PENDING\",\"due\":\"2026-01-01T00:00:00.5Z\",\"last_error\":\"busy\"}",
     "  crm                 waiting         busy; not before 2026-01-01T00:00:00Z\n"},
};

static void test_a_delivery_is_one_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof deliveries / sizeof *deliveries; i++) {
        struct scene scene;
        struct json *delivery;
        open_scene(&scene, "status");
        assert_int_equal(json_parse(str_from(deliveries[i].delivery), 8, &delivery, NULL), ERR_NONE);
        show_delivery_line(&scene.cli, delivery, 0, STR(""));
        json_free(delivery);
        close_scene(&scene, deliveries[i].line, "");
    }
}

static void test_a_reader_that_went_away_ends_it_quietly(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, "status");
    close(scene.out[0]);
    writer_add(&scene.cli.out, STR("x"));
    writer_flush(&scene.cli.out);
    assert_true(scene.cli.out.closed);
    assert_int_equal(scene.cli.out.trouble, 0);
    assert_true(cli_stopped(&scene.cli));
    close(scene.out[1]);
    assert_int_equal(take(&scene, scene.err).n, 0);
    arena_free(&scene.arena);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN); /* as main does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_have_their_exit_codes),
        cmocka_unit_test(test_a_problem_is_told_with_code_and_place),
        cmocka_unit_test(test_paths_are_encoded),
        cmocka_unit_test(test_dry_run_asks_nothing),
        cmocka_unit_test(test_only_what_needs_no_server_is_read_from_the_store),
        cmocka_unit_test(test_a_list_is_shown_in_the_form_asked_for),
        cmocka_unit_test(test_a_bad_jq_expression_is_wrong_usage),
        cmocka_unit_test(test_a_delivery_is_one_line),
        cmocka_unit_test(test_a_reader_that_went_away_ends_it_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
