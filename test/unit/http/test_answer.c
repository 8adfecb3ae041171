/* Answers that lie, flood, stall and break off: how each ends, and what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "office.h"

struct lie {
    const char *name, *answer;
    bool reset; /* ends with a reset */
    enum exchange_end end;
    int status;
    bool complete;
    const char *body;
};

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

static void keeps_64_kib_of_a_body_or_what_the_call_asks_for(void **state) {
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
    office->outgoing.answer_max = 65537;
    const struct answer *answer = call(office);
    assert_int_equal(answer->body.n, 65537);
    assert_true(answer->body_complete);
    release(office);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_end),
        cmocka_unit_test(stops_floods),
        cmocka_unit_test(keeps_64_kib_of_a_body_or_what_the_call_asks_for),
        cmocka_unit_test(keeps_16_kib_and_100_lines_of_headers),
        cmocka_unit_test(gives_up_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
