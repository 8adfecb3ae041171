/* test/conformance/fixture.h - a fresh store in a temporary folder for each
 * test, on each driver of the table; and short ways to say events, deliveries
 * and outcomes. Every verb runs on every driver: a driver is one more row. */
#ifndef CONFORMANCE_FIXTURE_H
#define CONFORMANCE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "store/admin.h"
#include "store/memory.h"
#include "store/query.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0     ((int64_t)1764000000000000) /* "now" of most tests */
#define ROOM   64                          /* rows of one verb in a test */
#define OK(it) assert_int_equal((it), ERR_NONE)

struct fixture;
struct fixture_driver {
    const char *name;
    void (*open)(struct fixture *fixture);
};
struct fixture {
    const struct fixture_driver *kind;
    char folder[64];
    struct arena arena;
    struct sql_driver driver;
    struct store *store;
    struct hasher *hasher;
    struct rng rng;
    struct uuid last_id;
};

static inline void fixture_open_sqlite(struct fixture *fixture) {
    struct str problem = STR_NONE, path = str_fmt(&fixture->arena, "%s/store.db", fixture->folder);
    const struct sqlite_options options = {.path = path};
    if (sqlite_open(&options, &fixture->arena, &fixture->driver, &problem)) fail_msg("%.*s", STR_ARG(problem));
}

static const struct fixture_driver fixture_sqlite = {"sqlite", fixture_open_sqlite};

/* As at the start of a process. */
static inline void fixture_start(struct fixture *fixture) {
    struct str problem = STR_NONE;
    fixture->kind->open(fixture);
    if (store_open(&fixture->driver, T0, &fixture->arena, &fixture->store, &problem))
        fail_msg("%.*s", STR_ARG(problem));
    store_set_owner(fixture->store, STR("me"));
}

static inline void fixture_stop(struct fixture *fixture) {
    store_close(fixture->store);
    fixture->driver.close(fixture->driver.self);
}

static inline int fixture_setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->kind = *state;
    snprintf(fixture->folder, sizeof fixture->folder, "%s/drumbeat-store-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(fixture->folder));
    fixture->hasher = hasher_new();
    rng_seed(&fixture->rng, 7);
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static inline void fixture_remove(const char *folder) {
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm", "store.db-journal",
                                        "store.db.lock"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static inline int fixture_teardown(void **state) {
    struct fixture *fixture = *state;
    fixture_stop(fixture);
    fixture_remove(fixture->folder);
    hasher_free(fixture->hasher);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

/* One entry per driver. */
#define ON_EVERY_DRIVER(test)                                                                                          \
    { #test "/sqlite", (test), fixture_setup, fixture_teardown, (void *)(uintptr_t)&fixture_sqlite }

static inline void fixture_begin(struct fixture *fixture) {
    OK(store_begin(fixture->store));
}

static inline void fixture_commit(struct fixture *fixture) {
    OK(store_commit(fixture->store));
}

/* ---- events ---- */

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

/* ---- deliveries ---- */

static inline struct delivery fixture_delivery(struct fixture *fixture, const struct event *event,
                                               const char *destination, enum delivery_status status) {
    return (struct delivery){
        .id = delivery_derive_id(fixture->hasher, event->key, str_from(destination), STR("lead"), event->run),
        .event_id = event->id,
        .destination = str_from(destination),
        .route = STR("lead"),
        .step = STR("lead"),
        .run = event->run,
        .status = status,
        .due_us = T0,
        .first_due_us = T0,
        .lease_until_us = T0 + US_PER_MIN,
        .lease_epoch = status == DELIVERY_PROCESSING,
        .created_us = T0,
        .updated_us = T0,
        .event = event,
    };
}

/* True when it waits for its order. */
static inline bool fixture_plan_one(struct fixture *fixture, struct delivery *delivery) {
    bool blocked;
    OK(store_plan(fixture->store, delivery, 1, &fixture->arena, &blocked));
    return blocked;
}

/* An event with one delivery, in the open turn. */
static inline struct delivery fixture_deliver(struct fixture *fixture, const char *key, const char *destination,
                                              enum delivery_status status) {
    struct event *event = arena_new(&fixture->arena, struct event);
    *event = fixture_append(fixture, key, T0);
    struct delivery delivery = fixture_delivery(fixture, event, destination, status);
    fixture_plan_one(fixture, &delivery);
    fixture_routed(fixture, event, EVENT_PROCESSING, "");
    return delivery;
}

static inline struct delivery fixture_get(struct fixture *fixture, struct uuid id) {
    struct delivery delivery;
    OK(store_delivery_get(fixture->store, id, &fixture->arena, &delivery));
    return delivery;
}

static inline struct delivery *fixture_claim(struct fixture *fixture, const char *destination, size_t limit,
                                             int64_t now_us, size_t *ret_count) {
    struct delivery *deliveries;
    const struct claim claim = {str_from(destination), limit, now_us, now_us + US_PER_MIN, STR("me")};
    OK(store_claim(fixture->store, &claim, &fixture->arena, &deliveries, ret_count));
    return deliveries;
}

/* ---- outcomes ---- */

static inline struct settlement fixture_outcome(const struct delivery *delivery, enum delivery_status status,
                                                const char *outcome) {
    return (struct settlement){
        .seq = delivery->seq,
        .event_id = delivery->event_id,
        .lease_epoch = delivery->lease_epoch,
        .destination = delivery->destination,
        .order_key = delivery->order_key,
        .status = status,
        .due_us = T0 + US_PER_S,
        .retry_count = delivery->retry_count,
        .first_sent_us = T0,
        .last_status = 200,
        .has_attempt = true,
        .attempt = {.started_us = T0, .finished_us = T0 + 1000, .outcome = str_from(outcome), .http_status = 200},
    };
}

static inline bool fixture_settle(struct fixture *fixture, const struct settlement *settlement) {
    bool applied;
    OK(store_settle(fixture->store, settlement, 1, T0 + 2000, &fixture->arena, &applied));
    return applied;
}

static inline bool fixture_end(struct fixture *fixture, const struct delivery *delivery, enum delivery_status status,
                               const char *outcome) {
    const struct settlement settlement = fixture_outcome(delivery, status, outcome);
    return fixture_settle(fixture, &settlement);
}

/* Text outside sql.def, for damage and for questions no verb asks. */
static inline struct sql_result fixture_sql(struct fixture *fixture, const char *sql) {
    struct sql_result result;
    if (fixture->driver.script(fixture->driver.self, str_from(sql), &fixture->arena, &result))
        fail_msg("%s: %s", sql, store_trouble(fixture->store));
    return result;
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
