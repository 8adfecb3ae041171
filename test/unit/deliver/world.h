/* test/unit/deliver/world.h - small configurations, and the steps that a turn makes. */
#ifndef TEST_DELIVER_WORLD_H
#define TEST_DELIVER_WORLD_H

#include "check.h"

#include "deliver/deliver.h"
#include "deliver/meter.h"

#include <string.h>

#define SLOTS    100
#define KEPT_MIN (US_PER_MIN + 600 * US_PER_MS) /* a limit's minute with its margin */

#define DESTINATIONS_MAX 6
struct world {
    struct destination_settings destinations[DESTINATIONS_MAX];
    struct settings settings;
};

static inline struct destination_settings destination(const char *name, const char *account) {
    return (struct destination_settings){
        .name = str_from(name),
        .account = str_from(account),
        .concurrency = 8,
        .breaker = {.on = true, .failures = 5, .share = 50, .window_us = 30 * US_PER_S, .open_us = 30 * US_PER_S},
    };
}

/* "a" and "b" share nothing; each has its own account. */
static inline void two_desks(struct world *world) {
    *world = (struct world){.destinations = {destination("a", "a"), destination("b", "b")}};
    world->settings = (struct settings){.destinations = world->destinations, .destination_count = 2};
}

static inline struct deliver *opened(const struct world *world) {
    struct deliver *deliver = deliver_new(SLOTS, METERS_MAX);
    deliver_configure(deliver, &world->settings);
    return deliver;
}

static inline void limit(struct destination_settings *destination, int64_t count, int64_t window_us) {
    destination->limits[destination->limit_count++] = (struct limit_rule){count, window_us};
}

static inline void take_and_commit(struct deliver *deliver, size_t desk, size_t sends, int64_t now_us) {
    assert_int_equal(deliver_budget(deliver, desk, now_us, sends), sends);
    deliver_take(deliver, desk, sends, now_us);
    deliver_commit(deliver);
}

static inline void send(struct deliver *deliver, size_t desk, size_t sends, int64_t now_us) {
    take_and_commit(deliver, desk, sends, now_us);
    deliver_started(deliver, desk, sends, now_us);
}

static inline void fail_often(struct deliver *deliver, size_t desk, int64_t now_us) {
    for (int i = 0; i < 5; i++) deliver_record(deliver, desk, now_us, false);
}

#endif
