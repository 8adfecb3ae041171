/* Samples are signed as their senders would sign them: what webhook_sample makes, webhook_take takes. */
#include "kit.h"

#include "base/json.h"

static bool make(struct kit *kit, const char *fields, const char *what, struct str *ret_problem) {
    struct json *parsed;
    assert_int_equal(json_parse(str_from(fields), JSON_DEPTH_MAX, &parsed, NULL), ERR_NONE);
    struct json *grown = json_copy(parsed); /* a sample adds to it */
    struct sample_wish wish = {grown, str_from(what), STR("sample-1"), kit->wall_us};
    bool made = webhook_sample(&kit->source, &kit->settings.server, &wish, &kit->arena, &kit->request, ret_problem);
    json_free(grown);
    json_free(parsed);
    return made;
}

static const struct event *taken(struct kit *kit) {
    if (kit_take(kit)) fail_msg("%s: %.*s", kit->source.type.p, STR_ARG(kit->words));
    assert_int_equal(kit->posting.intake.count, 1);
    assert_true(kit->posting.intake.items[0].valid);
    return &kit->posting.intake.items[0].event;
}

static void test_a_sample_of_each_sender_is_taken(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct str problem = STR("");
        kit_load(kit, &samples[i]);
        bool is_public = !strcmp(samples[i].type, "sendgrid") || str_starts(kit->source.webhook.secret, STR("whpk_"));
        bool made = make(kit, "{\"name\":\"Gr\u00fc\u00dfe & +%\"}", "thing.made", &problem);
        if (made == is_public) fail_msg("%s: %.*s", samples[i].type, STR_ARG(problem));
        if (is_public) continue;
        const struct event *event = taken(kit);
        struct str of_type = str_fmt(&kit->arena, "%s.thing.made", samples[i].type);
        assert_str(event->type, of_type.p);
        assert_true(memmem(event->payload.p, event->payload.n, "Gr\u00fc\u00dfe & +%", 12) != NULL);
        kit->source.webhook.secret = STR("another:secret-0123456789");
        assert_int_equal(kit_take(kit), ERR_UNSIGNED);
    }
}

static void test_a_sample_keeps_what_its_fields_say(void **state) {
    struct kit *kit = *state;
    struct str problem;
    kit_load(kit, kit_sample("stripe"));
    assert_true(make(kit, "{\"id\":\"evt_own\",\"type\":\"charge.failed\"}", "other", &problem));
    assert_str(taken(kit)->key, "stripe:evt_own");
    assert_str(taken(kit)->type, "stripe.charge.failed");
    assert_true(make(kit, "{}", "", &problem));
    assert_str(taken(kit)->key, "stripe:sample-1");
    assert_str(taken(kit)->type, "stripe.invoice.paid");
}

/* A route that waits for what the sender sends is tried by a sample that says no type. */
static void test_a_sample_without_a_type_is_one_that_the_sender_sends(void **state) {
    struct kit *kit = *state;
    struct str problem;
    static const char *const types[][2] = {{"typeform", "typeform.form_response"},
                                           {"github", "github.release.published"},
                                           {"shopify", "shopify.orders.create"},
                                           {"tally", "tally.FORM_RESPONSE"},
                                           {"mailgun", "mailgun.delivered"},
                                           {"hubspot", "hubspot.contact.creation"},
                                           {"bearer", "bearer.sample"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        kit_load(kit, kit_sample(types[i][0]));
        assert_true(make(kit, "{}", "", &problem));
        assert_str(taken(kit)->type, types[i][1]);
    }
}

static void test_places_of_the_users_own(void **state) {
    struct kit *kit = *state;
    struct str problem;
    kit_load(kit, kit_sample("bearer"));
    kit->source.webhook.map_type = STR("/event/a~1b~0");
    kit->source.webhook.map_key = STR("/order/id+/order/version");
    assert_true(make(kit, "{}", "paid", &problem));
    assert_str(taken(kit)->type, "bearer.paid");
    assert_str(taken(kit)->key, "bearer:sample-1:sample-1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        TEST(test_a_sample_of_each_sender_is_taken),
        TEST(test_a_sample_keeps_what_its_fields_say),
        TEST(test_a_sample_without_a_type_is_one_that_the_sender_sends),
        TEST(test_places_of_the_users_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
