/* What becomes of requests that are a source's own: events, greetings, refusals. */
#include "kit.h"

/* A request that needs no signature made: of the sender `bearer`, with this body. */
static void load_body(struct kit *kit, const char *media, const char *body) {
    kit_load(kit, kit_sample("bearer"));
    if (media) kit->headers[kit->request.header_count++] = (struct header){STR("Content-Type"), str_from(media)};
    kit->request.body = str_from(body);
}

static const struct event *taken(struct kit *kit) {
    if (kit_take(kit)) fail_msg("refused: %.*s %.*s", STR_ARG(kit->words), STR_ARG(kit->refusal.detail));
    assert_int_equal(kit->posting.intake.count, 1);
    assert_true(kit->posting.intake.items[0].valid);
    return &kit->posting.intake.items[0].event;
}

static struct str digest_of(struct kit *kit, const char *before, struct str text) {
    uint8_t digest[SHA256_BYTES];
    hash_sha256(kit->hasher, text, digest);
    return str_fmt(&kit->arena, "%s:sha256:%.*s", before, STR_ARG(hex_encode(&kit->arena, digest, sizeof digest)));
}

/* ---- types and keys ---- */

static void test_types_and_keys_of_each_sender(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        assert_int_equal(kit_take(kit), ERR_NONE);
        const struct intake *intake = &kit->posting.intake;
        struct buf events = {.arena = &kit->arena};
        for (size_t j = 0; j < intake->count; j++) {
            const struct event *event = &intake->items[j].event;
            assert_true(intake->items[j].valid);
            assert_true(event_type_valid(event->type) && event_key_valid(event->key));
            assert_str(event->source, samples[i].type);
            assert_int_equal(event->scheduled_us, kit->wall_us);
            buf_fmt(&events, "%.*s %.*s\n", STR_ARG(event->type), STR_ARG(event->key));
        }
        if (!str_glob(str_from(samples[i].events), buf_str(&events)))
            fail_msg("%s makes\n%.*sand not\n%s", samples[i].type, STR_ARG(buf_str(&events)), samples[i].events);
    }
}

static void test_the_body_is_kept_as_received(void **state) {
    struct kit *kit = *state;
    kit_load(kit, kit_sample("stripe"));
    assert_str(taken(kit)->payload, kit_sample("stripe")->body);
    kit_load(kit, kit_sample("sendgrid"));
    assert_int_equal(kit_take(kit), ERR_NONE);
    assert_str(kit->posting.intake.items[1].event.payload,
               "{\"email\":\"a@b.example\",\"timestamp\":1795526431,\"event\":\"open\",\"sg_event_id\":\"b3Blbg\"}");
}

static void test_a_second_try_has_the_same_key(void **state) {
    struct kit *kit = *state;
    static const char first[] = "{\"order\":{\"id\":7,\"version\":1},\"attempt\":1}";
    static const char again[] = "{\"attempt\":2,\"order\":{\"version\":1,\"id\":7}}";
    static const char other[] = "{\"order\":{\"id\":7,\"version\":2},\"attempt\":1}";
    load_body(kit, NULL, first);
    kit->source.webhook.map_key = STR("/order/id+/order/version");
    assert_str(taken(kit)->key, "bearer:7:1");
    kit->request.body = str_from(again);
    assert_str(taken(kit)->key, "bearer:7:1");
    kit->request.body = str_from(other);
    assert_str(taken(kit)->key, "bearer:7:2");
}

static void test_without_a_key_of_its_own_a_body_is_known_by_its_digest(void **state) {
    struct kit *kit = *state;
    struct str body = STR("{\"type\":\"a\"}");
    load_body(kit, NULL, body.p);
    assert_true(str_eq(taken(kit)->key, digest_of(kit, "bearer", body)));
    kit_load(kit, kit_sample("meta"));
    assert_int_equal(kit_take(kit), ERR_NONE);
    struct str entry = STR("{\"id\":\"1\",\"time\":2,\"changes\":[{\"field\":\"feed\"}]}");
    assert_true(str_eq(kit->posting.intake.items[1].event.key, digest_of(kit, "meta", entry)));
}

