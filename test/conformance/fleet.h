/* test/conformance/fleet.h - several processes on one PostgreSQL, all in this
 * one: each a house (test/unit/engine/house.h) with a connection of its own, one
 * clock for all, a turn at a time in any order. Limits through the store and
 * instances go by the server's clock, so their tests use long windows.
 *
 * What one tells at its commit the others have heard at once, unless the fleet
 * is deaf. fleet_acts.h says what happens in it; tests include that. */
#ifndef CONFORMANCE_FLEET_H
#define CONFORMANCE_FLEET_H

#include "../unit/engine/house_acts.h"
#include "../unit/engine/house_begun.h"
#include "fixture.h"

#include "share/share.h"
#include "store/shared.h"
#include "store/sql.h"

#define FLEET_MAX 4

struct fleet;
struct member {
    struct house house; /* first: what is a house's self is a member's too */
    struct fleet *fleet;
    struct share *share;            /* NULL = none */
    unsigned news, telling;         /* heard; said in this turn (enum sql_news) */
    int races;                      /* so many commits to come find another process in the way */
    bool raced_late;                /* the next commit happens, and says that it did not */
    int64_t stall_us;               /* the next commit takes so long */
    char called[HOUSE_ROOM + 1];    /* whom it sent, by the one letter of each event's key */
    int64_t started_us[HOUSE_ROOM]; /* each of the house's calls */
};
struct fleet {
    struct arena arena;
    const char *config;
    int64_t now_us;
    struct member *members[FLEET_MAX]; /* in the order they came */
    size_t count, joined;
    /* Looks at each call as it starts. */
    void (*on_start)(void *self, struct member *member, const struct outgoing *outgoing);
    void *on_start_self;
    bool deaf;                /* notifications are lost */
    bool tells_starts;        /* those who join hear when a request begins to leave (house_begin) */
    bool redis_is_away;       /* those who join share limits through one that never answers */
    struct store *copy;       /* for those who join */
    struct sql_driver beside; /* a session of the test's own */
    struct store *store;      /* over it */
};

/* ---- the driver of a member ---- */

static inline unsigned fleet_news(void *self) {
    struct member *member = self;
    unsigned news = member->news;
    member->news = 0;
    return news;
}

/* "<token> ws", as store/shared.c says it. */
static inline enum err fleet_run(void *self, const struct sql_batch *batch, struct arena *arena,
                                 struct sql_result *result) {
    struct member *member = self;
    if (batch->statement == SQL_NEWS) {
        struct str text = batch->params[0].text, letters = str_sub(text, str_find(text, ' '), SIZE_MAX);
        if (str_find(letters, 'w') != SIZE_MAX) member->telling |= SQL_NEWS_WORK;
        if (str_find(letters, 's') != SIZE_MAX) member->telling |= SQL_NEWS_STATE;
    }
    return member->house.real.run(member->house.real.self, batch, arena, result);
}

/* The body is {"k":"<key>"}. */
static inline void fleet_start(void *self, uint64_t tag, const struct outgoing *outgoing) {
    struct member *member = self;
    member->called[member->house.call_count] = outgoing->body.p[6];
    member->started_us[member->house.call_count] = member->house.now_us;
    start_call(self, tag, outgoing);
    if (member->fleet->on_start) member->fleet->on_start(member->fleet->on_start_self, member, outgoing);
}

static inline void fleet_told(struct member *member) {
    const struct fleet *fleet = member->fleet;
    for (size_t i = 0; i < fleet->count && !fleet->deaf; i++)
        if (fleet->members[i] != member) fleet->members[i]->news |= member->telling;
    member->telling = 0;
}

static inline void fleet_roll_back(void *self) {
    struct member *member = self;
    member->telling = 0;
    member->house.real.rollback(member->house.real.self);
}

static inline void fleet_pass(struct fleet *fleet, int64_t span_us) {
    fleet->now_us += span_us;
    for (size_t i = 0; i < fleet->count; i++) house_pass(&fleet->members[i]->house, span_us);
}

static inline enum err fleet_commit(void *self) {
    struct member *member = self;
    bool late = member->raced_late;
    if (member->races) {
        member->races--;
        return ERR_STORE_RACED;
    }
    TRY(commit_turn(self));
    fleet_told(member);
    fleet_pass(member->fleet, member->stall_us);
    member->stall_us = 0;
    member->raced_late = false;
    return late ? ERR_STORE_RACED : ERR_NONE;
}

#endif
