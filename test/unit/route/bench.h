/* What the tests of this room share: routes read from the text of a
 * configuration, an engine in this process that counts, and events. */
#ifndef TEST_ROUTE_BENCH_H
#define TEST_ROUTE_BENCH_H

#include "base/hash.h"
#include "base/jq.h"
#include "base/when.h"
#include "config/config.h"
#include "model/catalog.h"
#include "route/route.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* 2026-11-24T13:20:39Z, the loop's now of all tests. */
#define NOW_US (INT64_C(1795526439) * US_PER_S)

#define HEAD                                                                                                           \
    "version: 1\n"                                                                                                     \
    "destinations:\n"                                                                                                  \
    "  crm: {type: http, url: \"https://crm.example.com/\"}\n"                                                         \
    "  log: {type: http, url: \"https://log.example.com/\"}\n"                                                         \
    "  mail: {type: post}\n"                                                                                           \
    "routes:\n"

struct bench {
    struct arena arena;
    struct findings findings;
    struct settings *settings;
    struct jq_source source;
    struct routes *routes; /* NULL when there were findings */
    enum err err;
    struct jq *jq;
    struct evaluator evaluator;
    size_t calls, batches, events_passed;
    struct hasher *hasher;
};

static inline void bench_run(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    struct bench *bench = self;
    bench->batches++;
    bench->calls += count;
    for (size_t i = 0; i < count; i++) {
        bench->events_passed += calls[i].event.n > 0;
        jq_run(bench->jq, &calls[i], arena);
    }
}

/* Reads HEAD and the routes; findings stay in the bench. */
static inline struct bench *bench_read(const char *routes) {
    static struct catalog_name params[] = {{.name = {"to", 2}}, {.name = {"text", 4}}};
    static struct catalog_action actions[] = {{.name = {"send", 4}, .params = params, .param_count = COUNT(params)}};
    static struct catalog_entry entries[] = {{.name = {"post", 4}, .actions = actions, .action_count = COUNT(actions)}};
    static const struct catalog catalog = {entries, COUNT(entries)};
    static const struct secret_source no_secrets = {0};
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    struct arena *arena = &bench->arena;
    bench->findings = (struct findings){.arena = arena};
    bench->source = (struct jq_source){.arena = arena};
    bench->hasher = hasher_new();
    struct str text = str_fmt(arena, "%s%s", HEAD, routes);
    struct tree *tree = config_parse(arena, STR("drumbeat.yaml"), text, &bench->findings);
    if (tree) bench->settings = config_check(arena, tree, &catalog, &no_secrets, &bench->findings);
    if (bench->findings.errors) fail_msg("%s", findings_text(arena, &bench->findings).p);
    bench->findings = (struct findings){.arena = arena}; /* advice about the configuration is no matter of the routes */
    bench->err = routes_compile(bench->settings, &bench->source, &bench->findings, arena, &bench->routes);
    return bench;
}

/* The same, with an engine; a finding fails the test. */
static inline struct bench *bench_open(const char *routes) {
    struct bench *bench = bench_read(routes);
    struct str problem;
    if (bench->err) fail_msg("%s", findings_text(&bench->arena, &bench->findings).p);
    struct str program = jq_program(&bench->source, &bench->arena);
    if (jq_open(program, &bench->jq, &bench->arena, &problem)) fail_msg("%.*s", STR_ARG(problem));
    bench->evaluator = (struct evaluator){bench_run, bench};
    return bench;
}

static inline void bench_close(struct bench *bench) {
    jq_close(bench->jq);
    hasher_free(bench->hasher);
    arena_free(&bench->arena);
    free(bench);
}

static inline struct event bench_event(const char *type, const char *payload) {
    return (struct event){.id = {{1, 2, 3}},
                          .key = STR("key-1"),
                          .type = str_from(type),
                          .source = STR("landing-page"),
                          .payload = str_from(payload),
                          .scheduled_us = NOW_US,
                          .created_us = NOW_US};
}

static inline struct plan bench_plan_at(struct bench *bench, struct event event, int64_t now_us) {
    struct event *kept = arena_copy(&bench->arena, &event, sizeof event);
    struct plan plan;
    route_events(bench->routes, kept, 1, now_us, bench->hasher, &bench->evaluator, &bench->arena, &plan);
    return plan;
}

static inline struct plan bench_plan(struct bench *bench, struct event event) {
    return bench_plan_at(bench, event, NOW_US);
}

static inline void assert_str(struct str s, const char *expected) {
    if (!str_eq(s, str_from(expected))) fail_msg("'%.*s' is not '%s'", STR_ARG(s), expected);
}

#endif
