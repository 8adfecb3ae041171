/* bench/bench_latency.c - how long after the answer an event reaches its
 * receiver. Posts events at a fixed rate, and is the receiver: one clock sees
 * both ends. An event that is late to leave counts from when it should have.
 *
 *   bench_latency SERVER_PORT RECEIVER_PORT [RATE [SECONDS]]
 *
 * Prints one line of JSON: microseconds from the posting to the answer
 * (answer) and from the answer to the arrival (reach). An arrival before its
 * answer was read counts as 0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/when.h"
#include "message.h"

#define SENDERS     32
#define ROOM        16384
#define EVENTS_MAX  64
#define PATIENCE_US (10 * US_PER_S) /* how long after the last post the last arrival may come */

struct wire {
    int fd;
    bool door, sender;
    int64_t event; /* the one whose answer this sender awaits; -1 = free */
    size_t used;
    char bytes[ROOM];
};

struct sample {
    int64_t posted_us, answered_us, arrived_us; /* 0 = not yet */
};

struct bench {
    int poll_fd;
    uint16_t server_port;
    struct wire *senders[SENDERS]; /* NULL = not connected: the server ends connections that nobody uses */
    struct sample *samples;
    int64_t start_us, gap_us, total;
    int64_t posted, answered, arrived, refused;
};

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static void quit(const char *what) {
    perror(what);
    exit(1);
}

static struct wire *watch(struct bench *bench, int fd, bool door, bool sender) {
    struct wire *wire = malloc(sizeof *wire);
    if (!wire || fd < 0) quit("bench_latency");
    wire->fd = fd;
    wire->door = door;
    wire->sender = sender;
    wire->event = -1;
    wire->used = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = wire};
    if (epoll_ctl(bench->poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) quit("epoll_ctl");
    return wire;
}

static int socket_at(uint16_t port, bool listens) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int failed = listens ? bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)
                         : connect(fd, (struct sockaddr *)&at, sizeof at);
    if (failed) quit(listens ? "listen" : "connect");
    return fd;
}

/* ---- posting ---- */

static void post(struct bench *bench, struct wire *wire) {
    char body[640], text[1024];
    int64_t event = bench->posted++;
    int length =
        snprintf(body, sizeof body,
                 "{\"type\":\"LEAD_CAPTURE\",\"source\":\"landing-page\",\"idempotency_key\":\"latency-%d-%" PRId64
                 "\",\"payload\":{\"n\":%" PRId64 ",\"email\":\"ada@example.com\",\"message\":\"%0280d\"}}",
                 (int)getpid(), event, event, 0);
    int size = snprintf(text, sizeof text,
                        "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                        "Content-Length: %d\r\n\r\n%s",
                        length, body);
    wire->event = event;
    bench->samples[event].posted_us = bench->start_us + event * bench->gap_us;
    if (send(wire->fd, text, (size_t)size, MSG_NOSIGNAL) != size) quit("send");
}

/* Posts what is due; how long until the next, in microseconds, or -1 when none is to come or no sender is free. */
static int64_t post_due(struct bench *bench) {
    size_t next = 0;
    while (bench->posted < bench->total) {
        int64_t due_us = bench->start_us + bench->posted * bench->gap_us, now = now_us();
        if (due_us > now) return due_us - now;
        while (next < SENDERS && bench->senders[next] && bench->senders[next]->event >= 0) next++;
        if (next == SENDERS) return -1;
        if (!bench->senders[next])
            bench->senders[next] = watch(bench, socket_at(bench->server_port, false), false, true);
        post(bench, bench->senders[next]);
    }
    return -1;
}

/* ---- reading ---- */

static void note_answer(struct bench *bench, struct wire *wire, struct str first) {
    if (wire->event < 0) quit("an answer that nobody asked for");
    bench->samples[wire->event].answered_us = now_us();
    wire->event = -1;
    bench->answered++;
    bench->refused += str_find(first, '2') != 9; /* HTTP/1.1 2.. */
}

static void note_arrival(struct bench *bench, const struct wire *wire, struct str body) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
                                 "{\"ok\":true}";
    static const char mark[] = "\"n\":";
    const char *at = memmem(body.p, body.n, mark, sizeof mark - 1);
    int64_t event = at ? strtoll(at + sizeof mark - 1, NULL, 10) : -1;
    if (event >= 0 && event < bench->posted && !bench->samples[event].arrived_us) {
        bench->samples[event].arrived_us = now_us();
        bench->arrived++;
    }
    if (send(wire->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) quit("answer");
}

