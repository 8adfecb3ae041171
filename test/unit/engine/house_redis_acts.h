/* test/unit/engine/house_redis_acts.h - a house whose limits a Redis keeps is opened, and others are there. */
#ifndef ENGINE_HOUSE_REDIS_ACTS_H
#define ENGINE_HOUSE_REDIS_ACTS_H

#include "house_redis.h"
#include "sql_statements.h"

#define HOUSE_LIMITED                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n"                                                                       \
    "  crm: {type: http, url: \"https://crm.example.com/in\", limit: 6/1h}\n"                                          \
    "  mail: {type: http, url: \"https://mail.example.com/in\", account: post, limit: 9/1h}\n"                         \
    "  post: {type: http, url: \"https://post.example.com/in\", account: post}\n"                                      \
    "  free: {type: http, url: \"https://free.example.com/in\"}\n"                                                     \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm, mail, post, free]\n"

static inline int redis_setup(void **state) {
    house_setup(state);
    struct house *house = *state;
    struct redis *redis = calloc(1, sizeof *redis);
    *redis = (struct redis){.house = house, .grants = 100, .wait_us = US_PER_HOUR, .quiet_us = -1};
    house->limits =
        (struct shared_limits){redis_take, redis_started, redis_began, redis_quiet, redis_teach, redis_trouble, redis};
    house->redis_failure = REDIS_CLOSED;
    return 0;
}

static inline int redis_teardown(void **state) {
    struct house *house = *state;
    free(house->limits.self);
    return house_teardown(state);
}

static inline struct redis *redis_of(struct house *house) {
    return house->limits.self;
}

/* The store, which is told of others that are there. */
static inline enum err run_beside_others(void *self, const struct sql_batch *batch, struct arena *arena,
                                         struct sql_result *ret_result) {
    static struct sql_value there[5] = {{.kind = SQL_TEXT, .text = {"other", 5}},
                                        {.kind = SQL_TEXT, .text = {"all", 3}}};
    static struct sql_row rows[8];
    struct house *house = self;
    redis_of(house)->probes += batch->statement == SQL_DESTINATION_PROBE;
    if (batch->statement != SQL_INSTANCE_LIST) return run_batch(self, batch, arena, ret_result);
    for (size_t i = 0; i < 8; i++) rows[i].values = there;
    *ret_result = (struct sql_result){.rows = rows, .count = redis_of(house)->others, .columns = 5};
    return ERR_NONE;
}

/* At its start a process asks for every desk: something may be due. What it wants is not there yet. */
static inline void redis_open(struct house *house) {
    house_open(house, HOUSE_LIMITED);
    house_pass(house, US_PER_S);
    house_turn(house);
    house_pass(house, US_PER_S);
    redis_of(house)->takes = 0;
}

static inline size_t asked_for(struct house *house, const char *limit) {
    const struct redis *redis = redis_of(house);
    for (size_t i = 0; i < redis->asked_count; i++)
        if (str_eq(redis->asked[i].limit, str_from(limit))) return redis->asked[i].want;
    return 0;
}

#define R(test) cmocka_unit_test_setup_teardown(test, redis_setup, redis_teardown)

#endif
