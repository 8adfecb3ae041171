/* What a connector tells config, and what binding gives a destination, by everything.yaml. */
#include "kit_connector.h"

static struct kit *kit;

static int setup(void **state) {
    (void)state;
    kit = kit_everything();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(kit);
    return 0;
}

static void use(const char *action, const char *params) {
    kit->delivery.action = str_from(action);
    kit->delivery.params = str_from(params);
}

static void the_catalog_names_fields_actions_and_parameters(void **state) {
    (void)state;
    const struct catalog_entry *entry = catalog_find(connectors_catalog(kit->connectors), STR("everything"));
    assert_non_null(entry);
    assert_int_equal(entry->field_count, 3);
    assert_text(entry->fields[0].name, "token");
    assert_true(entry->fields[0].secret && entry->fields[0].required);
    assert_text(entry->fields[0].help, "the API key");
    assert_false(entry->fields[1].secret || entry->fields[1].required);
    assert_int_equal(entry->action_count, 6);
    const struct catalog_action *send = catalog_action(entry, STR("send"));
    assert_non_null(send);
    assert_int_equal(send->param_count, 7);
    assert_true(send->params[0].required && send->params[1].required);
    assert_text(send->params[1].help, "what it says");
    assert_false(send->params[3].required);
}

static void binding_fills_limits_and_traits(void **state) {
    (void)state;
    assert_int_equal(kit->destination.limit_count, 2);
    assert_int_equal(kit->destination.limits[0].count, 10);
    assert_int_equal(kit->destination.limits[0].window_us, US_PER_S);
    assert_int_equal(kit->destination.limits[1].count, 300);
    assert_int_equal(kit->destination.limits[1].window_us, 15 * US_PER_MIN);
    assert_int_equal(kit->destination.concurrency, 4);
    assert_int_equal(kit->destination.penalty_us, 30 * US_PER_S);
    assert_int_equal(kit->destination.action_count, 6);
    const struct action_traits *send = kit_traits(kit);
    assert_true(send->has_lookup);
    assert_int_equal(send->lookup_settle_us, US_PER_MIN);
    assert_int_equal(send->key_life_us, US_PER_DAY);
    assert_int_equal(send->batch_max, 100);
    assert_int_equal(send->on_unknown, ON_UNKNOWN_RETRY);
    use("ping", "{}");
    assert_int_equal(kit_traits(kit)->on_unknown, ON_UNKNOWN_HOLD);
    assert_int_equal(kit_traits(kit)->key_life_us, 0);
    assert_int_equal(kit_traits(kit)->batch_max, 1);
    use("contact", "{}");
    assert_int_equal(kit_traits(kit)->on_unknown, ON_UNKNOWN_RETRY);
    assert_int_equal(kit_traits(kit)->key_life_us, WHEN_NEVER);
}

static void what_is_configured_wins_over_what_is_documented(void **state) {
    (void)state;
    kit->destination.limits[0] = (struct limit_rule){5, US_PER_S};
    kit->destination.limit_count = 1;
    kit->destination.concurrency = 2;
    kit->destination.on_unknown = ON_UNKNOWN_HOLD;
    kit_bind(kit);
    assert_int_equal(kit->destination.limit_count, 1);
    assert_int_equal(kit->destination.concurrency, 2);
    assert_int_equal(kit_traits(kit)->on_unknown, ON_UNKNOWN_HOLD);
}

static void a_limit_per_value_wants_a_parameter(void **state) {
    (void)state;
    kit->destination.meter = STR("text");
    kit->destination.meter_limits[0] = (struct limit_rule){1, US_PER_S};
    kit->destination.meter_limit_count = 1;
    kit_bind(kit);
    assert_int_equal(kit->destination.limit_count, 2); /* those of the connector hold beside it */
    size_t errors = kit->findings.errors;
    kit->destination.meter = STR("txet");
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, errors + 1);
    assert_text(kit->findings.first->text,
                "destination 'everything': no action of connector 'everything' has a parameter 'txet' to limit by; "
                "there are: to, text, channel, tags, at, reply_to, extra, email, html, count, site, loud, properties");
}

