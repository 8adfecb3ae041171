/* Which requests are taken for a source's own. */
#include "kit.h"

static void test_each_sender_is_believed(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        if (kit_take(kit)) fail_msg("%s: %.*s", samples[i].type, STR_ARG(kit->words));
    }
}

static void test_there_is_a_sample_of_each_scheme(void **state) {
    (void)state;
    for (size_t i = 0; i < scheme_count; i++)
        if (schemes[i].proof != PROOF_CERTIFICATE) (void)kit_sample(schemes[i].name); /* test_certified.c has those */
}

/* ---- what was changed ---- */

static void check_unsigned(struct kit *kit, const struct sample *sample, const char *what, size_t at) {
    if (kit_take(kit) == ERR_UNSIGNED) return;
    fail_msg("%s is believed, or told more, with %s %zu changed: %s", sample->type, what, at,
             err_code(kit->refusal.err));
}

/* Every bit of a text that stands in the request. */
static void check_bits(struct kit *kit, const struct sample *sample, const char *what, struct str text) {
    char *bytes = (char *)(uintptr_t)text.p;
    for (size_t bit = 0; bit < text.n * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        check_unsigned(kit, sample, what, bit);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
}

static void test_each_bit_of_the_body_counts(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        struct str body = kit->request.body;
        if (samples[i].tied) {
            if (!samples[i].tied_end) continue;
            const char *from = strstr(body.p, samples[i].tied) + strlen(samples[i].tied);
            body = (struct str){from, (size_t)(strstr(from, samples[i].tied_end) - from)};
        }
        check_bits(kit, &samples[i], "the body's bit", body);
        arena_reset(&kit->arena);
    }
}

/* Signatures, times and ids. */
static void test_each_bit_of_the_signed_headers_counts(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        size_t loose = 0;
        for (const char *at = samples[i].loose; at && (at = strchr(at, '\n')); at++) loose++;
        for (size_t j = 0; j < kit->request.header_count - loose; j++) {
            struct str value = kit->headers[j].value;
            check_bits(kit, &samples[i], kit->headers[j].name.p, str_sub(value, samples[i].word, value.n));
        }
        arena_reset(&kit->arena);
    }
}

static void test_a_signed_request_without_its_end_or_with_more(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        if (samples[i].tied) continue;
        kit_load(kit, &samples[i]);
        struct str whole = kit->request.body;
        kit->request.body = str_sub(whole, 0, whole.n - 1);
        check_unsigned(kit, &samples[i], "the length", 0);
        kit->request.body = str_fmt(&kit->arena, "%.*s ", STR_ARG(whole));
        check_unsigned(kit, &samples[i], "the length", 1);
        kit->request.body = STR("");
        check_unsigned(kit, &samples[i], "the length", 2);
    }
}

/* ---- secrets ---- */

static struct str other_secret(const struct sample *sample) {
    return sample->other ? str_from(sample->other) : STR("another:secret-0123456789");
}

static void test_another_secret(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        kit->source.webhook.secret = other_secret(&samples[i]);
        check_unsigned(kit, &samples[i], "the secret", 0);
        kit->source.webhook.old_secret = other_secret(&samples[i]);
        check_unsigned(kit, &samples[i], "both secrets", 0);
    }
}

static void test_the_secret_before_is_taken(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        kit->source.webhook.old_secret = kit->source.webhook.secret;
        kit->source.webhook.secret = other_secret(&samples[i]);
        assert_int_equal(kit_take(kit), ERR_NONE);
    }
}

/* A source moves from a code to a public key: each signature is tried with the secret of its kind. */
static void test_secrets_of_two_kinds(void **state) {
    struct kit *kit = *state;
    const struct sample *code = &samples[0], *key = &samples[1];
    kit_load(kit, code);
    kit->source.webhook.old_secret = kit->source.webhook.secret;
    kit->source.webhook.secret = str_from(key->secret);
    assert_int_equal(kit_take(kit), ERR_NONE);
    kit_load(kit, key);
    kit->source.webhook.old_secret = str_from(code->secret);
    assert_int_equal(kit_take(kit), ERR_NONE);
}

/* ---- odd headers ---- */

static struct header *signature_header(struct kit *kit) {
    return &kit->headers[0];
}

/* The first header of each sample holds its signature; three hold it elsewhere. */
static bool signs_elsewhere(const struct sample *sample) {
    return !sample->headers;
}

static void to_upper(struct str text) {
    char *bytes = (char *)(uintptr_t)text.p;
    for (size_t i = 0; i < text.n; i++)
        if (bytes[i] >= 'a' && bytes[i] <= 'z') bytes[i] = (char)(bytes[i] - 'a' + 'A');
}

