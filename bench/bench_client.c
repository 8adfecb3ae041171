/* bench/bench_client.c - how many POSTs a second the client carries.
 *
 *   bench_receiver 18500 &
 *   bench_client http://127.0.0.1:18500/hook [IN_FLIGHT [SECONDS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/when.h"
#include "http/client.h"

#define COLLECT_MAX 256

struct tally {
    uint64_t started, answered, failed, turns;
    char trouble[160];
};

static void fill(struct outgoing *outgoing, struct str url) {
    static char body[451];
    snprintf(body, sizeof body, "{\"email\":\"ada@example.com\",\"message\":\"%0408d\"}", 0);
    static const struct header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Idempotency-Key"), STR("0193600a-9f5e-7000-8000-000000000000")},
        {STR("webhook-id"), STR("0193600a-9f5e-7000-8000-000000000000")},
        {STR("webhook-timestamp"), STR("1790000000")},
        {STR("X-Drumbeat-Event"), STR("0193600a-9f5e-7000-8000-000000000000")},
        {STR("X-Drumbeat-Type"), STR("LEAD_CAPTURE")},
        {STR("X-Drumbeat-Attempt"), STR("1")},
        {STR("traceparent"), STR("00-0193600a9f5e70008000000000000000-0193600a9f5e7000-01")}};
    *outgoing = (struct outgoing){
        .method = STR("POST"), .url = url, .body = str_from(body), .timeout_us = 10 * US_PER_S, .allow_private = true};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        outgoing->headers[outgoing->header_count++] = headers[i];
}

/* Every end starts the next call until the time is over. */
static struct tally run(struct transport transport, struct clock clock, const struct outgoing *outgoing,
                        uint64_t in_flight, int64_t span_us) {
    struct completion ends[COLLECT_MAX];
    struct tally tally = {0};
    int64_t end_us = clock.now_us(clock.self) + span_us;
    while (tally.started < in_flight) transport.start(transport.self, tally.started++, outgoing);
    while (tally.answered + tally.failed < tally.started) {
        size_t count = transport.collect(transport.self, ends, COLLECT_MAX);
        bool more = clock.now_us(clock.self) < end_us;
        for (size_t i = 0; i < count; i++) {
            bool answered = ends[i].answer.end == EXCHANGE_ANSWERED && ends[i].answer.status == 200;
            if (!answered) snprintf(tally.trouble, sizeof tally.trouble, "%s", ends[i].answer.trouble);
            *(answered ? &tally.answered : &tally.failed) += 1;
            transport.release(transport.self, &ends[i]);
            if (more) transport.start(transport.self, tally.started++, outgoing);
        }
        tally.turns += count > 0;
        if (!count) clock.wait(clock.self, WHEN_NEVER);
    }
    return tally;
}

int main(int argc, char **argv) {
    uint64_t in_flight = 64, seconds = 5;
    if (argc < 2 || (argc > 2 && !str_to_u64(str_from(argv[2]), &in_flight)) ||
        (argc > 3 && !str_to_u64(str_from(argv[3]), &seconds))) {
        fprintf(stderr, "usage: bench_client URL [IN_FLIGHT [SECONDS]]\n");
        return 2;
    }
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    struct client *client;
    const struct client_options options = {.user_agent = STR("drumbeat/bench"), .connections_max = 1024};
    if (client_open(&options, &clock, wake, &client)) return 1;
    struct outgoing outgoing;
    fill(&outgoing, str_from(argv[1]));
    int64_t start_us = clock.now_us(clock.self);
    struct tally tally = run(client_transport(client), clock, &outgoing, in_flight, (int64_t)seconds * US_PER_S);
    double took = (double)(clock.now_us(clock.self) - start_us) / 1e6;
    client_close(client);
    wake_free(wake);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("%.0f answers a second, %" PRIu64 " failed%s%s, %" PRIu64 " turns, %.1f us of CPU each, %ld KiB at most\n",
           (double)tally.answered / took, tally.failed, tally.failed ? ": " : "", tally.trouble, tally.turns,
           tally.answered ? cpu / (double)tally.answered : 0.0, used.ru_maxrss);
    return tally.failed > 0;
}
