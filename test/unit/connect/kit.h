/* test/unit/connect/kit.h - deliveries, answers and destinations for the tests
 * of this room. */
#ifndef KIT_H
#define KIT_H

#include "connect/connect.h"

#include "base/hash.h"
#include "base/when.h"
#include "config/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-24T12:00:00Z */
#define NOW_S 1795521600
#define NOW   (NOW_S * US_PER_S)

#define KIT_HEADERS_MAX 16
#define KIT_FILE_MAX    ((size_t)65536)

struct kit {
    struct arena arena;
    struct jq_source source;
    struct findings findings;
    struct connectors *connectors;
    struct hasher *hasher;
    struct destination_settings destination;
    struct settings settings;
    struct event event;
    struct delivery delivery;
    const struct delivery *deliveries[8];
    struct call_context context;
    struct header headers[KIT_HEADERS_MAX];
    struct answer answer;
    struct outgoing outgoing;
    struct str problem;
    struct jq *jq;
    struct evaluator evaluator;
    int runs; /* of the evaluator */
};

static inline void kit_evaluate(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    struct kit *kit = self;
    kit->runs++;
    for (size_t i = 0; i < count; i++) jq_run(kit->jq, &calls[i], arena);
}

/* A delivery of one event to one destination of type http. */
static inline struct kit *kit_new(void) {
    struct kit *kit = calloc(1, sizeof *kit);
    assert_non_null(kit);
    kit->source.arena = &kit->arena;
    kit->findings.arena = &kit->arena;
    kit->connectors = connectors_new(&kit->arena, &kit->source);
    kit->hasher = hasher_new();
    kit->destination = (struct destination_settings){.name = STR("crm"),
                                                     .type = STR("http"),
                                                     .url = STR("https://crm.example.com/leads"),
                                                     .timeout_us = 10 * US_PER_S,
                                                     .concurrency = 8,
                                                     .fields = {.arena = &kit->arena}};
    kit->settings = (struct settings){
        .file = STR("drumbeat.yaml"), .destinations = &kit->destination, .destination_count = 1};
    kit->event = (struct event){.key = STR("lead-41"),
                                .type = STR("LEAD_CAPTURE"),
                                .source = STR("landing-page"),
                                .payload = STR("{\"email\":\"ada@example.com\"}"),
                                .created_us = NOW - US_PER_MIN};
    assert_true(uuid_parse(STR("01936f3e-0000-7000-8000-0000000000aa"), &kit->event.id));
    kit->delivery = (struct delivery){.event_id = kit->event.id,
                                      .destination = STR("crm"),
                                      .event = &kit->event,
                                      .first_sent_us = NOW - US_PER_S};
    assert_true(uuid_parse(STR("01234567-89ab-8def-8123-456789abcdef"), &kit->delivery.id));
    kit->deliveries[0] = &kit->delivery;
    kit->context = (struct call_context){.destination = &kit->destination,
                                         .deliveries = kit->deliveries,
                                         .count = 1,
                                         .now_us = NOW,
                                         .hasher = kit->hasher,
                                         .arena = &kit->arena};
    kit->evaluator = (struct evaluator){kit_evaluate, kit};
    return kit;
}

static inline void kit_free(struct kit *kit) {
    jq_close(kit->jq);
    hasher_free(kit->hasher);
    arena_free(&kit->arena);
    free(kit);
}

/* Adds a connector; the text must outlive the kit. */
static inline void kit_add(struct kit *kit, struct str file, struct str text) {
    const struct tree *document = config_parse(&kit->arena, file, text, &kit->findings);
    if (document) connectors_add(kit->connectors, document, &kit->findings);
}

static inline void kit_add_file(struct kit *kit, const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = arena_alloc(&kit->arena, KIT_FILE_MAX);
    size_t length = fread(text, 1, KIT_FILE_MAX, file);
    assert_true(length > 0 && length < KIT_FILE_MAX);
    fclose(file);
    kit_add(kit, str_from(path), (struct str){text, length});
}

/* All jq that was added becomes the evaluator's program. */
static inline void kit_compile(struct kit *kit) {
    struct str problem = STR_NONE;
    if (jq_open(jq_program(&kit->source, &kit->arena), &kit->jq, &kit->arena, &problem))
        fail_msg("%.*s", STR_ARG(problem));
}

static inline void kit_set_field(struct kit *kit, const char *name, const char *value) {
    struct str *text = arena_new(&kit->arena, struct str);
    *text = str_from(value);
    map_set(&kit->destination.fields, str_from(name), text);
}

static inline void kit_no_findings(const struct kit *kit) {
    const struct finding *first = kit->findings.first;
    if (first)
        fail_msg("%.*s:%u:%u %s %.*s", STR_ARG(first->file), first->mark.line, first->mark.column, first->code,
                 STR_ARG(first->text));
}

static inline void kit_bind(struct kit *kit) {
    connectors_bind(kit->connectors, &kit->settings, &kit->findings);
}

static inline enum err kit_request(struct kit *kit) {
    return connect_request(&kit->context, &kit->outgoing, &kit->problem);
}

/* An answer with "name: value" lines. */
static inline void kit_answer(struct kit *kit, int32_t status, const char *lines, const char *body) {
    struct str rest = str_from(lines), line;
    kit->answer = (struct answer){.end = EXCHANGE_ANSWERED,
                                  .status = status,
                                  .headers = kit->headers,
                                  .body = str_from(body),
                                  .body_complete = true,
                                  .started_us = NOW - US_PER_MS,
                                  .finished_us = NOW};
    while (str_next(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        assert_true(colon != SIZE_MAX && kit->answer.header_count < KIT_HEADERS_MAX);
        kit->headers[kit->answer.header_count++] =
            (struct header){str_sub(line, 0, colon), str_trim(str_sub(line, colon + 1, line.n))};
    }
}

static inline const struct action_traits *kit_traits(const struct kit *kit) {
    const struct action_traits *traits = destination_action(&kit->destination, kit->delivery.action);
    assert_non_null(traits);
    return traits;
}

static inline struct outcome kit_outcome(struct kit *kit) {
    struct outcome outcome;
    connect_answer(&kit->context, &kit->answer, &kit->evaluator, &outcome);
    return outcome;
}

/* Header of the request, "" when absent. */
static inline struct str kit_header(const struct kit *kit, const char *name) {
    struct str value = STR("");
    for (size_t i = 0; i < kit->outgoing.header_count; i++)
        if (str_eq_nocase(kit->outgoing.headers[i].name, str_from(name))) value = kit->outgoing.headers[i].value;
    return value;
}

#define assert_text(actual, expected)                                                                                 \
    do {                                                                                                              \
        struct str text_ = (actual);                                                                                  \
        if (!str_eq(text_, str_from(expected))) fail_msg("'%.*s' is not '%s'", STR_ARG(text_), (expected));           \
    } while (0)
#define assert_begins(actual, expected)                                                                               \
    do {                                                                                                              \
        struct str text_ = (actual);                                                                                  \
        if (!str_starts(text_, str_from(expected))) fail_msg("'%.*s' begins not '%s'", STR_ARG(text_), (expected));   \
    } while (0)

#endif