static void a_delivery_is_counted_by_the_text_of_its_value(void **state) {
    (void)state;
    static const struct {
        const char *params, *value;
    } values[] = {{"{\"text\":\"C1\"}", "C1"},
                  {"{\"text\":7}", "7"},
                  {"{\"text\":\"7\"}", "7"},
                  {"{\"text\":-100123}", "-100123"},
                  {"{\"text\":null}", ""},
                  {"{}", ""},
                  {"{\"text\":\"a\\u0000b\"}", "a?b"},
                  {"{\"text\":\"\\u00e9\"}", "\xc3\xa9"}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        kit->delivery.params = str_from(values[i].params);
        struct str value = connect_metered(&kit->destination, &kit->delivery, STR("text"), &kit->arena);
        assert_text(value, values[i].value);
    }
    struct buf long_one = {.arena = &kit->arena};
    buf_add(&long_one, STR("{\"text\":\"x"));
    for (int i = 0; i < 200; i++) buf_add(&long_one, STR("\xc3\xa9"));
    buf_add(&long_one, STR("\"}"));
    kit->delivery.params = buf_str(&long_one);
    assert_int_equal(connect_metered(&kit->destination, &kit->delivery, STR("text"), &kit->arena).n, 199);
}

static void retry_without_a_key_is_warned_about(void **state) {
    (void)state;
    kit->destination.on_unknown = ON_UNKNOWN_RETRY;
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 0);
    assert_int_equal(kit->findings.warnings, 2); /* ping and upsert */
    assert_string_equal(kit->findings.first->code, "W0356");
}

static void a_lookup_that_is_not_there_cannot_be_asked_for(void **state) {
    (void)state;
    kit->destination.on_unknown = ON_UNKNOWN_LOOKUP;
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 5); /* all actions but send */
}

static void a_missing_field_is_a_finding(void **state) {
    (void)state;
    kit_set_field(kit, "token", "");
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 1);
    assert_string_equal(kit->findings.first->code, "E0350");
    assert_text(kit->findings.first->text,
                "destination 'everything': 'token' is missing: connector 'everything' needs it");
}

static const struct {
    const char *server, *code;
} bad_servers[] = {{"ftp://example.com", "E0351"},       {"api.example.com", "E0351"},  {"https://", "E0351"},
                   {"https://u:p@example.com", "E0351"}, {"http://127.0.0.1", "E0351"}, {"http://[::1]:8080", "E0351"},
                   {"http://169.254.169.254", "E0351"},  {"https://a\r\nb", "E0352"}};

static void a_server_that_cannot_be_called_is_a_finding(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_servers / sizeof *bad_servers; i++) {
        kit->findings = (struct findings){.arena = &kit->arena};
        kit_set_field(kit, "server", bad_servers[i].server);
        kit_bind(kit);
        if (kit->findings.errors != 1 || strcmp(kit->findings.first->code, bad_servers[i].code))
            fail_msg("%s: %zu findings", bad_servers[i].server, kit->findings.errors);
    }
    kit->findings = (struct findings){.arena = &kit->arena};
    kit_set_field(kit, "server", "http://127.0.0.1:9000");
    kit->destination.allow_private = true;
    kit_bind(kit);
    kit_no_findings(kit);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(the_catalog_names_fields_actions_and_parameters), CASE(binding_fills_limits_and_traits),
        CASE(what_is_configured_wins_over_what_is_documented), CASE(a_limit_per_value_wants_a_parameter),
        CASE(a_delivery_is_counted_by_the_text_of_its_value),  CASE(retry_without_a_key_is_warned_about),
        CASE(a_lookup_that_is_not_there_cannot_be_asked_for),  CASE(a_missing_field_is_a_finding),
        CASE(a_server_that_cannot_be_called_is_a_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
