/* test_certified.c - messages of Amazon SNS: whose they are, what was signed, and what is fetched for them. */
#include "kit.h"

#include <stdio.h>

#include "base/json.h"
#include "certificates.h"

#define HOST  "https://sns.us-east-1.amazonaws.com"
#define URL   HOST "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
#define TOPIC "arn:aws:sns:us-east-1:123456789012:bounces"
#define CALL  HOST "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=2336"

struct shelf {
    struct certificate_shelf seam;
    struct arena *arena;
    const char *pem; /* what lies at URL; NULL = nothing */
    const char *why;
    bool old, done;
    size_t asked, proven;
};

static bool find(void *self, struct str url, struct str *ret_key, bool *ret_old, struct str *ret_why) {
    struct shelf *shelf = self;
    int64_t from_us, until_us;
    const char *problem;
    shelf->asked++;
    *ret_why = str_from(shelf->why ? shelf->why : "");
    if (!shelf->pem || !str_eq(url, STR(URL))) return false;
    *ret_old = shelf->old;
    return signing_certificate(str_from(shelf->pem), shelf->arena, ret_key, &from_us, &until_us, &problem);
}

static void prove(void *self, struct str url) {
    struct shelf *shelf = self;
    assert_true(str_eq(url, STR(URL)));
    shelf->proven++;
}

static bool confirmed(void *self, struct str url) {
    const struct shelf *shelf = self;
    assert_true(str_eq(url, STR(CALL)));
    return shelf->done;
}

static void open_shelf(struct kit *kit, struct shelf *shelf) {
    *shelf = (struct shelf){{find, prove, confirmed, shelf}, &kit->arena, TEST_CERTIFICATE, NULL, false, false, 0, 0};
    kit->wall_us = KIT_NOW_S * US_PER_S; /* 2026-11-24T13:20:39Z */
    kit->certificates = &shelf->seam;
    kit->source = (struct source_settings){
        .name = STR("ses"),
        .type = STR("sns"),
        .webhook = {.topic = STR(TOPIC), .tolerance_us = 2 * US_PER_HOUR, .scheme = scheme_find(STR("sns"))}};
    kit->headers[0] = (struct header){STR("Content-Type"), STR("text/plain; charset=UTF-8")};
    kit->request = (struct request){
        .method = STR("POST"), .path = STR("/in/ses"), .query = STR_NONE, .headers = kit->headers, .header_count = 1};
}

#define MESSAGE "{\"eventType\":\"Bounce\",\"mail\":{\"n\":1}}"

/* Names and values as they are signed, and the body that has them: pairs, ending in NULL. The first value may be any
 * text. */
static struct str signed_body(struct kit *kit, const char *const *pairs) {
    struct buf lines = {.arena = &kit->arena}, body = {.arena = &kit->arena};
    struct str signature;
    buf_byte(&body, '{');
    for (; *pairs; pairs += 2) {
        buf_fmt(&lines, "%s\n%s\n", pairs[0], pairs[1]);
        buf_fmt(&body, "\"%s\":", pairs[0]);
        json_quote(&body, str_from(pairs[1]));
        buf_byte(&body, ',');
    }
    assert_true(signing_sign_rsa(STR(TEST_KEY), buf_str(&lines), &kit->arena, &signature));
    buf_fmt(&body, "\"SignatureVersion\":\"2\",\"SigningCertURL\":\"" URL "\",\"Signature\":\"%.*s\"}",
            STR_ARG(base64_encode(&kit->arena, signature)));
    return buf_str(&body);
}

static const char *const notification[] = {"Message",  MESSAGE, "MessageId", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
                                           "Subject",  "Grüße", "Timestamp", "2026-11-24T13:20:39.123Z",
                                           "TopicArn", TOPIC,   "Type",      "Notification",
                                           NULL};
static const char *const subscription[] = {"Message",
                                           "You have chosen to subscribe.\nVisit it.",
                                           "MessageId",
                                           "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
                                           "SubscribeURL",
                                           CALL,
                                           "Timestamp",
                                           "2026-11-24T13:20:39.123Z",
                                           "Token",
                                           "2336",
                                           "TopicArn",
                                           TOPIC,
                                           "Type",
                                           "SubscriptionConfirmation",
                                           NULL};

static enum err take(struct kit *kit, struct str body) {
    kit->request.body = body;
    kit->words = STR("");
    return kit_take(kit);
}

