/* Answers as classed, by everything.yaml. */
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

#define DELIVERY_ID "01234567-89ab-8def-8123-456789abcdef"

struct answer_row {
    int32_t status;
    const char *headers, *body;
    enum outcome_class class;
    const char *flags; /* p pause, r repeat, t throttled */
    const char *remote_id, *error;
    int64_t wait_us; /* not_before from now */
};

static const struct answer_row answers[] = {
    {200, "", "{\"message\":{\"id\":\"m7\"}}", OUTCOME_DONE, "", "m7", "", 0},
    {201, "", "{\"message\":{\"id\":17}}", OUTCOME_DONE, "", "17", "", 0},
    {202, "X-Message-Id: h9", "", OUTCOME_DONE, "", "h9", "", 0},
    {409, "", "{\"error\":{\"code\":\"duplicate\",\"existing\":\"m1\"}}", OUTCOME_DONE, "r", "m1", "", 0},
    {409, "", "{\"error\":{\"code\":\"other\",\"message\":\"no\"}}", OUTCOME_FAILED, "", "", "answered 409: no", 0},
    {200, "", "{\"ok\":false,\"error\":{\"code\":\"busy\"},\"message\":\"later\",\"retry_after\":7.5}", OUTCOME_RETRY,
     "", "", "answered 200: later", 7500000},
    {200, "", "{\"error\":{\"code\":\"quota\",\"message\":\"day\"},\"resets_at\":\"2026-11-24T12:10:00Z\"}",
     OUTCOME_RETRY, "t", "", "answered 200: day", 600 * US_PER_S},
    {200, "", "{\"error\":{\"code\":\"quota\"},\"resets_at\":1795521660}", OUTCOME_RETRY, "t", "",
     "answered 200: {\"error\":", 60 * US_PER_S},
    {200, "", "{\"error\":{\"code\":\"closed\",\"message\":\"unpaid\"}}", OUTCOME_RETRY, "p", "",
     "answered 200: unpaid", 0},
    /* a success that no rule knows is none */
    {200, "", "{\"ok\":true}", OUTCOME_UNKNOWN, "", "", "answered 200: {\"ok\":true} (the connector does not know", 0},
    {200, "", "ok", OUTCOME_UNKNOWN, "", "", "answered 200: ok", 0},
    {204, "", "", OUTCOME_UNKNOWN, "", "", "answered 204", 0},
    /* `when` that fails on this body is no match */
    {200, "", "[1,2]", OUTCOME_UNKNOWN, "", "", "answered 200: [1,2]", 0},
    {500, "", "oops", OUTCOME_UNKNOWN, "", "", "answered 500: oops", 0},
    {504, "", "", OUTCOME_UNKNOWN, "", "", "answered 504", 0},
    {505, "", "", OUTCOME_RETRY, "", "", "answered 505", 0},
    {429, "Retry-After: 9", "", OUTCOME_RETRY, "t", "", "answered 429", 9 * US_PER_S},
    /* defaults */
    {400, "", "{\"message\":\"bad text\"}", OUTCOME_FAILED, "", "", "answered 400: bad text", 0},
    {400, "", "plain words", OUTCOME_FAILED, "", "", "answered 400: plain words", 0},
    {401, "", "{\"error\":{\"message\":\"key\"}}", OUTCOME_RETRY, "p", "", "answered 401: key", 0},
    {302, "Location: http://169.254.169.254/", "", OUTCOME_FAILED, "", "", "answered 302 (redirects", 0},
};

static void answers_are_classed_by_the_rules(void **state) {
    (void)state;
    kit->delivery.attempts = 1;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer_row *row = &answers[i];
        kit_answer(kit, row->status, row->headers, row->body);
        struct outcome outcome = kit_outcome(kit);
        bool flags = outcome.pause == !!strchr(row->flags, 'p') && outcome.repeat == !!strchr(row->flags, 'r') &&
                     outcome.throttled == !!strchr(row->flags, 't');
        bool texts = str_eq(outcome.remote_id, str_from(row->remote_id)) &&
                     str_starts(outcome.error, str_from(row->error)) && !outcome.error.n == !*row->error;
        bool wait = outcome.not_before_us == (row->wait_us ? NOW + row->wait_us : 0);
        if (outcome.class != row->class || !flags || !texts || !wait)
            fail_msg("%d %s: %s, error '%.*s', id '%.*s'", row->status, row->body, outcome_text(outcome.class),
                     STR_ARG(outcome.error), STR_ARG(outcome.remote_id));
    }
}

static void a_rule_may_look_at_the_delivery_and_its_parameters(void **state) {
    (void)state;
    const char *duplicate = "{\"error\":{\"code\":\"duplicate\"}}";
    kit_answer(kit, 409, "", duplicate);
    assert_int_equal(kit_outcome(kit).class, OUTCOME_FAILED); /* the first attempt cannot be its own duplicate */
    kit->delivery.attempts = 1;
    assert_int_equal(kit_outcome(kit).class, OUTCOME_DONE);
    kit_answer(kit, 403, "", "");
    assert_true(kit_outcome(kit).refused && !kit_outcome(kit).pause); /* no rule names it */
    use("send", "{\"to\":\"nobody@example.com\",\"text\":\"t\",\"channel\":\"c\"}");
    struct outcome outcome = kit_outcome(kit);
    assert_int_equal(outcome.class, OUTCOME_FAILED);
    assert_text(outcome.error, "answered 403: nobody is there");
}

