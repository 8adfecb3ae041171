/* Room for bodies, their pace, and who may send one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include "house.h"

#define SHORT_US (300 * US_PER_MS) /* a deadline that a test waits for */

/* Begins a large body; what is answered to its head is in house->text. */
static int begin_large(struct house *house) {
    int fd = wire_connect(house->port);
    wire_send(fd, STR(POST("/", "Content-Length: 100000\r\nExpect: 100-continue\r\n", "")));
    wire_answer(fd, &house->text);
    return fd;
}

/* One address may hold 8 bodies of the largest size; all others still have room, and so have small bodies. */
static void bounds_the_bodies_of_an_address(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    int fds[9];
    static char most[90000];
    snprintf(most, sizeof most, "%089990d", 0);
    for (size_t i = 0; i < 8; i++) {
        fds[i] = begin_large(house);
        assert_int_equal(wire_status(&house->text), 100);
        wire_send(fds[i], str_from(most));
    }
    /* The bodies are read in several rounds: until the last of them is here, there is still room. */
    for (fds[8] = begin_large(house); wire_status(&house->text) == 100; fds[8] = begin_large(house)) close(fds[8]);
    assert_int_equal(wire_status(&house->text), 503);
    assert_non_null(strstr(house->text.p, "from this address"));
    assert_int_equal(wire_ask(house->port, STR(POST("/", "Content-Length: 1\r\n", "a")), &house->text), 200);
    most[10010] = '\0';
    for (size_t i = 0; i < 8; i++) {
        wire_send(fds[i], str_from(most));
        wire_answer(fds[i], &house->text);
        assert_int_equal(wire_status(&house->text), 200);
    }
    for (size_t i = 0; i < 9; i++) close(fds[i]);
    end_house(house);
}

/* What nobody has vouched for yet holds a quarter at most: 4 bodies of the largest kind, where all may hold 16. */
static void strangers_leave_room_for_those_with_a_key(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.max_body_bytes = 1 << 20;
    options.connections_per_address = 64;
    struct house *house = new_house(&options, true);
    static char most[1000001];
    int fds[5];
    memset(most, 'x', sizeof most - 1);
    for (size_t i = 0; i < 4; i++) {
        fds[i] = wire_connect(house->port);
        wire_send(fds[i], STR(POST("/in/shop", "Content-Length: 1048576\r\nExpect: 100-continue\r\n", "")));
        wire_answer(fds[i], &house->text);
        assert_int_equal(wire_status(&house->text), 100);
        wire_send(fds[i], str_from(most));
    }
    do {
        fds[4] = wire_connect(house->port);
        wire_send(fds[4], STR(POST("/in/shop", "Content-Length: 1048576\r\nExpect: 100-continue\r\n", "")));
        wire_answer(fds[4], &house->text);
        close(fds[4]);
    } while (wire_status(&house->text) == 100); /* until the four are read */
    assert_int_equal(wire_status(&house->text), 503);
    assert_non_null(strstr(house->text.p, "to sources"));
    assert_int_equal(wire_ask(house->port, STR(POST("/in/shop", "Content-Length: 1\r\n", "a")), &house->text), 200);
    fds[4] = wire_connect(house->port);
    wire_send(fds[4], STR(POST("/", "Content-Length: 1000000\r\nExpect: 100-continue\r\n", "")));
    wire_answer(fds[4], &house->text);
    assert_int_equal(wire_status(&house->text), 100);
    for (size_t i = 0; i < 5; i++) close(fds[i]);
    end_house(house);
}

static void a_stranger_sends_no_more_than_a_webhook(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.max_body_bytes = 8 << 20;
    struct house *house = new_house(&options, true);
    assert_int_equal(wire_ask(house->port, STR(POST("/in/shop", "Content-Length: 1048577\r\n", "")), &house->text),
                     413);
    end_house(house);
}

static void ends_a_body_that_comes_too_slowly(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.body_pace_us = SHORT_US;
    struct house *house = new_house(&options, true);
    int fd = wire_connect(house->port);
    wire_send(fd, STR(POST("/", "Content-Length: 90000\r\n", "abc")));
    wire_rest(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 408);
    close(fd);
    end_house(house);
}

static const struct str ASK_HEALTH = {"GET /healthz " HOSTED "\r\n", sizeof "GET /healthz " HOSTED "\r\n" - 1};

/* A client that sends all of its body before it reads must find the answer, not a reset. */
static void is_heard_by_whoever_still_sends(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    static char much[4000000];
    memset(much, 'x', sizeof much - 1);
    static const struct str heads[] = {
        STR(POST("/", "Content-Length: 3999999\r\n", "")),
        STR("POST / " HOSTED "Content-Type: text/plain\r\nContent-Length: 90000\r\n\r\n")};
    static const int statuses[] = {413, 415};
    for (size_t i = 0; i < 2; i++) {
        int fd = wire_connect(house->port);
        wire_send(fd, heads[i]);
        wire_send(fd, str_from(much));
        wire_rest(fd, &house->text);
        assert_int_equal(wire_status(&house->text), statuses[i]);
        close(fd);
    }
    end_house(house);
}

/* The key is looked at when the head is complete. */
static void wants_a_key_before_the_body(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    const struct door_keys none = {0};
    listener_publish_keys(house->listener, &none);
    listener_publish(house->listener, STR("/healthz"), 200, STR("text/plain"), STR("ok\n"));
    listener_publish(house->listener, STR("/metrics"), 200, STR("text/plain"), STR("some\n"));
    int fd = wire_connect(house->port);
    wire_send(fd, STR(POST("/", "Content-Length: 90000\r\nExpect: 100-continue\r\n", "")));
    wire_rest(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 401);
    assert_non_null(strstr(house->text.p, "WWW-Authenticate: Bearer\r\n"));
    close(fd);
    assert_int_equal(wire_ask(house->port, ASK_HEALTH, &house->text), 200);
    assert_int_equal(wire_ask(house->port, STR("GET /metrics " HOSTED "\r\n"), &house->text), 401);
    const struct door_keys open = {.open_metrics = true};
    listener_publish_keys(house->listener, &open);
    assert_int_equal(wire_ask(house->port, STR("GET /metrics " HOSTED "\r\n"), &house->text), 200);
    assert_int_equal(atomic_load(&house->seen), 0);
    end_house(house);
}

static void names_a_coding_that_it_does_not_read(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    assert_int_equal(
        wire_ask(house->port, STR(POST("/", "Content-Encoding: gzip\r\nContent-Length: 1\r\n", "a")), &house->text),
        415);
    assert_non_null(strstr(house->text.p, "Content-Encoding"));
    assert_non_null(strstr(house->text.p, "Accept-Encoding: identity\r\n"));
    end_house(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_leave_room_for_those_with_a_key),
        cmocka_unit_test(a_stranger_sends_no_more_than_a_webhook),
        cmocka_unit_test(bounds_the_bodies_of_an_address),
        cmocka_unit_test(ends_a_body_that_comes_too_slowly),
        cmocka_unit_test(is_heard_by_whoever_still_sends),
        cmocka_unit_test(wants_a_key_before_the_body),
        cmocka_unit_test(names_a_coding_that_it_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
