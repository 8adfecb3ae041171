/* The client against servers that lie, stall and break off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/arena.h"
#include "base/when.h"
#include "http/client.h"
#include "liar.h"

#define SHORT_US (300 * US_PER_MS) /* a timeout that a test waits for */

struct office {
    struct wake *wake;
    struct clock clock;
    struct client *client;
    struct transport transport;
    struct liar *liar;
    char url[64];
    struct outgoing outgoing;
    struct completion end;
};

static struct office *new_office(void (*serve)(struct liar_caller *caller)) {
    struct office *office = calloc(1, sizeof *office);
    const struct client_options options = {.user_agent = STR("drumbeat/test"), .connections_max = 100};
    office->wake = wake_new();
    office->clock = wake_clock(office->wake);
    office->liar = liar_new(serve);
    assert_int_equal(client_open(&options, &office->clock, office->wake, &office->client), 0);
    office->transport = client_transport(office->client);
    snprintf(office->url, sizeof office->url, "http://127.0.0.1:%u/hook", office->liar->port);
    office->outgoing = (struct outgoing){.method = STR("POST"),
                                         .url = str_from(office->url),
                                         .body = STR("{\"a\":1}"),
                                         .timeout_us = 30 * US_PER_S,
                                         .allow_private = true};
    return office;
}

static void end_office(struct office *office) {
    client_close(office->client);
    liar_free(office->liar);
    wake_free(office->wake);
    free(office);
}

static void collect_one(struct office *office) {
    while (!office->transport.collect(office->transport.self, &office->end, 1))
        office->clock.wait(office->clock.self, WHEN_NEVER);
}

/* One call, waited for; the answer is good until release. */
static const struct answer *call(struct office *office) {
    office->transport.start(office->transport.self, 7, &office->outgoing);
    collect_one(office);
    assert_int_equal(office->end.tag, 7);
    return &office->end.answer;
}

static void release(struct office *office) {
    office->transport.release(office->transport.self, &office->end);
}

static enum exchange_end end_of_call(struct office *office) {
    enum exchange_end end = call(office)->end;
    release(office);
    return end;
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void serve_ok(struct liar_caller *caller) {
    while (liar_read(caller)) liar_say(caller, OK_ANSWER);
}

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

/* ---- lies: one answer, then the end of the connection ---- */

struct lie {
    const char *name, *answer;
    bool reset; /* ends with a reset */
    enum exchange_end end;
    int status;
    bool complete;
    const char *body;
};

#define HEAD "HTTP/1.1 200 OK\r\n"

static const struct lie lies[] = {
    {"reset before any byte", "", true, EXCHANGE_CUT, 0, false, ""},
    {"end before any byte", "", false, EXCHANGE_CUT, 0, false, ""},
    {"half a status line", "HTTP/1.1 20", false, EXCHANGE_CUT, 0, false, ""},
    {"status line only", HEAD, false, EXCHANGE_CUT, 0, false, ""},
    {"half a header", HEAD "Content-Le", false, EXCHANGE_CUT, 0, false, ""},
    {"headers without their end", HEAD "Content-Length: 2\r\n", false, EXCHANGE_CUT, 0, false, ""},
    {"reset after headers", HEAD "Content-Length: 5\r\n\r\n", true, EXCHANGE_ANSWERED, 200, false, ""},
    {"end after headers", HEAD "Content-Length: 5\r\n\r\n", false, EXCHANGE_ANSWERED, 200, false, ""},
    {"end within body", HEAD "Content-Length: 5\r\n\r\nabc", false, EXCHANGE_ANSWERED, 200, false, "abc"},
    {"chunks without their end", HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false, EXCHANGE_ANSWERED, 200,
     false, "abc"},
    {"wrong chunk", HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", false, EXCHANGE_ANSWERED, 200, false,
     "abc"},
    {"whole chunks", HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n", false, EXCHANGE_ANSWERED,
     200, true, "abc"},
    {"body until the end", HEAD "Connection: close\r\n\r\nabc", false, EXCHANGE_ANSWERED, 200, true, "abc"},
    {"no body", "HTTP/1.1 204 No Content\r\n\r\n", false, EXCHANGE_ANSWERED, 204, true, ""},
    {"early hints first", "HTTP/1.1 103 Early\r\nX-No: 1\r\n\r\n" OK_ANSWER, false, EXCHANGE_ANSWERED, 200, true, "ok"},
    {"only interim", "HTTP/1.1 100 Continue\r\n\r\n", false, EXCHANGE_CUT, 0, false, ""},
    {"HTTP/0.9", "hello", false, EXCHANGE_CUT, 0, false, ""},
    {"garbage", "\x01\x02\x03\xff\xfe garbage\r\n\r\n", false, EXCHANGE_CUT, 0, false, ""},
    {"other protocol", "SSH-2.0-OpenSSH\r\n", false, EXCHANGE_CUT, 0, false, ""},
    {"redirect", "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", false, EXCHANGE_ANSWERED, 302,
     true, ""},
    {"redirect to a file", "HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", false,
     EXCHANGE_ANSWERED, 301, true, ""},
    {"gzip that nobody asked for", HEAD "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8bz", false,
     EXCHANGE_ANSWERED, 200, true, "\x1f\x8bz"},
    {"error", "HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\nx", false, EXCHANGE_ANSWERED, 503, true, "x"},
};

static atomic_size_t present_lie;

static void serve_lie(struct liar_caller *caller) {
    const struct lie *lie = &lies[atomic_load(&present_lie)];
    if (!liar_read(caller)) return;
    liar_say(caller, lie->answer);
    if (lie->reset && lie->answer[0]) {
        /* A reset overtakes what was not read yet; the caller has it when nothing is in flight. */
        int unread = 1;
        while (unread > 0) assert_int_equal(ioctl(caller->fd, SIOCOUTQ, &unread), 0);
    }
    if (lie->reset) liar_reset(caller);
}

static void names_every_end(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const struct lie *lie = &lies[i];
        atomic_store(&present_lie, i);
        struct office *office = new_office(serve_lie);
        const struct answer *answer = call(office);
        bool right = answer->end == lie->end && answer->body_complete == lie->complete;
        if (lie->end == EXCHANGE_ANSWERED)
            right = right && answer->status == lie->status && str_eq(answer->body, str_from(lie->body));
        else
            right = right && answer->trouble[0] && !answer->header_count;
        if (!right || atomic_load(&office->liar->requests) != 1)
            fail_msg("%s: end %d status %d complete %d body %zu: %s", lie->name, answer->end, answer->status,
                     answer->body_complete, answer->body.n, answer->trouble);
        release(office);
        end_office(office);
    }
}