static void a_notification_is_an_event(void **state) {
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    struct str body = signed_body(kit, notification);
    assert_int_equal(take(kit, body), ERR_NONE);
    assert_int_equal(kit->posting.fetch.what, FETCH_NOTHING);
    const struct event *event = &kit->posting.intake.items[0].event;
    assert_str(event->type, "ses.Bounce");
    assert_str(event->key, "ses:22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324");
    assert_true(str_eq(event->payload, body));
    shelf.old = true; /* good, and another look is due */
    assert_int_equal(take(kit, body), ERR_NONE);
    assert_int_equal(kit->posting.fetch.what, FETCH_CERTIFICATE);
    assert_str(kit->posting.fetch.url, URL);
}

static void its_type_is_what_the_message_says(void **state) {
    static const struct {
        const char *message, *type;
    } cases[] = {
        {"{\"notificationType\":\"Complaint\"}", "ses.Complaint"},
        {"{\"detail-type\":\"EC2 Instance State-change\"}", "ses.EC2_Instance_State-change"},
        {" {\"eventType\":\"Open\"} ", "ses.Open"},
        {"hello", "ses.event"},
        {"", "ses.event"},
        {"{broken", "ses.event"},
        {"[1]", "ses.event"},
        {"\"text\"", "ses.event"},
    };
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *pairs[COUNT_OF(notification)];
        memcpy(pairs, notification, sizeof pairs);
        pairs[1] = cases[i].message;
        assert_int_equal(take(kit, signed_body(kit, pairs)), ERR_NONE);
        assert_str(kit->posting.intake.items[0].event.type, cases[i].type);
    }
}

static void every_changed_bit_is_refused(void **state) {
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    const struct str bodies[] = {signed_body(kit, notification), signed_body(kit, subscription)};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        char *changed = (char *)(uintptr_t)str_dup(&kit->arena, bodies[i]).p;
        for (size_t bit = 0; bit < bodies[i].n * 8; bit++) {
            changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
            enum err err = take(kit, (struct str){changed, bodies[i].n});
            if (err != ERR_UNSIGNED && err != ERR_UNVOUCHED) fail_msg("bit %zu: %s", bit, err_label(err));
            if (err == ERR_UNVOUCHED) assert_int_equal(kit->posting.fetch.what, FETCH_CERTIFICATE);
            changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
        }
        assert_int_equal(shelf.proven, i);
        assert_int_equal(take(kit, (struct str){changed, bodies[i].n}), ERR_NONE);
        assert_int_equal(shelf.proven, i + 1);
    }
}

/* What stands in the body and is replaced, once; what is signed is not. */
static const struct {
    const char *from, *to;
} changes[] = {
    {TOPIC, "arn:aws:sns:us-east-1:666666666666:bounces"},
    {TOPIC, "arn:aws:sns:us-east-1:123456789012:bouncesx"},
    {"\"TopicArn\"", "\"topicarn\""},
    {"\"" TOPIC "\"", "[\"" TOPIC "\"]"},
    {"\"Notification\"", "\"notification\""},
    {"\"Notification\"", "\"\""},
    {"\"Notification\"", "null"},
    {"\"Notification\"", "\"SubscriptionConfirmation\""},
    {"\"SignatureVersion\":\"2\"", "\"SignatureVersion\":2"},
    {"\"SignatureVersion\":\"2\"", "\"SignatureVersion\":\"3\""},
    {"\"SignatureVersion\":\"2\"", "\"SignatureVersion\":\"1\""},
    {"\"SignatureVersion\":\"2\",", ""},
    {"\"Subject\":\"Grüße\"", "\"Subject\":null"},
    {"\"Subject\":\"Grüße\",", ""},
    {"\"Subject\"", "\"subject\""},
    {"\"MessageId\":\"22", "\"MessageId\":\"\\n22"},
    {"\"Message\":\"", "\"Message\":\"x\",\"Message\":\""},
    {"\"Type\":", "\"Type\":\"Notification\",\"Type\":"},
    {"\"Signature\":\"", "\"Signature\":\" "},
    {"\"Signature\":\"", "\"Signature\":\"!"},
    {"\"Signature\":", "\"signature\":"},
    {"\"SigningCertURL\"", "\"SigningCertUrl\""},
    {URL, "http://sns.us-east-1.amazonaws.com/a.pem"},
    {URL, "HTTPS://sns.us-east-1.amazonaws.com/a.pem"},
    {URL, "https://SNS.us-east-1.amazonaws.com/a.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com.evil.example/a.pem"},
    {URL, "https://evil.example/sns.us-east-1.amazonaws.com/a.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com@evil.example/a.pem"},
    {URL, "https://sns.a@evil.example:443#.amazonaws.com/a.pem"},
    {URL, "https://evilsns.us-east-1.amazonaws.com/a.pem"},
    {URL, "https://sns.evil.example/x.amazonaws.com/a.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com:8443/a.pem"},
    {URL, "https://sns..amazonaws.com/a.pem"},
    {URL, "https://sns.a.b.amazonaws.com/a.pem"},
    {URL, "https://sns.amazonaws.com/a.pem"},
    {URL, "https://s3.us-east-1.amazonaws.com/a.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com/a.crt"},
    {URL, "https://sns.us-east-1.amazonaws.com/?a.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com/a#.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com/a%2e.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com/a .pem"},
    {URL, "https://sns.us-east-1.amazonaws.com\\\\a.pem"},
    {URL, "https://sns.us-east-1.amazonaws.com"},
    {URL, HOST "/a/../a.pem"},
    {URL, HOST "/./a.pem"},
    {URL, HOST "//a.pem"},
    {URL, HOST "/a//a.pem"},
    {URL, HOST "/.pem"},
    {URL, "https://sns.r0.amazonaws.com/a.pem"},
    {URL, "https://sns.us-east-2.amazonaws.com/a.pem"},
    {URL, "https:///a.pem"},
    {URL, ""},
};

