/* connectors/slack.yaml, from the file itself. */
#include "kit_connector.h"

static struct kit *kit;

#define WEBHOOK "https://hooks.slack.com/services/T000/B000/XXXX"

static int setup(void **state) {
    (void)state;
    kit = kit_new();
    kit_add_file(kit, "connectors/slack.yaml");
    kit_no_findings(kit);
    kit_compile(kit);
    kit->destination.name = kit->destination.type = STR("slack");
    kit->destination.url = STR(WEBHOOK);
    kit->delivery.action = STR("message");
    kit->delivery.params = STR("{\"text\":\"New lead: Ada <ada@example.com>\",\"blocks\":null}");
    kit_bind(kit);
    kit_no_findings(kit);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(kit);
    return 0;
}

static void a_message_goes_to_the_webhook(void **state) {
    (void)state;
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit->outgoing.method, "POST");
    assert_text(kit->outgoing.url, WEBHOOK);
    assert_text(kit->outgoing.body, "{\"text\":\"New lead: Ada <ada@example.com>\"}");
    assert_text(kit_header(kit, "Content-Type"), "application/json");
    assert_text(kit_header(kit, "Authorization"), "");
}

static void blocks_go_along(void **state) {
    (void)state;
    kit->delivery.params = STR("{\"text\":\"t\",\"blocks\":[{\"type\":\"divider\"}],\"unfurl_links\":false}");
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit->outgoing.body, "{\"text\":\"t\",\"blocks\":[{\"type\":\"divider\"}],\"unfurl_links\":false}");
}

static const struct {
    int32_t status;
    const char *body;
    enum outcome_class class;
    bool pause, throttled;
} rows[] = {
    {200, "ok", OUTCOME_DONE, false, false},
    {200, "ok\n", OUTCOME_DONE, false, false},
    {200, "", OUTCOME_UNKNOWN, false, false},
    {200, "<html>maintenance</html>", OUTCOME_UNKNOWN, false, false},
    {400, "invalid_payload", OUTCOME_FAILED, false, false},
    {400, "no_text", OUTCOME_FAILED, false, false},
    {403, "action_prohibited", OUTCOME_RETRY, true, false},
    {404, "no_service", OUTCOME_RETRY, true, false},
    {410, "channel_is_archived", OUTCOME_RETRY, true, false},
    {429, "rate_limited", OUTCOME_RETRY, false, true},
    {500, "rollup_error", OUTCOME_UNKNOWN, false, false},
    {502, "", OUTCOME_UNKNOWN, false, false},
    {503, "", OUTCOME_RETRY, false, false},
};

static void slacks_answers_are_understood(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kit_answer(kit, rows[i].status, "", rows[i].body);
        struct outcome outcome = kit_outcome(kit);
        if (outcome.class != rows[i].class || outcome.pause != rows[i].pause || outcome.throttled != rows[i].throttled)
            fail_msg("%d %s: %s", rows[i].status, rows[i].body, outcome_text(outcome.class));
    }
}

static void its_wait_is_obeyed(void **state) {
    (void)state;
    kit_answer(kit, 429, "Retry-After: 30", "");
    struct outcome outcome = kit_outcome(kit);
    assert_int_equal(outcome.not_before_us, NOW + 30 * US_PER_S);
    assert_int_equal(outcome.quiet_until_us, NOW + 30 * US_PER_S);
}

static void a_lost_answer_is_held(void **state) {
    (void)state;
    kit->answer = (struct answer){.end = EXCHANGE_TIMED_OUT};
    assert_int_equal(kit_outcome(kit).class, OUTCOME_UNKNOWN);
    assert_int_equal(kit_traits(kit)->on_unknown, ON_UNKNOWN_HOLD);
    assert_int_equal(kit_traits(kit)->key_life_us, 0);
    assert_false(kit_traits(kit)->has_lookup);
}

static void its_documented_limit_is_kept(void **state) {
    (void)state;
    assert_int_equal(kit->destination.limit_count, 1);
    assert_int_equal(kit->destination.limits[0].count, 1);
    assert_int_equal(kit->destination.limits[0].window_us, US_PER_S);
}

static void the_address_is_needed_and_secret(void **state) {
    (void)state;
    const struct catalog_entry *entry = catalog_find(connectors_catalog(kit->connectors), STR("slack"));
    assert_true(entry->fields[0].secret && entry->fields[0].required);
    kit->destination.url = STR_NONE;
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 1);
    assert_string_equal(kit->findings.first->code, "E0350");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_message_goes_to_the_webhook),
        CASE(blocks_go_along),
        CASE(slacks_answers_are_understood),
        CASE(its_wait_is_obeyed),
        CASE(a_lost_answer_is_held),
        CASE(its_documented_limit_is_kept),
        CASE(the_address_is_needed_and_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
