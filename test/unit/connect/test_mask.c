/* What a provider echoes of the destination's secrets is not kept. */
#include "kit_connector.h"

#define HOOK_SECRET "whsec_c2VjcmV0LW9mLXRoZS1ob29r"

static struct header headers[] = {
    {{"authorization", 13}, {"Bearer tok-12345", 16}},
    {{"x-short", 7}, {"abc", 3}},
    {{"accept", 6}, {"application/json", 16}},
};

static struct kit *kit_hook(void) {
    struct kit *kit = kit_new();
    kit->destination.headers = headers;
    kit->destination.header_count = sizeof headers / sizeof *headers;
    kit->destination.signing_secret = STR(HOOK_SECRET);
    kit_bind(kit);
    kit_no_findings(kit);
    return kit;
}

static void headers_and_the_signing_secret_are_masked(void **state) {
    (void)state;
    struct kit *kit = kit_hook();
    kit_answer(kit, 400, "", "you sent Bearer tok-12345, tok-12345 and " HOOK_SECRET "!");
    struct outcome outcome = kit_outcome(kit);
    assert_text(outcome.answer, "you sent ***, *** and ***!");
    assert_null(memmem(outcome.error.p, outcome.error.n, "tok-12345", 9));
    kit_free(kit);
}

static void a_secret_cut_off_at_the_end_is_masked(void **state) {
    (void)state;
    struct kit *kit = kit_hook();
    char body[DELIVERY_ANSWER_MAX + 3];
    memset(body, 'x', sizeof body);
    memcpy(body + DELIVERY_ANSWER_MAX - 7, "tok-12345", 9);
    body[sizeof body - 1] = '\0';
    kit_answer(kit, 200, "", body);
    struct outcome outcome = kit_outcome(kit);
    assert_int_equal(outcome.answer.n, DELIVERY_ANSWER_MAX - 7 + 3);
    assert_true(str_ends(outcome.answer, STR("xxx***")));
    kit_free(kit);
}

static void what_is_no_secret_stays(void **state) {
    (void)state;
    struct kit *kit = kit_hook();
    kit_answer(kit, 400, "", "abc wants application/json; tok-1234 is unknown");
    assert_text(kit_outcome(kit).answer, "abc wants application/json; tok-1234 is unknown");
    kit_free(kit);
}

static void secret_fields_are_masked_in_answers_and_lookups(void **state) {
    (void)state;
    struct kit *kit = kit_everything();
    struct outcome outcome;
    kit_answer(kit, 400, "", "{\"error\":{\"code\":\"x\",\"message\":\"key s3cret of ada\"}}");
    outcome = kit_outcome(kit);
    assert_text(outcome.error, "answered 400: key *** of ada");
    assert_null(memmem(outcome.answer.p, outcome.answer.n, "s3cret", 6));
    connect_lookup_answer(&kit->context, &kit->answer, &kit->evaluator, &outcome);
    assert_null(memmem(outcome.answer.p, outcome.answer.n, "s3cret", 6));
    kit_free(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_and_the_signing_secret_are_masked),
        cmocka_unit_test(a_secret_cut_off_at_the_end_is_masked),
        cmocka_unit_test(what_is_no_secret_stays),
        cmocka_unit_test(secret_fields_are_masked_in_answers_and_lookups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