static void odd_inputs_are_refused_and_nothing_is_fetched(void **state) {
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    struct str body = signed_body(kit, notification);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        assert_non_null(strstr(str_dup(&kit->arena, body).p, changes[i].from));
        enum err err = take(kit, kit_replaced(kit, body, changes[i].from, str_from(changes[i].to)));
        if (err != ERR_UNSIGNED) fail_msg("%s for %s: %s", changes[i].to, changes[i].from, err_label(err));
        assert_int_equal(kit->posting.fetch.what, FETCH_NOTHING);
        assert_true(kit->words.n > 0);
        assert_int_equal(kit->posting.intake.count, 0);
    }
    const char *const raw[] = {
        "hello", "", "{}", "[]", "{\"eventType\":\"Bounce\"}", "\"x\"", "{\"Type\":\"Notification\"}"};
    for (size_t i = 0; i < COUNT_OF(raw); i++) assert_int_equal(take(kit, str_from(raw[i])), ERR_UNSIGNED);
    char url[400]; /* longer than is kept */
    snprintf(url, sizeof url, HOST "/%0260d.pem", 1);
    assert_int_equal(take(kit, kit_replaced(kit, body, URL, str_from(url))), ERR_UNSIGNED);
}

/* A message is one line after another: what its writer puts into the first cannot become another topic's. */
static void a_message_of_many_lines_stays_in_its_topic(void **state) {
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    const char *forged[] = {
        "Message",   "x\nMessageId\ny\nTimestamp\n2026-11-24T13:20:39.123Z\nTopicArn\n" TOPIC "\nType\nNotification",
        "MessageId", "1",
        "Timestamp", "2026-11-24T13:20:39.123Z",
        "TopicArn",  "arn:aws:sns:us-east-1:666666666666:mine",
        "Type",      "Notification",
        NULL};
    struct str body = signed_body(kit, forged);
    assert_int_equal(take(kit, body), ERR_UNSIGNED);
    kit->source.webhook.topic = STR("arn:aws:sns:us-east-1:666666666666:mine");
    assert_int_equal(take(kit, body), ERR_NONE); /* it is his own */
    kit->source.webhook.topic = STR(TOPIC);
    const char *const signature = strstr(str_dup(&kit->arena, body).p, "\"SignatureVersion\"");
    struct str shifted =
        str_fmt(&kit->arena,
                "{\"Message\":\"x\",\"MessageId\":\"y\",\"Timestamp\":\"2026-11-24T13:20:39.123Z\","
                "\"TopicArn\":\"" TOPIC "\",\"Type\":\"Notification\\nMessageId\\n1\\nTimestamp\\n"
                "2026-11-24T13:20:39.123Z\\nTopicArn\\narn:aws:sns:us-east-1:666666666666:mine\\nType\\n"
                "Notification\",%s",
                signature);
    assert_int_equal(take(kit, shifted), ERR_UNSIGNED);
}

static void one_whose_certificate_is_not_here_comes_again(void **state) {
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    struct str body = signed_body(kit, notification);
    shelf.pem = NULL;
    assert_int_equal(take(kit, body), ERR_UNVOUCHED);
    assert_int_equal(kit->posting.fetch.what, FETCH_CERTIFICATE);
    assert_str(kit->posting.fetch.url, URL);
    assert_str(kit->refusal.detail, "its certificate is not here yet and is being fetched");
    shelf.why = "the answer was 404";
    assert_int_equal(take(kit, body), ERR_UNVOUCHED);
    assert_str(kit->refusal.detail, "the answer was 404");
    shelf.pem = OTHER_CERTIFICATE;
    assert_int_equal(take(kit, body), ERR_UNSIGNED);
    shelf.pem = TEST_CERTIFICATE;
    assert_int_equal(take(kit, body), ERR_NONE);
    kit->certificates = NULL;
    assert_int_equal(take(kit, body), ERR_UNVOUCHED);
}

