/* test/unit/deliver/given.h - a delivery, an outcome and a destination to begin a case with, and what to expect. */
#ifndef TEST_DELIVER_GIVEN_H
#define TEST_DELIVER_GIVEN_H

#include "check.h"

#include "base/arena.h"
#include "deliver/settle.h"

#define FINISHED  (T0 - US_PER_S) /* the answer came a second before it is settled */
#define SETTLE_US (60 * US_PER_S)
#define KEY_US    US_PER_HOUR
#define HELP      "it may have been delivered: look there, then resolve it as delivered, not-delivered or retry"

/* One action of each kind of provider. */
static struct action_traits actions[] = {
    {.name = {"", 0}, .key_life_us = WHEN_NEVER, .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"lookup", 6}, .has_lookup = true, .lookup_settle_us = SETTLE_US, .on_unknown = ON_UNKNOWN_LOOKUP},
    {.name = {"hour-key", 8}, .key_life_us = KEY_US, .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"hour-key-lookup", 15},
     .has_lookup = true,
     .lookup_settle_us = SETTLE_US,
     .key_life_us = KEY_US,
     .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"no-key", 6}, .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"hold", 4}, .on_unknown = ON_UNKNOWN_HOLD},
    {.name = {"upsert", 6}, .natural = true, .key_life_us = KEY_US, .on_unknown = ON_UNKNOWN_RETRY},
};

/* A case begins as a first attempt at a plain webhook, due ten minutes ago, answered 503, and is changed from there. */
struct given {
    struct delivery delivery;
    struct outcome outcome;
    struct destination_settings settings;
    struct rng rng;
    struct arena arena;
};

static inline struct given given(enum outcome_class class) {
    struct given given = {
        .delivery = {.status = DELIVERY_PROCESSING,
                     .due_us = T0 - 10 * US_PER_S,
                     .first_due_us = T0 - 10 * US_PER_MIN,
                     .last_error = STR("earlier")},
        .outcome = {.class = class,
                    .http_status = class == OUTCOME_UNKNOWN ? 0 : 503,
                    .started_us = T0 - 3 * US_PER_S,
                    .finished_us = FINISHED,
                    .error = class == OUTCOME_DONE ? STR_NONE : STR("503 Service Unavailable")},
        .settings = {.retry = {.max = 5, .base_us = US_PER_S, .cap_us = 60 * US_PER_S},
                     .give_up_us = US_PER_DAY,
                     .actions = actions,
                     .action_count = COUNT_OF(actions)},
    };
    rng_seed(&given.rng, 1);
    return given;
}

/* Of the same, sent an hour and a half ago, that is now looked up. */
static inline struct given given_lookup(enum outcome_class class) {
    struct given g = given(class);
    g.delivery.action = STR("lookup");
    g.delivery.looking_up = true;
    g.delivery.first_sent_us = T0 - 90 * US_PER_MIN;
    return g;
}

static inline struct settled settle(struct given *g) {
    struct settled settled = settle_outcome(&g->delivery, &g->outcome, &g->settings, T0, &g->rng, &g->arena);
    assert_false(settled.counts_as_good && settled.counts_as_trouble);
    return settled;
}

static inline void assert_error(struct settled settled, const char *expected) {
    if (!str_eq(settled.last_error, str_from(expected)))
        fail_msg("'%.*s' is not '%s'", STR_ARG(settled.last_error), expected);
}

static inline void assert_pending(struct settled settled, int64_t due_us, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_PENDING);
    assert_us(settled.due_us, due_us);
    assert_int_equal(settled.retry_count, retry_count);
}

static inline void assert_backed_off(struct settled settled, int64_t seconds, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_PENDING);
    assert_in_range(settled.due_us, T0 + seconds * US_PER_S, T0 + seconds * US_PER_S * 3 / 2);
    assert_int_equal(settled.retry_count, retry_count);
}

static inline void assert_unknown(struct settled settled, int64_t due_us, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_UNKNOWN);
    assert_us(settled.due_us, due_us);
    assert_int_equal(settled.retry_count, retry_count);
}

static inline void assert_held(struct settled settled, const char *reason, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_HELD);
    assert_error(settled, reason);
    assert_int_equal(settled.retry_count, retry_count);
}

static inline struct settled settle_unknown(struct given *g, const char *action) {
    g->delivery.action = str_from(action);
    return settle(g);
}

#endif
