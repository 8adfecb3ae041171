/* What the client sends, which connections and addresses it uses, and how calls are cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <sys/resource.h>

#include "office.h"

static void serve_headers(struct liar_caller *caller) {
    while (liar_read(caller))
        liar_say(caller, "HTTP/1.1 201 Created\r\nX-A:  one \r\nx-b:\r\nContent-Length: 5\r\n\r\nhello");
}

static void gives_the_answer(void **state) {
    (void)state;
    struct office *office = new_office(serve_headers);
    const struct answer *answer = call(office);
    assert_int_equal(answer->end, EXCHANGE_ANSWERED);
    assert_int_equal(answer->status, 201);
    assert_int_equal(answer->header_count, 3);
    assert_true(str_eq(answer->headers[0].name, STR("X-A")) && str_eq(answer->headers[0].value, STR("one")));
    assert_true(str_eq(answer->headers[1].name, STR("x-b")) && !answer->headers[1].value.n);
    assert_true(str_eq(answer->body, STR("hello")) && answer->body_complete);
    assert_string_equal(answer->trouble, "");
    assert_true(answer->started_us > 0 && answer->finished_us >= answer->started_us);
    release(office);
    end_office(office);
}

static void serve_echo(struct liar_caller *caller) {
    char text[4096];
    while (liar_read(caller)) {
        bool head = strncmp(caller->request.p, "HEAD", 4) == 0;
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.3900s", caller->request.n,
                 head ? "" : caller->request.p);
        liar_say(caller, text);
    }
}

static void sends_what_it_is_told_and_no_more(void **state) {
    (void)state;
    struct office *office = new_office(serve_echo);
    struct outgoing *outgoing = &office->outgoing;
    outgoing->headers[0] = (struct header){STR("Content-Type"), STR("application/json")};
    outgoing->headers[1] = (struct header){STR("X-Empty"), STR("")};
    outgoing->header_count = 2;
    char expected[512];
    snprintf(expected, sizeof expected,
             "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: drumbeat/test\r\nAccept: */*\r\n"
             "Content-Type: application/json\r\nX-Empty:\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
             office->liar->port);
    const struct answer *answer = call(office);
    assert_int_equal(answer->body.n, strlen(expected));
    assert_memory_equal(answer->body.p, expected, answer->body.n);
    release(office);
    end_office(office);
}

struct method_case {
    struct str method, body;
    const char *start, *part; /* part: must be there; NULL = there must be no Content-Length */
};

static void sends_each_method_on_a_kept_handle(void **state) {
    (void)state;
    static const struct method_case cases[] = {
        {STR("POST"), STR("abc"), "POST /hook ", "Content-Length: 3\r\n"},
        {STR("GET"), STR(""), "GET /hook ", NULL},
        {STR("DELETE"), STR(""), "DELETE /hook ", NULL},
        {STR("PUT"), STR("abcd"), "PUT /hook ", "Content-Length: 4\r\n"},
        {STR("POST"), STR(""), "POST /hook ", "Content-Length: 0\r\n"},
        {STR("DELETE"), STR("ab"), "DELETE /hook ", "Content-Length: 2\r\n"},
        {STR("PATCH"), STR("a"), "PATCH /hook ", "Content-Length: 1\r\n"},
        {STR("HEAD"), STR(""), "", ""},
        {STR("GET"), STR(""), "GET /hook ", NULL},
    };
    struct office *office = new_office(serve_echo);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        office->outgoing.method = cases[i].method;
        office->outgoing.body = cases[i].body;
        struct arena arena = ARENA_EMPTY;
        const char *sent = str_dup(&arena, call(office)->body).p;
        bool right = strncmp(sent, cases[i].start, strlen(cases[i].start)) == 0;
        right = right && (cases[i].part ? !!strstr(sent, cases[i].part) : !strstr(sent, "Content-Length"));
        if (!right || strstr(sent, "Content-Type") || strstr(sent, "Expect") || strstr(sent, "Transfer-Encoding"))
            fail_msg("case %zu: %s", i, sent);
        arena_free(&arena);
        release(office);
    }
    assert_int_equal(atomic_load(&office->liar->connections), 1);
    end_office(office);
}

static void keeps_connections(void **state) {
    (void)state;
    struct office *office = new_office(serve_ok);
    for (int i = 0; i < 20; i++) assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    assert_int_equal(atomic_load(&office->liar->requests), 20);
    assert_int_equal(atomic_load(&office->liar->connections), 1);
    end_office(office);
}

