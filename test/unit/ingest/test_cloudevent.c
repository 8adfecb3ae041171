/* CloudEvents: structured, binary and in batches; what makes the key; what is refused, and where. */
#include "intake_bench.h"

static const struct event *only_event(struct fixture *f) {
    assert_int_equal(f->intake.count, 1);
    assert_true(f->intake.items[0].valid);
    return &f->intake.items[0].event;
}

static void is_the_lead(const struct event *event) {
    assert_str(event->type, "com.example.lead");
    assert_str(event->source, "/forms/landing");
    assert_str(event->key, "/forms/landing:A-1");
    assert_str(event->payload, "{\"email\": \"ada@example.com\"}");
    assert_int_equal(event->scheduled_us, NOW_US);
}

#define LEAD                                                                                                           \
    "{\"specversion\":\"1.0\",\"id\":\"A-1\",\"source\":\"/forms/landing\",\"type\":\"com.example.lead\","             \
    "\"time\":\"2026-11-01T00:00:00Z\",\"subject\":\"x\",\"datacontenttype\":\"application/json\","                    \
    "\"data\":{\"email\": \"ada@example.com\"}}"

static void a_structured_one_is_taken(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, "application/cloudevents+json; charset=utf-8", LEAD), ERR_NONE);
    assert_false(f->intake.batch);
    is_the_lead(only_event(f));
}

static void a_binary_one_is_taken(void **state) {
    struct fixture *f = *state;
    add_header(f, "CE-SpecVersion", "1.0");
    add_header(f, "ce-id", "A-1");
    add_header(f, "ce-source", "/forms/landing");
    add_header(f, "ce-type", "com.example.lead");
    assert_int_equal(post(f, "application/json", " {\"email\": \"ada@example.com\"}\n"), ERR_NONE);
    is_the_lead(only_event(f));
}

static void a_headers_escapes_are_read(void **state) {
    struct fixture *f = *state;
    add_header(f, "ce-specversion", "1.0");
    add_header(f, "ce-id", "b%20%C3%bc%2");
    add_header(f, "ce-source", "/s");
    add_header(f, "ce-type", "t");
    assert_int_equal(post(f, "application/json", "{}"), ERR_NONE);
    assert_str(only_event(f)->key, "/s:b \xc3\xbc%2");
}

static void both_forms_have_one_fingerprint(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, "application/cloudevents+json", LEAD), ERR_NONE);
    struct str first = only_event(f)->fingerprint;
    f->request.header_count = 0;
    a_binary_one_is_taken(state);
    assert_true(str_eq(first, only_event(f)->fingerprint));
}

static void a_batch_is_judged_item_by_item(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, "application/cloudevents-batch+json", "[" LEAD ",{\"specversion\":\"1.0\"},7]"), ERR_NONE);
    assert_true(f->intake.batch);
    assert_int_equal(f->intake.count, 3);
    is_the_lead(&f->intake.items[0].event);
    assert_false(f->intake.items[1].valid);
    assert_str(f->intake.items[1].refusal.pointer, "/type");
    assert_false(f->intake.items[2].valid);
}

static void what_is_missing_is_named(void **state) {
    static const struct {
        const char *body, *pointer;
    } cases[] = {
        {"{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"data\":{}}", "/specversion"},
        {"{\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"data\":{}}", "/specversion"},
        {"{\"specversion\":\"1.0\",\"source\":\"s\",\"type\":\"t\",\"data\":{}}", "/id"},
        {"{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"s\",\"type\":\"t\",\"data\":{}}", "/id"},
        {"{\"specversion\":\"1.0\",\"id\":\"a\\u0000b\",\"source\":\"s\",\"type\":\"t\",\"data\":{}}", "/id"},
        {"{\"specversion\":\"1.0\",\"id\":\"a\\nb\",\"source\":\"s\",\"type\":\"t\",\"data\":{}}", "/id"},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"data\":{}}", "/source"},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"9\",\"data\":{}}", "/type"},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"}", "/data"},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"data\":[1]}", "/data"},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"data_base64\":\"e30=\"}",
         "/data_base64"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f->request.header_count = 0;
        assert_int_equal(post(f, "application/cloudevents+json", cases[i].body), ERR_NONE);
        assert_false(f->intake.items[0].valid);
        assert_str(f->intake.items[0].refusal.pointer, cases[i].pointer);
    }
}

static void the_rules_of_every_event_hold(void **state) {
    struct fixture *f = *state;
    struct str declared[] = {STR("other")};
    f->settings.types = declared;
    f->settings.type_count = 1;
    assert_int_equal(post(f, "application/cloudevents+json", LEAD), ERR_NONE);
    assert_int_equal(f->intake.items[0].refusal.err, ERR_BAD_TYPE);
    f->settings.type_count = 0;
    f->settings.server.max_event_bytes = 10;
    f->request.header_count = 0;
    assert_int_equal(post(f, "application/cloudevents+json", LEAD), ERR_NONE);
    assert_int_equal(f->intake.items[0].refusal.err, ERR_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_structured_one_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_binary_one_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_headers_escapes_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(both_forms_have_one_fingerprint, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_is_judged_item_by_item, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rules_of_every_event_hold, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
