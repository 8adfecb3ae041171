/* house.h - a listener in a test, with or without a loop, and without keys. */
#ifndef TEST_HTTP_HOUSE_H
#define TEST_HTTP_HOUSE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/when.h"
#include "http/listener.h"
#include "wire.h"

struct house {
    struct wake *wake;
    struct clock clock;
    struct arena arena;
    struct listener *listener;
    struct inlet inlet;
    uint16_t port;
    struct wire_text text;
    pthread_t loop;
    bool looping;
    atomic_bool stop;
    atomic_size_t seen; /* requests */
};

static inline struct listener_options default_options(void) {
    return (struct listener_options){.host = STR("127.0.0.1"),
                                     .max_body_bytes = 100000,
                                     .max_header_bytes = 16384,
                                     .header_timeout_us = 60 * US_PER_S,
                                     .body_timeout_us = 60 * US_PER_S,
                                     .idle_timeout_us = 60 * US_PER_S,
                                     .stall_us = 60 * US_PER_S,
                                     .connections = 50,
                                     .connections_per_address = 40,
                                     .queue_max = 100};
}

static inline void open_house(struct house *house, const struct listener_options *options) {
    house->wake = wake_new();
    assert_non_null(house->wake);
    house->clock = wake_clock(house->wake);
    struct str problem = STR_NONE;
    assert_int_equal(listener_open(options, &house->clock, house->wake, &house->arena, &house->listener, &problem), 0);
    const struct door_keys keyless = {.keyless = true};
    listener_publish_keys(house->listener, &keyless);
    house->inlet = listener_inlet(house->listener);
    house->port = listener_port(house->listener);
}

/* Says back what came. */
static inline void echo(struct house *house, struct request *request) {
    struct arena arena = ARENA_EMPTY;
    struct reply reply = {.status = 200, .content_type = STR("text/plain"), .body = request->body};
    struct str told = str_fmt(&arena, "%.*s %.*s?%.*s %.*s %d %zu", STR_ARG(request->method), STR_ARG(request->path),
                              STR_ARG(request->query), STR_ARG(request->peer), request->trusted, request->header_count);
    reply.headers[reply.header_count++] = (struct header){STR("X-Echo"), told};
    atomic_fetch_add(&house->seen, 1);
    house->inlet.reply(house->inlet.self, request, &reply);
    arena_free(&arena);
}

static inline void *echo_loop(void *arg) {
    struct house *house = arg;
    struct request *requests[8];
    while (!atomic_load(&house->stop)) {
        size_t count = house->inlet.collect(house->inlet.self, requests, 8);
        for (size_t i = 0; i < count; i++) echo(house, requests[i]);
        if (!count) house->clock.wait(house->clock.self, WHEN_NEVER);
    }
    return NULL;
}

static inline void start_loop(struct house *house) {
    house->looping = pthread_create(&house->loop, NULL, echo_loop, house) == 0;
    assert_true(house->looping);
}

static inline void close_house(struct house *house) {
    if (house->looping) {
        atomic_store(&house->stop, true);
        wake_raise(house->wake);
        pthread_join(house->loop, NULL);
    }
    listener_close(house->listener);
    wake_free(house->wake);
    arena_free(&house->arena);
}

static inline struct request *collect_one(struct house *house) {
    struct request *request = NULL;
    while (!house->inlet.collect(house->inlet.self, &request, 1)) house->clock.wait(house->clock.self, WHEN_NEVER);
    return request;
}

/* The listener counts in its own thread, so what it did is awaited. */
static inline void await_connections(struct house *house, uint64_t count) {
    int64_t end_us = house->clock.now_us(house->clock.self) + PATIENCE_MS * US_PER_MS;
    while (listener_counts(house->listener).connections != count) {
        assert_true(house->clock.now_us(house->clock.self) < end_us);
        usleep(1000);
    }
}

static inline struct house *new_house(const struct listener_options *options, bool looping) {
    struct house *house = calloc(1, sizeof *house);
    assert_non_null(house);
    open_house(house, options);
    if (looping) start_loop(house);
    return house;
}

static inline void end_house(struct house *house) {
    close_house(house);
    free(house);
}

#endif
