/* test/conformance/work.h - deliveries and their outcomes, in the open turn of
 * a fixture. */
#ifndef CONFORMANCE_WORK_H
#define CONFORMANCE_WORK_H

#include "facts.h"

static inline struct delivery fixture_delivery(struct fixture *fixture, const struct event *event,
                                               const char *destination, enum delivery_status status) {
    struct delivery delivery = {
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
    delivery_identify(fixture->hasher, event, &delivery);
    return delivery;
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

/* The schema refuses some damage, which then is a flipped bit's. */
static inline void fixture_allow_damage(struct fixture *fixture) {
    fixture_sql_of(fixture, "PRAGMA ignore_check_constraints = ON",
                   "ALTER TABLE deliveries DROP CONSTRAINT IF EXISTS deliveries_lease_check,"
                   " DROP CONSTRAINT IF EXISTS deliveries_blocked_check");
}

#endif
