#include "kit_answer.h"

static struct kit *kit;

static int setup(void **state) {
    (void)state;
    kit = kit_new();
    kit_bind(kit);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(kit);
    return 0;
}

#define ID "01234567-89ab-8def-8123-456789abcdef"

static void the_payload_goes_out_as_received(void **state) {
    (void)state;
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit->outgoing.method, "POST");
    assert_text(kit->outgoing.url, "https://crm.example.com/leads");
    assert_ptr_equal(kit->outgoing.body.p, kit->event.payload.p);
    assert_int_equal(kit->outgoing.timeout_us, 10 * US_PER_S);
    assert_false(kit->outgoing.allow_private);
}

static void parameters_take_the_place_of_the_payload(void **state) {
    (void)state;
    kit->delivery.params = STR("{\"kind\":\"followup\"}");
    kit->destination.allow_private = true;
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit->outgoing.body, "{\"kind\":\"followup\"}");
    assert_true(kit->outgoing.allow_private);
}

static const struct {
    const char *name, *value;
} expected_headers[] = {
    {"Content-Type", "application/json"},
    {"Idempotency-Key", ID},
    {"webhook-id", ID},
    {"webhook-timestamp", "1795521600"},
    {"webhook-signature", ""},
    {"X-Drumbeat-Event", "01936f3e-0000-7000-8000-0000000000aa"},
    {"X-Drumbeat-Type", "LEAD_CAPTURE"},
    {"X-Drumbeat-Attempt", "3"},
    {"traceparent", "00-01936f3e0000700080000000000000aa-0123456789ab8ded-01"},
    {"User-Agent", "drumbeat/" DRUMBEAT_VERSION},
};

static void the_headers_of_the_contract_are_sent(void **state) {
    (void)state;
    kit->delivery.attempts = 2;
    assert_int_equal(kit_request(kit), ERR_NONE);
    for (size_t i = 0; i < sizeof expected_headers / sizeof *expected_headers; i++)
        assert_text(kit_header(kit, expected_headers[i].name), expected_headers[i].value);
    assert_int_equal(kit->outgoing.header_count, sizeof expected_headers / sizeof *expected_headers - 1);
}

static void the_id_is_the_same_in_each_attempt(void **state) {
    (void)state;
    assert_int_equal(kit_request(kit), ERR_NONE);
    struct str first = kit_header(kit, "idempotency-key");
    kit->delivery.attempts = 1;
    kit->context.now_us += US_PER_HOUR;
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_true(str_eq(first, kit_header(kit, "idempotency-key")));
    assert_text(kit_header(kit, "webhook-timestamp"), "1795525200");
}

/* Computed with openssl: printf '%s.1795521600.%s' ID BODY | openssl dgst -sha256 -hmac
 * 0123456789abcdef0123456789abcdef -binary | base64 */
#define SIGNATURE "v1,ccMZkw96mTXmEAuIQUzwrxxF6uXCWkCOhWSi8yYFQYI="

static void a_secret_signs(void **state) {
    (void)state;
    static const char *const secrets[] = {"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
                                          "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="};
    for (size_t i = 0; i < 2; i++) {
        kit->destination.signing_secret = str_from(secrets[i]);
        assert_int_equal(kit_request(kit), ERR_NONE);
        assert_text(kit_header(kit, "webhook-signature"), SIGNATURE);
    }
}

static void own_headers_override_and_add(void **state) {
    (void)state;
    struct header headers[] = {{STR("content-type"), STR("application/vnd.crm+json")},
                               {STR("authorization"), STR("Bearer t")}};
    kit->destination.headers = headers;
    kit->destination.header_count = 2;
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit_header(kit, "Content-Type"), "application/vnd.crm+json");
    assert_text(kit_header(kit, "Authorization"), "Bearer t");
    assert_int_equal(kit->outgoing.header_count, 10);
}

static void a_type_that_would_begin_a_header_is_refused(void **state) {
    (void)state;
    kit->event.type = STR("A\r\nX-Evil: 1");
    assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
    assert_true(kit->problem.n > 0);
}

static void binding_gives_http_its_traits(void **state) {
    (void)state;
    assert_int_equal(kit->destination.action_count, 1);
    const struct action_traits *traits = destination_action(&kit->destination, STR(""));
    assert_non_null(traits);
    assert_false(traits->has_lookup);
    assert_int_equal(traits->key_life_us, WHEN_NEVER);
    assert_int_equal(traits->batch_max, 1);
    assert_int_equal(traits->on_unknown, ON_UNKNOWN_RETRY);
    assert_int_equal(kit->findings.errors, 0);
}