static void a_cut_answer_decides_nothing_that_its_body_would(void **state) {
    (void)state;
    static const struct {
        int32_t status;
        enum outcome_class class;
    } cut[] = {{200, OUTCOME_UNKNOWN}, {409, OUTCOME_UNKNOWN}, {403, OUTCOME_UNKNOWN},
               {202, OUTCOME_DONE},    {429, OUTCOME_RETRY},   {400, OUTCOME_FAILED}};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        kit_answer(kit, cut[i].status, "", "{\"message\":{\"id\":\"m7\"}}");
        kit->answer.body_complete = false;
        assert_int_equal(kit_outcome(kit).class, cut[i].class);
    }
    assert_int_equal(kit->runs, 0);
}

static void the_evaluator_is_asked_once_and_only_when_there_is_a_question(void **state) {
    (void)state;
    kit_answer(kit, 504, "", "");
    kit->answer.end = EXCHANGE_TIMED_OUT;
    assert_int_equal(kit_outcome(kit).class, OUTCOME_UNKNOWN);
    assert_int_equal(kit->runs, 0);
    kit_answer(kit, 200, "", "{\"message\":{\"id\":\"m7\"}}");
    assert_int_equal(kit_outcome(kit).class, OUTCOME_DONE);
    assert_int_equal(kit->runs, 1);
}

static void hostile_bodies_are_read_as_text(void **state) {
    (void)state;
    static const char *const bodies[] = {"{\"message\":{\"id\":1},\"message\":{\"id\":2}}",
                                         "{\"a\":1}x",
                                         "\xff\xfe",
                                         "{",
                                         "nan",
                                         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        kit_answer(kit, 200, "", bodies[i]);
        assert_int_equal(kit_outcome(kit).class, OUTCOME_UNKNOWN);
    }
}

static void limits_are_read_where_the_connector_says(void **state) {
    (void)state;
    kit_answer(kit, 202, "X-Left: 0\nX-Reset: 1795521625000", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, NOW + 25 * US_PER_S);
    kit_answer(kit, 202, "X-Resets-In: 12", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, 0);
    kit_answer(kit, 429, "X-Resets-In: 12", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, NOW + 12 * US_PER_S);
    kit_answer(kit, 202, "X-Limits: \"a\";r=0;t=9", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, NOW + 9 * US_PER_S);
    kit_answer(kit, 202, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 40", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, 0);
}

static void a_refusal_is_followed_by_silence(void **state) {
    (void)state;
    kit_answer(kit, 418, "", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, NOW + 30 * US_PER_S);
    kit_answer(kit, 509, "", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, NOW + 30 * US_PER_S);
    kit_answer(kit, 510, "", "");
    assert_int_equal(kit_outcome(kit).quiet_until_us, 0);
}

static struct outcome lookup_outcome(int32_t status, const char *body) {
    struct outcome outcome;
    kit_answer(kit, status, "", body);
    connect_lookup_answer(&kit->context, &kit->answer, &kit->evaluator, &outcome);
    return outcome;
}

static void lookups_find_or_do_not(void **state) {
    (void)state;
    struct outcome outcome = lookup_outcome(200, "{\"items\":[{\"id\":\"m3\",\"key\":\"" DELIVERY_ID "\"}]}");
    assert_int_equal(outcome.class, OUTCOME_DONE);
    assert_text(outcome.remote_id, "m3");
    assert_int_equal(lookup_outcome(200, "{\"items\":[{\"id\":\"m3\",\"key\":\"x\"}]}").class, OUTCOME_ABSENT);
    assert_int_equal(lookup_outcome(200, "{\"items\":[]}").class, OUTCOME_ABSENT);
    assert_int_equal(lookup_outcome(404, "").class, OUTCOME_ABSENT);
    /* what tells nothing is asked again */
    assert_int_equal(lookup_outcome(200, "{}").class, OUTCOME_RETRY);
    assert_int_equal(lookup_outcome(200, "maintenance").class, OUTCOME_RETRY);
    assert_int_equal(lookup_outcome(503, "").class, OUTCOME_RETRY);
    assert_true(lookup_outcome(401, "").pause);
    assert_int_equal(lookup_outcome(400, "").class, OUTCOME_FAILED);
    kit_answer(kit, 200, "", "{\"items\":[");
    kit->answer.body_complete = false;
    connect_lookup_answer(&kit->context, &kit->answer, &kit->evaluator, &outcome);
    assert_int_equal(outcome.class, OUTCOME_RETRY);
    kit->answer = (struct answer){.end = EXCHANGE_CUT};
    connect_lookup_answer(&kit->context, &kit->answer, &kit->evaluator, &outcome);
    assert_int_equal(outcome.class, OUTCOME_RETRY);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(answers_are_classed_by_the_rules),
        CASE(a_rule_may_look_at_the_delivery_and_its_parameters),
        CASE(a_cut_answer_decides_nothing_that_its_body_would),
        CASE(the_evaluator_is_asked_once_and_only_when_there_is_a_question),
        CASE(hostile_bodies_are_read_as_text),
        CASE(limits_are_read_where_the_connector_says),
        CASE(a_refusal_is_followed_by_silence),
        CASE(lookups_find_or_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
