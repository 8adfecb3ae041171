/* test/unit/engine/house_redis.h - a Redis by script, which keeps a house's limits; house_redis_acts.h has it opened.
 */
#ifndef ENGINE_HOUSE_REDIS_H
#define ENGINE_HOUSE_REDIS_H

#include "house_acts.h"
#include "model/sharing.h"

struct redis {
    struct house *house;
    size_t takes, grants;      /* calls; what the next one grants of each limit at most */
    enum err take_fails;       /* what the next calls come to */
    bool forgot, forgot_one;   /* the next one says so: of all limits, of the first */
    int64_t wait_us, spell_us; /* what it says of when to ask again, and of a quiet spell */
    size_t teach_fails;        /* so many of the next lessons fail */
    size_t others;             /* processes that the store knows of */
    size_t probes;             /* that the store was asked for */
    struct limit_ask asked[8]; /* by the last call */
    size_t asked_count;
    size_t given[8], started[8];
    bool starting[8];
    size_t began, flew;                 /* takes, and the places of all of them */
    size_t used_count, lessons, taught; /* closed by the last note; lessons, and the starts in them */
    int64_t oldest_us;                  /* of those starts */
    size_t quiets;                      /* spells that were told */
    int64_t quiet_us;                   /* of the last of them; -1 = none */
};

static inline enum err redis_take(void *self, const struct limit_ask *asks, size_t count,
                                  struct limit_grant *ret_grants) {
    struct redis *redis = self;
    assert_false(redis->house->in_turn);
    assert_true(count <= 8);
    redis->takes++;
    redis->asked_count = count;
    memcpy(redis->asked, asks, count * sizeof *asks);
    if (redis->take_fails) return redis->take_fails;
    for (size_t i = 0; i < count; i++) {
        bool lost = redis->forgot || (redis->forgot_one && !i);
        assert_true(asks[i].rule_count > 0 && asks[i].hold_us > 0);
        redis->given[i] = lost ? 0 : asks[i].want < redis->grants ? asks[i].want : redis->grants;
        ret_grants[i] = (struct limit_grant){.ticket = {redis, (int64_t)redis->takes, (int64_t)i + 1},
                                             .granted = redis->given[i],
                                             .lost = lost,
                                             .wait_us = redis->wait_us,
                                             .quiet_us = redis->spell_us};
    }
    redis->forgot = redis->forgot_one = false;
    return ERR_NONE;
}

static inline void redis_started(void *self, const struct limit_use *uses, size_t count) {
    struct redis *redis = self;
    assert_false(redis->house->in_turn);
    redis->used_count = count;
    for (size_t i = 0; i < count; i++) {
        redis->started[i] = uses[i].started;
        redis->starting[i] = uses[i].starting;
    }
}

static inline void redis_began(void *self, struct limit_ticket ticket, size_t started) {
    struct redis *redis = self;
    assert_ptr_equal(ticket.limit, redis);
    assert_true(ticket.call > 0 && ticket.take > 0);
    redis->began++;
    redis->flew += started;
}

static inline void redis_quiet(void *self, struct str limit, int64_t for_us) {
    struct redis *redis = self;
    (void)limit;
    assert_false(redis->house->in_turn);
    redis->quiet_us = for_us;
    redis->quiets++;
}

static inline enum err redis_teach(void *self, const struct limit_ask *ask, const int64_t *ages_us, size_t count) {
    struct redis *redis = self;
    assert_false(redis->house->in_turn);
    assert_true(ask->rule_count > 0 && (count == 0 || ages_us[0] >= 0));
    redis->lessons++;
    redis->taught += count;
    for (size_t i = 0; i < count; i++)
        if (ages_us[i] > redis->oldest_us) redis->oldest_us = ages_us[i];
    if (redis->teach_fails && redis->teach_fails--) return ERR_IO;
    return redis->take_fails;
}

static inline const char *redis_trouble(void *self) {
    (void)self;
    return "away";
}

#endif
