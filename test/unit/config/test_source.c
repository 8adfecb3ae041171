/* The section `sources`: what right ones mean, and what a reload would change. Wrong ones are in bad/source-*.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include "base/when.h"
#include "model/scheme.h"
#include "model/source.h"

#define HEAD    "version: 1\nserver: {url: https://hooks.example.com}\nsources:\n"
#define STRIPE  "  stripe:\n    secret: ${STRIPE}\n"
#define CONTACT "  contact:\n    type: form\n"
#define BILLING "  billing:\n    type: hmac\n    secret: ${BILLING}\n    header: X-Signature\n"

static struct arena arena;

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static void assert_str(struct str text, const char *expected) {
    if (str_eq(text, str_from(expected))) return;
    print_error("'%.*s' is not '%s'\n", STR_ARG(text), expected);
    fail();
}

static const struct settings *read_clean(const char *text) {
    struct findings findings;
    const struct settings *settings = fixture_read(&arena, str_from(text), &findings);
    if (findings.errors) print_error("%.*s", STR_ARG(findings_text(&arena, &findings)));
    assert_int_equal(findings.errors, 0);
    return settings;
}

static void test_a_source_of_a_senders_name(void **state) {
    (void)state;
    const struct settings *settings =
        read_clean(HEAD STRIPE "  shop:\n    type: shopify\n    secret: ${SHOPIFY_SECRET}\n"
                               "    old_secret: ${SHOPIFY_OLD}\n    tolerance: 1h\n"
                               "    map: {type: /kind, key: /id+/n, at: /at}\n");
    assert_str(settings->server.url, "https://hooks.example.com");
    assert_int_equal(settings->source_count, 2);
    const struct source_settings *stripe = &settings->sources[0], *shop = &settings->sources[1];
    assert_str(stripe->name, "stripe");
    assert_str(stripe->type, "stripe");
    assert_ptr_equal(stripe->webhook.scheme, scheme_find(STR("stripe")));
    assert_str(stripe->webhook.secret, CANARY "-STRIPE");
    assert_int_equal(stripe->webhook.old_secret.n + stripe->webhook.map_type.n + stripe->webhook.map_key.n +
                         stripe->webhook.map_at.n,
                     0);
    assert_int_equal(stripe->webhook.tolerance_us, 300 * US_PER_S);
    assert_ptr_equal(shop->webhook.scheme, scheme_find(STR("shopify")));
    assert_str(shop->webhook.old_secret, CANARY "-SHOPIFY_OLD");
    assert_int_equal(shop->webhook.tolerance_us, US_PER_HOUR);
    assert_str(shop->webhook.map_type, "/kind");
    assert_str(shop->webhook.map_key, "/id+/n");
    assert_str(shop->webhook.map_at, "/at");
}

static void test_a_source_that_says_itself_how_it_signs(void **state) {
    (void)state;
    const struct scheme *plain = read_clean(HEAD BILLING)->sources[0].webhook.scheme;
    assert_int_equal(plain->signing, SIGNING_HMAC_SHA256);
    assert_false(plain->base64);
    assert_string_equal(plain->signature, "X-Signature");
    assert_string_equal(plain->message, "{body}");
    assert_null(plain->time);
    const struct scheme *rich =
        read_clean(HEAD BILLING "    algorithm: sha512\n    encoding: base64\n    prefix: v1=\n    time: X-Time\n"
                                "    signed: \"{method} {url}.{time}.{body}\"\n")
            ->sources[0]
            .webhook.scheme;
    assert_int_equal(rich->signing, SIGNING_HMAC_SHA512);
    assert_true(rich->base64);
    assert_string_equal(rich->prefix, "v1=");
    assert_string_equal(rich->time, "X-Time");
    assert_string_equal(rich->message, "{method} {url}.{time}.{body}");
    assert_int_equal(read_clean(HEAD BILLING "    algorithm: sha1\n")->sources[0].webhook.scheme->signing,
                     SIGNING_HMAC_SHA1);
}

static void test_a_form(void **state) {
    (void)state;
    const struct source_settings *plain = &read_clean(HEAD CONTACT)->sources[0], *full;
    assert_int_equal(plain->kind, SOURCE_FORM);
    assert_str(plain->form.event, "contact.submitted");
    assert_int_equal(plain->form.field_count + plain->form.origins.count, 0);
    assert_int_equal(plain->form.language, FORM_ENGLISH);
    assert_true(plain->form.limit.count == 10 && plain->form.limit.window_us == US_PER_MIN);
    assert_true(plain->form.least_us == 2 * US_PER_S && plain->form.window_us == 10 * US_PER_MIN);
    full =
        &read_clean(HEAD CONTACT "    event: LEAD\n    language: de\n    limit: 5/h\n    least_time: 0s\n"
                                 "    origins: [https://a.example, https://b.example:8443]\n"
                                 "    fields:\n      email: required\n      name: optional\n      town:\n"
                                 "      plan: {kind: choice, choices: [a, b], required: true, label: Plan, max: 10}\n")
             ->sources[0];
    const struct form_field *fields = full->form.fields;
    assert_str(full->form.event, "LEAD");
    assert_int_equal(full->form.language, FORM_GERMAN);
    assert_str(full->form.origins.items[1], "https://b.example:8443");
    assert_int_equal(full->form.field_count, 4);
    assert_true(fields[0].required && fields[0].kind == FORM_EMAIL && fields[0].max == 2000);
    assert_true(!fields[1].required && fields[1].kind == FORM_TEXT);
    assert_true(!fields[2].required && fields[2].kind == FORM_TEXT);
    assert_true(fields[3].required && fields[3].kind == FORM_CHOICE && fields[3].max == 10);
    assert_str(fields[3].choices.items[1], "b");
    assert_str(fields[3].label, "Plan");
}

static void test_the_public_address(void **state) {
    (void)state;
    assert_str(read_clean("version: 1\nserver: {url: https://hooks.example.com/}\n")->server.url,
               "https://hooks.example.com");
    assert_str(read_clean("version: 1\nserver: {url: https://example.com/drumbeat/}\n")->server.url,
               "https://example.com/drumbeat");
    assert_str(read_clean("version: 1\n")->server.url, "");
}

static void test_changes(void **state) {
    (void)state;
    static const struct {
        const char *before, *after, *changes;
    } cases[] = {
        {HEAD STRIPE, HEAD STRIPE BILLING, "source billing added\n"},
        {HEAD STRIPE BILLING, HEAD BILLING, "source stripe removed\n"},
        {HEAD STRIPE, HEAD STRIPE "    type: stripe\n", ""},
        {HEAD STRIPE, HEAD STRIPE "    old_secret: ${STRIPE_OLD}\n    tolerance: 1m\n",
         "source stripe: old_secret changed\nsource stripe: tolerance 5m -> 1m\n"},
        {HEAD STRIPE, HEAD "  stripe:\n    secret: ${STRIPE_NEW}\n    type: paddle\n",
         "source stripe: type stripe -> paddle\nsource stripe: secret changed\n"},
        {HEAD BILLING,
         HEAD BILLING "    algorithm: sha1\n    encoding: base64\n    prefix: a=\n    time: X-T\n"
                      "    signed: \"{time}{body}\"\n    map: {type: /a, key: /b, at: /c}\n",
         "source billing: algorithm sha256 -> sha1\nsource billing: encoding hex -> base64\n"
         "source billing: prefix none -> a=\nsource billing: signed none -> {time}{body}\n"
         "source billing: time none -> X-T\nsource billing: map.type none -> /a\nsource billing: map.key none -> /b\n"
         "source billing: map.at none -> /c\n"},
        {HEAD CONTACT, HEAD "  contact:\n    type: stripe\n    secret: ${STRIPE}\n",
         "source contact: type form -> stripe\n"},
        {HEAD CONTACT "    fields: {email: required, name: optional}\n",
         HEAD CONTACT "    event: LEAD\n    limit: 3/h\n    origins: [https://a.example, https://b.example]\n"
                      "    fields: {email: optional, plan: {kind: choice, choices: [a, b]}}\n",
         "source contact: event contact.submitted -> LEAD\n"
         "source contact: field email: required true -> false\nsource contact: field plan added\n"
         "source contact: field name removed\n"
         "source contact: origins none -> https://a.example, https://b.example\n"
         "source contact: limit 10/m -> 3/h\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf text = {.arena = &arena};
        struct change *change = config_diff(&arena, read_clean(cases[i].before), read_clean(cases[i].after));
        for (; change; change = change->next) {
            assert_false(change->needs_restart);
            buf_fmt(&text, "%.*s\n", STR_ARG(change->text));
        }
        assert_str(buf_str(&text), cases[i].changes);
        assert_false(fixture_holds(buf_str(&text), "canary"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_source_of_a_senders_name),
        cmocka_unit_test(test_a_source_that_says_itself_how_it_signs),
        cmocka_unit_test(test_a_form),
        cmocka_unit_test(test_the_public_address),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
