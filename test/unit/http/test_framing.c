/* What is refused because it could be read in two ways, what is taken, and how
 * it is given to the loop: asked of the whole listener, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include "house.h"

static void says_what_came(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    int status = wire_ask(
        house->port, STR(POST("/v1/%65vents?a=%20b", "Content-Length: 5\r\nX-B:  two  \r\n", "hello")), &house->text);
    assert_int_equal(status, 200);
    assert_non_null(strstr(house->text.p, "X-Echo: POST /v1/%65vents?a=%20b 127.0.0.1 0 4\r\n"));
    assert_non_null(strstr(house->text.p, "Content-Type: text/plain\r\n"));
    assert_non_null(strstr(house->text.p, "\r\n\r\nhello"));
    assert_int_equal(listener_counts(house->listener).requests, 1);
    end_house(house);
}

static void gives_headers_trimmed_and_in_order(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, false);
    int fd = wire_connect(house->port);
    wire_send(fd, STR("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \t1 \t\r\nx-a:2\r\nX-Empty:\r\nX-Blank:   \r\nX-C: a "
                      "b\r\n\r\n"));
    struct request *request = collect_one(house);
    static const char *const expected[][2] = {{"Host", "localhost"}, {"X-A", "1"},    {"x-a", "2"},
                                              {"X-Empty", ""},       {"X-Blank", ""}, {"X-C", "a b"}};
    assert_int_equal(request->header_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(request->headers[i].name.p, expected[i][0]);
        assert_string_equal(request->headers[i].value.p, expected[i][1]);
    }
    assert_int_equal(request->body.n, 0);
    echo(house, request);
    assert_int_equal(wire_status(&house->text), 0);
    wire_answer(fd, &house->text);
    close(fd);
    end_house(house);
}

struct refused_case {
    const char *name;
    struct str head; /* whole requests; another one is sent right behind */
};
#define CASE(name, text)                                                                                               \
    { name, STR(text) }

