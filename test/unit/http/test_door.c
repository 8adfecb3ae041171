/* Who may come in, judged by a head: keys, wrong keys, pages of other sites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include "base/when.h"
#include "http/door.h"
#include "http/framing.h"

#define NOW_US (1000 * US_PER_S)

struct asking {
    const char *method, *path;
    const char *headers[4][2];
};

static enum err ask_from(struct door *door, const struct asking *asking, const char *address, int64_t now_us) {
    struct header headers[4];
    struct framing head = {.method = str_from(asking->method),
                           .target = str_from(asking->path),
                           .version = STR("HTTP/1.1"),
                           .headers = headers};
    for (; head.header_count < 4 && asking->headers[head.header_count][0]; head.header_count++)
        headers[head.header_count] = (struct header){str_from(asking->headers[head.header_count][0]),
                                                     str_from(asking->headers[head.header_count][1])};
    return door_judge(door, &head, str_from(address), now_us).err;
}

static enum err ask(struct door *door, struct asking asking) {
    return ask_from(door, &asking, "127.0.0.1", NOW_US);
}

static struct door *new_door(const char *const *texts, size_t count) {
    struct door *door = door_new(STR("127.0.0.9"));
    struct hasher *hasher = hasher_new();
    struct door_key keys[4];
    for (size_t i = 0; i < count; i++) {
        hash_sha256(hasher, str_from(texts[i]), keys[i].digest);
        keys[i].reads = texts[i][0] != 'i';
    }
    hasher_free(hasher);
    const struct door_keys set = {.keys = keys, .count = count, .keyless = !count};
    door_set(door, &set);
    return door;
}

#define JSON                                                                                                           \
    { "Content-Type", "application/json" }

static void lets_this_machine_in_without_a_key(void **state) {
    (void)state;
    static const char *const hosts[] = {"localhost", "LocalHost:8120", "127.0.0.1:1",
                                        "127.8.8.8", "[::1]:8120",     "127.0.0.9"};
    struct door *door = new_door(NULL, 0);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_int_equal(ask(door, (struct asking){"GET", "/v1/events", {{"Host", hosts[i]}}}), ERR_NONE);
        assert_int_equal(ask(door, (struct asking){"POST", "/v1/events", {{"Host", hosts[i]}, JSON}}), ERR_NONE);
    }
    assert_int_equal(
        ask(door, (struct asking){"GET", "/", {{"Host", "localhost:1"}, {"Origin", "http://localhost:1"}}}), ERR_NONE);
    assert_int_equal(ask(door, (struct asking){"GET", "/", {{"Host", "localhost"}, {"Sec-Fetch-Site", "none"}}}),
                     ERR_NONE);
    assert_int_equal(ask(door, (struct asking){"GET", "/", {{"Host", "localhost"}, {"Sec-Fetch-Site", "same-origin"}}}),
                     ERR_NONE);
    door_free(door);
}

static void refuses_pages_of_other_sites(void **state) {
    (void)state;
    static const char *const hosts[] = {"evil.example",
                                        "evil.example:8120",
                                        "localhost.evil.example",
                                        "127.0.0.1.nip.io",
                                        "192.168.1.2",
                                        "[::2]",
                                        "[::1",
                                        "0.0.0.0",
                                        "127.1"};
    static const char *const paths[] = {"/v1/keys", "/metrics", "/healthz", "/readyz", "/nothing"};
    static const char *const origins[] = {"http://evil.example", "null", "http://localhost:3000", "https://localhost:1",
                                          "http://127.0.0.1",    ""};
    static const char *const sites[] = {"cross-site", "same-site", ""};
    struct door *door = new_door(NULL, 0);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        for (size_t j = 0; j < 5; j++)
            assert_int_equal(ask(door, (struct asking){"GET", paths[j], {{"Host", hosts[i]}}}), ERR_FOREIGN);
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++)
        assert_int_equal(
            ask(door, (struct asking){"POST", "/v1/keys", {{"Host", "localhost"}, {"Origin", origins[i]}, JSON}}),
            ERR_FOREIGN);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ask(door, (struct asking){"GET", "/", {{"Host", "localhost"}, {"Sec-Fetch-Site", sites[i]}}}),
                         ERR_FOREIGN);
    door_free(door);
}

static void wants_json_of_acts(void **state) {
    (void)state;
    static const char *const refused[] = {"text/plain",
                                          "application/x-www-form-urlencoded",
                                          "multipart/form-data",
                                          "text/plain; a=application/json",
                                          "application/jsonp",
                                          "text/x+json",
                                          "+json"};
    static const char *const taken[] = {"application/json", "APPLICATION/JSON; charset=utf-8", "application/x-ndjson",
                                        "application/cloudevents+json"};
    struct door *door = new_door(NULL, 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(
            ask(door, (struct asking){"POST", "/v1/x", {{"Host", "localhost"}, {"Content-Type", refused[i]}}}),
            ERR_BAD_MEDIA);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_int_equal(
            ask(door, (struct asking){"POST", "/v1/x", {{"Host", "localhost"}, {"Content-Type", taken[i]}}}), ERR_NONE);
    assert_int_equal(ask(door, (struct asking){"POST", "/v1/x", {{"Host", "localhost"}}}), ERR_BAD_MEDIA);
    door_free(door);
}

static void wants_a_key_where_keys_exist(void **state) {
    (void)state;
    static const char *const texts[] = {"ingest-key", "read-key"};
    static const struct {
        const char *path, *value;
        enum err err;
    } rows[] = {
        {"/v1/events", "Bearer ingest-key", ERR_NONE},
        {"/v1/events", "bearer  read-key ", ERR_NONE},
        {"/metrics", "Bearer read-key", ERR_NONE},
        {"/metrics?a", "Bearer ingest-key", ERR_FORBIDDEN},
        {"/v1/events", "Bearer ingest-keY", ERR_UNAUTHORIZED},
        {"/v1/events", "Basic ingest-key", ERR_UNAUTHORIZED},
        {"/v1/events", "ingest-key", ERR_UNAUTHORIZED},
        {"/v1/events", "Bearer", ERR_UNAUTHORIZED},
        {"/healthz", "Bearer wrong", ERR_NONE},
        {"/healthz/", "Bearer wrong", ERR_UNAUTHORIZED},
    };
    struct door *door = new_door(texts, 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(
            ask(door, (struct asking){"GET", rows[i].path, {{"Host", "a"}, {"Authorization", rows[i].value}}}),
            rows[i].err);
    assert_int_equal(ask(door, (struct asking){"GET", "/metrics", {{"Host", "a"}}}), ERR_UNAUTHORIZED);
    assert_int_equal(ask(door, (struct asking){"GET", "/readyz", {{"Host", "a"}}}), ERR_NONE);
    door_free(door);
}

static void is_shut_until_it_knows_the_keys(void **state) {
    (void)state;
    struct door *door = door_new(STR("127.0.0.1"));
    assert_int_equal(ask(door, (struct asking){"GET", "/v1/events", {{"Host", "localhost"}}}), ERR_STORE_BUSY);
    door_free(door);
}

static enum err guess(struct door *door, const char *key, const char *address, int64_t now_us) {
    struct asking asking = {"GET", "/v1/events", {{"Host", "a"}, {"Authorization", key}}};
    return ask_from(door, &asking, address, now_us);
}

static void slows_guesses_of_an_address(void **state) {
    (void)state;
    static const char *const texts[] = {"used", "unused"};
    struct door *door = new_door(texts, 2);
    assert_int_equal(guess(door, "Bearer used", "10.0.0.1", NOW_US), ERR_NONE);
    for (int i = 0; i < 20; i++) assert_int_equal(guess(door, "Bearer wrong", "10.0.0.1", NOW_US), ERR_UNAUTHORIZED);
    assert_int_equal(guess(door, "Bearer wrong", "10.0.0.1", NOW_US), ERR_SLOWED);
    assert_int_equal(guess(door, "Bearer unused", "10.0.0.1", NOW_US), ERR_SLOWED); /* says nothing of the key */
    assert_int_equal(guess(door, "Bearer used", "10.0.0.1", NOW_US), ERR_NONE);     /* goes on working */
    assert_int_equal(guess(door, "Bearer unused", "10.0.0.2", NOW_US), ERR_NONE);   /* another address */
    assert_int_equal(guess(door, "Bearer wrong", "10.0.0.1", NOW_US + US_PER_S), ERR_UNAUTHORIZED);
    assert_int_equal(guess(door, "Bearer wrong", "10.0.0.1", NOW_US + US_PER_S), ERR_SLOWED);
    assert_int_equal(guess(door, "Bearer unused", "10.0.0.1", NOW_US + 2 * US_PER_S), ERR_NONE);
    for (int i = 0; i < 20; i++) /* a host has all addresses of its network */
        assert_int_equal(guess(door, "Bearer wrong", i % 2 ? "2001:db8::1" : "2001:db8::2", NOW_US), ERR_UNAUTHORIZED);
    assert_int_equal(guess(door, "Bearer wrong", "2001:db8::3", NOW_US), ERR_SLOWED);
    assert_int_equal(guess(door, "Bearer wrong", "2001:db8:0:1::3", NOW_US), ERR_UNAUTHORIZED);
    door_free(door);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_this_machine_in_without_a_key),
        cmocka_unit_test(refuses_pages_of_other_sites),
        cmocka_unit_test(wants_json_of_acts),
        cmocka_unit_test(wants_a_key_where_keys_exist),
        cmocka_unit_test(is_shut_until_it_knows_the_keys),
        cmocka_unit_test(slows_guesses_of_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
