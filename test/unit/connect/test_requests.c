/* Requests and lookups as filled, by everything.yaml. */
#include "kit_connector.h"

#include "base/json.h"

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

static void request(void) {
    if (kit_request(kit)) fail_msg("%.*s", STR_ARG(kit->problem));
}

/* The body as one text without its parse order mattering: a member at a pointer, as JSON. */
static struct str body_at(const char *pointer) {
    struct json *root;
    struct json_error error;
    if (json_parse(kit->outgoing.body, JSON_DEPTH_MAX, &root, &error)) fail_msg("%.*s", STR_ARG(kit->outgoing.body));
    const struct json *node = json_point(root, str_from(pointer));
    struct str text = node ? json_dump(&kit->arena, node) : STR("absent");
    json_free(root);
    return text;
}

#define DELIVERY_ID "01234567-89ab-8def-8123-456789abcdef"

static void a_request_is_filled(void **state) {
    (void)state;
    request();
    assert_text(kit->outgoing.method, "POST");
    assert_text(kit->outgoing.url, "https://api.everything.example/v1/channels/news/messages?wait=true"
                                   "&trace=01936f3e0000700080000000000000aa");
    assert_text(kit_header(kit, "Authorization"), "Bearer s3cret");
    assert_text(kit_header(kit, "Everything-Version"), "2026-11");
    assert_text(kit_header(kit, "X-Source"), "landing-page");
    assert_text(kit_header(kit, "Content-Type"), "application/json");
    assert_text(kit_header(kit, "Idempotency-Key"), DELIVERY_ID);
    assert_text(kit_header(kit, "User-Agent"), "drumbeat/" DRUMBEAT_VERSION);
    assert_int_equal(kit->outgoing.timeout_us, 10 * US_PER_S);
}

static const struct {
    const char *pointer, *json;
} members[] = {
    {"/to", "[\"bob@example.com\"]"},
    {"/text", "\"hi\""},
    {"/title", "\"From lead_capture: ${literal} \""},
    {"/reply", "absent"},
    {"/tags", "absent"},
    {"/send_at", "absent"},
    {"/raw", "absent"},
    {"/made_at", "\"2026-11-24T11:59:00Z\""},
    {"/short", "\"aerukz4jvog67ajdivtytk6n\""},
    {"/version", "2"},
    {"/ratio", "0.5"},
    {"/draft", "false"},
    {"/nothing", "null"},
    {"/digits", "\"2\""},
    {"/empty", "{}"},
    {"/meta",
     "{\"delivery\":\"" DELIVERY_ID "\",\"event\":\"01936f3e-0000-7000-8000-0000000000aa\",\"key\":\"lead-41\"}"},
};

static void a_body_leaves_out_what_is_missing(void **state) {
    (void)state;
    request();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct str text = body_at(members[i].pointer);
        if (!str_eq(text, str_from(members[i].json))) fail_msg("%s is %.*s", members[i].pointer, STR_ARG(text));
    }
    assert_text(kit_header(kit, "X-Reply"), "");
}

static void values_keep_their_type(void **state) {
    (void)state;
    use("send", "{\"to\":\"b\",\"text\":\"hi \\\"you\\\"\\n\",\"channel\":7,\"tags\":[\"a "
                "b\",\"c\",3],\"at\":\"2026-11-24T13:00:"
                "00+01:00\",\"reply_to\":\"m1\",\"extra\":{\"x\":[1,{\"y\":null}],\"key\":\"mine\",\"none\":null}}");
    request();
    assert_text(body_at("/text"), "\"hi \\\"you\\\"\\n\"");
    assert_text(body_at("/tags"), "[\"a b\",\"c\",3]");
    assert_text(body_at("/raw"), "\"[\\\"a b\\\",\\\"c\\\",3]\"");
    assert_text(body_at("/send_at"), "1795521600");
    assert_text(body_at("/reply"), "{\"in_reply_to\":\"m1\"}");
    assert_text(body_at("/meta/x"), "[1,{\"y\":null}]");
    assert_text(body_at("/meta/key"), "\"lead-41\""); /* what the map names itself wins */
    assert_text(body_at("/meta/none"), "absent");
    assert_text(kit_header(kit, "X-Reply"), "m1");
    assert_text(kit->outgoing.url, "https://api.everything.example/v1/channels/7/messages?wait=true"
                                   "&trace=01936f3e0000700080000000000000aa&tag=a%20b&tag=c&tag=3");
}

