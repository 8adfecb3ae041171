/* office.h - a client in a test, with one liar to call. Include after
 * cmocka.h. */
#ifndef TEST_HTTP_OFFICE_H
#define TEST_HTTP_OFFICE_H

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

static inline struct office *new_office(void (*serve)(struct liar_caller *caller)) {
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

static inline void end_office(struct office *office) {
    client_close(office->client);
    liar_free(office->liar);
    wake_free(office->wake);
    free(office);
}

static inline void collect_one(struct office *office) {
    while (!office->transport.collect(office->transport.self, &office->end, 1))
        office->clock.wait(office->clock.self, WHEN_NEVER);
}

/* One call, waited for; the answer is good until release. */
static inline const struct answer *call(struct office *office) {
    office->transport.start(office->transport.self, 7, &office->outgoing);
    collect_one(office);
    assert_int_equal(office->end.tag, 7);
    return &office->end.answer;
}

static inline void release(struct office *office) {
    office->transport.release(office->transport.self, &office->end);
}

static inline enum exchange_end end_of_call(struct office *office) {
    enum exchange_end end = call(office)->end;
    release(office);
    return end;
}

#define HEAD      "HTTP/1.1 200 OK\r\n"
#define OK_ANSWER HEAD "Content-Length: 2\r\n\r\nok"

static inline void serve_ok(struct liar_caller *caller) {
    while (liar_read(caller)) liar_say(caller, OK_ANSWER);
}

static inline void serve_silence(struct liar_caller *caller) {
    while (liar_read(caller)) continue;
}

#endif