static void an_old_message_is_stale(void **state) {
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    struct str body = signed_body(kit, notification);
    int64_t now_us = kit->wall_us;
    kit->wall_us = now_us + 2 * US_PER_HOUR;
    assert_int_equal(take(kit, body), ERR_NONE);
    kit->wall_us = now_us + 2 * US_PER_HOUR + US_PER_S;
    assert_int_equal(take(kit, body), ERR_STALE);
    assert_int_equal(shelf.proven, 1); /* who sends an old one again proves nothing */
    kit->wall_us = now_us - 2 * US_PER_HOUR;
    assert_int_equal(take(kit, body), ERR_STALE);
    const char *pairs[COUNT_OF(notification)];
    memcpy(pairs, notification, sizeof pairs);
    pairs[7] = "1795526439";
    kit->wall_us = now_us;
    assert_int_equal(take(kit, signed_body(kit, pairs)), ERR_STALE);
}

static void a_subscription_is_confirmed_by_its_url(void **state) {
    struct kit *kit = *state;
    struct shelf shelf;
    open_shelf(kit, &shelf);
    struct str body = signed_body(kit, subscription);
    assert_int_equal(take(kit, body), ERR_NONE);
    assert_int_equal(kit->posting.fetch.what, FETCH_CONFIRMATION);
    assert_str(kit->posting.fetch.url, CALL);
    assert_str(kit->posting.intake.items[0].event.type, "ses.SubscriptionConfirmation");
    shelf.done = true;
    assert_int_equal(take(kit, body), ERR_NONE);
    assert_int_equal(kit->posting.fetch.what, FETCH_NOTHING);
    assert_str(kit->posting.intake.items[0].event.key, "ses:165545c9-2a5c-472c-8df2-7ff2be2b3b1b");
    const char *pairs[COUNT_OF(subscription)];
    memcpy(pairs, subscription, sizeof pairs);
    pairs[13] = "UnsubscribeConfirmation";
    shelf.done = false;
    assert_int_equal(take(kit, signed_body(kit, pairs)), ERR_NONE);
    assert_int_equal(kit->posting.fetch.what, FETCH_NOTHING);
    assert_str(kit->posting.intake.items[0].event.type, "ses.UnsubscribeConfirmation");
    memcpy(pairs, subscription, sizeof pairs);
    pairs[5] = "https://evil.example/?Action=ConfirmSubscription"; /* as if Amazon had signed it */
    assert_int_equal(take(kit, signed_body(kit, pairs)), ERR_UNSIGNED);
    assert_int_equal(kit->posting.fetch.what, FETCH_NOTHING);
}

static void a_certificate_gives_its_key(void **state) {
    static const struct {
        const char *pem, *problem;
    } cases[] = {
        {TEST_CERTIFICATE, NULL},
        {"some words before\n" TEST_CERTIFICATE OTHER_CERTIFICATE, NULL},
        {SHORT_CERTIFICATE, "its key is none of RSA with 2048 bits or more"},
        {CURVE_CERTIFICATE, "its key is none of RSA with 2048 bits or more"},
        {TEST_KEY, "it is no certificate in PEM"},
        {"", "it is no certificate in PEM"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it is no certificate in PEM"},
        {"<html>not found</html>", "it is no certificate in PEM"},
    };
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str key, signature;
        int64_t from_us = 0, until_us = 0;
        const char *problem;
        bool good = signing_certificate(str_from(cases[i].pem), &kit->arena, &key, &from_us, &until_us, &problem);
        assert_int_equal(good, !cases[i].problem);
        if (!good) assert_string_equal(problem, cases[i].problem);
        if (!good) continue;
        assert_true(signing_sign_rsa(STR(TEST_KEY), STR("words"), &kit->arena, &signature));
        assert_true(signing_verify(SIGNING_RSA_SHA256, key, STR("words"), signature));
        assert_false(signing_verify(SIGNING_RSA_SHA1, key, STR("words"), signature));
        assert_true(until_us - from_us == 36500 * US_PER_DAY);
        assert_true(when_str(&kit->arena, from_us).n && from_us > 1790000000 * US_PER_S);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_notification_is_an_event, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(its_type_is_what_the_message_says, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(every_changed_bit_is_refused, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(odd_inputs_are_refused_and_nothing_is_fetched, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_message_of_many_lines_stays_in_its_topic, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(one_whose_certificate_is_not_here_comes_again, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(an_old_message_is_stale, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_subscription_is_confirmed_by_its_url, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_certificate_gives_its_key, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
