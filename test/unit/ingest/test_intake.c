#include "intake_bench.h"

#include "base/json.h"

static const char lead[] =
    "{\"type\":\"LEAD\",\"source\":\"landing\",\"idempotency_key\":\"lead-1\",\"payload\":{\"b\": 1,  \"a\":[]}}";

static void test_an_event_is_taken_whole(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, "application/json; charset=utf-8", lead), ERR_NONE);
    assert_false(f->intake.batch);
    assert_int_equal(f->intake.count, 1);
    const struct event *event = &f->intake.items[0].event;
    assert_true(f->intake.items[0].valid);
    assert_str(event->type, "LEAD");
    assert_str(event->source, "landing");
    assert_str(event->key, "lead-1");
    assert_str(event->payload, "{\"b\": 1,  \"a\":[]}"); /* byte for byte */
    assert_int_equal(event->scheduled_us, NOW_US);
    assert_int_equal(event->created_us, NOW_US);
    assert_int_equal(event->status, EVENT_PENDING);
}

static void test_the_fingerprint_is_of_the_canonical_form(void **state) {
    struct fixture *f = *state;
    uint8_t digest[SHA256_BYTES];
    assert_int_equal(post(f, "application/json", lead), ERR_NONE);
    hash_sha256(f->hasher, STR("{\"a\":[],\"b\":1}"), digest);
    assert_str(f->intake.items[0].event.fingerprint, hex_encode(&f->arena, digest, sizeof digest).p);
}

static void test_ids_rise(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, "application/json", lead), ERR_NONE);
    struct uuid first = f->intake.items[0].event.id;
    f->request.header_count = 0;
    assert_int_equal(post(f, "application/json", lead), ERR_NONE);
    assert_true(memcmp(first.b, f->intake.items[0].event.id.b, sizeof first.b) < 0);
}

/* Bodies of one event that are refused, with code and pointer. */
static const struct {
    const char *body;
    enum err err;
    const char *pointer;
} refused[] = {
    {"[]x", ERR_BAD_JSON, ""},
    {"", ERR_BAD_JSON, ""},
    {"{\"type\":\"A\",\"type\":\"B\"}", ERR_BAD_JSON, ""},
    {"7", ERR_BAD_FIELD, ""},
    {"{\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":{}}", ERR_BAD_FIELD, "/type"},
    {"{\"type\":\"A\",\"idempotency_key\":\"k\",\"payload\":{}}", ERR_BAD_FIELD, "/source"},
    {"{\"type\":\"A\",\"source\":\"s\",\"payload\":{}}", ERR_BAD_KEY, "/idempotency_key"},
    {"{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"k\"}", ERR_BAD_FIELD, "/payload"},
    {"{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":[]}", ERR_BAD_FIELD, "/payload"},
    {"{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":null}", ERR_BAD_FIELD, "/payload"},
    {"{\"type\":1,\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":{}}", ERR_BAD_FIELD, "/type"},
    {"{\"type\":\"1A\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":{}}", ERR_BAD_FIELD, "/type"},
    {"{\"type\":\"A\",\"source\":\"\",\"idempotency_key\":\"k\",\"payload\":{}}", ERR_BAD_FIELD, "/source"},
    {"{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"\",\"payload\":{}}", ERR_BAD_KEY, "/idempotency_key"},
    {"{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"a\\nb\",\"payload\":{}}", ERR_BAD_KEY, "/idempotency_key"},
    {"{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":{},\"extra\":1}", ERR_BAD_FIELD, "/extra"},
    {"{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":{},\"scheduled_at\":\"2026-12-01T09:00:"
     "00\"}",
     ERR_BAD_FIELD, "/scheduled_at"},
};

static void test_refusals_name_their_place(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        f->request.header_count = 0;
        f->refusal = (struct refusal){0};
        struct refusal refusal;
        if (post(f, "application/json", refused[i].body))
            refusal = f->refusal;
        else
            refusal = f->intake.items[0].refusal;
        if (refusal.err != refused[i].err) print_error("%s\n", refused[i].body);
        assert_int_equal(refusal.err, refused[i].err);
        assert_str(refusal.pointer, refused[i].pointer);
        assert_true(refusal.detail.n > 0);
    }
}

static void test_an_unknown_field_is_told_what_there_is(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, "application/json", "{\"type\":\"A\",\"email\":\"a@b.c\"}"), ERR_NONE);
    assert_str(f->intake.items[0].refusal.detail,
               "unknown field 'email'; an event takes 'type', 'source', 'idempotency_key', 'payload', "
               "'scheduled_at', and everything else inside 'payload'");
}