static void test_names_of_headers_in_any_case(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        for (size_t j = 0; j < kit->request.header_count; j++) {
            kit->headers[j].name = str_dup(&kit->arena, kit->headers[j].name);
            to_upper(kit->headers[j].name);
        }
        assert_int_equal(kit_take(kit), ERR_NONE);
    }
}

static void test_headers_that_are_empty_missing_or_upper_case(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        if (signs_elsewhere(&samples[i])) continue;
        kit_load(kit, &samples[i]);
        to_upper(str_sub(signature_header(kit)->value, samples[i].word, 1000)); /* hexadecimal and prefix too */
        check_unsigned(kit, &samples[i], "the case of header", 0);
        kit_load(kit, &samples[i]);
        for (size_t j = 0; j < kit->request.header_count; j++) kit->headers[j].value = STR("");
        check_unsigned(kit, &samples[i], "headers, emptied", 0);
        kit->request.header_count = 0;
        check_unsigned(kit, &samples[i], "headers, removed", 0);
    }
}

/* The first of two headers counts, for what is signed and for what is made of it. */
static void test_headers_that_come_twice(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        if (signs_elsewhere(&samples[i])) continue;
        kit_load(kit, &samples[i]);
        struct header *added = &kit->headers[kit->request.header_count++];
        *added = (struct header){signature_header(kit)->name, STR("sha256=00")};
        assert_int_equal(kit_take(kit), ERR_NONE);
        added->value = signature_header(kit)->value;
        signature_header(kit)->value = STR("sha256=00");
        check_unsigned(kit, &samples[i], "the first of two headers", 0);
    }
}

static void test_an_authorization_word_in_any_case(void **state) {
    struct kit *kit = *state;
    kit_load(kit, kit_sample("bearer"));
    kit->headers[0].value = STR("bEARER bearer-token-0123");
    assert_int_equal(kit_take(kit), ERR_NONE);
    kit->headers[0].value = STR("Bearer  bearer-token-0123"); /* one blank, as the RFC has it */
    assert_int_equal(kit_take(kit), ERR_UNSIGNED);
    kit_load(kit, kit_sample("basic"));
    kit->headers[0].value = STR("basic YWRhOmxvdmVsYWNl");
    assert_int_equal(kit_take(kit), ERR_NONE);
    kit->headers[0].value = STR("Bearer YWRhOmxvdmVsYWNl");
    assert_int_equal(kit_take(kit), ERR_UNSIGNED);
}

/* ---- several signatures ---- */

static const struct {
    const char *type, *header; /* {sig}: as it should be */
    bool taken;
} lists[] = {
    {"standard-webhooks", "v1,AAAA v1,{sig}", true},
    {"standard-webhooks", "v2,AAAA v1a,AAAA v1,{sig} v1,BBBB", true},
    {"standard-webhooks", "v1,1 v1,2 v1,3 v1,4 v1,5 v1,6 v1,7 v1,{sig}", true},
    {"standard-webhooks", "v1,1 v1,2 v1,3 v1,4 v1,5 v1,6 v1,7 v1,8 v1,{sig}", false}, /* one too many */
    {"standard-webhooks", "v1a,{sig}", false},
    {"standard-webhooks", "{sig}", false},
    {"standard-webhooks", "v1{sig}", false},
    {"standard-webhooks", "v1,,{sig}", false},
    {"standard-webhooks", ", ,, v1 v1, ,{sig}", false},
    {"standard-webhooks", "  v1,{sig}  ", true},
    {"stripe", "t=1795526439,v1=00,v1={sig}", true},
    {"stripe", "v1={sig},t=1795526439", true},
    {"stripe", "t=1795526439, v1={sig}", true},
    {"stripe", "t=1795526439,v0={sig}", false},
    {"stripe", "t=1795526439,V1={sig}", false},
    {"stripe", "v1={sig}", false},
    {"stripe", "t=1795526440,t=1795526439,v1={sig}", false},
    {"stripe", "t=1795526439,t=1795526440,v1={sig}", true}, /* the first is signed, and it is what is judged */
    {"paddle", "ts=1795526439;h1=00;h1={sig}", true},
    {"paddle", "ts=1795526439,h1={sig}", false},
    {"calendly", "t=1795526439,v1=,v1={sig}", true},
    {"github", "{sig}", false},
    {"github", "SHA256={sig}", false},
    {"github", "sha1={sig}", false},
    {"github", "sha256={sig},sha256={sig}", false},
    {"github", "sha256=", false},
    {"typeform", "{sig}", false},
    {"slack", "v1={sig}", false},
};