static void a_record_key_is_stable_and_sortable(void **state) {
    (void)state;
    request();
    struct str first = body_at("/rkey");
    assert_int_equal(first.n, 13 + 2);
    kit->delivery.attempts = 3;
    kit->context.now_us += US_PER_HOUR;
    request();
    assert_true(str_eq(body_at("/rkey"), first));
    kit->event.created_us += 1;
    request();
    assert_true(str_cmp(first, body_at("/rkey")) < 0);
}

/* The payload stands in where a route gives no parameters. */
static void the_payload_can_be_the_parameters(void **state) {
    (void)state;
    use("send", "");
    kit->event.payload = STR("{\"to\":\"b\",\"text\":\"from the event\",\"channel\":\"c\"}");
    request();
    assert_text(body_at("/text"), "\"from the event\"");
}

static const struct {
    const char *action, *params, *problem;
} bad_params[] = {
    {"send", "{\"to\":\"b\",\"channel\":\"c\"}", "parameter 'text' is missing"},
    {"send", "{\"to\":\"b\",\"text\":null,\"channel\":\"c\"}", "parameter 'text' is missing"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":[1]}",
     "parameter 'channel' must be one text or number, not a list or an object"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"..\"}",
     "a value of nothing but dots cannot stand in the path of a URL"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\".\"}",
     "a value of nothing but dots cannot stand in the path of a URL"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"\"}", "parameter 'channel' is missing"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"c\",\"reply_to\":\"a\\r\\nX-Evil: 1\"}",
     "the value for the header 'X-Reply' holds a line break or another control character"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"c\",\"reply_to\":\"a\\nb\"}",
     "the value for the header 'X-Reply' holds a line break or another control character"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"c\",\"at\":\"tomorrow\"}",
     "parameter 'at' must be a time with its offset for 'unix'"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"c\",\"at\":17}",
     "parameter 'at' must be a time with its offset for 'unix'"},
    {"send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"c\",\"extra\":[1]}", "parameter 'extra' must be an object"},
    {"note", "{\"to\":\"b\",\"text\":{\"a\":1}}",
     "parameter 'text' must be one text or number, not a list or an object"},
    {"note", "{\"to\":\"b\",\"text\":\"t\",\"tags\":[{\"a\":1}]}",
     "parameter 'tags' must be one text or number, not a list or an object"},
    {"send", "{\"to\":", "the parameters are not valid JSON: "},
    {"gone", "{}", "the connector 'everything' has no action 'gone'"},
};

static void what_cannot_be_placed_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_params / sizeof *bad_params; i++) {
        use(bad_params[i].action, bad_params[i].params);
        assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
        assert_begins(kit->problem, bad_params[i].problem);
    }
    use("send", "{\"to\":\"b\",\"text\":\"t\",\"channel\":\"c\",\"reply_to\":\"a\\u0000b\"}");
    assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
}

static void a_value_stays_one_path_segment(void **state) {
    (void)state;
    use("note", "{\"to\":\"../../admin?x=1#y/ü %2e@:\",\"text\":\"t\"}");
    request();
    assert_text(kit->outgoing.url,
                "https://api.everything.example/v1/notes/..%2F..%2Fadmin%3Fx%3D1%23y%2F%C3%BC%20%252e@:");
}

