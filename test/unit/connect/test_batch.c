/* Many deliveries in one call, by everything.yaml: by position, by key, all or nothing. */
#include "kit_connector.h"

#define MANY 5

static struct kit *kit;
static struct delivery many[MANY];
static struct outcome outcomes[MANY];

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

/* One delivery for each text of parameters. */
static void use(const char *action, const char *const *params, size_t count) {
    for (size_t i = 0; i < count; i++) {
        many[i] = kit->delivery;
        many[i].key.b[15] = (uint8_t)i;
        many[i].action = str_from(action);
        many[i].params = str_from(params[i]);
        many[i].batch = kit->delivery.key;
        kit->deliveries[i] = &many[i];
    }
    kit->context.count = count;
}

static void request(void) {
    if (kit_request(kit)) fail_msg("%.*s", STR_ARG(kit->problem));
}

static void answer(int32_t status, const char *body) {
    kit_answer(kit, status, "", body);
    memset(outcomes, 0, sizeof outcomes);
    connect_answer(&kit->context, &kit->answer, &kit->evaluator, outcomes);
}

static const char *const messages[] = {
    "{\"to\":\"a\",\"text\":\"1\",\"channel\":\"c\"}", "{\"to\":\"b\",\"text\":\"2\",\"channel\":\"c\"}",
    "{\"to\":\"c\",\"text\":\"3\",\"channel\":\"c\"}", "{\"to\":\"d\",\"text\":\"4\",\"channel\":\"c\"}",
    "{\"to\":\"e\",\"text\":\"5\",\"channel\":\"c\"}"};
#define ID "01234567-89ab-8def-8123-456789abcdef"

static void items_are_joined_under_the_sets_own_key(void **state) {
    (void)state;
    use("send", messages, 2);
    request();
    assert_text(kit->outgoing.url, "https://api.everything.example/v1/batch");
    assert_text(
        kit->outgoing.body,
        "{\"messages\":[{\"to\":\"a\",\"text\":\"1\",\"index\":0,\"key\":\"01234567-89ab-8def-8123-456789abcd00\"},"
        "{\"to\":\"b\",\"text\":\"2\",\"index\":1,\"key\":\"01234567-89ab-8def-8123-456789abcd01\"}]}");
    assert_text(kit_header(kit, "Idempotency-Key"), ID);
    assert_text(kit_header(kit, "Authorization"), "Bearer s3cret");
    assert_int_equal(kit->outgoing.answer_max, 512 << 10);
}

static void one_alone_takes_the_plain_form(void **state) {
    (void)state;
    use("send", messages, 1);
    many[0].batch = (struct uuid){0};
    request();
    assert_int_equal(kit->outgoing.answer_max, 0);
    assert_begins(kit->outgoing.url, "https://api.everything.example/v1/channels/c/messages");
    assert_text(kit_header(kit, "Idempotency-Key"), "01234567-89ab-8def-8123-456789abcd00");
}

/* What was frozen as a set stays one, so that the same bytes go out under the same key. */
static void a_frozen_set_of_one_takes_the_batch_form(void **state) {
    (void)state;
    use("send", messages, 1);
    request();
    assert_text(kit->outgoing.url, "https://api.everything.example/v1/batch");
    assert_text(kit_header(kit, "Idempotency-Key"), ID);
}

static void an_action_may_have_the_batch_form_alone(void **state) {
    (void)state;
    static const char *const contact[] = {
        "{\"email\":\"Ada@Example.com\",\"properties\":{\"plan\":\"pro\",\"email\":\"x\"}}"};
    use("contact", contact, 1);
    many[0].batch = (struct uuid){0};
    request();
    assert_text(kit->outgoing.body,
                "{\"inputs\":[{\"id\":\"Ada@Example.com\",\"properties\":{\"plan\":\"pro\",\"email\":"
                "\"Ada@Example.com\"}}],\"by\":\"email\"}");
}

static void items_are_answered_by_position(void **state) {
    (void)state;
    use("send", messages, 4);
    answer(207, "{\"results\":[{\"code\":0,\"id\":\"m1\"},{\"code\":7,\"id\":\"m0\"},{\"code\":429,\"wait\":20},"
                "{\"code\":300,\"text\":\"bad address\"}]}");
    assert_int_equal(outcomes[0].class, OUTCOME_DONE);
    assert_text(outcomes[0].remote_id, "m1");
    assert_false(outcomes[0].repeat);
    assert_int_equal(outcomes[1].class, OUTCOME_DONE);
    assert_true(outcomes[1].repeat);
    assert_int_equal(outcomes[2].class, OUTCOME_RETRY);
    assert_true(outcomes[2].throttled);
    assert_int_equal(outcomes[2].not_before_us, NOW + 20 * US_PER_S);
    assert_int_equal(outcomes[3].class, OUTCOME_FAILED);
    assert_text(outcomes[3].error, "answered 207: bad address");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(outcomes[i].http_status, 207);
        assert_int_equal(outcomes[i].quiet_until_us, NOW + 20 * US_PER_S); /* the account is one */
    }
}

