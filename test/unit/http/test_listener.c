/* Connections, bodies, deadlines, limits and the unix socket of the listener. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <sys/stat.h>

#include "house.h"

#define SHORT_US (300 * US_PER_MS) /* a deadline that a test waits for */

static void answers_pipelined_requests_in_order(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    int fd = wire_connect(house->port);
    wire_send(fd, STR(POST("/1", "Content-Length: 2\r\n", "ab") POST("/2", "Content-Length: 2\r\n", "cd")
                          POST("/3", "Connection: close\r\nContent-Length: 2\r\n", "ef")));
    const char *text = wire_rest(fd, &house->text);
    const char *first = strstr(text, "\r\n\r\nab"), *second = strstr(text, "\r\n\r\ncd");
    assert_true(first && second && first < second && strstr(second, "\r\n\r\nef"));
    close(fd);
    end_house(house);
}

static void keeps_a_connection(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    int fd = wire_connect(house->port);
    for (int i = 0; i < 20; i++) {
        wire_send(fd, STR(POST("/", "Content-Length: 2\r\n", "ab")));
        wire_answer(fd, &house->text);
        assert_int_equal(wire_status(&house->text), 200);
    }
    assert_int_equal(listener_counts(house->listener).connections, 1);
    close(fd);
    await_connections(house, 0);
    end_house(house);
}

