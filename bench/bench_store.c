/* bench/bench_store.c - what a turn costs the embedded store: microseconds of
 * wall and CPU time per event for each verb, by group size, on an empty store
 * and above a backlog.
 *
 *   bench_store [SECONDS] [BACKLOG] [FOLDER]     defaults 1, 0 and the temporary folder
 */
#include "base/arena.h"
#include "base/hash.h"
#include "base/rng.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LEASE_US     ((int64_t)60000000)
#define GROUP_MAX    4096
#define DESTINATIONS 8

enum phase { SETTLE, APPEND, PLAN, ROUTED, CLAIM, COMMIT, TIDY, PHASES };
static const char *const phase_names[PHASES] = {"settle", "append", "plan", "routed", "claim", "commit", "tidy"};

struct bench {
    struct sql_driver driver;
    struct store *store;
    struct hasher *hasher;
    struct arena arena;
    struct rng rng;
    struct uuid last_id;
    int64_t now_us;
    uint64_t made;
    struct settlement flying[GROUP_MAX]; /* claimed in the turn before */
    size_t flying_count;
    char (*destinations)[16];
    double wall_us[PHASES], cpu_us[PHASES];
};

static double clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void check(struct bench *bench, enum err err) {
    if (!err) return;
    fprintf(stderr, "bench_store: %s: %s\n", err_text(err), bench->store ? store_trouble(bench->store) : "");
    exit(1);
}

#define MEASURE(bench, phase, call)                                                                                    \
    do {                                                                                                               \
        double wall_ = clock_us(CLOCK_MONOTONIC), cpu_ = clock_us(CLOCK_PROCESS_CPUTIME_ID);                           \
        check((bench), (call));                                                                                        \
        (bench)->wall_us[phase] += clock_us(CLOCK_MONOTONIC) - wall_;                                                  \
        (bench)->cpu_us[phase] += clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_;                                           \
    } while (0)

/* 450 bytes, keys in no order: as form posts come. */
static struct event make_event(struct bench *bench) {
    struct str key = str_fmt(&bench->arena, "%016llx-%llu", (unsigned long long)rng_u64(&bench->rng),
                             (unsigned long long)bench->made++);
    char filler[360];
    memset(filler, 'x', sizeof filler);
    struct str payload = str_fmt(&bench->arena, "{\"email\":\"ada%llu@example.com\",\"score\":41,\"note\":\"%.*s\"}",
                                 (unsigned long long)bench->made, (int)sizeof filler, filler);
    uint8_t digest[SHA256_BYTES];
    hash_sha256(bench->hasher, payload, digest);
    return (struct event){.id = uuid_v7(bench->now_us, &bench->rng, &bench->last_id),
                          .key = key,
                          .type = STR("LEAD_CAPTURE"),
                          .source = STR("landing-page"),
                          .payload = payload,
                          .fingerprint = hex_encode(&bench->arena, digest, sizeof digest),
                          .scheduled_us = bench->now_us,
                          .created_us = bench->now_us,
                          .updated_us = bench->now_us};
}

static struct delivery make_delivery(struct bench *bench, const struct event *event, enum delivery_status status) {
    struct str destination = str_from(bench->destinations[bench->made % DESTINATIONS]);
    struct delivery delivery = {.event_id = event->id,
                                .destination = destination,
                                .route = STR("new-lead"),
                                .step = STR("new-lead"),
                                .status = status,
                                .due_us = bench->now_us,
                                .first_due_us = bench->now_us,
                                .lease_until_us = bench->now_us + LEASE_US,
                                .created_us = bench->now_us,
                                .updated_us = bench->now_us};
    delivery_identify(bench->hasher, event, &delivery);
    return delivery;
}

static struct settlement make_settlement(struct bench *bench, const struct delivery *delivery) {
    return (struct settlement){.seq = delivery->seq,
                               .event_id = delivery->event_id,
                               .lease_epoch = delivery->lease_epoch,
                               .destination = str_from(bench->destinations[bench->made % DESTINATIONS]),
                               .status = DELIVERY_COMPLETED,
                               .due_us = bench->now_us,
                               .first_sent_us = bench->now_us,
                               .last_status = 200,
                               .has_attempt = true,
                               .attempt = {.started_us = bench->now_us,
                                           .finished_us = bench->now_us + 1000,
                                           .outcome = STR("done"),
                                           .http_status = 200,
                                           .answer = STR("{\"ok\":true}")}};
}

static void settle_flying(struct bench *bench) {
    bool *applied = arena_array(&bench->arena, bool, GROUP_MAX);
    MEASURE(bench, SETTLE,
            store_settle(bench->store, bench->flying, bench->flying_count, bench->now_us, &bench->arena, applied));
    for (size_t i = 0; i < bench->flying_count; i++)
        if (!applied[i]) check(bench, ERR_INTERNAL);
    bench->flying_count = 0;
}