static void another_number_of_items_tells_nothing(void **state) {
    (void)state;
    static const char *const bodies[] = {"{\"results\":[{\"code\":0,\"id\":\"m1\"}]}",
                                         "{\"results\":[{\"code\":0},{\"code\":0},{\"code\":0}]}",
                                         "{\"results\":[]}",
                                         "{\"results\":{}}",
                                         "{}",
                                         "done",
                                         ""};
    use("send", messages, 2);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        answer(200, bodies[i]);
        assert_int_equal(outcomes[0].class, OUTCOME_UNKNOWN);
        assert_int_equal(outcomes[1].class, OUTCOME_UNKNOWN);
        assert_true(outcomes[1].error.n > 0);
    }
}

static void a_failed_call_is_the_answer_of_all(void **state) {
    (void)state;
    use("send", messages, 3);
    answer(400, "{\"message\":\"no\"}");
    for (size_t i = 0; i < 3; i++) assert_int_equal(outcomes[i].class, OUTCOME_FAILED);
    answer(503, "");
    for (size_t i = 0; i < 3; i++) assert_int_equal(outcomes[i].class, OUTCOME_RETRY);
    kit_answer(kit, 200, "", "{\"results\":[{\"code\":0}");
    kit->answer.body_complete = false;
    connect_answer(&kit->context, &kit->answer, &kit->evaluator, outcomes);
    for (size_t i = 0; i < 3; i++) assert_int_equal(outcomes[i].class, OUTCOME_UNKNOWN);
    assert_begins(outcomes[0].error, "answered 200: the answer was cut");
    kit->answer = (struct answer){.end = EXCHANGE_CUT};
    connect_answer(&kit->context, &kit->answer, &kit->evaluator, outcomes);
    for (size_t i = 0; i < 3; i++) assert_int_equal(outcomes[i].class, OUTCOME_UNKNOWN);
}

/* Which of them the provider means is not said, where there is more than one that it can mean. */
static void a_call_that_is_refused_is_refused_for_several(void **state) {
    (void)state;
    static const char *const one_bad[] = {"{\"to\":\"a\",\"text\":\"1\",\"channel\":\"c\"}", "{\"text\":\"2\"}"};
    use("send", messages, 3);
    request();
    answer(400, "{\"error\":\"no\"}");
    for (int i = 0; i < 3; i++) assert_true(outcomes[i].joint);
    answer(200, "{\"results\":[{\"code\":0},{\"code\":1},{\"code\":1}]}");
    for (int i = 0; i < 3; i++) assert_false(outcomes[i].joint);
    use("send", one_bad, 2);
    request();
    answer(400, "{\"error\":\"no\"}");
    assert_false(outcomes[0].joint);
    assert_false(outcomes[1].joint);
}

/* One that cannot be filled fails alone, and positions are counted without it. */
static void a_bad_delivery_is_left_out(void **state) {
    (void)state;
    static const char *const params[] = {"{\"to\":\"a\",\"text\":\"1\",\"channel\":\"c\"}",
                                         "{\"to\":\"b\",\"channel\":\"c\"}",
                                         "{\"to\":\"c\",\"text\":\"3\",\"channel\":\"c\"}"};
    use("send", params, 3);
    request();
    assert_text(
        kit->outgoing.body,
        "{\"messages\":[{\"to\":\"a\",\"text\":\"1\",\"index\":0,\"key\":\"01234567-89ab-8def-8123-456789abcd00\"},"
        "{\"to\":\"c\",\"text\":\"3\",\"index\":1,\"key\":\"01234567-89ab-8def-8123-456789abcd02\"}]}");
    answer(200, "{\"results\":[{\"code\":0,\"id\":\"m1\"},{\"code\":0,\"id\":\"m3\"}]}");
    assert_text(outcomes[0].remote_id, "m1");
    assert_int_equal(outcomes[1].class, OUTCOME_FAILED);
    assert_text(outcomes[1].error, "parameter 'text' is missing");
    assert_int_equal(outcomes[1].http_status, 0);
    assert_text(outcomes[2].remote_id, "m3");
    kit->answer = (struct answer){.end = EXCHANGE_CUT};
    connect_answer(&kit->context, &kit->answer, &kit->evaluator, outcomes);
    assert_int_equal(outcomes[0].class, OUTCOME_UNKNOWN);
    assert_int_equal(outcomes[1].class, OUTCOME_FAILED);
}

static void a_set_of_bad_deliveries_is_refused(void **state) {
    (void)state;
    static const char *const params[] = {"{\"to\":\"a\",\"channel\":\"c\"}", "{\"to\":\"b\",\"channel\":\"c\"}"};
    use("send", params, 2);
    assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
    assert_text(kit->problem, "parameter 'text' is missing");
}

