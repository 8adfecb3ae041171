/* A Markdown file with front matter, from its bytes to the event, as people's editors write them. */
#include "check.h"

#include <string.h>

#include "base/json.h"
#include "config/config.h"
#include "schedule/post.h"

static struct arena arena;

static int forget(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

/* What is wrong with the file, or NULL; a mistake in its YAML by the finding's own words. */
static const char *problem_of(struct str text, struct post *ret_post) {
    struct findings findings = {.arena = &arena};
    struct str front, body, problem = STR("");
    const struct tree *tree = NULL;
    if (!post_split(text, &front, &body, &problem)) return str_dup(&arena, problem).p;
    if (front.n) {
        tree = config_parse(&arena, STR("post.md"), front, &findings);
        if (!tree || findings.errors) return findings.first ? str_dup(&arena, findings.first->text).p : "no YAML";
    }
    if (!post_read(STR("post.md"), tree, body, zone_named(&arena, "Europe/Berlin"), &arena, ret_post, &problem))
        return str_dup(&arena, problem).p;
    return NULL;
}

static struct post read_post(struct str text) {
    struct post post;
    const char *problem = problem_of(text, &post);
    if (problem) fail_msg("%.*s: %s", STR_ARG(text), problem);
    return post;
}

static void assert_payload(const char *text, const char *payload) {
    assert_string_equal(read_post(str_from(text)).payload.p, payload);
}

static void parts_are_told_apart_by_the_lines_of_three_hyphens(void **state) {
    (void)state;
    assert_payload("---\ntitle: Winter\n---\n\nIt is cold.\n",
                   "{\"title\":\"Winter\",\"file\":\"post.md\",\"body\":\"It is cold.\"}");
    assert_payload("Only words.\n", "{\"file\":\"post.md\",\"body\":\"Only words.\"}");
    assert_payload("", "{\"file\":\"post.md\",\"body\":\"\"}");
    assert_payload("---\n---\nx", "{\"file\":\"post.md\",\"body\":\"x\"}");
    assert_payload("---  \t\ntitle: a\n--- \nx", "{\"title\":\"a\",\"file\":\"post.md\",\"body\":\"x\"}");
    assert_payload("---\ntitle: a\n---", "{\"title\":\"a\",\"file\":\"post.md\",\"body\":\"\"}");
    /* a rule in the text, four hyphens and a list are no marks */
    assert_payload("---\ntitle: a\n---\nx\n\n---\n\ny",
                   "{\"title\":\"a\",\"file\":\"post.md\",\"body\":\"x\\n\\n---\\n\\ny\"}");
    assert_payload("----\ntitle: a\n----\n", "{\"file\":\"post.md\",\"body\":\"----\\ntitle: a\\n----\"}");
    assert_payload("\n \n---\ntitle: a\n---\n", "{\"title\":\"a\",\"file\":\"post.md\",\"body\":\"\"}");
    assert_payload("Note: this is prose.", "{\"file\":\"post.md\",\"body\":\"Note: this is prose.\"}");
}

static void files_of_other_systems_say_the_same(void **state) {
    (void)state;
    static const char payload[] =
        "{\"title\":\"Gr\u00fc\u00dfe\",\"tags\":[\"a\",\"b\"],\"file\":\"post.md\",\"body\":\"one\\ntwo\"}";
    assert_payload("---\ntitle: Gr\u00fc\u00dfe\ntags: [a, b]\n---\none\ntwo\n", payload);
    assert_payload("\ufeff---\ntitle: Gr\u00fc\u00dfe\ntags: [a, b]\n---\none\ntwo\n", payload); /* a byte order mark */
    assert_payload("---\r\ntitle: Gr\u00fc\u00dfe\r\ntags:\r\n- a\r\n- b\r\n---\r\none\ntwo\r\n", payload);
}

static void what_is_no_post_says_why(void **state) {
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"---\ntitle: a\n\nIt has no end.\n", "has no second '---'"},
        {"---", "has no second '---'"},
        {"---\ntitle: a\ntitle: b\n---\n", "key 'title' is written twice"},
        {"---\ntitle: Winter: it is here\n---\n", ""}, /* no YAML; quotes help */
        {"---\ntitle: 'a\n---\n", ""},
        {"---\n\ttitle: a\n---\n", ""},
        {"---\n- a\n- b\n---\n", "no map of names"},
        {"---\njust words\n---\n", "no map of names"},
        {"---\nbody: mine\n---\n", "may not name 'file' or 'body'"},
        {"---\nfile: mine\n---\n", "may not name 'file' or 'body'"},
        {"---\npublish_at: tomorrow\n---\n", "publish_at 'tomorrow' is no time"},
        {"---\npublish_at: 01.12.2026 09:00\n---\n", "is no time"},
        {"---\npublish_at: 2026-02-30 09:00\n---\n", "is no time"},
        {"---\npublish_at: [2026-12-01]\n---\n", "is no time"},
        {"---\npublish_at: ''\n---\n", "is no time"},
        {"caf\xe9\n", "it is not UTF-8"},
        {"---\npublishat: 2026-12-01 09:00\n---\nx", "its front matter says 'publishat': the time"},
        {"---\npublishAt: tomorrow\n---\nx", "says 'publishAt'"},
        {"---\ntitle: a\nPublish-At: 2026-12-01 09:00\n---\nx", "says 'Publish-At'"},
        {"---\npublsh_at: 2026-12-01 09:00\n---\nx", "says 'publsh_at'"},
        {"---\npublished_at: 2026-12-01 09:00\n---\nx", "says 'published_at'"},
        {"---\npublishDate: 2026-12-01T09:00:00Z\n---\nx", "says 'publishDate'"},
        {"---\npublish_at: 2026-12-01 09:00\ndraft: yes\n---\nx", "draft takes true"},
        {"---\ndraft: [true]\n---\nx", "draft takes true"},
        {"---\npublish_at: 2026-12-01 09:00\nDraft: true\n---\nx", "says 'Draft': what keeps a file back is draft"},
        {"---\npublish_at: 2026-12-01 09:00\npublished: false\n---\nx", "what keeps a file back is draft: true"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct post post;
        const char *problem = problem_of(str_from(cases[i].text), &post);
        if (!problem || !strstr(problem, cases[i].problem))
            fail_msg("%s: %s", cases[i].text, problem ? problem : "taken");
    }
}

