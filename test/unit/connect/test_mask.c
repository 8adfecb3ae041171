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

static void a_secret_that_begins_with_another_is_masked_whole(void **state) {
    (void)state;
    struct header nested[] = {{STR("x-base"), STR("acme-key")},
                              {STR("authorization"), STR("Bearer acme-key-PROD-9f8e7d")}};
    struct kit *kit = kit_new();
    kit->destination.headers = nested;
    kit->destination.header_count = sizeof nested / sizeof *nested;
    kit_bind(kit);
    kit_answer(kit, 400, "", "acme-key-PROD-9f8e7d is not acme-key, YWNtZS1rZXktUFJPRC05ZjhlN2Q= neither");
    assert_text(kit_outcome(kit).answer, "*** is not ***, ***= neither");
    kit_free(kit);
}

static void what_is_no_secret_stays(void **state) {
    (void)state;
    struct kit *kit = kit_hook();
    kit_answer(kit, 400, "", "abc wants application/json; tok-1234 is unknown");
    assert_text(kit_outcome(kit).answer, "abc wants application/json; tok-1234 is unknown");
    kit_free(kit);
}

/* What a receiver may make of "a/b c\"\303\251-K9". */
static void spellings_of_a_secret_are_masked(void **state) {
    (void)state;
    static const char *const spellings[] = {
        "a/b c\"\303\251-K9",
        "a%2fb%20c%22%C3%A9-K9",
        "a%2Fb+c%22%c3%a9-%4b9",
        "a\\/b c\\\"\\u00e9-K9",
        "\\u0061/b c\\u0022\\u00E9\\u002dK9",
        "A/B C\"\303\251-k9",
        "YS9iIGMiw6ktSzk=",         /* alone */
        "dTphL2IgYyLDqS1LOQ==",     /* of "u:" and the secret */
        "eDphL2IgYyLDqS1LOXo=",     /* and of "x:", the secret, and "z" */
        "dXNlcjphL2IgYyLDqS1LOQ==", /* of "user:" and it */
        "YS9iIGMiw6ktSzk\\u003d",
    };
    static struct header secret[] = {{{"x-key", 5}, {"a/b c\"\303\251-K9", 11}}};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct kit *kit = kit_new();
        struct arena arena = ARENA_EMPTY;
        kit->destination.headers = secret;
        kit->destination.header_count = 1;
        kit_bind(kit);
        kit_answer(kit, 400, "", str_fmt(&arena, "got %s, no", spellings[i]).p);
        struct str answer = kit_outcome(kit).answer;
        if (str_find(answer, '*') == SIZE_MAX || answer.n > 24)
            fail_msg("%s gives %.*s", spellings[i], STR_ARG(answer));
        kit_free(kit);
        arena_free(&arena);
    }
}

static void a_short_secret_is_masked_as_a_word(void **state) {
    (void)state;
    static struct header secret[] = {{{"authorization", 13}, {"pin7", 4}}, {{"x-mode", 6}, {"test", 4}}};
    struct kit *kit = kit_new();
    kit->destination.headers = secret;
    kit->destination.header_count = 2;
    kit_bind(kit);
    kit_answer(kit, 400, "", "pin7 and \"pin7\" of spin7 or pin78 in a test; PIN7");
    assert_text(kit_outcome(kit).answer, "*** and \"***\" of spin7 or pin78 in a test; PIN7");
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
        cmocka_unit_test(spellings_of_a_secret_are_masked),
        cmocka_unit_test(a_short_secret_is_masked_as_a_word),
        cmocka_unit_test(a_secret_that_begins_with_another_is_masked_whole),
        cmocka_unit_test(what_is_no_secret_stays),
        cmocka_unit_test(secret_fields_are_masked_in_answers_and_lookups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