/* Half a key, or one that no key can be, would make two facts one. */
static void test_a_key_that_is_not_whole(void **state) {
    struct kit *kit = *state;
    struct buf lengthy = {.arena = &kit->arena};
    buf_add(&lengthy, STR("{\"a\":\"1\",\"b\":\""));
    for (int i = 0; i < 250; i++) buf_byte(&lengthy, 'x');
    buf_add(&lengthy, STR("\"}"));
    const char *const bodies[] = {"{\"a\":\"1\"}",
                                  "{\"a\":\"1\",\"b\":\"\"}",
                                  "{\"a\":\"1\",\"b\":null}",
                                  "{\"a\":\"1\",\"b\":true}",
                                  "{\"a\":\"1\",\"b\":{\"c\":1}}",
                                  "{\"a\":\"1\",\"b\":[2]}",
                                  "{\"a\":\"1\",\"b\":\"\\u0007\"}",
                                  "{\"a\":\"1\",\"b\":\"\\u0000\"}",
                                  buf_str(&lengthy).p};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        load_body(kit, NULL, bodies[i]);
        kit->source.webhook.map_key = STR("/a+/b");
        assert_true(str_eq(taken(kit)->key, digest_of(kit, "bearer", str_from(bodies[i]))));
        assert_true(kit->posting.intake.items[0].unkeyed);
    }
    load_body(kit, NULL, "{\"a\":\"1\",\"b\":0}");
    kit->source.webhook.map_key = STR("/a+/b");
    assert_str(taken(kit)->key, "bearer:1:0");
    assert_false(kit->posting.intake.items[0].unkeyed);
    load_body(kit, NULL, "{\"a\":\"1\"}"); /* a digest is what a sender without ids always has */
    assert_true(str_eq(taken(kit)->key, digest_of(kit, "bearer", STR("{\"a\":\"1\"}"))));
    assert_false(kit->posting.intake.items[0].unkeyed);
}

static void test_json_that_says_it_is_a_form(void **state) {
    struct kit *kit = *state;
    load_body(kit, "application/x-www-form-urlencoded", " {\"type\":\"a=b\"}");
    assert_str(taken(kit)->type, "bearer.a_b");
    load_body(kit, "application/x-www-form-urlencoded", "type=a");
    assert_str(taken(kit)->payload, "{\"type\":\"a\"}");
    load_body(kit, "application/x-www-form-urlencoded", "[1]");
    assert_int_equal(kit_take(kit), ERR_BAD_FIELD);
}

static const struct {
    const char *what, *type; /* what: as JSON */
} types[] = {
    {"\"orders/create\"", "bearer.orders.create"},
    {"\"a:b\"", "bearer.a.b"},
    {"\"A b\\tc\\u0000d\\\"e\"", "bearer.A_b_c_d_e"},
    {"\"\u00e9\"", "bearer.__"},
    {"\"-_.9\"", "bearer.-_.9"},
    {"7", "bearer.7"},
    {"\"\"", "bearer.event"},
    {"null", "bearer.event"},
    {"[\"a\"]", "bearer.event"},
    {"\"0123456789012345678901234567890123456789012345678901234567890123\"",
     "bearer.012345678901234567890123456789012345678901234567890123456"},
};

static void test_types_are_cut_and_cleaned(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        load_body(kit, NULL, str_fmt(&kit->arena, "{\"type\":%s}", types[i].what).p);
        const struct event *event = taken(kit);
        assert_str(event->type, types[i].type);
        assert_true(event_type_valid(event->type));
    }
}

static void test_places_that_the_user_names(void **state) {
    struct kit *kit = *state;
    load_body(
        kit, NULL,
        "{\"kind\":\"late\",\"a/b\":{\"c~d\":[{\"id\":\"x\"},{\"id\":\"y\"}]},\"at\":\"2026-12-01T09:00:00+01:00\"}");
    kit->source.webhook.map_type = STR("/kind+/a~1b/c~0d/1/id");
    kit->source.webhook.map_key = STR("/a~1b/c~0d/0/id");
    kit->source.webhook.map_at = STR("/at");
    const struct event *event = taken(kit);
    assert_str(event->type, "bearer.late.y");
    assert_str(event->key, "bearer:x");
    assert_int_equal(event->scheduled_us, 1796112000 * US_PER_S);
    kit->source.webhook.map_at = STR("/kind");
    assert_int_equal(kit_take(kit), ERR_BAD_FIELD);
    assert_str(kit->refusal.pointer, "/kind");
    kit->source.webhook.map_at = STR("/nowhere"); /* then it is due now */
    assert_int_equal(taken(kit)->scheduled_us, kit->wall_us);
}

