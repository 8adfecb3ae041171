/* Signatures of requests, against what the schemes' authors publish. */
#include "kit.h"

#include "connect/sign.h"

/* The account, the moment and the requests of AWS's own test suite for Signature Version 4. */
#define AWS_MOMENT (1440938160 * US_PER_S) /* 2015-08-30T12:36:00Z */
static const struct aws_keys aws = {.key = {"AKIDEXAMPLE", 11},
                                    .secret = {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40},
                                    .region = {"us-east-1", 9},
                                    .service = {"service", 7}};
static const char aws_token[] =
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthA"
    "x7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY"
    "9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
static const struct {
    const char *method, *url, *name, *value, *body, *token, *headers, *signature;
} aws_cases[] = {
    {"GET", "https://example.amazonaws.com/", NULL, NULL, "", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"GET", "https://example.amazonaws.com", NULL, NULL, "", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"POST", "https://example.amazonaws.com/", NULL, NULL, "", "", "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", NULL, NULL, "", "", "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"POST", "https://example.amazonaws.com/", "My-Header1", "VALUE1", "", "", "host;my-header1;x-amz-date",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {"POST", "https://example.amazonaws.com/", "Content-Type", "application/x-www-form-urlencoded", "Param1=value1", "",
     "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {"POST", "https://example.amazonaws.com/", NULL, NULL, "", aws_token, "host;x-amz-date;x-amz-security-token",
     "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
};

static void aws_signatures_are_those_of_its_own_suite(void **state) {
    (void)state;
    struct kit *kit = kit_new();
    for (size_t i = 0; i < sizeof aws_cases / sizeof *aws_cases; i++) {
        struct aws_keys keys = aws;
        keys.token = str_from(aws_cases[i].token);
        kit->outgoing = (struct outgoing){.method = str_from(aws_cases[i].method),
                                          .url = str_from(aws_cases[i].url),
                                          .body = str_from(aws_cases[i].body)};
        outgoing_header(&kit->outgoing, STR("User-Agent"), STR("is not signed"));
        if (aws_cases[i].name)
            outgoing_header(&kit->outgoing, str_from(aws_cases[i].name), str_from(aws_cases[i].value));
        sign_aws(&kit->outgoing, &keys, AWS_MOMENT, kit->hasher, &kit->arena);
        assert_string_equal(kit_header(kit, "x-amz-date").p, "20150830T123600Z");
        assert_true(str_eq(kit_header(kit, "x-amz-security-token"), keys.token));
        struct str expected =
            str_fmt(&kit->arena,
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                    "SignedHeaders=%s, Signature=%s",
                    aws_cases[i].headers, aws_cases[i].signature);
        assert_string_equal(kit_header(kit, "authorization").p, expected.p);
    }
    kit_free(kit);
}

/* The request that X's documentation signs step by step. */
static const struct oauth1_keys oauth1 = {.consumer_key = {"xvz1evFS4wEEPTGEFPHBog", 22},
                                          .consumer_secret = {"kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", 43},
                                          .token = {"370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", 50},
                                          .token_secret = {"LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE", 41}};

static void sign_as_documented(struct kit *kit, const char *url, const char *type, const char *body) {
    kit->outgoing = (struct outgoing){.method = STR("POST"), .url = str_from(url), .body = str_from(body)};
    outgoing_header(&kit->outgoing, STR("Content-Type"), str_from(type));
    sign_oauth1(&kit->outgoing, &oauth1, 1318622958 * US_PER_S, STR("kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
                &kit->arena);
}

static bool has_signature(const struct kit *kit, const char *signature) {
    return strstr(kit_header(kit, "authorization").p, signature) != NULL;
}

static void an_oauth1_signature_is_the_documented_one(void **state) {
    (void)state;
    struct kit *kit = kit_new();
    const char *type = "application/x-www-form-urlencoded";
    const char *body = "status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21";
    const char *signature = "oauth_signature=\"Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D\"";
    sign_as_documented(kit, "https://api.x.com/1.1/statuses/update.json?include_entities=true", type, body);
    assert_true(has_signature(kit, signature));
    assert_true(
        str_starts(kit_header(kit, "authorization"), STR("OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\"")));
    sign_as_documented(kit, "HTTPS://API.x.com:443/1.1/statuses/update.json?include_entities=true", type, body);
    assert_true(has_signature(kit, signature));
    /* A plus is a blank in a form; another port is another URL; what is no form is no part of the text. */
    sign_as_documented(kit, "https://api.x.com/1.1/statuses/update.json?include_entities=true", type,
                       "status=Hello+Ladies+%2B+Gentlemen%2C+a+signed+OAuth+request!");
    assert_true(has_signature(kit, signature));
    sign_as_documented(kit, "https://api.x.com:444/1.1/statuses/update.json?include_entities=true", type, body);
    assert_false(has_signature(kit, signature));
    sign_as_documented(kit, "https://api.x.com/1.1/statuses/update.json?include_entities=true", "application/json",
                       body);
    assert_false(has_signature(kit, signature));
    kit_free(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aws_signatures_are_those_of_its_own_suite),
        cmocka_unit_test(an_oauth1_signature_is_the_documented_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