static void the_destinations_word_on_unknown_is_in_force(void **state) {
    (void)state;
    kit->destination.on_unknown = ON_UNKNOWN_HOLD;
    kit_bind(kit);
    assert_int_equal(kit->destination.actions[0].on_unknown, ON_UNKNOWN_HOLD);
    assert_int_equal(kit->findings.errors, 0);
    kit->destination.on_unknown = ON_UNKNOWN_LOOKUP;
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 1);
    assert_string_equal(kit->findings.first->code, "E0353");
}

static void a_secret_that_is_no_base64_is_a_finding(void **state) {
    (void)state;
    kit->destination.signing_secret = STR("whsec_not base64");
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 1);
    assert_string_equal(kit->findings.first->code, "E0354");
}

static void an_unknown_type_is_a_finding(void **state) {
    (void)state;
    kit->destination.type = STR("nowhere");
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 1);
    assert_string_equal(kit->findings.first->code, "E0335");
}

static void http_has_no_lookup(void **state) {
    (void)state;
    assert_int_equal(connect_lookup(&kit->context, &kit->outgoing, &kit->problem), ERR_BAD_FIELD);
}

/* ---- answers ---- */

struct status_row {
    int32_t status;
    enum outcome_class class;
    bool pause, throttled, refused;
};

static const struct status_row statuses[] = {
    {200, OUTCOME_DONE, false, false, false},   {201, OUTCOME_DONE, false, false, false},
    {204, OUTCOME_DONE, false, false, false},   {299, OUTCOME_DONE, false, false, false},
    {301, OUTCOME_FAILED, false, false, false}, {302, OUTCOME_FAILED, false, false, false},
    {304, OUTCOME_FAILED, false, false, false}, {400, OUTCOME_FAILED, false, false, false},
    {401, OUTCOME_RETRY, true, false, false},   {402, OUTCOME_FAILED, false, false, false},
    {403, OUTCOME_RETRY, false, false, true},   {404, OUTCOME_FAILED, false, false, false},
    {408, OUTCOME_RETRY, false, false, false},  {409, OUTCOME_FAILED, false, false, false},
    {410, OUTCOME_RETRY, false, false, true},   {422, OUTCOME_FAILED, false, false, false},
    {425, OUTCOME_RETRY, false, false, false},  {429, OUTCOME_RETRY, false, true, false},
    {499, OUTCOME_FAILED, false, false, false}, {500, OUTCOME_RETRY, false, false, false},
    {502, OUTCOME_RETRY, false, false, false},  {503, OUTCOME_RETRY, false, false, false},
    {599, OUTCOME_RETRY, false, false, false},  {101, OUTCOME_UNKNOWN, false, false, false},
    {600, OUTCOME_UNKNOWN, false, false, false}};

static void statuses_have_their_classes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        const struct status_row *row = &statuses[i];
        kit_answer(kit, row->status, "", "body");
        struct outcome outcome = kit_outcome(kit);
        bool right = outcome.class == row->class && outcome.pause == row->pause &&
                     outcome.throttled == row->throttled && outcome.refused == row->refused &&
                     outcome.http_status == row->status && (outcome.error.n > 0) == (row->class != OUTCOME_DONE);
        if (!right) fail_msg("status %d: class %d", row->status, (int)outcome.class);
    }
    assert_int_equal(kit->runs, 0);
}

struct end_row {
    enum exchange_end end;
    enum outcome_class class;
    bool pause;
};

static const struct end_row ends[] = {
    {EXCHANGE_REFUSED, OUTCOME_RETRY, false},     {EXCHANGE_NO_CONNECT, OUTCOME_RETRY, false},
    {EXCHANGE_NO_ROOM, OUTCOME_RETRY, false},     {EXCHANGE_BAD_URL, OUTCOME_FAILED, false},
    {EXCHANGE_NO_TRUST, OUTCOME_RETRY, true},     {EXCHANGE_CUT, OUTCOME_UNKNOWN, false},
    {EXCHANGE_TIMED_OUT, OUTCOME_UNKNOWN, false}, {EXCHANGE_CANCELLED, OUTCOME_UNKNOWN, false}};

