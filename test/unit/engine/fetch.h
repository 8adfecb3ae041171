/* test/unit/engine/fetch.h - an errand that is no delivery: a token is fetched, kept in the store by the turn that
 * settles the answer, and known in memory after its commit. Include after house_acts.h. */
#ifndef ENGINE_FETCH_H
#define ENGINE_FETCH_H

#include "engine/turn.h"

struct fetch {
    struct house *house;
    struct str url;
    bool asks_again; /* after any answer that has no token */
    int refused;     /* times that it could not start */
    int settles;     /* also of turns that were dropped */
    int learned;     /* tokens that memory has */
    uint64_t tag;    /* of the newest one */
    struct answer answer;
    bool has_token; /* in the answer that was settled last */
};

static inline enum err fetch_settle(struct turn *turn, const struct errand *errand, const struct answer *answer);
static inline void fetch_settled(struct turn *turn, const struct errand *errand) {
    struct fetch *fetch = errand->keeps;
    (void)turn;
    fetch->learned += fetch->has_token;
}

/* One at a time. */
static const struct errand_owner fetch_owner = {"token", ERRAND_RESERVE, 1, fetch_settle, fetch_settled};

static inline struct errand *fetch_stage(struct turn *turn, struct fetch *fetch, const struct errand_owner *owner,
                                         int64_t deadline_us) {
    struct errand *errand = errand_start(turn, owner, deadline_us);
    if (!errand) {
        fetch->refused++;
        return NULL;
    }
    errand->outgoing = (struct outgoing){.method = STR("POST"),
                                         .url = str_dup(&errand->arena, fetch->url),
                                         .body = STR("grant_type=refresh_token"),
                                         .allow_private = true};
    errand->keeps = fetch;
    fetch->tag = errand->tag;
    return errand;
}

static inline enum err fetch_settle(struct turn *turn, const struct errand *errand, const struct answer *answer) {
    struct fetch *fetch = errand->keeps;
    const struct sql_driver *driver = &fetch->house->driver;
    fetch->settles++;
    fetch->answer = *answer;
    fetch->answer.body = str_dup(&fetch->house->arena, answer->body);
    fetch->has_token = answer->end == EXCHANGE_ANSWERED && answer->status == 200;
    if (fetch->has_token) return driver->script(driver->self, STR("INSERT INTO token VALUES (1)"), turn->arena, NULL);
    if (fetch->asks_again) fetch_stage(turn, fetch, errand->owner, turn->now_us + US_PER_MIN);
    return ERR_NONE;
}

/* A turn of which only this much is known: what it starts leaves when the test says that it committed. */
static inline struct turn fetch_turn(struct house *house) {
    return (struct turn){.loop = house->loop, .now_us = house->now_us, .wall_us = house->wall_us};
}

static inline void fetch_start(struct fetch *fetch, int64_t deadline_us) {
    struct turn turn = fetch_turn(fetch->house);
    assert_non_null(fetch_stage(&turn, fetch, &fetch_owner, deadline_us));
    errands_commit(&turn);
}

/* What is durable. */
static inline int64_t fetch_tokens(struct house *house) {
    struct sql_result result;
    OK(house->real.script(house->real.self, STR("SELECT count(*) FROM token"), &house->arena, &result));
    return result.rows[0].values[0].number;
}

static inline struct fetch fetch_open(struct house *house, const char *config) {
    house_open(house, config);
    OK(house->real.script(house->real.self, STR("CREATE TABLE token (number INTEGER)"), &house->arena, NULL));
    return (struct fetch){.house = house, .url = STR("https://crm.example.com/token")};
}

#endif