static void joins_a_chunked_body(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    wire_ask(house->port, STR(POST("/", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")),
             &house->text);
    assert_non_null(strstr(house->text.p, "\r\n\r\nabcd"));
    end_house(house);
}

static void takes_a_body_of_the_largest_size(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    static char body[100000];
    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)('a' + i % 23);
    int fd = wire_connect(house->port);
    wire_send(fd, STR(POST("/", "Content-Length: 100000\r\n", "")));
    for (size_t at = 0; at < sizeof body; at += 7000) wire_send(fd, str_sub((struct str){body, sizeof body}, at, 7000));
    wire_answer(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    assert_memory_equal(house->text.p + house->text.n - sizeof body, body, sizeof body);
    close(fd);
    end_house(house);
}

static void refuses_a_large_body_before_it_comes(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    static const struct str heads[] = {STR(POST("/", "Content-Length: 100001\r\n", "")),
                                       STR(POST("/", "Content-Length: 18446744073709551616\r\n", "")),
                                       STR(POST("/", "Content-Length: 100001\r\nExpect: 100-continue\r\n", ""))};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        int fd = wire_connect(house->port);
        wire_send(fd, heads[i]);
        wire_rest(fd, &house->text);
        assert_int_equal(wire_status(&house->text), 413);
        close(fd);
    }
    end_house(house);
}

static void refuses_a_body_that_grows_too_large(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.max_body_bytes = 1000;
    struct house *house = new_house(&options, true);
    int fd = wire_connect(house->port);
    wire_send(fd, STR(POST("/", "Transfer-Encoding: chunked\r\n", "")));
    char chunk[600];
    snprintf(chunk, sizeof chunk, "1F4\r\n%0500d\r\n", 0);
    for (int i = 0; i < 3; i++) wire_send(fd, str_from(chunk));
    wire_rest(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 413);
    assert_non_null(strstr(house->text.p, "\"code\":\"E0114\""));
    assert_int_equal(atomic_load(&house->seen), 0);
    close(fd);
    end_house(house);
}

static void says_continue(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    int fd = wire_connect(house->port);
    wire_send(fd, STR(POST("/", "Content-Length: 2\r\nExpect: 100-continue\r\n", "")));
    wire_answer(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 100);
    wire_send(fd, STR("ab"));
    wire_answer(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    close(fd);
    end_house(house);
}

static void refuses_large_headers(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    static char head[120000];
    static const int sizes[] = {16400, 100000};
    for (size_t i = 0; i < 2; i++) {
        snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %0*d\r\n\r\n", sizes[i], 0);
        int fd = wire_connect(house->port);
        wire_send(fd, str_from(head));
        wire_rest(fd, &house->text);
        if (house->text.n) assert_int_equal(wire_status(&house->text), 431);
        assert_int_equal(atomic_load(&house->seen), 0);
        close(fd);
    }
    end_house(house);
}

static void publishes_without_a_loop(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, false);
    const struct str ask = STR("GET /healthz?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    listener_publish(house->listener, STR("/healthz"), 200, STR("text/plain"), STR("ok\n"));
    listener_publish(house->listener, STR("/readyz"), 503, STR("application/json"), STR("{}"));
    assert_int_equal(wire_ask(house->port, ask, &house->text), 200);
    assert_non_null(strstr(house->text.p, "\r\n\r\nok\n"));
    assert_int_equal(wire_ask(house->port, STR("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"), &house->text), 503);
    listener_publish(house->listener, STR("/healthz"), 200, STR("text/plain"), STR("still\n"));
    assert_int_equal(wire_ask(house->port, ask, &house->text), 200);
    assert_non_null(strstr(house->text.p, "\r\n\r\nstill\n"));
    int fd = wire_connect(house->port);
    wire_send(fd, STR("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    wire_rest(fd, &house->text);
    assert_non_null(strstr(house->text.p, "Content-Length: 6\r\n"));
    assert_null(strstr(house->text.p, "still"));
    close(fd);
    assert_int_equal(wire_ask(house->port, STR(POST("/healthz", "Content-Length: 0\r\n", "")), &house->text), 405);
    assert_non_null(strstr(house->text.p, "Allow: GET, HEAD\r\n"));
    end_house(house);
}

/* Sends the same byte again and again until the other side ends the connection. It is never idle. */
static void trickle(struct house *house, struct str start, struct str byte) {
    int fd = wire_connect(house->port);
    wire_send(fd, start);
    wire_clear(&house->text);
    struct pollfd on = {.fd = fd, .events = POLLIN};
    for (;;) {
        wire_send(fd, byte);
        if (poll(&on, 1, 10) == 1 && !wire_more(fd, &house->text)) break;
    }
    close(fd);
}

static void ends_a_slow_head(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.header_timeout_us = SHORT_US;
    struct house *house = new_house(&options, true);
    trickle(house, STR("GET /"), STR("x"));
    assert_int_equal(house->text.n, 0);
    trickle(house, STR("GET / HTTP/1.1\r\nX: "), STR("x"));
    assert_int_equal(wire_status(&house->text), 408);
    trickle(house, STR(""), STR(""));
    assert_int_equal(house->text.n, 0);
    await_connections(house, 0);
    end_house(house);
}

static void ends_a_slow_body(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.body_timeout_us = SHORT_US;
    struct house *house = new_house(&options, true);
    trickle(house, STR(POST("/", "Content-Length: 99999\r\n", "")), STR("x"));
    assert_int_equal(wire_status(&house->text), 408);
    trickle(house, STR(POST("/", "Transfer-Encoding: chunked\r\n", "")), STR("1\r\nx\r\n"));
    assert_int_equal(wire_status(&house->text), 408);
    assert_int_equal(atomic_load(&house->seen), 0);
    await_connections(house, 0);
    end_house(house);
}

static void ends_an_idle_connection(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.idle_timeout_us = SHORT_US;
    struct house *house = new_house(&options, true);
    int fd = wire_connect(house->port);
    wire_send(fd, STR("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wire_rest(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    close(fd);
    end_house(house);
}

static void ends_a_peer_that_does_not_read(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.body_timeout_us = SHORT_US;
    struct house *house = new_house(&options, false);
    int fd = wire_connect(house->port);
    wire_send(fd, STR("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    struct request *request = collect_one(house);
    size_t large = (size_t)64 << 20; /* more than the sockets' buffers hold */
    char *body = calloc(1, large);
    const struct reply reply = {.status = 200, .body = {body, large}};
    house->inlet.reply(house->inlet.self, request, &reply);
    free(body);
    await_connections(house, 0);
    close(fd);
    end_house(house);
}

static void bounds_connections_of_one_address(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.connections_per_address = 2;
    struct house *house = new_house(&options, true);
    int first = wire_connect(house->port), second = wire_connect(house->port), third = wire_connect(house->port);
    assert_string_equal(wire_rest(third, &house->text), "");
    close(third);
    close(first);
    await_connections(house, 1);
    assert_int_equal(wire_ask(house->port, STR("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), &house->text), 200);
    close(second);
    end_house(house);
}

static void bounds_connections_in_all(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.connections = 2;
    struct house *house = new_house(&options, true);
    int first = wire_connect(house->port), second = wire_connect(house->port), third = wire_connect(house->port);
    wire_send(third, STR("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    await_connections(house, 2);
    assert_int_equal(atomic_load(&house->seen), 0);
    close(first);
    wire_answer(third, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    close(second);
    close(third);
    end_house(house);
}

static void survives_a_client_that_left(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, false);
    for (int i = 0; i < 10; i++) {
        int fd = wire_connect(house->port);
        wire_send(fd, STR(POST("/", "Content-Length: 3\r\n", "abc")));
        struct request *request = collect_one(house);
        const struct linger reset = {.l_onoff = 1};
        if (i % 2) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        echo(house, request);
    }
    await_connections(house, 0);
    start_loop(house);
    assert_int_equal(wire_ask(house->port, STR("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), &house->text), 200);
    end_house(house);
}

static void does_not_let_a_stalled_loop_hold_callers(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.stall_us = SHORT_US;
    struct house *house = new_house(&options, false);
    int held = wire_connect(house->port), waiting = wire_connect(house->port);
    wire_send(held, STR(POST("/held", "Content-Length: 3\r\n", "abc")));
    struct request *request = collect_one(house);
    wire_send(waiting, STR(POST("/waiting", "Content-Length: 3\r\n", "abc")));
    wire_answer(held, &house->text);
    assert_int_equal(wire_status(&house->text), 503);
    assert_non_null(strstr(house->text.p, "Retry-After: 1\r\n"));
    assert_non_null(strstr(house->text.p, "\"code\":\"E0122\""));
    wire_answer(waiting, &house->text);
    assert_int_equal(wire_status(&house->text), 503);
    assert_string_equal(request->path.p, "/held"); /* still the loop's, though nobody waits */
    echo(house, request);
    /* What nobody waits for is not collected; the connections go on. */
    wire_send(held, STR("GET /again HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    request = collect_one(house);
    assert_string_equal(request->path.p, "/again");
    echo(house, request);
    wire_answer(held, &house->text);
    assert_non_null(strstr(house->text.p, "X-Echo: GET /again"));
    close(held);
    close(waiting);
    end_house(house);
}

static void sends_callers_away_when_the_queue_is_full(void **state) {
    (void)state;
    struct listener_options options = default_options();
    options.queue_max = 1;
    struct house *house = new_house(&options, false);
    int first = wire_connect(house->port), second = wire_connect(house->port);
    wire_send(first, STR("GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    house->clock.wait(house->clock.self, WHEN_NEVER); /* it is in the queue now */
    wire_send(second, STR("GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wire_answer(second, &house->text);
    assert_int_equal(wire_status(&house->text), 503);
    assert_non_null(strstr(house->text.p, "\"code\":\"E0120\""));
    start_loop(house);
    wake_raise(house->wake);
    wire_answer(first, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    wire_send(second, STR("GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wire_answer(second, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    close(first);
    close(second);
    end_house(house);
}

static void stops_in_order(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, false);
    listener_publish(house->listener, STR("/healthz"), 200, STR("text/plain"), STR("ok\n"));
    int collected = wire_connect(house->port), kept = wire_connect(house->port);
    wire_send(collected, STR("GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    struct request *request = collect_one(house);
    wire_send(kept, STR("GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    house->clock.wait(house->clock.self, WHEN_NEVER);
    listener_quiesce(house->listener);
    assert_int_equal(wire_ask(house->port, STR("GET /3 HTTP/1.1\r\nHost: localhost\r\n\r\n"), &house->text), 503);
    assert_non_null(strstr(house->text.p, "\"code\":\"E0124\""));
    assert_int_equal(wire_ask(house->port, STR("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"), &house->text), 200);
    echo(house, request);
    wire_answer(collected, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    close_house(house);
    wire_rest(kept, &house->text);
    assert_int_equal(wire_status(&house->text), 503);
    close(collected);
    close(kept);
    free(house);
}

static void says_why_it_cannot_listen(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, false);
    struct listener *other = NULL;
    struct str problem = STR_NONE;
    options.port = house->port;
    assert_int_equal(listener_open(&options, &house->clock, house->wake, &house->arena, &other, &problem), ERR_IO);
    assert_non_null(strstr(problem.p, "cannot listen on 127.0.0.1 port"));
    assert_null(other);
    options.host = STR("no such host");
    assert_int_equal(listener_open(&options, &house->clock, house->wake, &house->arena, &other, &problem), ERR_IO);
    end_house(house);
}

#define CLIENTS 8
#define ROUNDS  200

static void *ask_many_times(void *arg) {
    const struct house *house = arg;
    struct wire_text *text = calloc(1, sizeof *text);
    int fd = wire_connect(house->port);
    for (int i = 0; i < ROUNDS; i++) {
        char request[128], expected[32];
        snprintf(expected, sizeof expected, "\r\n\r\n%08d", fd * 10000 + i);
        snprintf(request, sizeof request, POST("/", "Content-Length: 8\r\n", "%08d"), fd * 10000 + i);
        wire_send(fd, str_from(request));
        assert_non_null(strstr(wire_answer(fd, text), expected));
    }
    close(fd);
    free(text);
    return NULL;
}

static void gives_everybody_their_own_answer(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    pthread_t clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) assert_int_equal(pthread_create(&clients[i], NULL, ask_many_times, house), 0);
    for (size_t i = 0; i < CLIENTS; i++) pthread_join(clients[i], NULL);
    assert_int_equal(atomic_load(&house->seen), CLIENTS * ROUNDS);
    await_connections(house, 0);
    end_house(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_pipelined_requests_in_order),
        cmocka_unit_test(keeps_a_connection),
        cmocka_unit_test(joins_a_chunked_body),
        cmocka_unit_test(takes_a_body_of_the_largest_size),
        cmocka_unit_test(refuses_a_large_body_before_it_comes),
        cmocka_unit_test(refuses_a_body_that_grows_too_large),
        cmocka_unit_test(says_continue),
        cmocka_unit_test(refuses_large_headers),
        cmocka_unit_test(publishes_without_a_loop),
        cmocka_unit_test(ends_a_slow_head),
        cmocka_unit_test(ends_a_slow_body),
        cmocka_unit_test(ends_an_idle_connection),
        cmocka_unit_test(ends_a_peer_that_does_not_read),
        cmocka_unit_test(bounds_connections_of_one_address),
        cmocka_unit_test(bounds_connections_in_all),
        cmocka_unit_test(survives_a_client_that_left),
        cmocka_unit_test(does_not_let_a_stalled_loop_hold_callers),
        cmocka_unit_test(sends_callers_away_when_the_queue_is_full),
        cmocka_unit_test(stops_in_order),
        cmocka_unit_test(says_why_it_cannot_listen),
        cmocka_unit_test(gives_everybody_their_own_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
