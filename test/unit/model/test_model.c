#include "../base/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "model/delivery.h"
#include "model/request.h"

static void test_status_words_go_both_ways(void **state) {
    (void)state;
    for (int i = 0; i < EVENT_STATUS_COUNT; i++) {
        enum event_status status;
        assert_true(event_status_parse(str_from(event_status_text((enum event_status)i)), &status));
        assert_int_equal(status, i);
    }
    for (int i = 0; i < DELIVERY_STATUS_COUNT; i++) {
        enum delivery_status status;
        assert_true(delivery_status_parse(str_from(delivery_status_text((enum delivery_status)i)), &status));
        assert_int_equal(status, i);
    }
    enum event_status untouched = EVENT_FAILED;
    assert_false(event_status_parse(STR("pending"), &untouched));
    assert_int_equal(untouched, EVENT_FAILED);
}

/* Whether the move is made; one that the table does not allow ends the process, so it is tried in another one. */
static bool is_moved(enum delivery_status from, enum delivery_status to) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr); /* the assert's words */
        _exit(delivery_move(from, to) == to ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static void test_final_statuses_are_left_by_nothing(void **state) {
    (void)state;
    const enum delivery_status final[] = {DELIVERY_COMPLETED, DELIVERY_FAILED, DELIVERY_SKIPPED};
    for (size_t i = 0; i < COUNT_OF(final); i++) {
        assert_true(delivery_is_final(final[i]));
        for (int to = 0; to < DELIVERY_STATUS_COUNT; to++) assert_false(is_moved(final[i], (enum delivery_status)to));
    }
    assert_false(delivery_is_final(DELIVERY_HELD));
}

static void test_open_statuses_move_by_the_table(void **state) {
    (void)state;
    assert_true(is_moved(DELIVERY_PENDING, DELIVERY_PROCESSING));
    assert_true(is_moved(DELIVERY_PROCESSING, DELIVERY_UNKNOWN));
    assert_true(is_moved(DELIVERY_UNKNOWN, DELIVERY_PROCESSING));
    assert_true(is_moved(DELIVERY_HELD, DELIVERY_PENDING));
    assert_true(is_moved(DELIVERY_PENDING, DELIVERY_PENDING));        /* a person lets it go now */
    assert_false(is_moved(DELIVERY_PENDING, DELIVERY_COMPLETED));     /* nothing is done without a claim */
    assert_false(is_moved(DELIVERY_PROCESSING, DELIVERY_PROCESSING)); /* one claim at a time */
    assert_false(is_moved(DELIVERY_HELD, DELIVERY_PROCESSING));       /* a person lets it go first */
}

static void test_an_id_has_the_time_of_the_event_and_the_end_of_the_key(void **state) {
    (void)state;
    struct hasher *hasher = hasher_new();
    const struct event event = {.key = STR("k"), .created_us = 1764000000000000};
    struct delivery delivery = {.destination = STR("crm"), .step = STR("lead"), .run = 3};
    delivery_identify(hasher, &event, &delivery);
    assert_true(uuid_eq(delivery.key, delivery_derive_key(hasher, STR("k"), STR("crm"), STR("lead"), 3)));
    assert_true(uuid_eq(delivery.id, uuid_dated(delivery.key, 1764000000000000)));
    hasher_free(hasher);
}

static void test_a_delivery_is_what_it_is_derived_from(void **state) {
    (void)state;
    struct hasher *hasher = hasher_new();
    struct uuid key = delivery_derive_key(hasher, STR("k"), STR("crm"), STR("lead"), 0);
    assert_true(uuid_eq(key, delivery_derive_key(hasher, STR("k"), STR("crm"), STR("lead"), 0)));
    assert_false(uuid_eq(key, delivery_derive_key(hasher, STR("k2"), STR("crm"), STR("lead"), 0)));
    assert_false(uuid_eq(key, delivery_derive_key(hasher, STR("k"), STR("crm2"), STR("lead"), 0)));
    assert_false(uuid_eq(key, delivery_derive_key(hasher, STR("k"), STR("crm"), STR("lead.2"), 0)));
    assert_false(uuid_eq(key, delivery_derive_key(hasher, STR("k"), STR("crm"), STR("lead"), 1)));
    assert_false(uuid_eq(key, delivery_derive_key(hasher, STR("kc"), STR("rm"), STR("lead"), 0)));
    assert_int_equal(key.b[6] >> 4, 8);
    hasher_free(hasher);
}

static void test_names_are_checked(void **state) {
    (void)state;
    char long_key[257];
    memset(long_key, 'k', 256);
    long_key[256] = 0;
    assert_true(event_type_valid(STR("LEAD_CAPTURE")));
    assert_true(event_type_valid(STR("a.b-c_9")));
    assert_false(event_type_valid(STR("")));
    assert_false(event_type_valid(STR("9a")));
    assert_false(event_type_valid(STR("a b")));
    assert_true(event_key_valid(str_sub(str_from(long_key), 0, 255)));
    assert_false(event_key_valid(str_from(long_key)));
    assert_true(event_key_valid(STR("Gr\xc3\xbc\xc3\x9f"
                                    "e")));
    assert_false(event_key_valid(STR("a\x7f")));
    assert_false(event_key_valid(STR("a\xc2\x85")));
    assert_false(event_key_valid(STR("a\xff")));
    assert_false(event_source_valid(STR("")));
}

static void test_jq_sees_the_whole_event(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct event event = {
        .key = STR("a\"b"), .type = STR("T"), .source = STR("s"), .payload = STR("{\"x\":1}"), .run = 2};
    struct json *root;
    assert_int_equal(json_parse(event_json(&arena, &event), 8, &root, NULL), ERR_NONE);
    assert_str(json_text(json_get(root, STR("idempotency_key"))), "a\"b");
    assert_int_equal(json_integer(json_point(root, STR("/payload/x")), 0), 1);
    assert_int_equal(json_integer(json_get(root, STR("run")), 0), 2);
    assert_str(json_text(json_get(root, STR("created_at"))), "1970-01-01T00:00:00Z");
    json_free(root);
    arena_free(&arena);
}

static void test_queries_are_decoded(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct request request = {.query = STR("a=1&type=x%2Fy+z&empty=&flag&bad=%4")};
    assert_str(request_query(&request, STR("a"), &arena), "1");
    assert_str(request_query(&request, STR("type"), &arena), "x/y z");
    assert_str(request_query(&request, STR("empty"), &arena), "");
    assert_str(request_query(&request, STR("flag"), &arena), "");
    assert_str(request_query(&request, STR("bad"), &arena), "%4");
    assert_null(request_query(&request, STR("none"), &arena).p);
    arena_free(&arena);
}

static void test_no_glob_takes_what_is_reserved(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *type;
        bool fits;
    } cases[] = {{"*", "LEAD", true},
                 {"*", "drumbeat.alert", false},
                 {"d*", "drumbeat.alert", false},
                 {"*.alert", "drumbeat.alert", false},
                 {"drumbeat.*", "drumbeat.alert", true},
                 {"drumbeat.alert", "drumbeat.alert", true},
                 {"drumbeat.*", "drumbeats", false},
                 {"*", "drumbeats", true},
                 {"*", "spam.contact", false},
                 {"spam.*", "spam.contact", true}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(event_type_fits(str_from(cases[i].pattern), str_from(cases[i].type)), cases[i].fits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_glob_takes_what_is_reserved),
        cmocka_unit_test(test_status_words_go_both_ways),
        cmocka_unit_test(test_final_statuses_are_left_by_nothing),
        cmocka_unit_test(test_open_statuses_move_by_the_table),
        cmocka_unit_test(test_a_delivery_is_what_it_is_derived_from),
        cmocka_unit_test(test_an_id_has_the_time_of_the_event_and_the_end_of_the_key),
        cmocka_unit_test(test_names_are_checked),
        cmocka_unit_test(test_jq_sees_the_whole_event),
        cmocka_unit_test(test_queries_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