static void what_did_not_come_back_is_told_apart(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        kit->answer =
            (struct answer){.end = ends[i].end, .trouble = "connection reset", .started_us = 5, .finished_us = 9};
        struct outcome outcome = kit_outcome(kit);
        assert_int_equal(outcome.class, ends[i].class);
        assert_int_equal(outcome.pause, ends[i].pause);
        assert_int_equal(outcome.hold, ends[i].end == EXCHANGE_REFUSED);
        assert_int_equal(outcome.unsent, ends[i].end == EXCHANGE_NO_ROOM);
        assert_int_equal(outcome.http_status, 0);
        assert_int_equal(outcome.started_us, 5);
        assert_int_equal(outcome.finished_us, 9);
        assert_true(str_ends(outcome.error, STR(": connection reset")));
    }
}

static void a_success_counts_even_when_its_body_was_cut(void **state) {
    (void)state;
    kit_answer(kit, 200, "", "{\"ok\":tr");
    kit->answer.body_complete = false;
    assert_int_equal(kit_outcome(kit).class, OUTCOME_DONE);
}

static void the_provider_names_the_moment(void **state) {
    (void)state;
    kit_answer(kit, 503, "Retry-After: 120", "");
    struct outcome outcome = kit_outcome(kit);
    assert_int_equal(outcome.not_before_us, NOW + 120 * US_PER_S);
    assert_int_equal(outcome.quiet_until_us, 0);
    kit_answer(kit, 400, "Retry-After: 120", "");
    assert_int_equal(kit_outcome(kit).not_before_us, 0);
    kit_answer(kit, 200, "RateLimit-Remaining: 0\nRateLimit-Reset: 30", "");
    outcome = kit_outcome(kit);
    assert_int_equal(outcome.class, OUTCOME_DONE);
    assert_int_equal(outcome.quiet_until_us, NOW + 30 * US_PER_S);
}

static void a_refusal_for_the_limit_silences_the_account(void **state) {
    (void)state;
    kit_answer(kit, 429, "Retry-After: 45", "slow down");
    struct outcome outcome = kit_outcome(kit);
    assert_int_equal(outcome.not_before_us, NOW + 45 * US_PER_S);
    assert_int_equal(outcome.quiet_until_us, NOW + 45 * US_PER_S);
    assert_text(outcome.error, "answered 429: slow down");
}

static void errors_are_one_short_clean_line(void **state) {
    (void)state;
    char body[1000];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = 0;
    kit_answer(kit, 400, "", "\n bad\r\n\x1b[31m field\xff \n");
    assert_text(kit_outcome(kit).error, "answered 400: bad   [31m field?");
    kit_answer(kit, 400, "", body);
    assert_int_equal(kit_outcome(kit).error.n, strlen("answered 400: ") + 200);
    kit_answer(kit, 404, "", "");
    assert_text(kit_outcome(kit).error, "answered 404");
    kit_answer(kit, 302, "", "");
    assert_text(kit_outcome(kit).error, "answered 302 (redirects are not followed)");
}

static void the_answers_beginning_is_kept(void **state) {
    (void)state;
    char body[3000];
    memset(body, 'y', sizeof body - 1);
    body[sizeof body - 1] = 0;
    kit_answer(kit, 200, "", body);
    assert_int_equal(kit_outcome(kit).answer.n, DELIVERY_ANSWER_MAX);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(the_payload_goes_out_as_received),
        CASE(parameters_take_the_place_of_the_payload),
        CASE(the_headers_of_the_contract_are_sent),
        CASE(the_id_is_the_same_in_each_attempt),
        CASE(a_secret_signs),
        CASE(own_headers_override_and_add),
        CASE(a_type_that_would_begin_a_header_is_refused),
        CASE(binding_gives_http_its_traits),
        CASE(the_destinations_word_on_unknown_is_in_force),
        CASE(a_secret_that_is_no_base64_is_a_finding),
        CASE(an_unknown_type_is_a_finding),
        CASE(http_has_no_lookup),
        CASE(statuses_have_their_classes),
        CASE(what_did_not_come_back_is_told_apart),
        CASE(a_success_counts_even_when_its_body_was_cut),
        CASE(the_provider_names_the_moment),
        CASE(a_refusal_for_the_limit_silences_the_account),
        CASE(errors_are_one_short_clean_line),
        CASE(the_answers_beginning_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