/* ---- floods ---- */

static void serve_interim_flood(struct liar_caller *caller) {
    if (!liar_read(caller)) return;
    char byte;
    while (recv(caller->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
        liar_say(caller, "HTTP/1.1 100 Continue\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n");
}

static void serve_header_flood(struct liar_caller *caller) {
    if (!liar_read(caller)) return;
    liar_say(caller, HEAD);
    char byte;
    while (recv(caller->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) liar_say(caller, "X: yyyyyyyyyyyyyyyy\r\n");
}

static void serve_body_flood(struct liar_caller *caller) {
    if (!liar_read(caller)) return;
    liar_say(caller, HEAD "Content-Length: 100000000000\r\n\r\n");
    char byte;
    while (recv(caller->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) liar_say(caller, "zzzzzzzzzzzzzzzzzzzzzzz");
}

static void stops_floods(void **state) {
    (void)state;
    struct office *office = new_office(serve_interim_flood);
    assert_int_equal(end_of_call(office), EXCHANGE_CUT);
    end_office(office);
    office = new_office(serve_header_flood);
    assert_int_equal(end_of_call(office), EXCHANGE_CUT);
    end_office(office);
    office = new_office(serve_body_flood);
    const struct answer *answer = call(office);
    assert_int_equal(answer->end, EXCHANGE_ANSWERED);
    assert_int_equal(answer->body.n, EXCHANGE_ANSWER_MAX);
    assert_false(answer->body_complete);
    release(office);
    assert_int_equal(end_of_call(office), EXCHANGE_ANSWERED);
    assert_int_equal(atomic_load(&office->liar->connections), 2);
    end_office(office);
}

static void serve_sized(struct liar_caller *caller) {
    char body[70000];
    memset(body, 'b', sizeof body);
    while (liar_read(caller)) {
        int size = atoi(caller->path + 1);
        char head[128];
        snprintf(head, sizeof head, HEAD "Content-Length: %d\r\n\r\n", size);
        liar_say(caller, head);
        wire_send(caller->fd, (struct str){body, (size_t)size});
    }
}

static void keeps_64_kib_of_a_body(void **state) {
    (void)state;
    struct office *office = new_office(serve_sized);
    char url[64];
    for (int size = 65535; size <= 65537; size++) {
        snprintf(url, sizeof url, "http://127.0.0.1:%u/%d", office->liar->port, size);
        office->outgoing.url = str_from(url);
        const struct answer *answer = call(office);
        assert_int_equal(answer->body.n, size > 65536 ? 65536 : size);
        assert_int_equal(answer->body_complete, size <= 65536);
        release(office);
    }
    assert_int_equal(atomic_load(&office->liar->connections), 1); /* what was dropped was read */
    end_office(office);
}

static void serve_many_headers(struct liar_caller *caller) {
    if (!liar_read(caller)) return;
    liar_say(caller, HEAD);
    char line[300];
    for (int i = 0; i < 150; i++) {
        snprintf(line, sizeof line, "X-%d: %0*d\r\n", i, i < 50 ? 1 : 250, 0);
        liar_say(caller, line);
    }
    liar_say(caller, "Content-Length: 0\r\n\r\n");
}

static void keeps_16_kib_and_100_lines_of_headers(void **state) {
    (void)state;
    struct office *office = new_office(serve_many_headers);
    const struct answer *answer = call(office);
    assert_int_equal(answer->end, EXCHANGE_ANSWERED);
    assert_int_equal(answer->header_count, 100);
    assert_true(str_eq(answer->headers[99].name, STR("X-99")));
    assert_true(answer->body_complete);
    release(office);
    end_office(office);
}

/* ---- time ---- */

static void serve_silence(struct liar_caller *caller) {
    while (liar_read(caller)) continue;
}

static void serve_trickle(struct liar_caller *caller) {
    if (!liar_read(caller)) return;
    liar_say(caller, HEAD "X: ");
    struct pollfd on = {.fd = caller->fd, .events = POLLIN};
    while (poll(&on, 1, 10) == 0) liar_say(caller, "y");
}

static void serve_stall_after_headers(struct liar_caller *caller) {
    if (!liar_read(caller)) return;
    liar_say(caller, HEAD "Content-Length: 9\r\n\r\nabc");
    liar_read(caller);
}

static void gives_up_in_time(void **state) {
    (void)state;
    static void (*const serves[])(struct liar_caller *) = {serve_silence, serve_trickle};
    for (size_t i = 0; i < 2; i++) {
        struct office *office = new_office(serves[i]);
        office->outgoing.timeout_us = SHORT_US;
        assert_int_equal(end_of_call(office), EXCHANGE_TIMED_OUT);
        end_office(office);
    }
    struct office *office = new_office(serve_stall_after_headers);
    office->outgoing.timeout_us = SHORT_US;
    const struct answer *answer = call(office);
    assert_int_equal(answer->end, EXCHANGE_ANSWERED);
    assert_true(str_eq(answer->body, STR("abc")));
    assert_false(answer->body_complete);
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
        assert_string_equal(answer->trouble, "the address is not public");
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
        if (end != EXCHANGE_REFUSED && end != EXCHANGE_NO_CONNECT) fail_msg("%s: %d", urls[i], end);
    }
    assert_int_equal(atomic_load(&office->liar->connections), 0);
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

static void waits_for_one_call(void **state) {
    (void)state;
    struct liar *liar = liar_new(serve_sized);
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
        cmocka_unit_test(names_every_end),
        cmocka_unit_test(stops_floods),
        cmocka_unit_test(keeps_64_kib_of_a_body),
        cmocka_unit_test(keeps_16_kib_and_100_lines_of_headers),
        cmocka_unit_test(gives_up_in_time),
        cmocka_unit_test(cancels),
        cmocka_unit_test(closes_with_calls_on_the_wire),
        cmocka_unit_test(sends_nothing_twice),
        cmocka_unit_test(leaves_a_connection_that_was_closed),
        cmocka_unit_test(never_takes_an_answer_to_another_question),
        cmocka_unit_test(refuses_addresses_that_are_not_public),
        cmocka_unit_test(refuses_a_connection_that_another_call_opened),
        cmocka_unit_test(refuses_other_schemes),
        cmocka_unit_test(says_when_nothing_was_sent),
        cmocka_unit_test(ignores_the_environments_proxy),
        cmocka_unit_test(gives_every_call_its_own_answer),
        cmocka_unit_test(waits_for_one_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