static void test_only_declared_types_where_types_are_declared(void **state) {
    struct fixture *f = *state;
    struct str types[] = {STR("CONTENT")};
    f->settings.types = types;
    f->settings.type_count = 1;
    assert_int_equal(post(f, "application/json", lead), ERR_NONE);
    assert_int_equal(f->intake.items[0].refusal.err, ERR_BAD_TYPE);
}

static void test_an_event_has_a_largest_size(void **state) {
    struct fixture *f = *state;
    f->settings.server.max_event_bytes = 50;
    assert_int_equal(post(f, "application/json", lead), ERR_NONE);
    assert_int_equal(f->intake.items[0].refusal.err, ERR_TOO_LARGE);
}

static void test_the_header_names_the_fact(void **state) {
    struct fixture *f = *state;
    add_header(f, "idempotency-key", "\"from \\\"header\\\"\"");
    assert_int_equal(post(f, "application/json", lead), ERR_NONE);
    assert_str(f->intake.items[0].event.key, "from \"header\"");
}

static void test_a_bare_header_is_a_key_too(void **state) {
    struct fixture *f = *state;
    add_header(f, "Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324");
    assert_int_equal(post(f, "application/json", lead), ERR_NONE);
    assert_str(f->intake.items[0].event.key, "8e03978e-40d5-43dd-bc93-6894a57f9324");
}

static void test_broken_or_double_headers_are_refused(void **state) {
    struct fixture *f = *state;
    add_header(f, "Idempotency-Key", "\"open");
    assert_int_equal(post(f, "application/json", lead), ERR_BAD_KEY);
    f->request.header_count = 0;
    add_header(f, "Idempotency-Key", "a");
    add_header(f, "Idempotency-Key", "a");
    assert_int_equal(post(f, "application/json", lead), ERR_BAD_KEY);
}

static void test_a_header_cannot_name_a_batch(void **state) {
    struct fixture *f = *state;
    add_header(f, "Idempotency-Key", "a");
    assert_int_equal(post(f, "application/json", "[]"), ERR_BAD_KEY);
    f->request.header_count = 1;
    assert_int_equal(post(f, "application/x-ndjson", lead), ERR_BAD_KEY);
}

static void test_other_media_are_refused(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, "text/plain", lead), ERR_BAD_MEDIA);
    f->request.header_count = 0;
    assert_int_equal(post(f, NULL, lead), ERR_BAD_MEDIA);
}

static void test_an_array_is_a_batch_in_order(void **state) {
    struct fixture *f = *state;
    struct str body = str_fmt(
        &f->arena, " [%s , 5, {\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"k2\",\"payload\":{ }}]", lead);
    assert_int_equal(post(f, "application/json", body.p), ERR_NONE);
    assert_true(f->intake.batch);
    assert_int_equal(f->intake.count, 3);
    assert_true(f->intake.items[0].valid);
    assert_str(f->intake.items[0].event.payload, "{\"b\": 1,  \"a\":[]}");
    assert_int_equal(f->intake.items[1].refusal.err, ERR_BAD_FIELD);
    assert_true(f->intake.items[2].valid);
    assert_str(f->intake.items[2].event.payload, "{ }");
}

static void test_ndjson_judges_each_line(void **state) {
    struct fixture *f = *state;
    struct str body = str_fmt(&f->arena, "%s\r\n\n{broken\n%s", lead, lead);
    assert_int_equal(post(f, "application/x-ndjson", body.p), ERR_NONE);
    assert_true(f->intake.batch);
    assert_int_equal(f->intake.count, 3);
    assert_true(f->intake.items[0].valid);
    assert_int_equal(f->intake.items[1].refusal.err, ERR_BAD_JSON);
    assert_true(f->intake.items[2].valid);
}

static void test_a_batch_has_a_largest_count(void **state) {
    struct fixture *f = *state;
    struct buf body = {.arena = &f->arena};
    buf_byte(&body, '[');
    for (int i = 0; i <= INTAKE_BATCH_MAX; i++) buf_add(&body, i ? STR(",1") : STR("1"));
    buf_byte(&body, ']');
    assert_int_equal(post(f, "application/json", buf_str(&body).p), ERR_TOO_LARGE);
}