static void forms_are_escaped_and_lists_repeat(void **state) {
    (void)state;
    use("note", "{\"to\":\"b\",\"text\":\"a&b=c +\",\"tags\":[\"x\",null,\"y\"],\"at\":\"2026-11-24T12:00:00.5Z\"}");
    request();
    assert_text(kit_header(kit, "Content-Type"), "application/x-www-form-urlencoded");
    assert_text(kit->outgoing.body, "from=ada&text=a%26b%3Dc%20%2B&o%3Atag=x&o%3Atag=y&at=1795521600500"
                                    "&v%3Akey=0123456789ab8def8123456789abcdef");
    assert_int_equal(kit_traits(kit)->key_life_us, 5 * US_PER_MIN);
}

static void text_bodies_and_hosts_from_fields(void **state) {
    (void)state;
    use("ping", "{\"text\":\"1 & 2\"}");
    request();
    assert_text(kit->outgoing.method, "PUT");
    assert_text(kit->outgoing.url, "https://ada.everything.example/ping");
    assert_text(kit->outgoing.body, "a=1%20%26%202&b=01936f3e-0000-7000-8000-0000000000aa");
    assert_text(kit_header(kit, "Content-Type"), "text/csv");
}

static void a_key_goes_into_the_json(void **state) {
    (void)state;
    use("nonce", "{\"text\":\"t\"}");
    request();
    assert_text(kit->outgoing.body, "{\"text\":\"t\",\"meta\":{\"nonce\":\"aerukz4jvog67ajdivtytk6n\"}}");
}

static void own_headers_override(void **state) {
    (void)state;
    struct header headers[] = {{STR("everything-version"), STR("2027-01")}};
    kit->destination.headers = headers;
    kit->destination.header_count = 1;
    request();
    assert_text(kit_header(kit, "Everything-Version"), "2027-01");
}

