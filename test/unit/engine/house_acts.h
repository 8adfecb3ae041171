/* test/unit/engine/house_acts.h - what happens in a house, and what is seen. */
#ifndef ENGINE_HOUSE_ACTS_H
#define ENGINE_HOUSE_ACTS_H

#include "house_start.h"

/* The configuration before is in force again. */
static inline void house_back(struct house *house) {
    struct setup *setup = house->setup;
    house->setup = house->old_setup;
    house->old_setup = setup;
    OK(loop_apply(house->loop, house_in_force(house)));
}

/* The process ends without a word, and another one starts on the same store. */
static inline void house_crash(struct house *house) {
    stop(house);
    house->done_count = house->request_count = 0;
    house->commit_fails = house->begin_fails = ERR_NONE;
    start(house);
}

static inline void house_turn(struct house *house) {
    OK(loop_turn(house->loop));
}

static inline void house_pass(struct house *house, int64_t span_us) {
    house->now_us += span_us;
    house->wall_us += span_us;
}

/* Time goes on until the loop wakes by itself and finds something to do. */
static inline void house_sleep(struct house *house) {
    uint64_t turns = loop_turns(house->loop);
    for (int wakes = 0; wakes < 3 && loop_turns(house->loop) == turns; wakes++) {
        loop_wait(house->loop, WHEN_NEVER);
        if (house->waited_until_us > house->now_us) house_pass(house, house->waited_until_us - house->now_us);
        house_turn(house);
    }
}

/* Asks in the next turn. */
static inline void house_ask(struct house *house, const char *method, const char *path, const char *body) {
    static struct header json[] = {{{"Content-Type", 12}, {"application/json", 16}}};
    struct str whole = str_from(path);
    size_t mark = str_find(whole, '?');
    house->requests[house->request_count++] = (struct request){
        .method = str_from(method),
        .path = str_sub(whole, 0, mark),
        .query = mark == SIZE_MAX ? STR_NONE : str_sub(whole, mark + 1, SIZE_MAX),
        .headers = json,
        .header_count = 1,
        .body = str_from(body),
        .peer = STR("127.0.0.1"),
        .trusted = house->trusted,
        .arrived_us = house->now_us,
    };
}

/* Asks, turns, and gives the reply. */
static inline struct house_reply house_get(struct house *house, const char *method, const char *path,
                                           const char *body) {
    house_ask(house, method, path, body);
    house_turn(house);
    assert_true(house->reply_count > 0);
    return house->replies[house->reply_count - 1];
}

/* Posts an event of this key and turns. */
static inline struct house_reply house_post(struct house *house, const char *key) {
    struct str body = str_fmt(&house->arena,
                              "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"%s\",\"payload\":{\"k\":"
                              "\"%s\"}}",
                              key, key);
    return house_get(house, "POST", "/v1/events", body.p);
}

/* The call comes back, for the next turn to see. */
static inline void house_answer(struct house *house, size_t call, int status, const char *body) {
    assert_true(call < house->call_count);
    house->done[house->done_count++] = (struct completion){.tag = house->calls[call].tag,
                                                           .answer = {.end = EXCHANGE_ANSWERED,
                                                                      .status = status,
                                                                      .body = str_from(body),
                                                                      .body_complete = true,
                                                                      .started_us = house->now_us,
                                                                      .finished_us = house->now_us}};
}

/* Likewise, without an answer. */
static inline void house_cut(struct house *house, size_t call) {
    house->done[house->done_count++] =
        (struct completion){.tag = house->calls[call].tag,
                            .answer = {.end = EXCHANGE_CUT, .started_us = house->now_us, .finished_us = house->now_us}};
}

/* The newest delivery. */
static inline struct delivery house_delivery(struct house *house) {
    const struct delivery_query query = {.status = -1, .limit = 1};
    struct delivery *deliveries;
    size_t count;
    OK(store_begin(house->store));
    OK(store_delivery_list(house->store, &query, &house->arena, &deliveries, &count));
    store_rollback(house->store);
    assert_int_equal(count, 1);
    return deliveries[0];
}

#define assert_status(house, expected) assert_int_equal(house_delivery(house).status, DELIVERY_##expected)
#define assert_has(text, part)                                                                                         \
    do {                                                                                                               \
        struct str text_ = (text);                                                                                     \
        if (!memmem(text_.p, text_.n, (part), strlen(part)))                                                           \
            fail_msg("'%s' is not in '%.*s'", (part), STR_ARG(text_));                                                 \
    } while (0)

#endif