static void a_long_time_that_is_none_is_shown_by_whole_characters(void **state) {
    (void)state;
    struct post post;
    struct buf text = {.arena = &arena};
    buf_add(&text, STR("---\npublish_at: x"));
    for (int i = 0; i < 100; i++) buf_add(&text, STR("\u00fc"));
    buf_add(&text, STR("\n---\n"));
    const char *problem = problem_of(buf_str(&text), &post);
    assert_non_null(problem);
    assert_true(str_is_utf8(str_from(problem)));
    assert_true(strlen(problem) < 200);
}

static void moments_are_of_the_zone_or_of_their_offset(void **state) {
    (void)state;
    static const struct {
        const char *written, *instant;
    } cases[] = {
        {"2026-12-01 09:00", "2026-12-01T08:00:00Z"},     {"2026-12-01T09:00", "2026-12-01T08:00:00Z"},
        {"2026-07-01 09:00:30", "2026-07-01T07:00:30Z"},  {"2026-12-01T09:00:00+05:30", "2026-12-01T03:30:00Z"},
        {"2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"}, {"'2026-12-01 09:00'", "2026-12-01T08:00:00Z"},
        {"2027-03-28 02:30", "2027-03-28T01:00:00Z"}, /* a time that the clocks leave out */
        {"2099-01-01 00:00", "2098-12-31T23:00:00Z"}, /* it is due when it is due */
        {"2001-01-01 00:00", "2000-12-31T23:00:00Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct post post = read_post(str_fmt(&arena, "---\npublish_at: %s\n---\nx", cases[i].written));
        struct str instant = when_str(&arena, post.due_us);
        if (post.draft || !str_eq(instant, str_from(cases[i].instant)))
            fail_msg("%s: %.*s", cases[i].written, STR_ARG(instant));
    }
    assert_true(read_post(STR("---\ntitle: a\n---\n")).draft);
    assert_true(read_post(STR("---\npublish_at:\n---\n")).draft); /* a template that nobody has filled in */
    assert_int_equal(read_post(STR("words")).due_us, 0);
}

static void what_was_meant_as_front_matter_is_told(void **state) {
    (void)state;
    static const char *const lost[] = {"publish_at: 2026-12-01 09:00\n\nHello", "\nTitle: Winter\nHello",
                                       "publishat: 2026-12-01 09:00\n---\nHello", "date: 2026-12-01\n"};
    static const char *const dated[] = {"date: 2026-12-01 09:00", "Date: 2026-12-01", "datum: 2026-12-01T09:00:00Z",
                                        "time: 2026-12-01 09:00"};
    struct post post;
    for (size_t i = 0; i < COUNT_OF(lost); i++) {
        const char *problem = problem_of(str_from(lost[i]), &post);
        if (!problem || strncmp(problem, "it begins as front matter does", 30)) fail_msg("%s: %s", lost[i], problem);
    }
    for (size_t i = 0; i < COUNT_OF(dated); i++) {
        const char *problem = problem_of(str_fmt(&arena, "---\n%s\n---\nx", dated[i]), &post);
        if (!problem || !strstr(problem, "the time at which it is published is publish_at")) fail_msg("%s", dated[i]);
    }
    assert_string_equal(read_post(STR("---\ntitel: Winter\n---\nx")).doubt.p,
                        "its front matter says 'titel' and has no 'title'");
    assert_int_equal(read_post(STR("---\ntitel: Winter\ntitle: Winter\n---\nx")).doubt.n, 0);
    assert_int_equal(read_post(STR("---\ntags: [a]\ntext: b\n---\nx")).doubt.n, 0);
}

static void a_draft_waits_for_its_time_or_for_who_releases_it(void **state) {
    (void)state;
    static const struct {
        const char *front;
        bool draft;
    } cases[] = {
        {"published: false", true}, /* of another program's files; no time */
        {"publisher: Ada", true},
        {"date: soon", true},
        {"date: 2026-12-01 09:00\npublished: false", true},
        {"date: 2026-12-01 09:00\ndraft: true", true},
        {"publishat:", true},
        {"publish_at: 2026-12-01 09:00\ndraft: true", true},
        {"publish_at: 2026-12-01 09:00\ndraft: false", false},
        {"publish_at: 2026-12-01 09:00\ndraft:", false},
        {"publish_at: 2026-12-01 09:00\npublished_at: 2026-12-01 09:00", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct post post = read_post(str_fmt(&arena, "---\n%s\n---\nx", cases[i].front));
        if (post.draft != cases[i].draft || post.draft != !post.due_us) fail_msg("%s", cases[i].front);
    }
}

static void front_matter_is_kept_with_its_kinds(void **state) {
    (void)state;
    assert_payload("---\ntitle: \"Winter: it is here\"\nnumber: 7\nshort: true\nnone: null\ntext: '7'\n"
                   "nested: {a: [1, {b: c}]}\n---\n",
                   "{\"title\":\"Winter: it is here\",\"number\":7,\"short\":true,\"none\":null,\"text\":\"7\","
                   "\"nested\":{\"a\":[1,{\"b\":\"c\"}]},\"file\":\"post.md\",\"body\":\"\"}");
    assert_payload("---\ntitle: a \"quote\" and a \\ \n---\ntab\there",
                   "{\"title\":\"a \\\"quote\\\" and a \\\\\","
                   "\"file\":\"post.md\",\"body\":\"tab\\there\"}");
    assert_payload("---\nurl: https://example.com/a?b=c#d\nat: 12:30\n---\n",
                   "{\"url\":\"https://example.com/a?b=c#d\",\"at\":\"12:30\",\"file\":\"post.md\",\"body\":\"\"}");
}

/* Its text as JSON is JSON, whatever stands in it. */
static void a_payload_is_json_whatever_the_text_is(void **state) {
    (void)state;
    char every[256 + 4] = "x\n";
    size_t n = 2;
    for (int c = 1; c < 128; c++) every[n++] = (char)c;
    struct post post = read_post((struct str){every, n});
    struct json *root;
    assert_int_equal(json_parse(post.payload, 8, &root, NULL), ERR_NONE);
    assert_int_equal(json_text(json_get(root, STR("body"))).n, n);
    json_free(root);
}

static void front_matter_has_a_bound_and_a_text_is_as_long_as_it_is(void **state) {
    (void)state;
    struct post post;
    struct buf large = {.arena = &arena}, fits = {.arena = &arena}, text = {.arena = &arena};
    buf_add(&large, STR("---\n"));
    for (size_t i = 0; i < FRONT_BYTES_MAX; i++) buf_byte(&large, '#');
    fits = (struct buf){.arena = &arena};
    buf_add(&fits, buf_str(&large));
    fits.n--; /* with the end of its line it is just as large as it may be */
    buf_add(&fits, STR("\n---\nx"));
    buf_add(&large, STR("\n---\nx"));
    assert_string_equal(problem_of(buf_str(&large), &post), "its front matter is larger than 16 KiB");
    assert_null(problem_of(buf_str(&fits), &post));
    for (size_t i = 0; i < (4 << 20); i++) buf_byte(&text, i % 64 ? 'a' : '\n');
    post = read_post(buf_str(&text));
    assert_true(post.payload.n > (4 << 20));
}

static void the_event_is_named_for_the_source_and_the_file(void **state) {
    (void)state;
    const struct source_settings source = {.name = {"blog", 4}, .folder = {.event = {"blog.post", 9}}};
    struct post post = read_post(STR("---\npublish_at: 2026-12-01 09:00\n---\nx"));
    struct event event = post_event(&source, STR("winter.md"), &post, &arena);
    assert_string_equal(event.key.p, "blog:winter.md");
    assert_string_equal(event.type.p, "blog.post");
    assert_string_equal(event.source.p, "blog");
    assert_int_equal(event.scheduled_us, post.due_us);
    assert_ptr_equal(event.payload.p, post.payload.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(name, forget)
        TEST(parts_are_told_apart_by_the_lines_of_three_hyphens),
        TEST(what_was_meant_as_front_matter_is_told),
        TEST(a_draft_waits_for_its_time_or_for_who_releases_it),
        TEST(files_of_other_systems_say_the_same),
        TEST(what_is_no_post_says_why),
        TEST(a_long_time_that_is_none_is_shown_by_whole_characters),
        TEST(moments_are_of_the_zone_or_of_their_offset),
        TEST(front_matter_is_kept_with_its_kinds),
        TEST(a_payload_is_json_whatever_the_text_is),
        TEST(front_matter_has_a_bound_and_a_text_is_as_long_as_it_is),
        TEST(the_event_is_named_for_the_source_and_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
