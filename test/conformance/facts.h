/* test/conformance/facts.h - events, in the open turn of a fixture, and plain
 * SQL beside the verbs. */
#ifndef CONFORMANCE_FACTS_H
#define CONFORMANCE_FACTS_H

#include "fixture.h"

static inline struct str fixture_fingerprint(struct fixture *fixture, struct str payload) {
    struct json *root = NULL;
    struct json_error error;
    struct buf canonical = {.arena = &fixture->arena};
    uint8_t digest[SHA256_BYTES];
    OK(json_parse(payload, JSON_DEPTH_MAX, &root, &error));
    json_canonical(&canonical, root);
    json_free(root);
    hash_sha256(fixture->hasher, buf_str(&canonical), digest);
    return hex_encode(&fixture->arena, digest, sizeof digest);
}

static inline struct event fixture_event(struct fixture *fixture, const char *key, int64_t at_us) {
    struct buf buf = {.arena = &fixture->arena};
    buf_add(&buf, STR("{\"of\": "));
    json_quote(&buf, str_from(key));
    buf_byte(&buf, '}');
    struct str payload = buf_str(&buf);
    return (struct event){
        .id = uuid_v7(at_us, &fixture->rng, &fixture->last_id),
        .key = str_dup(&fixture->arena, str_from(key)),
        .type = STR("LEAD_CAPTURE"),
        .source = STR("landing-page"),
        .payload = payload,
        .fingerprint = fixture_fingerprint(fixture, payload),
        .scheduled_us = at_us,
        .created_us = at_us,
        .updated_us = at_us,
    };
}

/* Appends it in the open turn; its seq is filled. */
static inline struct event fixture_append(struct fixture *fixture, const char *key, int64_t at_us) {
    struct event event = fixture_event(fixture, key, at_us);
    struct append_result result;
    OK(store_append(fixture->store, &event, 1, &fixture->arena, &result));
    assert_int_equal(result.verdict, APPEND_FRESH);
    event.seq = result.seq;
    return event;
}

static inline struct event fixture_get_event(struct fixture *fixture, struct uuid id) {
    struct event event;
    OK(store_event_get(fixture->store, id, &fixture->arena, &event));
    return event;
}

static inline void fixture_routed(struct fixture *fixture, const struct event *event, enum event_status status,
                                  const char *error) {
    const struct routed routed = {event->seq, status, str_from(error)};
    OK(store_routed(fixture->store, &routed, 1, T0));
}

/* Text outside the papers, for damage and for questions no verb asks. */
static inline struct sql_result fixture_sql(struct fixture *fixture, const char *sql) {
    struct sql_result result;
    if (fixture->driver.script(fixture->driver.self, str_from(sql), &fixture->arena, &result))
        fail_msg("%s: %s", sql, store_trouble(fixture->store));
    return result;
}

/* What the dialects say differently. */
static inline struct sql_result fixture_sql_of(struct fixture *fixture, const char *sqlite, const char *postgres) {
    return fixture_sql(fixture, fixture_on_postgres(fixture) ? postgres : sqlite);
}

static inline int64_t fixture_number(struct fixture *fixture, const char *sql) {
    struct sql_result result = fixture_sql(fixture, sql);
    assert_int_equal(result.count, 1);
    return result.rows[0].values[0].number;
}

static inline void assert_text(struct str text, const char *expected) {
    if (!str_eq(text, str_from(expected))) fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(text), expected);
}

#endif
