/* Tokens in the connector language: how one is asked for, and what is made of the answers. */
#include "kit_connector.h"

#include "base/json.h"
#include "base/signing.h"

/* A pair of keys that is used nowhere else. */
static const char private_key[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCx17XN5rJGGSyh\n"
                                  "qRkwszrAPsOEctnQTNaolnwWrp73Ey3Vr0hEgYN1nMxJx5Midje/Apd1LbeRQFfd\n"
                                  "20IDzBDWI5U0xkP7TlYyoImIMFdMbTB65OGmrYEVKp9x1Qxc+SL3HkpxeXWxLuRR\n"
                                  "v2NL31OdrwCcB3sQfrU5V3gDxuAO3kMVCA+bfXamoG9U1uljquH9nvgvP/0tho5H\n"
                                  "K2Rh5zYeBNLpT2XMfRAxilQLayzfzpUjJAoPeMkfn3Cz0lSyDh3MXtZ6jeRO8PoH\n"
                                  "iKqga2HGNfFHZiuMAxJzWWGVY2Zmsv1dfQAS+oZO7k+fShbvqrQSRIYmRi1dgGAx\n"
                                  "mJtjXRv1AgMBAAECggEAD8z9TWuxi6pZbYyPXSUTc3iwGOC2avwkt0pVgJNnssaM\n"
                                  "tDdUWafTJPw3J1f4wd9UgR9LEyFqdZiMpfzAzwMOvOPg8hUqfZW+cVWTmprG6tap\n"
                                  "r8WNqegw9483pt65sDn/agrSLOZQd1tV9FBnk1pmfLRLftFoVPUZB1z24AkHp7Jg\n"
                                  "CjeMXJXlMMFi68SsC3g1ZA4YXQ1nW9i55RC4Vik4oW1ZGQwZ8WOcPeVIm19htRaS\n"
                                  "PtMZLkUaOMBkZs8NwshMvccbYVwo+91n5Kltwr8Y6VECac6Cbs7w9M2D0RZnlKKa\n"
                                  "7MvKN5V9Cg7DgRl2q0/D0Ry7thXYCYymtWLEuZs4+QKBgQDt3HjQsdnwOR0aj4E5\n"
                                  "0VTm6iBcJPu8+FanaGzjz2Mskb+xbtAjxXiZce9bYqGx+rwJLQTb7WwCZpbrZv3Z\n"
                                  "JyY/nrpDVqp2TcOTCWYpI8JlpvwGWN5XYPwEbwXSBFN2OyI4n6c0E1IhtyuNzo5G\n"
                                  "e2SbEAg6bAUgXKCjAhJpQA1CPQKBgQC/Z44FsloUYrzzfYvFhrIjeAWycezq06gu\n"
                                  "R3nSTGNm72FSkhCY5INgHfFziTWWcMWBKVZjvmPDKDHrIFbCnrhzN8XIovrWUpWU\n"
                                  "Aqj6Rj+BNZM+1kPY/YSQh1hFVmFuiUUOrIDYD85aCgCzpHvay8SdG8Fappwvk3JU\n"
                                  "n4QrJyZ0GQKBgQCKcbW8OphQEt4WtIoRnf6dvI4DM992GNFO9R/T5MSjj12Up5vs\n"
                                  "BibwoPkhJqJYlkjVymc2ntUr/IxBDZwYxYmko/1j7lCfNRntPh5BObgPNIciJp2b\n"
                                  "HC7zYa9wkuYFPdvoOzy1ub0nNJbcHep/qZhgDI/NeUvujxtMZYtTyV0uPQKBgH2s\n"
                                  "qdTVuU2/Ux9xJJAKk/az/NGg+hVp6fiRF8zcOTxCGx3TKDCrghNfNcVNpzDjVNss\n"
                                  "4DtXrDtcrgIbVrws6SFF0oidcqO8z9fCM185NsNJASh2GVBljWA0beIBCLJCUWSE\n"
                                  "IYk8P5phDPrnGiecObmKmtdBpDWc06n6nxaSey4pAoGASr/LPIxEM5CgNYcO2qB4\n"
                                  "h6UgIJYNlGI6dBLOUs5IMtWZ5++ukTaTk+6ZXXw8wQXNV1z5UmaeMvby/MrQGWh3\n"
                                  "8/5UrCL/khqF6YhpuamJLoa2vdxGt0lMUg97BQczxAeiKz4riM0Tw18vf360sdn2\n"
                                  "vQvAHXLyrC2GTzS4aR+bXvQ=\n"
                                  "-----END PRIVATE KEY-----\n";
static const char public_key[] =
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100b1d7b5cde6b246192ca1a91930b33ac03ec38472d9d0"
    "4cd6a8967c16ae9ef7132dd5af48448183759ccc49c793227637bf0297752db7914057dddb4203cc10d6239534c643fb4e5632a0898830"
    "574c6d307ae4e1a6ad81152a9f71d50c5cf922f71e4a717975b12ee451bf634bdf539daf009c077b107eb539577803c6e00ede4315080f"
    "9b7d76a6a06f54d6e963aae1fd9ef82f3ffd2d868e472b6461e7361e04d2e94f65cc7d10318a540b6b2cdfce9523240a0f78c91f9f70b3"
    "d254b20e1dcc5ed67a8de44ef0fa0788aaa06b61c635f147662b8c031273596195636666b2fd5d7d0012fa864eee4f9f4a16efaab41244"
    "8626462d5d806031989b635d1bf50203010001";

static const char connector[] =
    "version: 1\n"
    "name: shop\n"
    "fields: {id: {required: true}, secret: {secret: true, required: true}, file: {secret: true, lines: true}, seed: "
    "{}}\n"
    "auth:\n"
    "  bearer: \"${token}\"\n"
    "  token:\n"
    "    jwt:\n"
    "      key: \"${field.file | member private_key}\"\n"
    "      claims: {iss: \"${field.file | member client_email}\", iat: \"${now | unix}\", exp: \"${now | plus 1h | "
    "unix}\"}\n"
    "    get: {url: \"https://id.example/token\", form: {grant: jwt, assertion: \"${jwt}\"}}\n"
    "    refresh: {url: \"https://id.example/token\", basic: {user: \"${field.id}\", password: \"${field.secret}\"},\n"
    "      form: {grant_type: refresh_token, refresh_token: \"${token.refresh}\"}}\n"
    "    login:\n"
    "      ask: {url: \"https://id.example/allow\", query: {client_id: \"${field.id}\", state: \"${login.state}\",\n"
    "        redirect_uri: \"${login.redirect}\", code_challenge: \"${login.verifier | challenge}\"}}\n"
    "      exchange: {url: \"https://id.example/token\", form: {code: \"${login.code}\", code_verifier: "
    "\"${login.verifier}\"}}\n"
    "    seed: \"${field.seed}\"\n"
    "headers: {X-Shop: \"1\"}\n"
    "actions: {send: {params: {text: {}}, request: {url: \"https://api.example/send\", json: {text: \"${.text}\"}}}}\n";

static struct kit *kit;

static int setup(void **state) {
    (void)state;
    kit = kit_new();
    kit_add(kit, STR("shop.yaml"), str_from(connector));
    kit_no_findings(kit);
    kit_compile(kit);
    kit->destination.name = kit->destination.type = STR("shop");
    kit->destination.url = STR_NONE;
    struct json *file = json_object();
    json_set_str(file, "client_email", STR("robot@example.com"));
    json_set_str(file, "private_key", str_from(private_key));
    kit_set_field(kit, "file", json_dump(&kit->arena, file).p);
    json_free(file);
    kit_set_field(kit, "id", "client-1");
    kit_set_field(kit, "secret", "s3cret-of-client");
    kit_bind(kit);
    kit_no_findings(kit);
    kit->context.count = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(kit);
    return 0;
}

static void ask_for(enum token_way way, const struct token_use *use) {
    kit->context.token = use;
    if (connect_token_request(&kit->context, way, &kit->outgoing, &kit->problem))
        fail_msg("%.*s", STR_ARG(kit->problem));
}

static void a_delivery_carries_the_token(void **state) {
    (void)state;
    const struct token_use use = {.access = STR("at-1")};
    kit->context.count = 1;
    kit->delivery.action = STR("send");
    kit->delivery.params = STR("{\"text\":\"hi\"}");
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_string_equal(kit_header(kit, "authorization").p, "Bearer ${token}");
    kit->context.token = &use;
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_string_equal(kit_header(kit, "authorization").p, "Bearer at-1");
    kit_answer(kit, 500, "", "{\"you\": \"at-1 no, Bearer at-1\"}");
    assert_null(strstr(kit_outcome(kit).answer.p, "at-1"));
}

/* Nothing of what all requests share goes with the request for a token, its header least of all. */
static void a_refresh_is_asked_with_its_own_credentials(void **state) {
    (void)state;
    ask_for(TOKEN_REFRESH, &(struct token_use){.access = STR("at-1"), .refresh = STR("rt/1")});
    assert_true(str_eq(kit->outgoing.body, STR("grant_type=refresh_token&refresh_token=rt%2F1")));
    assert_string_equal(kit_header(kit, "authorization").p, "Basic Y2xpZW50LTE6czNjcmV0LW9mLWNsaWVudA==");
    assert_int_equal(kit_header(kit, "x-shop").n, 0);
}

/* The verifier and its challenge are those of RFC 7636, appendix B. */
static void a_person_is_asked_with_a_challenge(void **state) {
    (void)state;
    const struct token_use use = {.code = STR("c-1"),
                                  .verifier = STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
                                  .state = STR("st"),
                                  .redirect = STR("http://127.0.0.1:8119/")};
    ask_for(TOKEN_ASK, &use);
    assert_true(
        str_eq(kit->outgoing.url,
               STR("https://id.example/allow?client_id=client-1&state=st&redirect_uri=http%3A%2F%2F127.0.0.1%3A8119"
                   "%2F&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")));
    ask_for(TOKEN_EXCHANGE, &use);
    assert_true(str_eq(kit->outgoing.body, STR("code=c-1&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
}

static struct str decoded(struct str part) {
    struct buf buf = {.arena = &kit->arena};
    struct str data = STR_NONE;
    for (size_t i = 0; i < part.n; i++) buf_byte(&buf, part.p[i] == '-' ? '+' : part.p[i] == '_' ? '/' : part.p[i]);
    while (buf.n % 4) buf_byte(&buf, '=');
    assert_true(base64_decode(&kit->arena, buf_str(&buf), &data));
    return data;
}

static void a_jwt_is_signed_by_the_key(void **state) {
    (void)state;
    ask_for(TOKEN_GET, &(struct token_use){0});
    struct str rest = kit->outgoing.body, head, claims, signature;
    assert_true(str_starts(rest, STR("grant=jwt&assertion=")));
    rest = str_sub(rest, 20, rest.n);
    struct str whole = rest;
    assert_true(str_next(&rest, '.', &head) && str_next(&rest, '.', &claims) && str_next(&rest, '.', &signature));
    assert_true(str_eq(decoded(head), STR("{\"alg\":\"RS256\",\"typ\":\"JWT\"}")));
    assert_true(str_eq(decoded(claims), STR("{\"iss\":\"robot@example.com\",\"iat\":1795521600,\"exp\":1795525200}")));
    uint8_t *key = arena_alloc(&kit->arena, sizeof public_key / 2);
    assert_true(hex_decode(str_from(public_key), key, (sizeof public_key - 1) / 2));
    assert_true(signing_verify(SIGNING_RSA_SHA256, (struct str){(const char *)key, (sizeof public_key - 1) / 2},
                               str_sub(whole, 0, head.n + 1 + claims.n), decoded(signature)));
}

static void a_key_that_is_none_is_found_when_bound(void **state) {
    (void)state;
    kit_set_field(kit, "file", "{\"client_email\": \"x\", \"private_key\": \"-----BEGIN NOTHING-----\"}");
    kit_bind(kit);
    assert_non_null(kit->findings.first);
    assert_non_null(strstr(kit->findings.first->text.p, "the private key is none"));
    assert_null(strstr(kit->findings.first->text.p, "NOTHING"));
}

static const struct {
    int32_t status;
    const char *headers, *body;
    int end; /* TOKEN_ */
    const char *access, *refresh;
    int64_t life_s, refresh_life_s, wait_s;
    const char *error;
} answers[] = {
    {200, "", "{\"access_token\":\"a\",\"expires_in\":7200,\"refresh_token\":\"r\"}", TOKEN_MADE, "a", "r", 7200, 0, 0,
     ""},
    {200, "", "{\"access_token\":\"a\"}", TOKEN_MADE, "a", "", 0, 0, 0, ""},
    {200, "", "{\"access_token\":\"a\",\"expires_in\":\"60\",\"refresh_token_expires_in\":31536000}", TOKEN_MADE, "a",
     "", 60, 31536000, 0, ""},
    {200, "", "{\"access_token\":\"a\",\"expires_in\":1795521660}", TOKEN_MADE, "a", "", 60, 0, 0, ""},
    {200, "", "{\"access_token\":\"a\",\"expires_in\":1795521660000}", TOKEN_MADE, "a", "", 60, 0, 0, ""},
    {200, "", "{\"access_token\":\"a\",\"expires_in\":\"2026-11-24T12:01:00Z\"}", TOKEN_MADE, "a", "", 60, 0, 0, ""},
    {200, "", "{\"access_token\":\"a\",\"expires_in\":-1}", TOKEN_MADE, "a", "", 0, 0, 0, ""},
    {200, "", "{\"access_token\":\"a\\nX: b\"}", TOKEN_TROUBLE, "", "", 0, 0, 0, "answered 200 without a token"},
    {200, "", "<html>Sign in</html>", TOKEN_TROUBLE, "", "", 0, 0, 0, "answered 200 without a token"},
    {200, "", "", TOKEN_TROUBLE, "", "", 0, 0, 0, "answered 200 without a token"},
    {400, "", "{\"error\":\"invalid_grant\",\"error_description\":\"no rt-of-mine\"}", TOKEN_REFUSED, "", "", 0, 0, 0,
     "answered 400: no ***"},
    {401, "", "{\"error\":\"invalid_client\"}", TOKEN_REFUSED, "", "", 0, 0, 0, "answered 401: invalid_client"},
    {403, "", "<html>blocked</html>", TOKEN_TROUBLE, "", "", 0, 0, 0, "answered 403 without a token"},
    {404, "", "{\"error\":\"not found\"}", TOKEN_TROUBLE, "", "", 0, 0, 0, "answered 404: not found"},
    {429, "Retry-After: 30", "", TOKEN_TROUBLE, "", "", 0, 0, 30, "answered 429 without a token"},
    {502, "", "<html>", TOKEN_TROUBLE, "", "", 0, 0, 0, "answered 502 without a token"},
};

static int64_t seconds_to(int64_t at_us) {
    return at_us ? (at_us - NOW) / US_PER_S : 0;
}

static void answers_are_read(void **state) {
    (void)state;
    kit->context.token = &(struct token_use){.refresh = STR("rt-of-mine")};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct token_answer got;
        kit_answer(kit, answers[i].status, answers[i].headers, answers[i].body);
        connect_token_answer(&kit->context, &kit->answer, &kit->evaluator, &got);
        if ((int)got.end != answers[i].end) fail_msg("%s ends %d", answers[i].body, (int)got.end);
        assert_true(str_eq(got.access, str_from(answers[i].access)));
        assert_true(str_eq(got.refresh, str_from(answers[i].refresh)));
        assert_int_equal(seconds_to(got.expires_us), answers[i].life_s);
        assert_int_equal(seconds_to(got.refresh_expires_us), answers[i].refresh_life_s);
        assert_int_equal(seconds_to(got.not_before_us), answers[i].wait_s);
        assert_true(str_eq(got.error, str_from(answers[i].error)));
    }
}

static void no_answer_is_trouble(void **state) {
    (void)state;
    struct token_answer got;
    kit_answer(kit, 0, "", "");
    kit->answer.end = EXCHANGE_TIMED_OUT;
    connect_token_answer(&kit->context, &kit->answer, &kit->evaluator, &got);
    assert_int_equal(got.end, TOKEN_TROUBLE);
    assert_true(got.error.n > 0);
}

static void a_seed_comes_from_a_field(void **state) {
    (void)state;
    kit->context.token = &(struct token_use){0};
    struct str digest;
    assert_int_equal(connect_token_seed(&kit->context, &digest).n + digest.n, 0);
    kit_set_field(kit, "seed", "rt-0");
    assert_true(str_eq(connect_token_seed(&kit->context, &digest), STR("rt-0")) && digest.n == 64);
    assert_true(connect_has_token(&kit->destination) && connect_has_way(&kit->destination, TOKEN_GET));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_delivery_carries_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refresh_is_asked_with_its_own_credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(a_person_is_asked_with_a_challenge, setup, teardown),
        cmocka_unit_test_setup_teardown(a_jwt_is_signed_by_the_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_none_is_found_when_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(no_answer_is_trouble, setup, teardown),
        cmocka_unit_test_setup_teardown(a_seed_comes_from_a_field, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
