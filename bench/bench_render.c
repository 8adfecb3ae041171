/* bench/bench_render.c - what it costs to render an action's request: one delivery with parameters as a route leaves
 * them, until the request could leave. Prints a line for each action: its name and microseconds of CPU.
 *
 *   bench_render [ROUNDS]
 */
#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/when.h"
#include "connect/connect.h"
#include "server/setup.h"

static const char config[] =
    "version: 1\n"
    "destinations:\n"
    "  hook: {url: 'http://127.0.0.1:8129/', allow_private: true, on_unknown: retry}\n"
    "  crm: {type: hubspot, token: '${TOKEN}'}\n"
    "  chat: {type: slack-bot, token: '${TOKEN}'}\n"
    "  mail: {type: sendgrid, token: '${TOKEN}'}\n"
    "  aws: {type: ses, access_key: AKIAIOSFODNN7EXAMPLE, secret_key: '${TOKEN}', region: eu-central-1}\n"
    "routes:\n"
    "  all: {from: LEAD, to: [hook]}\n";

static const struct {
    const char *destination, *action, *params;
} cases[] = {
    {"hook", "", ""},
    {"crm", "contact",
     "{\"email\":\"ada@example.com\",\"properties\":{\"firstname\":\"Ada\",\"lifecyclestage\":\"lead\"}}"},
    {"chat", "message", "{\"channel\":\"C0123456789\",\"text\":\"A lead: Ada Lovelace <ada@example.com>\"}"},
    {"mail", "mail",
     "{\"from\":\"shop@example.com\",\"to\":\"ada@example.com\",\"subject\":\"Welcome\",\"text\":\"Hello Ada, good to "
     "see you.\"}"},
    {"aws", "mail",
     "{\"from\":\"shop@example.com\",\"to\":\"ada@example.com\",\"subject\":\"Welcome\",\"text\":\"Hello Ada, good to "
     "see you.\"}"},
};

static bool a_secret(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note) {
    (void)self;
    (void)arena;
    (void)name;
    *ret_value = STR("a-secret-of-the-benchmark");
    *ret_note = STR("");
    return true;
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static const struct destination_settings *named(const struct settings *settings, const char *name) {
    for (size_t i = 0; i < settings->destination_count; i++)
        if (str_eq(settings->destinations[i].name, str_from(name))) return &settings->destinations[i];
    return NULL;
}

/* CPU of one request; negative when it could not be made. */
static double render(const struct settings *settings, size_t number, uint64_t rounds, struct hasher *hasher) {
    struct arena arena = ARENA_EMPTY;
    const struct event event = {.key = STR("lead-41"),
                                .type = STR("LEAD"),
                                .source = STR("landing-page"),
                                .payload =
                                    STR("{\"email\":\"ada@example.com\",\"name\":\"Ada Lovelace\",\"plan\":\"free\"}"),
                                .created_us = US_PER_DAY};
    const struct delivery delivery = {.id = {{1}},
                                      .key = {{2}},
                                      .destination = str_from(cases[number].destination),
                                      .action = str_from(cases[number].action),
                                      .params = str_from(cases[number].params),
                                      .event = &event};
    const struct delivery *deliveries[] = {&delivery};
    struct call_context context = {.destination = named(settings, cases[number].destination),
                                   .deliveries = deliveries,
                                   .count = 1,
                                   .now_us = US_PER_DAY,
                                   .hasher = hasher,
                                   .arena = &arena};
    double began_us = cpu_us();
    for (uint64_t i = 0; i < rounds; i++) {
        struct outgoing outgoing;
        struct str problem = STR_NONE;
        if (connect_request(&context, &outgoing, &problem)) {
            fprintf(stderr, "bench_render: %s: %.*s\n", cases[number].destination, STR_ARG(problem));
            return -1;
        }
        arena_reset(&arena);
    }
    double took_us = (cpu_us() - began_us) / (double)rounds;
    arena_free(&arena);
    return took_us;
}

int main(int argc, char **argv) {
    uint64_t rounds = 20000;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    const struct secret_source secrets = {.lookup = a_secret};
    const struct setup_input input = {.file = STR("bench.yaml"), .text = STR(config), .secrets = &secrets};
    if (argc > 1 && !str_to_u64(str_from(argv[1]), &rounds)) {
        fprintf(stderr, "usage: bench_render [ROUNDS]\n");
        return 2;
    }
    struct setup *setup = setup_load(&input, &findings);
    if (!setup) {
        fprintf(stderr, "%.*s", STR_ARG(findings_text(&arena, &findings)));
        return 1;
    }
    struct hasher *hasher = hasher_new();
    double worst_us = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0] && worst_us >= 0; i++) {
        double took_us = render(setup->settings, i, rounds, hasher);
        printf("%s %.2f\n", cases[i].destination, took_us);
        worst_us = took_us < 0 || took_us > worst_us ? took_us : worst_us;
    }
    hasher_free(hasher);
    setup_free(setup);
    arena_free(&arena);
    return worst_us < 0;
}