static void test_lists_of_signatures(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct sample *sample = kit_sample(lists[i].type);
        kit_load(kit, sample);
        struct header *header = sample->key ? &kit->headers[2] : signature_header(kit);
        struct str message = kit_replaced(kit, str_from(sample->message), "{body}", kit->request.body);
        struct str code = kit_code(kit, sample, sample->key ? sample->key : sample->secret, message);
        header->value = kit_replaced(kit, kit_replaced(kit, str_from(lists[i].header), "{sig}", code), "{sig}", code);
        if ((kit_take(kit) == ERR_NONE) != lists[i].taken)
            fail_msg("%s with '%s': %s", sample->type, lists[i].header, lists[i].taken ? "refused" : "taken");
    }
}

/* ---- times ---- */

static bool has_time(const struct sample *sample) {
    return scheme_find(str_from(sample->type))->time;
}

static void test_a_time_that_is_too_far(void **state) {
    struct kit *kit = *state;
    static const struct {
        int64_t off_s;
        enum err err;
    } cases[] = {{0, ERR_NONE},     {300, ERR_NONE},   {-300, ERR_NONE},       {301, ERR_STALE},
                 {-301, ERR_STALE}, {7200, ERR_STALE}, {-KIT_NOW_S, ERR_STALE}};
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        for (size_t j = 0; j < COUNT_OF(cases); j++) {
            kit_load(kit, &samples[i]);
            kit->wall_us += cases[j].off_s * US_PER_S;
            enum err expected = has_time(&samples[i]) ? cases[j].err : ERR_NONE;
            if (kit_take(kit) != expected) fail_msg("%s, %lld s later", samples[i].type, (long long)cases[j].off_s);
        }
}

static void test_a_source_may_be_more_patient_or_less(void **state) {
    struct kit *kit = *state;
    kit_load(kit, kit_sample("stripe"));
    kit->source.webhook.tolerance_us = 5 * US_PER_S;
    kit->wall_us += 6 * US_PER_S;
    assert_int_equal(kit_take(kit), ERR_STALE);
    assert_str(kit->refusal.detail, "it was signed 6s ago (an old request, or a clock that is wrong)");
    kit->source.webhook.tolerance_us = 3600 * US_PER_S;
    assert_int_equal(kit_take(kit), ERR_NONE);
}

/* Signed as they should be, so that only the time is wrong. */
static void test_times_that_are_none(void **state) {
    struct kit *kit = *state;
    static const char *const times[] = {"",
                                        "now",
                                        "1795526439.0",
                                        " 1795526439x",
                                        "0x6b05",
                                        "-1795526439",
                                        "1e9",
                                        "99999999999999999999",
                                        "9223372036854775807",
                                        "1795526439000"};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        const struct sample *sample = kit_sample("slack");
        struct str message = str_fmt(&kit->arena, "v0:%.*s:%s", STR_ARG(str_trim(str_from(times[i]))), sample->body);
        kit_load(kit, sample);
        kit->headers[0].value =
            str_fmt(&kit->arena, "v0=%.*s", STR_ARG(kit_code(kit, sample, sample->secret, message)));
        kit->headers[1].value = str_trim(str_from(times[i]));
        if (kit_take(kit) != ERR_STALE) fail_msg("the time '%s' is taken", times[i]);
    }
}

static void test_seconds_where_milliseconds_should_be(void **state) {
    struct kit *kit = *state;
    const struct sample *sample = kit_sample("hubspot");
    kit_load(kit, sample);
    struct str message = str_fmt(&kit->arena, "POSThttps://hooks.example.com/in/hubspot%s1795526439", sample->body);
    kit->headers[0].value = kit_code(kit, sample, sample->secret, message);
    kit->headers[1].value = STR("1795526439");
    assert_int_equal(kit_take(kit), ERR_STALE);
}

/* ---- addresses ---- */

static void test_what_signs_its_address(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        if (!samples[i].message || !strstr(samples[i].message, "https://")) continue;
        kit_load(kit, &samples[i]);
        kit->settings.server.url = STR("https://hooks.example.org");
        check_unsigned(kit, &samples[i], "server.url", 0);
        kit->settings.server.url = STR("https://hooks.example.com");
        kit->request.query = STR("a=b");
        check_unsigned(kit, &samples[i], "the query", 0);
    }
}