static const struct refused_case refused_cases[] = {
    CASE("equal lengths", POST("/", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc")),
    CASE("unequal lengths", POST("/", "Content-Length: 3\r\nContent-Length: 30\r\n", "abc")),
    CASE("list of lengths", POST("/", "Content-Length: 3, 3\r\n", "abc")),
    CASE("signed length", POST("/", "Content-Length: +3\r\n", "abc")),
    CASE("negative length", POST("/", "Content-Length: -3\r\n", "abc")),
    CASE("hexadecimal length", POST("/", "Content-Length: 0x3\r\n", "abc")),
    CASE("empty length", POST("/", "Content-Length:\r\n", "abc")),
    CASE("length and coding", POST("/", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    CASE("coding and length", POST("/", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")),
    CASE("other coding", POST("/", "Transfer-Encoding: gzip\r\n", "abc")),
    CASE("identity", POST("/", "Transfer-Encoding: identity\r\n", "abc")),
    CASE("two codings", POST("/", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
    CASE("chunked twice", POST("/", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")),
    CASE("two coding lines", POST("/", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    CASE("disguised coding", POST("/",
                                  "Transfer-Encoding: \x0b"
                                  "chunked\r\n",
                                  "0\r\n\r\n")),
    CASE("coding on 1.0", "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    CASE("two hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
    CASE("two hosts on 1.0", "GET / HTTP/1.0\r\nHost: localhost\r\nHost: b\r\n\r\n"),
    CASE("no host", "GET / HTTP/1.1\r\nX: a\r\n\r\n"),
    CASE("host with blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    CASE("host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    CASE("host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    CASE("folded", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"),
    CASE("folded by tab", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tb\r\n\r\n"),
    CASE("folded at once", "GET / HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n"),
    CASE("folded and empty", "GET / HTTP/1.1\r\nHost: localhost\r\nX:\r\n \r\n\r\n"),
    CASE("folded coding", POST("/", "Transfer-Encoding: chun\r\n ked\r\n", "0\r\n\r\n")),
    CASE("folded length", POST("/", "Content-Length: 1\r\n 0\r\n", "abc")),
    CASE("NUL in value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"),
    CASE("NUL after value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0\r\n\r\n"),
    CASE("NUL in name", "GET / HTTP/1.1\r\nHost: localhost\r\nX\0Y: a\r\n\r\n"),
    CASE("NUL in target", "GET /\0/a HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("control in value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x01"
                             "b\r\n\r\n"),
    CASE("escape in value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x1b[2J\r\n\r\n"),
    CASE("DEL in value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x7f\r\n\r\n"),
    CASE("bare CR in value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 5\r\n\r\n"),
    CASE("bare LF after value", "GET / HTTP/1.1\r\nHost: a\nX: a\r\n\r\n"),
    CASE("bare LF after request line", "GET / HTTP/1.1\nHost: localhost\r\n\r\n"),
    CASE("two CR", "GET / HTTP/1.1\r\nHost: a\r\r\nX: a\r\n\r\n"),
    CASE("blank before colon", "GET / HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n"),
    CASE("length with blank before colon", POST("/", "Content-Length : 3\r\n", "abc")),
    CASE("blank in name", "GET / HTTP/1.1\r\nHost: localhost\r\nX Y: a\r\n\r\n"),
    CASE("separator in name", "GET / HTTP/1.1\r\nHost: localhost\r\nX(Y): a\r\n\r\n"),
    CASE("eighth bit in name", "GET / HTTP/1.1\r\nHost: localhost\r\nX\xff: a\r\n\r\n"),
    CASE("empty name", "GET / HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n"),
    CASE("no colon", "GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n"),
    CASE("version 2.0", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"),
    CASE("version 1.2", "GET / HTTP/1.2\r\nHost: localhost\r\n\r\n"),
    CASE("small version", "GET / http/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("no version", "GET /\r\nHost: localhost\r\n\r\n"),
    CASE("other protocol", "GET / ICY/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("blank in target", "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("tab in target", "GET /a\tb HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("fragment", "GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("eighth bit in target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("authority as target", "CONNECT a:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("star", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    CASE("method that is no token", "G(T / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
};

/* 400 (505 for another version) and the end of the connection; what came behind is never looked at. */
static void refuses_what_can_be_read_in_two_ways(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    for (size_t i = 0; i < sizeof refused_cases / sizeof *refused_cases; i++) {
        int fd = wire_connect(house->port);
        wire_send(fd, refused_cases[i].head);
        wire_send(fd, STR("GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        wire_rest(fd, &house->text);
        int status = wire_status(&house->text);
        if ((status != 400 && status != 505) || atomic_load(&house->seen))
            fail_msg("%s: %zu seen, %s", refused_cases[i].name, atomic_load(&house->seen), house->text.p);
        close(fd);
    }
    end_house(house);
}

static void words_its_refusal_as_a_problem(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    wire_ask(house->port, STR("GET / HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n"), &house->text);
    assert_non_null(strstr(house->text.p, "Content-Type: application/problem+json\r\n"));
    assert_non_null(strstr(house->text.p, "X-Event-Status: INVALID\r\n"));
    assert_non_null(strstr(house->text.p, "Connection: close\r\n"));
    assert_non_null(strstr(house->text.p,
                           "{\"type\":\"about:blank\",\"title\":\"the request is malformed\",\"status\":400,"
                           "\"detail\":\"there is more than one Host\",\"code\":\"E0105\",\"request_id\":\""));
    assert_int_equal(listener_counts(house->listener).refused, 1);
    end_house(house);
}

/* These the library answers by itself, and so would the length that is none be answered with two heads. */
static void words_what_the_library_refuses_as_a_problem(void **state) {
    (void)state;
    static const struct {
        struct str first, rest;
        int status;
    } cases[] = {
        {STR(POST("/", "Content-Length: abc\r\n", "")), STR(""), 400},
        {STR("POST / " HOSTED "Content-Le"), STR("ngth: abc\r\n\r\n"), 400},
        {STR(POST("/", "Transfer-Encoding: chunked\r\n", "zz\r\n")), STR(""), 400},
        {STR(POST("/", "Transfer-Encoding: chunked\r\n", "1\r\na")), STR("b\r\n"), 400},
    };
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = wire_connect(house->port);
        wire_send(fd, cases[i].first);
        if (cases[i].rest.n) { /* comes in a later round */
            assert_int_equal(wire_ask(house->port, STR("GET / " HOSTED "\r\n"), &house->text), 200);
            wire_send(fd, cases[i].rest);
        }
        wire_rest(fd, &house->text);
        assert_int_equal(wire_status(&house->text), cases[i].status);
        if (strstr(house->text.p + 1, "HTTP/1.1 4")) fail_msg("%zu: %s", i, house->text.p);
        assert_null(strstr(house->text.p, "<html>"));
        assert_non_null(strstr(house->text.p, "\"request_id\":\""));
        close(fd);
    }
    end_house(house);
}

static void refuses_trailers_that_speak_of_the_body(void **state) {
    (void)state;
    static const struct str requests[] = {
        STR(POST("/", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n")),
        STR(POST("/", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n")),
        STR(POST("/", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: \x07\r\n\r\n")),
        STR(POST("/", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: a\x7f\r\n\r\n"))};
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        assert_int_equal(wire_ask(house->port, requests[i], &house->text), 400);
        assert_non_null(strstr(house->text.p, "\"code\":\"E0105\""));
    }
    assert_int_equal(atomic_load(&house->seen), 0);
    end_house(house);
}

static void says_the_request_id_back(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    wire_ask(house->port, STR("GET / HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r-17\r\nHost: b\r\n\r\n"),
             &house->text);
    assert_non_null(strstr(house->text.p, "\"request_id\":\"r-17\"}"));
    wire_ask(house->port, STR("GET / HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r\"17\r\nHost: b\r\n\r\n"),
             &house->text);
    assert_null(strstr(house->text.p, "r\"17"));
    end_house(house);
}

struct taken_case {
    const char *name;
    struct str text;
    const char *echo;
};

static const struct taken_case taken_cases[] = {
    {"1.0 without host", STR("GET /x HTTP/1.0\r\n\r\n"), "GET /x? "},
    {"absolute form", STR("GET http://localhost:1/x/y?z HTTP/1.1\r\nHost: localhost:1\r\n\r\n"), "GET /x/y?z "},
    {"absolute form without path", STR("GET HTTP://a?z HTTP/1.1\r\nHost: localhost\r\n\r\n"), "GET /?z "},
    {"OPTIONS *", STR("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"), "OPTIONS *? "},
    {"empty line first", STR("\r\nGET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"), "GET /x? "},
    {"IPv6 host", STR("GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "GET /x? "},
    {"empty host", STR("GET /x HTTP/1.1\r\nHost:\r\n\r\n"), "GET /x? "},
    {"UTF-8 value", STR("GET /x HTTP/1.1\r\nHost: localhost\r\nX: \xc3\xa4\r\n\r\n"), "GET /x? "},
    {"chunked in capitals", STR(POST("/x", "TRANSFER-ENCODING: CHUNKED\r\n", "2\r\nab\r\n0\r\n\r\n")), "POST /x? "},
    {"trailer", STR(POST("/x", "Transfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\nT: v\r\n\r\n")), "POST /x? "},
    {"DELETE", STR("DELETE /x " HOSTED "Content-Type: application/json\r\n\r\n"), "DELETE /x? "},
    {"cookies", STR("GET /x HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; c=d\r\n\r\n"), "GET /x? 127.0.0.1 0 2\r\n"},
};

static void takes_what_is_in_order(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    for (size_t i = 0; i < sizeof taken_cases / sizeof *taken_cases; i++) {
        int status = wire_ask(house->port, taken_cases[i].text, &house->text);
        if (status != 200 || !strstr(house->text.p, taken_cases[i].echo))
            fail_msg("%s: %s", taken_cases[i].name, house->text.p);
    }
    end_house(house);
}

static const struct refused_case bad_chunks[] = {
    CASE("no size", "\r\nabc\r\n0\r\n\r\n"),      CASE("no number", "x\r\nabc\r\n0\r\n\r\n"),
    CASE("sign", "+3\r\nabc\r\n0\r\n\r\n"),       CASE("minus", "-3\r\nabc\r\n0\r\n\r\n"),
    CASE("0x", "0x3\r\nabc\r\n0\r\n\r\n"),        CASE("too short", "2\r\nabc\r\n0\r\n\r\n"),
    CASE("huge", "FFFFFFFFFFFFFFFFF\r\nabc\r\n"), CASE("blank first", " 3\r\nabc\r\n0\r\n\r\n"),
};

static void ends_a_connection_whose_chunks_are_wrong(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    for (size_t i = 0; i < sizeof bad_chunks / sizeof *bad_chunks; i++) {
        int fd = wire_connect(house->port);
        wire_send(fd, STR(POST("/x", "Transfer-Encoding: chunked\r\n", "")));
        wire_send(fd, bad_chunks[i].head);
        wire_rest(fd, &house->text);
        if (atomic_load(&house->seen)) fail_msg("%s: %s", bad_chunks[i].name, house->text.p);
        close(fd);
    }
    end_house(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_came),
        cmocka_unit_test(gives_headers_trimmed_and_in_order),
        cmocka_unit_test(refuses_what_can_be_read_in_two_ways),
        cmocka_unit_test(words_its_refusal_as_a_problem),
        cmocka_unit_test(words_what_the_library_refuses_as_a_problem),
        cmocka_unit_test(refuses_trailers_that_speak_of_the_body),
        cmocka_unit_test(says_the_request_id_back),
        cmocka_unit_test(takes_what_is_in_order),
        cmocka_unit_test(ends_a_connection_whose_chunks_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