/* A receiver that never answers has the request all the same, and who counts starts must not wait for its timeout. */
static void tells_when_a_request_began_to_leave(void **state) {
    (void)state;
    struct office *office = new_office(serve_silence);
    struct transport *transport = &office->transport;
    struct beginning begun[2];
    int64_t before_us = office->clock.now_us(office->clock.self);
    transport->start(transport->self, 6, &office->outgoing); /* nobody wants to know of this one */
    struct outgoing told = office->outgoing;
    told.tell_start = true;
    transport->start(transport->self, 7, &told);
    while (!transport->begun(transport->self, begun, 2)) office->clock.wait(office->clock.self, WHEN_NEVER);
    assert_int_equal(begun[0].tag, 7);
    assert_true(begun[0].at_us > before_us);
    assert_int_equal(transport->begun(transport->self, begun, 2), 0);
    transport->cancel(transport->self, 7);
    collect_one(office);
    assert_true(office->end.answer.started_us == begun[0].at_us);
    release(office);
    end_office(office);
}

static void cancels(void **state) {
    (void)state;
    struct office *office = new_office(serve_silence);
    office->transport.start(office->transport.self, 7, &office->outgoing);
    while (!atomic_load(&office->liar->requests)) usleep(1000);
    office->transport.cancel(office->transport.self, 8); /* there is no such call */
    office->transport.cancel(office->transport.self, 7);
    collect_one(office);
    assert_int_equal(office->end.answer.end, EXCHANGE_CANCELLED);
    release(office);
    office->transport.cancel(office->transport.self, 7); /* not any more */
    end_office(office);
}

static void closes_with_calls_on_the_wire(void **state) {
    (void)state;
    struct office *office = new_office(serve_silence);
    for (uint64_t i = 0; i < 10; i++) office->transport.start(office->transport.self, i, &office->outgoing);
    while (atomic_load(&office->liar->requests) < 5) usleep(1000);
    end_office(office);
}

/* ---- kept connections ---- */

static void serve_once_then_leave(struct liar_caller *caller) {
    if (!liar_read(caller)) return;
    liar_say(caller, OK_ANSWER);
    if (caller->number == 1) liar_read(caller); /* taken, and perhaps carried out, but never answered */
}

/* The library would send it again on a new connection; whether to do that is not its to decide. */
static void sends_nothing_twice(void **state) {
    (void)state;
    struct office *office = new_office(serve_once_then_leave);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    const struct answer *answer = call(office);
    assert_int_equal(answer->end, EXCHANGE_CUT);
    assert_string_equal(answer->trouble, "the kept connection ended before an answer came");
    release(office);
    assert_int_equal(atomic_load(&office->liar->requests), 2);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    end_office(office);
}

static void serve_one_each(struct liar_caller *caller) {
    if (liar_read(caller)) liar_say(caller, OK_ANSWER);
}

static void leaves_a_connection_that_was_closed(void **state) {
    (void)state;
    struct office *office = new_office(serve_one_each);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
        while (atomic_load(&office->liar->ended) < i) usleep(1000);
    }
    assert_int_equal(atomic_load(&office->liar->connections), 5);
    end_office(office);
}

#define STRAY_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"

static atomic_int stray; /* 0 not yet, 1 please, 2 said */

static void serve_stray_later(struct liar_caller *caller) {
    while (liar_read(caller)) {
        liar_say(caller, OK_ANSWER);
        if (caller->number > 1) continue;
        while (atomic_load(&stray) != 1) usleep(1000);
        liar_say(caller, STRAY_ANSWER);
        atomic_store(&stray, 2);
    }
}

static void serve_stray_at_once(struct liar_caller *caller) {
    while (liar_read(caller)) liar_say(caller, caller->number > 1 ? OK_ANSWER : OK_ANSWER STRAY_ANSWER);
}