static void test_a_list_of_types_holds_for_sources_too(void **state) {
    struct kit *kit = *state;
    struct str declared[] = {STR("LEAD"), STR("hubspot.contact.deletion")};
    kit->settings.types = declared;
    kit->settings.type_count = COUNT_OF(declared);
    kit_load(kit, kit_sample("stripe"));
    assert_int_equal(kit_take(kit), ERR_BAD_TYPE);
    kit_load(kit, kit_sample("hubspot"));
    assert_int_equal(kit_take(kit), ERR_NONE);
    assert_false(kit->posting.intake.items[0].valid);
    assert_int_equal(kit->posting.intake.items[0].refusal.err, ERR_BAD_TYPE);
    assert_true(kit->posting.intake.items[1].valid);
}

/* ---- bodies ---- */

static void test_bodies_that_are_no_event(void **state) {
    struct kit *kit = *state;
    static const struct {
        const char *body;
        enum err err;
    } cases[] = {{"", ERR_BAD_JSON},
                 {" ", ERR_BAD_JSON},
                 {"{", ERR_BAD_JSON},
                 {"{}x", ERR_BAD_JSON},
                 {"\xef\xbb\xbf{}", ERR_BAD_JSON},
                 {"{\"a\":\"\xff\"}", ERR_BAD_JSON},
                 {"{\"a\":1,\"a\":2}", ERR_BAD_JSON},
                 {"{\"\\u0000\":1}", ERR_BAD_JSON},
                 {"a=b", ERR_BAD_JSON},
                 {"[]", ERR_BAD_FIELD},
                 {"[{}]", ERR_BAD_FIELD},
                 {"null", ERR_BAD_FIELD},
                 {"\"text\"", ERR_BAD_FIELD},
                 {"7", ERR_BAD_FIELD}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        load_body(kit, "application/json", cases[i].body);
        if (kit_take(kit) != cases[i].err) fail_msg("'%s' is %s", cases[i].body, err_code(kit->refusal.err));
        assert_int_equal(kit->refusal.err, cases[i].err);
        assert_true(kit->refusal.detail.n > 0);
    }
}

static struct str nested(struct kit *kit, int depth) {
    struct buf body = {.arena = &kit->arena};
    for (int i = 0; i < depth; i++) buf_add(&body, STR("{\"a\":"));
    buf_byte(&body, '1');
    for (int i = 0; i < depth; i++) buf_byte(&body, '}');
    return buf_str(&body);
}

static void test_depth_and_size(void **state) {
    struct kit *kit = *state;
    load_body(kit, NULL, nested(kit, 64).p);
    (void)taken(kit);
    load_body(kit, NULL, nested(kit, 65).p);
    assert_int_equal(kit_take(kit), ERR_BAD_JSON);
    load_body(kit, NULL, nested(kit, 100000).p);
    assert_int_equal(kit_take(kit), ERR_BAD_JSON);
    load_body(kit, NULL, "{\"text\":\"0123456789\"}");
    kit->settings.server.max_event_bytes = 21;
    (void)taken(kit);
    kit->settings.server.max_event_bytes = 20;
    assert_int_equal(kit_take(kit), ERR_TOO_LARGE);
}

