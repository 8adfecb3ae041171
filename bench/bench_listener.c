/* bench/bench_listener.c - how many requests a second the listener takes when
 * the loop only answers. Stores nothing: this is the ceiling of ingest.
 *
 *   bench_listener PORT [SECONDS]
 *   wrk -t1 -c64 -d5s -s bench/post.lua http://127.0.0.1:PORT/v1/events
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/when.h"
#include "http/listener.h"

#define COLLECT_MAX 256

static uint64_t answer_for(struct inlet inlet, struct clock clock, int64_t span_us) {
    static const char body[] = "{\"success\":true,\"eventId\":\"0193600a-9f5e-7000-8000-000000000000\"}";
    struct request *requests[COLLECT_MAX];
    struct reply reply = {.status = 200, .content_type = STR("application/json"), .body = STR(body)};
    reply.headers[reply.header_count++] = (struct header){STR("X-Event-Status"), STR("ACCEPTED")};
    uint64_t answered = 0, turns = 0;
    int64_t end_us = clock.now_us(clock.self) + span_us;
    while (clock.now_us(clock.self) < end_us) {
        size_t count = inlet.collect(inlet.self, requests, COLLECT_MAX);
        for (size_t i = 0; i < count; i++) inlet.reply(inlet.self, requests[i], &reply);
        answered += count;
        turns += count > 0;
        if (!count) clock.wait(clock.self, end_us);
    }
    printf("answered %" PRIu64 " in %" PRIu64 " turns\n", answered, turns);
    return answered;
}

static void print_cost(uint64_t answered) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("%.2f us of CPU each, %ld KiB resident at most\n", answered ? seconds * 1e6 / (double)answered : 0.0,
           used.ru_maxrss);
}

int main(int argc, char **argv) {
    uint64_t port = 0, seconds = 10;
    if (argc < 2 || !str_to_u64(str_from(argv[1]), &port) || port > UINT16_MAX ||
        (argc > 2 && !str_to_u64(str_from(argv[2]), &seconds))) {
        fprintf(stderr, "usage: bench_listener PORT [SECONDS]\n");
        return 2;
    }
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    struct arena arena = ARENA_EMPTY;
    struct listener *listener;
    struct str problem = STR_NONE;
    const struct listener_options options = {.host = STR("127.0.0.1"),
                                             .port = (uint16_t)port,
                                             .max_body_bytes = 8 << 20,
                                             .max_header_bytes = 16384,
                                             .header_timeout_us = 10 * US_PER_S,
                                             .body_timeout_us = 30 * US_PER_S,
                                             .idle_timeout_us = 60 * US_PER_S,
                                             .stall_us = 10 * US_PER_S,
                                             .connections = 1000,
                                             .connections_per_address = 1000,
                                             .queue_max = 4096};
    if (listener_open(&options, &clock, wake, &arena, &listener, &problem)) {
        fprintf(stderr, "bench_listener: %.*s\n", STR_ARG(problem));
        return 1;
    }
    const struct door_keys keyless = {.keyless = true};
    listener_publish_keys(listener, &keyless);
    printf("port %u\n", listener_port(listener));
    fflush(stdout);
    print_cost(answer_for(listener_inlet(listener), clock, (int64_t)seconds * US_PER_S));
    listener_close(listener);
    arena_free(&arena);
    wake_free(wake);
    return 0;
}