/* Bytes that nobody asked for must not become the next call's answer. */
static void never_takes_an_answer_to_another_question(void **state) {
    (void)state;
    struct office *office = new_office(serve_stray_later);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    atomic_store(&stray, 1);
    while (atomic_load(&stray) != 2) usleep(1000);
    const struct answer *answer = call(office);
    assert_int_equal(answer->end, EXCHANGE_ANSWERED);
    assert_true(str_eq(answer->body, STR("ok")));
    release(office);
    assert_int_equal(atomic_load(&office->liar->connections), 2);
    assert_int_equal(atomic_load(&office->liar->requests), 2);
    end_office(office);
    office = new_office(serve_stray_at_once);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    answer = call(office);
    assert_true(str_eq(answer->body, STR("ok")));
    release(office);
    assert_int_equal(atomic_load(&office->liar->connections), 2);
    end_office(office);
}

/* ---- addresses ---- */

static void refuses_addresses_that_are_not_public(void **state) {
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "0x7f000001",         "2130706433", "127.1",
                                        "0.0.0.0",   "[::1]",     "[::ffff:127.0.0.1]", "[::]"};
    struct office *office = new_office(serve_ok);
    office->outgoing.allow_private = false;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[128];
        snprintf(url, sizeof url, "http://%s:%u/", hosts[i], office->liar->port);
        office->outgoing.url = str_from(url);
        const struct answer *answer = call(office);
        if (answer->end != EXCHANGE_REFUSED) fail_msg("%s: %d %s", hosts[i], answer->end, answer->trouble);
        assert_string_equal(answer->trouble, "the address is not public (allow_private)");
        release(office);
    }
    assert_int_equal(atomic_load(&office->liar->connections), 0);
    end_office(office);
}

static void refuses_a_connection_that_another_call_opened(void **state) {
    (void)state;
    struct office *office = new_office(serve_ok);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    office->outgoing.allow_private = false;
    assert_int_equal(end_of_call(office), EXCHANGE_REFUSED);
    assert_int_equal(atomic_load(&office->liar->requests), 1);
    end_office(office);
}

static void refuses_other_schemes(void **state) {
    (void)state;
    static const char *const urls[] = {
        "file:///etc/passwd",          "gopher://127.0.0.1/", "ftp://127.0.0.1/", "", "http://",
        "http://user:pass@127.0.0.1/", "dict://127.0.0.1/"};
    struct office *office = new_office(serve_ok);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        office->outgoing.url = str_from(urls[i]);
        enum exchange_end end = end_of_call(office);
        if (end != EXCHANGE_BAD_URL && end != EXCHANGE_NO_CONNECT) fail_msg("%s: %d", urls[i], end);
    }
    assert_int_equal(atomic_load(&office->liar->connections), 0);
    end_office(office);
}

/* What this process has no room for is no fault of the other side. */
static void says_when_it_has_no_descriptor_left(void **state) {
    (void)state;
    struct office *office = new_office(serve_ok);
    struct rlimit before, none = {0};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum exchange_end literal = end_of_call(office);
    snprintf(office->url, sizeof office->url, "http://no-such-host.invalid/");
    office->outgoing.url = str_from(office->url);
    enum exchange_end name = end_of_call(office);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(literal, EXCHANGE_NO_ROOM);
    assert_int_equal(name, EXCHANGE_NO_ROOM);
    end_office(office);
}

static void serve_short_rests(struct liar_caller *caller) {
    while (liar_read(caller)) liar_say(caller, HEAD "Keep-Alive: max=9, timeout=1\r\nContent-Length: 2\r\n\r\nok");
}

static void does_not_use_a_connection_that_its_receiver_may_be_closing(void **state) {
    (void)state;
    struct office *office = new_office(serve_short_rests);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
        assert_int_equal(atomic_load(&office->liar->connections), i);
    }
    end_office(office);
}

static void rests_no_longer_than_the_call_allows(void **state) {
    (void)state;
    struct office *office = new_office(serve_ok);
    office->outgoing.idle_max_us = US_PER_HOUR;
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    assert_int_equal(atomic_load(&office->liar->connections), 1);
    office->outgoing.idle_max_us = 1;
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    assert_int_equal(atomic_load(&office->liar->connections), 2);
    end_office(office);
}

static void says_when_nothing_was_sent(void **state) {
    (void)state;
    struct office *office = new_office(serve_ok);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound and not listening: connecting is refused */
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    snprintf(office->url, sizeof office->url, "http://127.0.0.1:%u/", ntohs(at.sin_port));
    office->outgoing.url = str_from(office->url);
    assert_int_equal(end_of_call(office), EXCHANGE_NO_CONNECT);
    office->outgoing.url = STR("http://no-such-host.invalid/");
    assert_int_equal(end_of_call(office), EXCHANGE_NO_CONNECT);
    close(fd);
    end_office(office);
}

