/* test/unit/engine/shop_acts.h - what the provider of a shop answers, what others do to its tokens, and what is seen.
 * Include after house_acts.h. */
#ifndef ENGINE_SHOP_ACTS_H
#define ENGINE_SHOP_ACTS_H

#include "deliver/heir.h"
#include "engine/loop_state.h"
#include "model/token.h"
#include "shop.h"
#include "store/token.h"

/* ---- what comes back ---- */

/* The newest call is answered: a turn takes it, and the next one does what it lets happen. */
static inline void shop_answer(struct house *house, int status, const char *body) {
    house_answer(house, house->call_count - 1, status, body);
    for (int i = 0; i < 2; i++) house_turn(house);
}

/* It ends so, without an answer. */
static inline void shop_end(struct house *house, enum exchange_end end) {
    house->done[house->done_count++] =
        (struct completion){.tag = house->calls[house->call_count - 1].tag,
                            .answer = {.end = end, .started_us = house->now_us, .finished_us = house->now_us}};
    for (int i = 0; i < 2; i++) house_turn(house);
}

/* A first delivery went out with a token of this life: 2 calls. */
static inline void shop_begin(struct house *house, const char *answer) {
    house_post(house, "first");
    shop_last_asks(house, 1, "refresh_token=r-1");
    shop_answer(house, 200, answer);
    shop_last_sends(house, 2, "Bearer a-1");
    shop_answer(house, 200, "{}");
    assert_status(house, COMPLETED);
}

/* ---- what is seen ---- */

static inline struct desk_view shop_desk(const struct house *house) {
    size_t desk = deliver_known(house->loop->deliver, STR("it"));
    assert_true(desk != SIZE_MAX);
    return deliver_view(house->loop->deliver, desk, house->now_us);
}

/* It waits for a token: nothing was tried, and nothing was spent. */
static inline void shop_waits(struct house *house) {
    struct delivery delivery = house_delivery(house);
    assert_int_equal(delivery.status, DELIVERY_PENDING);
    assert_int_equal(delivery.attempts, 0);
    assert_int_equal(delivery.retry_count, 0);
    assert_false(shop_desk(house).paused);
}

/* After span_us the newest call is the count-th, and not a millisecond before. */
static inline void shop_calls_after(struct house *house, int64_t span_us, size_t count) {
    house_pass(house, span_us - US_PER_MS);
    house_turn(house);
    assert_int_equal(house->call_count, count - 1);
    house_pass(house, US_PER_MS);
    house_turn(house);
    assert_int_equal(house->call_count, count);
}

/* ---- what others do to the store ---- */

static inline struct token_row shop_row(struct house *house) {
    struct token_row row;
    OK(store_begin(house->store));
    OK(store_token_get(house->store, STR("it"), &house->arena, &row));
    store_rollback(house->store);
    return row;
}

static inline struct str shop_sealed(struct house *house, const char *access, const char *refresh) {
    struct str key;
    assert_true(base64_decode(&house->arena, STR(HOUSE_TOKEN_KEY), &key));
    return token_seal(key, STR("it"), str_from(access), str_from(refresh), &house->arena);
}

/* A person logs in; what the configuration names to begin with does not count any more. */
static inline void shop_log_in(struct house *house, struct str sealed, int64_t life_us) {
    const struct token_row row = {.destination = STR("it"),
                                  .sealed = sealed,
                                  .expires_us = life_us ? house->now_us + life_us : 0,
                                  .seed = shop_row(house).seed};
    OK(store_begin(house->store));
    OK(store_token_put(house->store, &row, house->now_us));
    OK(store_commit(house->store));
    tokens_reread(house->loop);
}

/* Another process has the right to ask until then. */
static inline void shop_other_asks(struct house *house, int64_t until_us) {
    bool ours;
    OK(store_begin(house->store));
    OK(store_token_ask(house->store, STR("it"), STR("other"), house->now_us, until_us, false, &ours));
    OK(store_commit(house->store));
    assert_true(ours);
}

/* ... and makes one. */
static inline void shop_other_made(struct house *house, const char *access, int64_t life_us) {
    const struct token_row row = {.destination = STR("it"),
                                  .generation = shop_row(house).generation,
                                  .sealed = shop_sealed(house, access, "r-other"),
                                  .expires_us = house->now_us + life_us};
    bool applied;
    OK(store_begin(house->store));
    OK(store_token_made(house->store, &row, house->now_us, &applied));
    OK(store_commit(house->store));
    assert_true(applied);
}

#endif