/* The bound is an item's, not the list's; what is wrong in one item refuses that one. */
static void test_lists_of_events(void **state) {
    struct kit *kit = *state;
    struct scheme scheme = *scheme_find(STR("bearer"));
    scheme.items = "/list";
    load_body(
        kit, NULL,
        "{\"list\":[{\"type\":\"a\"},7,{\"type\":\"b\",\"type\":\"c\"},{\"type\":\"d\",\"long\":\"0123456789\"},{}]}");
    kit->source.webhook.scheme = &scheme;
    kit->settings.server.max_event_bytes = 25;
    assert_int_equal(kit_take(kit), ERR_NONE);
    static const enum err errs[] = {ERR_NONE, ERR_BAD_FIELD, ERR_BAD_JSON, ERR_TOO_LARGE, ERR_NONE};
    assert_int_equal(kit->posting.intake.count, COUNT_OF(errs));
    for (size_t i = 0; i < COUNT_OF(errs); i++) {
        assert_int_equal(kit->posting.intake.items[i].valid, errs[i] == ERR_NONE);
        assert_int_equal(kit->posting.intake.items[i].refusal.err, errs[i]);
    }
    kit->request.body = STR("{\"list\":[]}");
    assert_int_equal(kit_take(kit), ERR_NONE);
    assert_int_equal(kit->posting.intake.count, 0);
    static const char *const none[] = {"{}", "{\"list\":{}}",  "{\"list\":[{},]}", "{\"list\":[{}", "[]",
                                       "",   "{\"list\":null}"};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        kit->request.body = str_from(none[i]);
        assert_int_equal(kit_take(kit), ERR_BAD_JSON);
        assert_str(kit->refusal.pointer, "/list");
    }
}

static void test_a_list_may_have_ten_thousand_events(void **state) {
    struct kit *kit = *state;
    struct buf body = {.arena = &kit->arena};
    kit_load(kit, kit_sample("basic"));
    struct scheme scheme = *kit->source.webhook.scheme;
    scheme.items = "";
    kit->source.webhook.scheme = &scheme;
    for (int i = 0; i < INTAKE_BATCH_MAX; i++) buf_fmt(&body, "%c{\"n\":%d}", i ? ',' : '[', i);
    kit->request.body = str_fmt(&kit->arena, "%.*s]", STR_ARG(buf_str(&body)));
    assert_int_equal(kit_take(kit), ERR_NONE);
    assert_int_equal(kit->posting.intake.count, INTAKE_BATCH_MAX);
    kit->request.body = str_fmt(&kit->arena, "%.*s,{}]", STR_ARG(buf_str(&body)));
    assert_int_equal(kit_take(kit), ERR_BAD_JSON);
}

/* ---- forms ---- */

#define FORM_MEDIA "Application/X-WWW-Form-URLencoded ; charset=utf-8"

static void test_a_form_becomes_json(void **state) {
    struct kit *kit = *state;
    load_body(kit, FORM_MEDIA, "type=lead&a=1&a=2&b=%00&name=Ada+L");
    const struct event *event = taken(kit);
    assert_str(event->payload, "{\"type\":\"lead\",\"a\":[\"1\",\"2\"],\"b\":\"\\u0000\",\"name\":\"Ada L\"}");
    assert_str(event->type, "bearer.lead");
    load_body(kit, FORM_MEDIA, "payload=%7B%22type%22:%22block_actions%22%7D");
    assert_str(taken(kit)->payload, "{\"type\":\"block_actions\"}");
    load_body(kit, FORM_MEDIA, "payload=text");
    assert_str(taken(kit)->payload, "{\"payload\":\"text\"}");
    load_body(kit, FORM_MEDIA, "");
    assert_str(taken(kit)->payload, "{}");
}

static void test_forms_that_are_none(void **state) {
    struct kit *kit = *state;
    struct buf many = {.arena = &kit->arena};
    for (int i = 0; i < 1001; i++) buf_fmt(&many, "%sn%d=1", i ? "&" : "", i);
    const struct {
        const char *body;
        enum err err;
    } cases[] = {{"a=%FF", ERR_BAD_REQUEST},
                 {buf_str(&many).p, ERR_BAD_REQUEST},
                 {"%00=1", ERR_BAD_JSON},
                 {"payload=%7B", ERR_BAD_JSON}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        load_body(kit, FORM_MEDIA, cases[i].body);
        assert_int_equal(kit_take(kit), cases[i].err);
        kit->source.webhook.secret = STR("another-secret-01");
        assert_int_equal(kit_take(kit), ERR_UNSIGNED); /* a stranger is not told that there is such a source */
        assert_str(kit->refusal.detail, "");
    }
}

/* ---- who else asks ---- */