/* What was signed for a JSON body says nothing of a form, whose names would be signed beside the address. */
static void test_a_digest_in_twilios_query_holds_for_forms_too(void **state) {
    struct kit *kit = *state;
    kit_load(kit, &samples[COUNT_OF(samples) - 1]);
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        if (samples[i].query) kit_load(kit, &samples[i]);
    for (size_t i = 0; i < kit->request.header_count; i++)
        if (str_eq(kit->headers[i].name, STR("Content-Type")))
            kit->headers[i].value = STR("application/x-www-form-urlencoded");
    kit->request.body = STR("");
    assert_int_equal(kit_take(kit), ERR_UNSIGNED);
    kit->request.body = STR("=&=");
    assert_int_equal(kit_take(kit), ERR_UNSIGNED);
}

/* The sender's own library leaves out a value that a name has twice. */
static void test_twilio_signs_a_repeated_value_once(void **state) {
    struct kit *kit = *state;
    const struct sample *sample = kit_sample("twilio");
    kit_load(kit, sample);
    kit->request.body = STR("Media=b&To=1&Media=a&Media=b&to=2&Empty=");
    kit->headers[0].value =
        kit_code(kit, sample, sample->secret, STR("https://hooks.example.com/in/twilioEmptyMediaaMediabTo1to2"));
    assert_int_equal(kit_take(kit), ERR_NONE);
}

/* ---- paths ---- */

static void test_paths_with_a_secret(void **state) {
    struct kit *kit = *state;
    static const char *const wrong[] = {"/in/none",
                                        "/in/none/",
                                        "/in/none/unguessable-012345678",
                                        "/in/none/unguessable-01234567890",
                                        "/in/none/UNGUESSABLE-0123456789",
                                        "/in"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        kit_load(kit, kit_sample("none"));
        kit->request.path = str_from(wrong[i]);
        check_unsigned(kit, kit_sample("none"), "the path", i);
    }
}

/* ---- examples that the senders print ---- */

static const struct {
    const char *type, *secret, *path, *query, *headers, *body;
    int64_t at_s;
    enum err err; /* what comes behind the signature */
} published[] = {
    {"github", "It's a Secret to Everybody", "/in/github", NULL,
     "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\n", "Hello, World!",
     0, ERR_BAD_JSON},
    {"standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "/in/standard-webhooks", NULL,
     "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n"
     "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n",
     "{\"test\": 2432232314}", 1614265330, ERR_NONE},
    {"slack", "8f742231b10e8888abcd99yyyzzz85a5", "/in/slack", NULL,
     "X-Slack-Request-Timestamp: 1531420618\n"
     "X-Slack-Signature: v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503\n"
     "Content-Type: application/x-www-form-urlencoded\n",
     "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
     "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack."
     "com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc8"
     "87a14d10d2c447fce8b6703c",
     1531420618, ERR_NONE},
    {"twilio", "12345", "/myapp.php", "foo=1&bar=2",
     "X-Twilio-Signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=\nContent-Type: application/x-www-form-urlencoded\n",
     "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212", 0, ERR_NONE},
};

static void test_examples_that_the_senders_print(void **state) {
    struct kit *kit = *state;
    kit->settings.server.url = STR("https://mycompany.com");
    for (size_t i = 0; i < COUNT_OF(published); i++) {
        const struct sample sample = {.type = published[i].type,
                                      .secret = published[i].secret,
                                      .path = published[i].path,
                                      .query = published[i].query,
                                      .headers = published[i].headers,
                                      .body = published[i].body};
        kit_load(kit, &sample);
        kit->wall_us = published[i].at_s * US_PER_S;
        if (kit_take(kit) != published[i].err) fail_msg("%s: %.*s", sample.type, STR_ARG(kit->words));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        TEST(test_each_sender_is_believed),
        TEST(test_there_is_a_sample_of_each_scheme),
        TEST(test_each_bit_of_the_body_counts),
        TEST(test_each_bit_of_the_signed_headers_counts),
        TEST(test_a_signed_request_without_its_end_or_with_more),
        TEST(test_another_secret),
        TEST(test_the_secret_before_is_taken),
        TEST(test_secrets_of_two_kinds),
        TEST(test_names_of_headers_in_any_case),
        TEST(test_headers_that_are_empty_missing_or_upper_case),
        TEST(test_headers_that_come_twice),
        TEST(test_an_authorization_word_in_any_case),
        TEST(test_lists_of_signatures),
        TEST(test_a_time_that_is_too_far),
        TEST(test_a_source_may_be_more_patient_or_less),
        TEST(test_times_that_are_none),
        TEST(test_seconds_where_milliseconds_should_be),
        TEST(test_what_signs_its_address),
        TEST(test_a_digest_in_twilios_query_holds_for_forms_too),
        TEST(test_twilio_signs_a_repeated_value_once),
        TEST(test_paths_with_a_secret),
        TEST(test_examples_that_the_senders_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