static void take_in(struct bench *bench, size_t group, enum delivery_status status, bool settle_later) {
    struct event *events = arena_array(&bench->arena, struct event, group);
    struct delivery *deliveries = arena_array(&bench->arena, struct delivery, group);
    struct append_result *results = arena_array(&bench->arena, struct append_result, group);
    struct routed *routed = arena_array(&bench->arena, struct routed, group);
    bool *blocked = arena_array(&bench->arena, bool, group);
    for (size_t i = 0; i < group; i++) {
        events[i] = make_event(bench);
        deliveries[i] = make_delivery(bench, &events[i], status);
    }
    MEASURE(bench, APPEND, store_append(bench->store, events, group, &bench->arena, results));
    MEASURE(bench, PLAN, store_plan(bench->store, deliveries, group, &bench->arena, blocked));
    for (size_t i = 0; i < group; i++) routed[i] = (struct routed){results[i].seq, EVENT_PROCESSING, STR_NONE};
    MEASURE(bench, ROUTED, store_routed(bench->store, routed, group, bench->now_us));
    for (size_t i = 0; i < group && settle_later; i++)
        bench->flying[bench->flying_count++] = make_settlement(bench, &deliveries[i]);
}

/* Straight through: stored already claimed, settled in the next turn. */
static void turn_walk(struct bench *bench, size_t group) {
    check(bench, store_begin(bench->store));
    settle_flying(bench);
    take_in(bench, group, DELIVERY_PROCESSING, true);
    MEASURE(bench, COMMIT, store_commit(bench->store));
    MEASURE(bench, TIDY, store_tidy(bench->store, false));
}

/* Backwards: what waits is claimed from one destination and settled; as much comes in. */
static void turn_claim(struct bench *bench, size_t group) {
    struct delivery *claimed;
    size_t count;
    check(bench, store_begin(bench->store));
    settle_flying(bench);
    take_in(bench, group, DELIVERY_PENDING, false);
    const struct claim claim = {.destination = str_from(bench->destinations[bench->made / group % DESTINATIONS]),
                                .limit = group,
                                .now_us = bench->now_us,
                                .lease_until_us = bench->now_us + LEASE_US,
                                .owner = STR("bench")};
    MEASURE(bench, CLAIM, store_claim(bench->store, &claim, &bench->arena, &claimed, &count));
    for (size_t i = 0; i < count; i++) bench->flying[bench->flying_count++] = make_settlement(bench, &claimed[i]);
    MEASURE(bench, COMMIT, store_commit(bench->store));
    MEASURE(bench, TIDY, store_tidy(bench->store, false));
}

static void run(struct bench *bench, const char *name, void (*turn)(struct bench *, size_t), size_t group,
                double seconds) {
    memset(bench->wall_us, 0, sizeof bench->wall_us);
    memset(bench->cpu_us, 0, sizeof bench->cpu_us);
    double start = clock_us(CLOCK_MONOTONIC), elapsed = 0, wall = 0, cpu = 0;
    size_t events = 0;
    for (; elapsed < seconds * 1e6; elapsed = clock_us(CLOCK_MONOTONIC) - start, events += group) {
        turn(bench, group);
        bench->now_us += 1000;
        arena_reset(&bench->arena);
    }
    printf("%-6s %4zu |", name, group);
    for (int i = 0; i < PHASES; i++) {
        wall += bench->wall_us[i];
        cpu += bench->cpu_us[i];
        printf(" %6.1f", bench->cpu_us[i] / (double)events);
    }
    printf(" | %6.1f %7.1f | %8.0f\n", cpu / (double)events, wall / (double)events, (double)events / (wall / 1e6));
}

static void fill(struct bench *bench, size_t backlog) {
    for (size_t made = 0; made < backlog; made += GROUP_MAX) {
        check(bench, store_begin(bench->store));
        take_in(bench, GROUP_MAX, DELIVERY_PENDING, false);
        check(bench, store_commit(bench->store));
        check(bench, store_tidy(bench->store, false));
        bench->now_us += 1000;
        arena_reset(&bench->arena);
    }
}

static long rss_kib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void run_all(struct bench *bench, double seconds) {
    static const size_t groups[] = {1, 16, 64, 256};
    printf("cpu us per event:");
    for (int i = 0; i < PHASES; i++) printf(" %s", phase_names[i]);
    printf(" | cpu, wall us | events/s\n");
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) run(bench, "walk", turn_walk, groups[i], seconds);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) run(bench, "claim", turn_claim, groups[i], seconds);
}

static void open_store(struct bench *bench, const char *folder) {
    struct str problem = STR_NONE, path = str_fmt(&bench->arena, "%s/bench.db", folder);
    struct arena *lasting = arena_new(&bench->arena, struct arena);
    *lasting = ARENA_EMPTY;
    enum err err = sqlite_open(&(struct sqlite_options){.path = path}, lasting, &bench->driver, &problem);
    if (!err) err = store_open(&bench->driver, bench->now_us, lasting, &bench->store, &problem);
    if (!err) return;
    fprintf(stderr, "bench_store: %.*s\n", STR_ARG(problem));
    exit(1);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    size_t backlog = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    char folder[256], names[DESTINATIONS][16];
    snprintf(folder, sizeof folder, "%s/drumbeat-bench-XXXXXX", argc > 3 ? argv[3] : P_tmpdir);
    if (!mkdtemp(folder)) return 1;
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench) return 1;
    bench->now_us = 1764000000000000;
    bench->hasher = hasher_new();
    bench->destinations = names;
    for (size_t i = 0; i < DESTINATIONS; i++) snprintf(names[i], sizeof names[i], "destination-%zu", i);
    rng_seed(&bench->rng, 1);
    open_store(bench, folder);
    fill(bench, backlog);
    printf("%zu deliveries wait; store in %s\n", backlog, folder);
    run_all(bench, seconds);
    printf("peak resident: %.1f MiB\n", (double)rss_kib() / 1024);
    store_close(bench->store);
    bench->driver.close(bench->driver.self);
    return 0;
}