static void a_lookup_is_filled(void **state) {
    (void)state;
    assert_int_equal(connect_lookup(&kit->context, &kit->outgoing, &kit->problem), ERR_NONE);
    assert_text(kit->outgoing.method, "GET");
    assert_text(kit->outgoing.url, "https://api.everything.example/v1/messages?since=1795521299&key=" DELIVERY_ID);
    assert_text(kit->outgoing.body, "");
    assert_text(kit_header(kit, "Authorization"), "Bearer s3cret");
    assert_text(kit_header(kit, "Content-Type"), "");
    use("ping", "{\"text\":\"t\"}");
    assert_int_equal(connect_lookup(&kit->context, &kit->outgoing, &kit->problem), ERR_BAD_FIELD);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* ---- names, conditions, lists, types and defaults ---- */

static void digests_and_blanks(void **state) {
    (void)state;
    use("upsert", "{\"email\":\" Ada@Example.com\\n\"}");
    request();
    assert_text(kit->outgoing.url,
                "https://api.everything.example/v1/people/3e3417d7ef77d5932a6734b916515ed5?part=head");
    assert_text(body_at("/id"), "\"1aa1bf07b50d24a304252acef11b05379c3c93ef87e26803192386b6c65b8bfc\"");
}

static void a_name_may_hold_references(void **state) {
    (void)state;
    use("upsert", "{\"email\":\"a@b.c\",\"fields\":{\"plan\":\"gold\",\"ada_id\":\"theirs\"}}");
    request();
    assert_text(body_at("/fields"), "{\"plan\":\"gold\",\"ada_id\":\"" DELIVERY_ID "\"}");
}

static void two_members_of_one_name_are_refused(void **state) {
    (void)state;
    use("upsert", "{\"email\":\"a@b.c\",\"site\":\"https://ada_id\"}");
    request(); /* another name: it stands */
    assert_text(body_at("/fields/https:~1~1ada_id"), "\"gone\"");
    kit_set_field(kit, "sender", "https://x");
    use("upsert", "{\"email\":\"a@b.c\",\"site\":\"https://x_id\"}");
    assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
    assert_text(kit->problem, "two members of the body would have the name 'https://x_id'");
}

static void a_map_with_a_condition_stands_or_is_left_out(void **state) {
    (void)state;
    use("upsert", "{\"email\":\"a@b.c\"}");
    request();
    assert_text(body_at("/content"), "absent");
    use("upsert", "{\"email\":\"a@b.c\",\"html\":\"<p>\"}");
    request();
    assert_text(body_at("/content"), "[{\"type\":\"text/html\",\"value\":\"<p>\"}]");
}

static void a_list_in_a_query_repeats_its_name(void **state) {
    (void)state;
    use("upsert", "{\"email\":\"a@b.c\",\"list\":[\"x y\",2],\"html\":\"h\"}");
    request();
    size_t at = str_find(kit->outgoing.url, '?');
    assert_text(str_sub(kit->outgoing.url, at, kit->outgoing.url.n), "?part=head&part=x%20y&part=2&part=h");
}

static void defaults_stand_where_nothing_is_set(void **state) {
    (void)state;
    use("upsert", "{\"email\":\"a@b.c\",\"count\":null}");
    request();
    assert_text(body_at("/fields"), "{\"plan\":\"free\",\"tags\":[],\"5\":5,\"ada_id\":\"" DELIVERY_ID "\"}");
    assert_text(body_at("/loud"), "false");
    assert_text(body_at("/count"), "1");
    use("upsert", "{\"email\":\"a@b.c\",\"count\":7,\"loud\":true}");
    request();
    assert_text(body_at("/loud"), "true");
    assert_text(body_at("/count"), "7");
}

static const struct {
    const char *member, *problem;
} kinds[] = {
    {"\"email\":\"ada\"",
     "parameter 'email' must be an e-mail address such as ada@example.com, not 'ada': it has no '@'"},
    {"\"email\":\"a\\nb\"", "parameter 'email' must be an e-mail address such as ada@example.com, not 'a b': the "
                            "address has a line break or another control character in it"},
    {"\"email\":[]", "parameter 'email' must be an e-mail address such as ada@example.com"},
    {"\"fields\":\"plan\"", "parameter 'fields' must be an object, not 'plan'"},
    {"\"html\":[\"a\"]", "parameter 'html' must be a text"},
    {"\"at\":\"2026-12-01T09:00\"",
     "parameter 'at' must be a time with its offset such as 2026-12-01T09:00:00+01:00, not '2026-12-01T09:00'"},
    {"\"count\":\"many\"", "parameter 'count' must be a number, not 'many'"},
    {"\"list\":\"a\"", "parameter 'list' must be a list, not 'a'"},
    {"\"site\":\"example.com\"",
     "parameter 'site' must be a URL that begins with http:// or https://, not 'example.com'"},
    {"\"loud\":\"yes\"", "parameter 'loud' must be true or false, not 'yes'"},
};

static void a_value_of_another_kind_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool own = !strncmp(kinds[i].member, "\"email\"", 7);
        struct str params = str_fmt(&kit->arena, "{%s%s}", own ? "" : "\"email\":\"a@b.c\",", kinds[i].member);
        use("upsert", params.p);
        assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
        assert_text(kit->problem, kinds[i].problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_request_is_filled),
        CASE(a_body_leaves_out_what_is_missing),
        CASE(values_keep_their_type),
        CASE(a_record_key_is_stable_and_sortable),
        CASE(the_payload_can_be_the_parameters),
        CASE(what_cannot_be_placed_is_refused),
        CASE(a_value_stays_one_path_segment),
        CASE(forms_are_escaped_and_lists_repeat),
        CASE(text_bodies_and_hosts_from_fields),
        CASE(a_key_goes_into_the_json),
        CASE(own_headers_override),
        CASE(a_lookup_is_filled),
        CASE(digests_and_blanks),
        CASE(a_name_may_hold_references),
        CASE(two_members_of_one_name_are_refused),
        CASE(a_map_with_a_condition_stands_or_is_left_out),
        CASE(a_list_in_a_query_repeats_its_name),
        CASE(defaults_stand_where_nothing_is_set),
        CASE(a_value_of_another_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
