/* The page that ranks providers is made from the connectors that are compiled in, and a connector's page says all of
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/json.h"
#include "cli/connectors.h"
#include "model/scheme.h"
#include "os/file.h"
#include "server/setup.h"

static const struct catalog *builtin(struct arena *arena) {
    struct findings findings = {.arena = arena};
    const struct catalog *catalog = setup_catalog(arena, STR_NONE, &findings);
    assert_int_equal(findings.errors, 0);
    return catalog;
}

static void test_the_page_in_docs_is_that_of_the_connectors(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str page, problem, made = connectors_reference(&arena, builtin(&arena));
    if (file_read(STR("docs/providers.md"), 1 << 20, &arena, &page, &problem)) fail_msg("%.*s", STR_ARG(problem));
    if (!str_eq(page, made)) fail_msg("docs/providers.md is not what `drumbeat reference connectors` prints");
    arena_free(&arena);
}

static void expect_file(struct arena *arena, struct str path, struct str made) {
    struct str page, problem;
    if (file_read(path, 1 << 20, arena, &page, &problem)) fail_msg("%.*s", STR_ARG(problem));
    if (!str_eq(page, made)) fail_msg("%.*s is stale: tools/pages.py writes it", STR_ARG(path));
}

static void test_each_connector_and_sender_has_its_page(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct catalog *catalog = builtin(&arena);
    for (size_t i = 0; i < catalog->count; i++)
        if (catalog->entries[i].action_count)
            expect_file(&arena, str_fmt(&arena, "docs/destinations/%.*s.md", STR_ARG(catalog->entries[i].name)),
                        connector_page(&arena, &catalog->entries[i]));
    for (size_t i = 0; i < scheme_count; i++)
        expect_file(&arena, str_fmt(&arena, "docs/senders/%s.md", schemes[i].name), sender_page(&arena, &schemes[i]));
    arena_free(&arena);
}

static void test_the_page_has_every_action_once_and_in_order(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct catalog *catalog = builtin(&arena);
    struct str page = connectors_reference(&arena, catalog);
    for (size_t i = 0; i < catalog->count; i++)
        for (size_t j = 0; j < catalog->entries[i].action_count; j++) {
            struct str name = str_fmt(&arena, "\n| `%.*s.%.*s` |", STR_ARG(catalog->entries[i].name),
                                      STR_ARG(catalog->entries[i].actions[j].name));
            const char *at = strstr(page.p, name.p);
            if (!at) fail_msg("%s", name.p);
            assert_null(strstr(at + 1, name.p));
        }
    const char *for_ever = strstr(page.p, "`hubspot.contact`"), *a_day = strstr(page.p, "`resend.mail`");
    const char *minutes = strstr(page.p, "`discord-bot.message`"), *search = strstr(page.p, "`postmark.mail`");
    const char *person = strstr(page.p, "`telegram.message`");
    assert_true(for_ever < a_day && a_day < minutes && minutes < search && search < person);
    arena_free(&arena);
}

static const struct {
    const char *connector, *pointer, *text;
} rows[] = {
    {"hubspot", "/limits/0", "\"100/10s\""},
    {"hubspot", "/settings/0/secret", "true"},
    {"hubspot", "/actions/0/params/0/type", "\"address\""},
    {"hubspot", "/actions/0/unknown", "\"sent again: a second one changes nothing\""},
    {"hubspot", "/actions/0/batch", "\"up to 100 deliveries, each with its own answer\""},
    {"mailchimp", "/concurrency", "10"},
    {"sendgrid", "/settings/1/default", "\"https://api.sendgrid.com\""},
    {"sendgrid", "/actions/0/unknown", "\"held for a person\""},
    {"resend", "/actions/0/unknown", "\"sent again under the same key for 1d, then held for a person\""},
    {"notion", "/actions/0/unknown", "\"looked up; what is not there 2m after the send is sent again\""},
    {"discord", "/actions/0/params/4/default", "\"[]\""},
    {"slack", "/docs/0", "\"https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks\""},
};

static void test_a_connectors_page_says_what_is_in_its_file(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct catalog *catalog = builtin(&arena);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json *json = connector_json(&arena, catalog_find(catalog, str_from(rows[i].connector)));
        struct str text = json_dump(&arena, json_point(json, str_from(rows[i].pointer)));
        if (!str_eq(text, str_from(rows[i].text))) fail_msg("%s%s %s", rows[i].connector, rows[i].pointer, text.p);
        json_free(json);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page_in_docs_is_that_of_the_connectors),
        cmocka_unit_test(test_each_connector_and_sender_has_its_page),
        cmocka_unit_test(test_the_page_has_every_action_once_and_in_order),
        cmocka_unit_test(test_a_connectors_page_says_what_is_in_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