static const char *const contacts[] = {"{\"email\":\"Ada@example.com\"}", "{\"email\":\"bob@example.com\"}",
                                       "{\"email\":\"ada@EXAMPLE.com\",\"properties\":{\"n\":2}}",
                                       "{\"email\":\"eve@example.com\"}", "{\"email\":\"dan@example.com\"}"};

static void items_are_answered_by_key(void **state) {
    (void)state;
    use("contact", contacts, 5);
    answer(207,
           "{\"results\":[{\"email\":\"bob@example.com\",\"id\":2},{\"email\":\"ADA@example.com\",\"id\":1}],"
           "\"errors\":[{\"email\":\"eve@example.com\",\"category\":\"VALIDATION\",\"message\":\"bad property\"}]}");
    assert_text(outcomes[0].remote_id, "1");
    assert_text(outcomes[1].remote_id, "2");
    assert_int_equal(outcomes[3].class, OUTCOME_FAILED);
    assert_text(outcomes[3].error, "answered 207: bad property");
    assert_int_equal(outcomes[4].class, OUTCOME_RETRY); /* as `missing` says */
    assert_text(outcomes[4].error, "answered 207: the answer has no item for it");
}

/* Two of one key in a call would fail it: the later one waits and spends nothing. */
static void a_second_of_one_key_waits(void **state) {
    (void)state;
    use("contact", contacts, 3);
    request();
    assert_text(kit->outgoing.body,
                "{\"inputs\":[{\"id\":\"Ada@example.com\",\"properties\":{\"email\":\"Ada@example.com\"}},"
                "{\"id\":\"bob@example.com\",\"properties\":{\"email\":\"bob@example.com\"}}],\"by\":\"email\"}");
    answer(200, "{\"results\":[{\"email\":\"ada@example.com\",\"id\":1},{\"email\":\"bob@example.com\",\"id\":2}]}");
    assert_int_equal(outcomes[0].class, OUTCOME_DONE);
    assert_int_equal(outcomes[1].class, OUTCOME_DONE);
    assert_true(outcomes[2].unsent);
    assert_false(outcomes[0].unsent);
    answer(500, "");
    assert_false(outcomes[1].unsent);
    assert_true(outcomes[2].unsent);
}

static const char *nonce_of(int letters) {
    return str_fmt(&kit->arena, "{\"text\":\"%0*d\"}%c", letters, 7, '\0').p;
}

/* What the provider would refuse the whole call for fails alone; what would make the call too large waits. */
static void a_call_has_no_more_bytes_than_the_provider_takes(void **state) {
    (void)state;
    const char *params[] = {nonce_of(900), nonce_of(1000), nonce_of(900), nonce_of(900), nonce_of(1)};
    use("nonce", params, 5);
    request();
    assert_true(kit->outgoing.body.n > 1800 && kit->outgoing.body.n <= 2048);
    answer(200, "");
    assert_int_equal(outcomes[0].class, OUTCOME_DONE);
    assert_int_equal(outcomes[1].class, OUTCOME_FAILED);
    assert_text(outcomes[1].error, "it has 1055 bytes as JSON, and the provider takes 1024 at most");
    assert_int_equal(outcomes[2].class, OUTCOME_DONE);
    assert_true(outcomes[3].unsent && outcomes[3].class == OUTCOME_RETRY);
    assert_int_equal(outcomes[4].class, OUTCOME_DONE);
    use("nonce", &params[1], 1);
    assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
    assert_text(kit->problem, "it has 1055 bytes as JSON, and the provider takes 1024 at most");
}

static void all_or_nothing(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"text\":\"a\"}", "{\"text\":\"b\"}"};
    use("nonce", texts, 2);
    request();
    assert_text(kit->outgoing.body, "[{\"text\":\"a\",\"meta\":{\"nonce\":\"aerukz4jvog67ajdivtytk6n\"}},"
                                    "{\"text\":\"b\",\"meta\":{\"nonce\":\"aerukz4jvog67ajdivtytk6n\"}}]");
    answer(200, "");
    assert_int_equal(outcomes[0].class, OUTCOME_DONE);
    assert_int_equal(outcomes[1].class, OUTCOME_DONE);
    assert_int_equal(kit->runs, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(items_are_joined_under_the_sets_own_key),
        CASE(one_alone_takes_the_plain_form),
        CASE(a_frozen_set_of_one_takes_the_batch_form),
        CASE(an_action_may_have_the_batch_form_alone),
        CASE(items_are_answered_by_position),
        CASE(another_number_of_items_tells_nothing),
        CASE(a_failed_call_is_the_answer_of_all),
        CASE(a_call_that_is_refused_is_refused_for_several),
        CASE(a_bad_delivery_is_left_out),
        CASE(a_set_of_bad_deliveries_is_refused),
        CASE(items_are_answered_by_key),
        CASE(a_second_of_one_key_waits),
        CASE(a_call_has_no_more_bytes_than_the_provider_takes),
        CASE(all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