static void drop(struct bench *bench, struct wire *wire) {
    if (wire->event >= 0) quit("the server closed a connection before its answer");
    for (size_t i = 0; i < SENDERS; i++)
        if (bench->senders[i] == wire) bench->senders[i] = NULL;
    close(wire->fd);
    free(wire);
}

static void read_wire(struct bench *bench, struct wire *wire) {
    if (wire->door) {
        watch(bench, accept4(wire->fd, NULL, NULL, SOCK_CLOEXEC), false, false);
        return;
    }
    ssize_t got = recv(wire->fd, wire->bytes + wire->used, ROOM - wire->used, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(bench, wire);
        return;
    }
    wire->used += (size_t)got;
    struct str first, body;
    for (size_t length; (length = message_length((struct str){wire->bytes, wire->used}, &first, &body));) {
        if (wire->sender)
            note_answer(bench, wire, first);
        else
            note_arrival(bench, wire, body);
        wire->used -= length;
        memmove(wire->bytes, wire->bytes + length, wire->used);
    }
}

static void run(struct bench *bench) {
    struct epoll_event events[EVENTS_MAX];
    int64_t end_us = bench->start_us + bench->total * bench->gap_us + PATIENCE_US;
    while (bench->arrived + bench->refused < bench->total || bench->answered < bench->total) {
        int64_t wait_us = post_due(bench), left_us = end_us - now_us();
        if (left_us <= 0) return;
        if (wait_us < 0 || wait_us > left_us) wait_us = left_us;
        const struct timespec wait = {wait_us / US_PER_S, wait_us % US_PER_S * 1000};
        int count = epoll_pwait2(bench->poll_fd, events, EVENTS_MAX, &wait, NULL);
        for (int i = 0; i < count; i++) read_wire(bench, events[i].data.ptr);
    }
}

/* ---- what came of it ---- */

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_spread(const char *name, int64_t *spans, size_t count) {
    qsort(spans, count, sizeof *spans, by_size);
    if (!count) return;
    printf(",\"%s_p50_us\":%" PRId64 ",\"%s_p99_us\":%" PRId64 ",\"%s_max_us\":%" PRId64, name, spans[count / 2], name,
           spans[count * 99 / 100], name, spans[count - 1]);
}

static void print_result(const struct bench *bench) {
    int64_t *answer = calloc((size_t)bench->total, sizeof *answer),
            *reach = calloc((size_t)bench->total, sizeof *reach);
    size_t answers = 0, reaches = 0;
    if (!answer || !reach) quit("calloc");
    for (int64_t i = 0; i < bench->total; i++) {
        const struct sample *sample = &bench->samples[i];
        if (!sample->answered_us) continue;
        answer[answers++] = sample->answered_us - sample->posted_us;
        if (!sample->arrived_us) continue;
        int64_t span_us = sample->arrived_us - sample->answered_us;
        reach[reaches++] = span_us > 0 ? span_us : 0;
    }
    printf("{\"posted\":%" PRId64 ",\"answered\":%" PRId64 ",\"refused\":%" PRId64 ",\"arrived\":%" PRId64,
           bench->posted, bench->answered, bench->refused, bench->arrived);
    print_spread("answer", answer, answers);
    print_spread("reach", reach, reaches);
    printf("}\n");
    free(answer);
    free(reach);
}

int main(int argc, char **argv) {
    uint64_t numbers[] = {0, 0, 200, 30}; /* ports, rate, seconds */
    bool valid = argc >= 3 && argc <= 5;
    for (int i = 1; valid && i < argc; i++) valid = str_to_u64(str_from(argv[i]), &numbers[i - 1]) && numbers[i - 1];
    if (!valid || numbers[0] > UINT16_MAX || numbers[1] > UINT16_MAX || numbers[2] > 100000 || numbers[3] > 3600) {
        fprintf(stderr, "usage: bench_latency SERVER_PORT RECEIVER_PORT [RATE [SECONDS]]\n");
        return 2;
    }
    struct bench bench = {.poll_fd = epoll_create1(EPOLL_CLOEXEC),
                          .server_port = (uint16_t)numbers[0],
                          .gap_us = US_PER_S / (int64_t)numbers[2],
                          .total = (int64_t)(numbers[2] * numbers[3])};
    bench.samples = calloc((size_t)bench.total, sizeof *bench.samples);
    if (!bench.samples) quit("calloc");
    watch(&bench, socket_at((uint16_t)numbers[1], true), true, false);
    bench.start_us = now_us();
    run(&bench);
    print_result(&bench);
    return bench.arrived < bench.total;
}
