/* test/unit/connect/kit.h - deliveries, answers and destinations for the tests
 * of this room. */
#ifndef KIT_H
#define KIT_H

#include "base/jq.h"
#include "connect/connect.h"
#include "model/catalog.h"

#include "base/hash.h"
#include "base/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-24T12:00:00Z */
#define NOW_S 1795521600
#define NOW   (NOW_S * US_PER_S)

#define KIT_HEADERS_MAX 16

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
    kit->settings =
        (struct settings){.file = STR("drumbeat.yaml"), .destinations = &kit->destination, .destination_count = 1};
    kit->event = (struct event){.key = STR("lead-41"),
                                .type = STR("LEAD_CAPTURE"),
                                .source = STR("landing-page"),
                                .payload = STR("{\"email\":\"ada@example.com\"}"),
                                .created_us = NOW - US_PER_MIN};
    assert_true(uuid_parse(STR("01936f3e-0000-7000-8000-0000000000aa"), &kit->event.id));
    kit->delivery = (struct delivery){
        .event_id = kit->event.id, .destination = STR("crm"), .event = &kit->event, .first_sent_us = NOW - US_PER_S};
    assert_true(uuid_parse(STR("01234567-89ab-8def-8123-456789abcdef"), &kit->delivery.key));
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

static inline void kit_bind(struct kit *kit) {
    connectors_bind(kit->connectors, &kit->settings, &kit->findings);
}

static inline enum err kit_request(struct kit *kit) {
    return connect_request(&kit->context, &kit->outgoing, &kit->problem);
}

/* Header of the request, "" when absent. */
static inline struct str kit_header(const struct kit *kit, const char *name) {
    struct str value = STR("");
    for (size_t i = 0; i < kit->outgoing.header_count; i++)
        if (str_eq_nocase(kit->outgoing.headers[i].name, str_from(name))) value = kit->outgoing.headers[i].value;
    return value;
}

#endif
