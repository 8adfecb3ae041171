/* What a setup is made of: of the connectors that come with the program, only those in use bring their jq along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/catalog.h"
#include "server/setup.h"

#define POSTMARK "ErrorCode" /* a word of its answers alone */

static bool any_secret(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note) {
    (void)self;
    (void)arena;
    *ret_value = name;
    *ret_note = STR("");
    return true;
}

static const struct {
    const char *destinations;
    bool brings;
} rows[] = {
    {"{crm: {url: \"https://example.com/x\"}}", false},
    {"{slack: {url: \"https://hooks.slack.com/services/${X}\"}}", false},
    {"{postmark: {token: \"${TOKEN}\"}}", true},
    {"{mail: {type: postmark, token: \"${TOKEN}\"}}", true},
    {"{postmark: {type: resend, token: \"${TOKEN}\"}}", false},
};

static void test_only_connectors_in_use_bring_their_jq(void **state) {
    (void)state;
    const struct secret_source secrets = {.lookup = any_secret};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena = ARENA_EMPTY;
        struct findings findings = {.arena = &arena};
        struct str text =
            str_fmt(&arena, "version: 1\ndestinations: %s\nroutes: {a: {from: LEAD, when: .a, to: [crm]}}\n",
                    rows[i].destinations);
        bool crm = strstr(rows[i].destinations, "{crm:");
        if (!crm) text = str_fmt(&arena, "version: 1\ndestinations: %s\n", rows[i].destinations);
        const struct setup_input input = {.file = STR("drumbeat.yaml"), .text = text, .secrets = &secrets};
        struct setup *setup = setup_load(&input, &findings);
        if (!setup) fail_msg("%s", findings_text(&arena, &findings).p);
        bool brings = setup->program.n && memmem(setup->program.p, setup->program.n, POSTMARK, strlen(POSTMARK));
        if (brings != rows[i].brings) fail_msg("%s", rows[i].destinations);
        setup_free(setup);
        arena_free(&arena);
    }
}

/* All of them are known all the same, so that a wrong name finds its neighbour. */
static void test_connectors_that_are_not_used_are_in_the_catalog(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    assert_non_null(catalog_find(setup_catalog(&arena, STR_NONE, &findings), STR("postmark")));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_connectors_in_use_bring_their_jq),
        cmocka_unit_test(test_connectors_that_are_not_used_are_in_the_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