static void test_a_source_that_is_not_there(void **state) {
    struct kit *kit = *state;
    kit_load(kit, kit_sample("stripe"));
    const struct intake_context context = kit_context(kit);
    assert_int_equal(webhook_take(&context, NULL, &kit->request, &kit->posting, &kit->refusal, &kit->words),
                     ERR_UNSIGNED);
    assert_str(kit->refusal.detail, "");
    assert_null(kit->refusal.pointer.p);
    assert_str(kit->words, "there is no source of this name");
    kit->source.webhook.secret = STR("another-secret-0123");
    assert_int_equal(kit_take(kit), ERR_UNSIGNED);
    assert_str(kit->refusal.detail, "");
    assert_null(kit->refusal.pointer.p);
}

static void test_only_meta_asks_by_get(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        kit_load(kit, &samples[i]);
        kit->request.method = STR("GET");
        assert_int_equal(kit_take(kit), ERR_UNSIGNED);
        kit->request.method = STR("HEAD");
        assert_int_equal(kit_take(kit), ERR_UNSIGNED);
    }
}

static void test_the_greeting_of_slack(void **state) {
    struct kit *kit = *state;
    struct sample sample = *kit_sample("slack");
    sample.body = "{\"token\":\"t\",\"challenge\":\"3eZ\\u00e9\\\"\",\"type\":\"url_verification\"}";
    kit_load(kit, &sample);
    assert_int_equal(kit_take(kit), ERR_NONE);
    assert_true(kit->posting.greeted);
    assert_str(kit->posting.content_type, "application/json");
    assert_str(kit->posting.text, "{\"challenge\":\"3eZ\\u00e9\\\"\"}");
    assert_int_equal(kit->posting.intake.count, 0);
    kit->source.webhook.secret = STR("another-secret-0123");
    assert_int_equal(kit_take(kit), ERR_UNSIGNED);
    sample.body = "{\"challenge\":7,\"type\":\"url_verification\"}";
    kit_load(kit, &sample);
    assert_str(taken(kit)->type, "slack.event"); /* not a greeting, hence what it is */
    assert_false(kit->posting.greeted);
}

static const struct {
    const char *query, *token, *challenge; /* challenge NULL: refused */
} greetings[] = {
    {"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=my%20words", "my words", "1158201444"},
    {"hub.verify_token=my+words&hub.challenge=a%3Cb", "my words", "a<b"},
    {"hub.challenge=1&hub.verify_token=my", "my words", NULL},
    {"hub.challenge=1&hub.verify_token=MY+WORDS", "my words", NULL},
    {"hub.verify_token=my+words", "my words", NULL},
    {"hub.challenge=&hub.verify_token=my+words", "my words", NULL},
    {"hub.challenge=1", "my words", NULL},
    {"hub.challenge=1&hub.verify_token=", "", NULL},
    {"hub.challenge=1", "", NULL},
    {"", "my words", NULL},
};

static void test_the_greeting_of_meta(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(greetings); i++) {
        kit_load(kit, kit_sample("meta"));
        kit->request.method = STR("GET");
        kit->request.body = STR("");
        kit->request.header_count = 0;
        kit->request.query = str_from(greetings[i].query);
        kit->source.webhook.verify_token = str_from(greetings[i].token);
        enum err err = kit_take(kit);
        if (err != (greetings[i].challenge ? ERR_NONE : ERR_UNSIGNED)) fail_msg("%s", greetings[i].query);
        if (err) continue;
        assert_true(kit->posting.greeted);
        assert_str(kit->posting.content_type, "text/plain");
        assert_str(kit->posting.text, greetings[i].challenge);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        TEST(test_types_and_keys_of_each_sender),
        TEST(test_the_body_is_kept_as_received),
        TEST(test_a_second_try_has_the_same_key),
        TEST(test_without_a_key_of_its_own_a_body_is_known_by_its_digest),
        TEST(test_a_key_that_is_not_whole),
        TEST(test_json_that_says_it_is_a_form),
        TEST(test_types_are_cut_and_cleaned),
        TEST(test_places_that_the_user_names),
        TEST(test_a_list_of_types_holds_for_sources_too),
        TEST(test_bodies_that_are_no_event),
        TEST(test_depth_and_size),
        TEST(test_lists_of_events),
        TEST(test_a_list_may_have_ten_thousand_events),
        TEST(test_a_form_becomes_json),
        TEST(test_forms_that_are_none),
        TEST(test_a_source_that_is_not_there),
        TEST(test_only_meta_asks_by_get),
        TEST(test_the_greeting_of_slack),
        TEST(test_the_greeting_of_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
