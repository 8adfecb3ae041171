/* everything.yaml uses every feature of the connector language; here each is looked at from outside. */
#include "kit.h"

#include "base/json.h"

static struct kit *kit;

static void use(const char *action, const char *params) {
    kit->delivery.action = str_from(action);
    kit->delivery.params = str_from(params);
}

static int setup(void **state) {
    (void)state;
    kit = kit_new();
    kit_add_file(kit, "test/unit/connect/everything.yaml");
    kit_no_findings(kit);
    kit_compile(kit);
    kit->destination.name = kit->destination.type = STR("everything");
    kit->destination.url = STR_NONE;
    kit_set_field(kit, "token", "s3cret");
    kit_set_field(kit, "sender", "ada");
    kit_bind(kit);
    kit_no_findings(kit);
    use("send", "{\"to\":\"bob@example.com\",\"text\":\"hi\",\"channel\":\"news\"}");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(kit);
    return 0;
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

/* ---- what config sees ---- */

static void the_catalog_names_fields_actions_and_parameters(void **state) {
    (void)state;
    const struct catalog_entry *entry = catalog_find(connectors_catalog(kit->connectors), STR("everything"));
    assert_non_null(entry);
    assert_int_equal(entry->field_count, 3);
    assert_text(entry->fields[0].name, "token");
    assert_true(entry->fields[0].secret && entry->fields[0].required);
    assert_text(entry->fields[0].help, "the API key");
    assert_false(entry->fields[1].secret || entry->fields[1].required);
    assert_int_equal(entry->action_count, 5);
    const struct catalog_action *send = catalog_action(entry, STR("send"));
    assert_non_null(send);
    assert_int_equal(send->param_count, 7);
    assert_true(send->params[0].required && send->params[1].required);
    assert_text(send->params[1].help, "what it says");
    assert_false(send->params[3].required);
}

static void binding_fills_limits_and_traits(void **state) {
    (void)state;
    assert_int_equal(kit->destination.limit_count, 2);
    assert_int_equal(kit->destination.limits[0].count, 10);
    assert_int_equal(kit->destination.limits[0].window_us, US_PER_S);
    assert_int_equal(kit->destination.limits[1].count, 300);
    assert_int_equal(kit->destination.limits[1].window_us, 15 * US_PER_MIN);
    assert_int_equal(kit->destination.concurrency, 4);
    assert_int_equal(kit->destination.penalty_us, 30 * US_PER_S);
    assert_int_equal(kit->destination.action_count, 5);
    const struct action_traits *send = kit_traits(kit);
    assert_true(send->has_lookup);
    assert_int_equal(send->lookup_settle_us, US_PER_MIN);
    assert_int_equal(send->key_life_us, US_PER_DAY);
    assert_int_equal(send->batch_max, 100);
    assert_int_equal(send->on_unknown, ON_UNKNOWN_RETRY);
    use("ping", "{}");
    assert_int_equal(kit_traits(kit)->on_unknown, ON_UNKNOWN_HOLD);
    assert_int_equal(kit_traits(kit)->key_life_us, 0);
    assert_int_equal(kit_traits(kit)->batch_max, 1);
    use("contact", "{}");
    assert_int_equal(kit_traits(kit)->on_unknown, ON_UNKNOWN_RETRY);
    assert_int_equal(kit_traits(kit)->key_life_us, WHEN_NEVER);
}

static void what_is_configured_wins_over_what_is_documented(void **state) {
    (void)state;
    kit->destination.limits[0] = (struct limit_rule){5, US_PER_S};
    kit->destination.limit_count = 1;
    kit->destination.concurrency = 2;
    kit->destination.on_unknown = ON_UNKNOWN_HOLD;
    kit_bind(kit);
    assert_int_equal(kit->destination.limit_count, 1);
    assert_int_equal(kit->destination.concurrency, 2);
    assert_int_equal(kit_traits(kit)->on_unknown, ON_UNKNOWN_HOLD);
}

static void retry_without_a_key_is_warned_about(void **state) {
    (void)state;
    kit->destination.on_unknown = ON_UNKNOWN_RETRY;
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 0);
    assert_int_equal(kit->findings.warnings, 1); /* ping */
    assert_string_equal(kit->findings.first->code, "W0356");
}

static void a_lookup_that_is_not_there_cannot_be_asked_for(void **state) {
    (void)state;
    kit->destination.on_unknown = ON_UNKNOWN_LOOKUP;
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 4); /* all actions but send */
}

static void a_missing_field_is_a_finding(void **state) {
    (void)state;
    kit_set_field(kit, "token", "");
    kit_bind(kit);
    assert_int_equal(kit->findings.errors, 1);
    assert_string_equal(kit->findings.first->code, "E0350");
    assert_text(kit->findings.first->text,
                "destination 'everything': 'token' is missing: connector 'everything' needs it");
}

static const struct {
    const char *server, *code;
} bad_servers[] = {{"ftp://example.com", "E0351"},       {"api.example.com", "E0351"},  {"https://", "E0351"},
                   {"https://u:p@example.com", "E0351"}, {"http://127.0.0.1", "E0351"}, {"http://[::1]:8080", "E0351"},
                   {"http://169.254.169.254", "E0351"},  {"https://a\r\nb", "E0352"}};

static void a_server_that_cannot_be_called_is_a_finding(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_servers / sizeof *bad_servers; i++) {
        kit->findings = (struct findings){.arena = &kit->arena};
        kit_set_field(kit, "server", bad_servers[i].server);
        kit_bind(kit);
        if (kit->findings.errors != 1 || strcmp(kit->findings.first->code, bad_servers[i].code))
            fail_msg("%s: %zu findings", bad_servers[i].server, kit->findings.errors);
    }
    kit->findings = (struct findings){.arena = &kit->arena};
    kit_set_field(kit, "server", "http://127.0.0.1:9000");
    kit->destination.allow_private = true;
    kit_bind(kit);
    kit_no_findings(kit);
}

/* ---- requests ---- */

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

/* ---- answers ---- */

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
    assert_true(kit_outcome(kit).pause);
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
        CASE(the_catalog_names_fields_actions_and_parameters),
        CASE(binding_fills_limits_and_traits),
        CASE(what_is_configured_wins_over_what_is_documented),
        CASE(retry_without_a_key_is_warned_about),
        CASE(a_lookup_that_is_not_there_cannot_be_asked_for),
        CASE(a_missing_field_is_a_finding),
        CASE(a_server_that_cannot_be_called_is_a_finding),
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