static void test_depth_is_counted_from_the_event(void **state) {
    struct fixture *f = *state;
    for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX; depth++) {
        struct buf body = {.arena = &f->arena};
        buf_add(&body, STR("{\"type\":\"A\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":{\"x\":"));
        for (int i = 0; i < depth - 1; i++) buf_byte(&body, '['); /* inside the event and its payload */
        for (int i = 0; i < depth - 1; i++) buf_byte(&body, ']');
        buf_add(&body, STR("}}"));
        f->request.header_count = 0;
        bool deep = depth == JSON_DEPTH_MAX;
        enum err err = post(f, "application/json", buf_str(&body).p);
        if (deep)
            assert_int_equal(err, ERR_BAD_JSON);
        else
            assert_true(!err && f->intake.items[0].valid);
    }
}

static void test_a_problem_is_json_with_code_and_place(void **state) {
    struct fixture *f = *state;
    const struct refusal refusal = {ERR_BAD_FIELD, STR("'type' is \"odd\""), STR("/type")};
    struct str text = problem_json(&f->arena, &refusal, STR("req-1"));
    struct json *root;
    struct json_error error;
    assert_int_equal(json_parse(text, 8, &root, &error), ERR_NONE);
    assert_str(json_text(json_get(root, STR("code"))), "E0102");
    assert_int_equal(json_integer(json_get(root, STR("status")), 0), 400);
    assert_str(json_text(json_get(root, STR("request_id"))), "req-1");
    assert_str(json_text(json_point(root, STR("/errors/0/pointer"))), "/type");
    json_free(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void test_one_item_of_an_array_is_refused_alone(void **state) {
    struct fixture *f = *state;
    static const char *const troubles[] = {"{\"a\":1,\"a\":2}", "{\"a\":1e400}", "{\"\\u0000\":1}", "{\"a\":01}"};
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        f->request.header_count = 0;
        struct str body = str_fmt(&f->arena,
                                  "[%s, {\"type\":\"LEAD\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":%s},"
                                  " {\"type\":\"LEAD\",\"source\":\"s\",\"idempotency_key\":\"cut\","
                                  "\"payload\":{ \"a\":\"\\ud83d\"}}]",
                                  lead, troubles[i]);
        assert_int_equal(post(f, "application/json", body.p), ERR_NONE);
        assert_true(f->intake.batch);
        assert_int_equal(f->intake.count, 3);
        assert_true(f->intake.items[0].valid);
        assert_false(f->intake.items[1].valid);
        assert_int_equal(f->intake.items[1].refusal.err, ERR_BAD_JSON);
        assert_true(f->intake.items[2].valid);
        assert_true(str_eq(f->intake.items[2].event.payload, STR("{ \"a\":\"\\ud83d\"}")));
    }
}

static struct str fingerprint_of(struct fixture *f, const char *payload) {
    f->request.header_count = 0;
    assert_int_equal(
        post(
            f, "application/json",
            str_fmt(&f->arena, "{\"type\":\"LEAD\",\"source\":\"s\",\"idempotency_key\":\"k\",\"payload\":%s}", payload)
                .p),
        ERR_NONE);
    assert_true(f->intake.items[0].valid);
    return f->intake.items[0].event.fingerprint;
}

static void test_large_integers_are_told_apart(void **state) {
    struct fixture *f = *state;
    struct str first = fingerprint_of(f, "{\"id\":820982911946154508}");
    assert_true(str_eq(first, fingerprint_of(f, "{ \"id\" : 820982911946154508 }")));
    assert_false(str_eq(first, fingerprint_of(f, "{\"id\":820982911946154509}")));
    assert_true(str_eq(fingerprint_of(f, "{\"id\":1e3}"), fingerprint_of(f, "{\"id\":1000}")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_item_of_an_array_is_refused_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_integers_are_told_apart, setup, teardown),
        TEST(test_an_event_is_taken_whole),
        TEST(test_the_fingerprint_is_of_the_canonical_form),
        TEST(test_ids_rise),
        TEST(test_refusals_name_their_place),
        TEST(test_an_unknown_field_is_told_what_there_is),
        TEST(test_only_declared_types_where_types_are_declared),
        TEST(test_an_event_has_a_largest_size),
        TEST(test_the_header_names_the_fact),
        TEST(test_a_bare_header_is_a_key_too),
        TEST(test_broken_or_double_headers_are_refused),
        TEST(test_a_header_cannot_name_a_batch),
        TEST(test_other_media_are_refused),
        TEST(test_an_array_is_a_batch_in_order),
        TEST(test_ndjson_judges_each_line),
        TEST(test_a_batch_has_a_largest_count),
        TEST(test_depth_is_counted_from_the_event),
        TEST(test_a_problem_is_json_with_code_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