static void ignores_the_environments_proxy(void **state) {
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    struct office *office = new_office(serve_ok);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    end_office(office);
    unsetenv("http_proxy");
}

/* ---- many ---- */

static void serve_path(struct liar_caller *caller) {
    char text[512];
    while (liar_read(caller)) {
        snprintf(text, sizeof text, HEAD "Content-Length: %zu\r\n\r\n%s", strlen(caller->path), caller->path);
        liar_say(caller, text);
    }
}

static void gives_every_call_its_own_answer(void **state) {
    (void)state;
    enum { MANY = 64, ROUNDS = 10 };
    struct office *office = new_office(serve_path);
    static struct outgoing outgoing[MANY];
    static char urls[MANY][64];
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < MANY; i++) {
            snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u/%d-%zu", office->liar->port, round, i);
            outgoing[i] = office->outgoing;
            outgoing[i].url = str_from(urls[i]);
            office->transport.start(office->transport.self, i, &outgoing[i]);
        }
        for (size_t i = 0; i < MANY; i++) {
            collect_one(office);
            char expected[32];
            snprintf(expected, sizeof expected, "/%d-%d", round, (int)office->end.tag);
            assert_true(str_eq(office->end.answer.body, str_from(expected)));
            release(office);
        }
    }
    assert_int_equal(atomic_load(&office->liar->requests), MANY * ROUNDS);
    end_office(office);
}

/* ---- one call by itself ---- */

static void serve_large(struct liar_caller *caller) {
    char body[70000];
    memset(body, 'b', sizeof body);
    while (liar_read(caller)) {
        liar_say(caller, HEAD "Content-Length: 70000\r\n\r\n");
        wire_send(caller->fd, (struct str){body, sizeof body});
    }
}

static void waits_for_one_call(void **state) {
    (void)state;
    struct liar *liar = liar_new(serve_large);
    struct arena arena = ARENA_EMPTY;
    struct answer answer;
    struct outgoing outgoing = {.method = STR("GET"), .timeout_us = 30 * US_PER_S, .allow_private = true};
    outgoing.url = str_fmt(&arena, "http://127.0.0.1:%u/70000", liar->port);
    client_call(&outgoing, 70000, &arena, &answer);
    assert_int_equal(answer.end, EXCHANGE_ANSWERED);
    assert_int_equal(answer.body.n, 70000);
    assert_true(answer.body_complete);
    assert_true(str_eq(answer.headers[0].value, STR("70000")));
    client_call(&outgoing, 69999, &arena, &answer);
    assert_int_equal(answer.body.n, 69999);
    assert_false(answer.body_complete);
    outgoing.allow_private = false;
    client_call(&outgoing, 70000, &arena, &answer);
    assert_int_equal(answer.end, EXCHANGE_REFUSED);
    liar_free(liar);
    client_call(&outgoing, 70000, &arena, &answer);
    assert_int_not_equal(answer.end, EXCHANGE_ANSWERED);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_answer),
        cmocka_unit_test(sends_what_it_is_told_and_no_more),
        cmocka_unit_test(sends_each_method_on_a_kept_handle),
        cmocka_unit_test(keeps_connections),
        cmocka_unit_test(tells_when_a_request_began_to_leave),
        cmocka_unit_test(cancels),
        cmocka_unit_test(closes_with_calls_on_the_wire),
        cmocka_unit_test(sends_nothing_twice),
        cmocka_unit_test(leaves_a_connection_that_was_closed),
        cmocka_unit_test(never_takes_an_answer_to_another_question),
        cmocka_unit_test(refuses_addresses_that_are_not_public),
        cmocka_unit_test(refuses_a_connection_that_another_call_opened),
        cmocka_unit_test(refuses_other_schemes),
        cmocka_unit_test(says_when_it_has_no_descriptor_left),
        cmocka_unit_test(does_not_use_a_connection_that_its_receiver_may_be_closing),
        cmocka_unit_test(rests_no_longer_than_the_call_allows),
        cmocka_unit_test(says_when_nothing_was_sent),
        cmocka_unit_test(ignores_the_environments_proxy),
        cmocka_unit_test(gives_every_call_its_own_answer),
        cmocka_unit_test(waits_for_one_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
