#include "sim/seams.h"
#include "model/sharing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/jq.h"
#include "model/settings.h"

#define LIMITS_MAX 64 /* a renamed destination has a limit of another name */
#define SPOTS_MAX  8192
#define SLOW_US    (50 * US_PER_MS) /* the longest that a call takes */

/* ---- the evaluator ---- */

/* A payload with a text RUNAWAY in it stands for one on which a program never ends. */
static void run_calls(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    for (size_t i = 0; i < count; i++) {
        if (memmem(calls[i].input.p, calls[i].input.n, "\"RUNAWAY\"", 9)) {
            calls[i].err = ERR_JQ_RUNAWAY;
            calls[i].result = STR("stopped: it ran longer than 250ms");
        } else {
            jq_run(self, &calls[i], arena);
        }
    }
}

struct evaluator seam_evaluator(struct jq *jq) {
    return (struct evaluator){run_calls, jq};
}

static enum err open_evaluator(void *self, struct str program, struct arena *arena, struct evaluator *ret_evaluator,
                               struct str *ret_problem) {
    struct jq *jq;
    (void)self;
    TRY(jq_open(program, &jq, arena, ret_problem));
    *ret_evaluator = seam_evaluator(jq);
    return ERR_NONE;
}

static void close_evaluator(void *self, struct evaluator evaluator) {
    (void)self;
    jq_close(evaluator.self);
}

struct evaluator_maker seam_evaluators(void) {
    return (struct evaluator_maker){open_evaluator, close_evaluator, NULL};
}

/* ---- shared limits ---- */

/* Places that count from at_us: now + hold while they are pending, then the moment of the start. */
struct spot {
    int64_t at_us;
    size_t places;
    bool open, others;
    int64_t ticket; /* of a take that flies */
};

struct seam_limit {
    char name[40];
    struct spot spots[SPOTS_MAX];
    size_t count;
    int64_t quiet_until_us;
    bool forgotten; /* and its user has not been told */
};

struct seam_limits {
    struct world *world;
    enum seam_mood mood;
    int64_t until_us;
    struct rng rng;
    struct seam_limit limits[LIMITS_MAX];
    size_t count;
    int64_t tickets;
};

struct seam_limits *seam_limits_new(struct world *world, enum seam_mood mood, int64_t until_us) {
    struct seam_limits *limits = calloc(1, sizeof *limits);
    assert(limits);
    limits->world = world;
    limits->mood = mood;
    limits->until_us = until_us;
    rng_seed(&limits->rng, rng_u64(&world->rng));
    return limits;
}

void seam_limits_free(struct seam_limits *limits) {
    free(limits);
}

static struct seam_limit *limit_of(struct seam_limits *limits, struct str name) {
    for (size_t i = 0; i < limits->count; i++)
        if (str_eq(str_from(limits->limits[i].name), name)) return &limits->limits[i];
    assert(limits->count < LIMITS_MAX && name.n < sizeof limits->limits[0].name);
    struct seam_limit *limit = &limits->limits[limits->count++];
    memcpy(limit->name, name.p, name.n);
    return limit;
}

static size_t places_in(const struct seam_limit *limit, int64_t from_us, bool only_others) {
    size_t places = 0;
    for (size_t i = 0; i < limit->count; i++)
        if (limit->spots[i].at_us > from_us && (limit->spots[i].others || !only_others))
            places += limit->spots[i].places;
    return places;
}

size_t seam_limits_others(const struct seam_limits *limits, struct str name, int64_t window_us) {
    for (size_t i = 0; i < limits->count; i++)
        if (str_eq(str_from(limits->limits[i].name), name))
            return places_in(&limits->limits[i], limits->world->now_us - window_us, true);
    return 0;
}

static size_t places_left(const struct seam_limit *limit, const struct limit_ask *ask, int64_t now_us) {
    size_t left = SIZE_MAX;
    for (size_t i = 0; i < ask->rule_count; i++) {
        size_t used = places_in(limit, now_us - ask->rules[i].window_us, false), most = (size_t)ask->rules[i].count;
        size_t free_places = used < most ? most - used : 0;
        if (free_places < left) left = free_places;
    }
    return left;
}

/* The longest window of the simulated configuration is a minute. */
static void add_spot(struct seam_limit *limit, struct spot spot, int64_t now_us) {
    size_t kept = 0;
    if (!spot.places) return;
    for (size_t i = 0; i < limit->count; i++)
        if (limit->spots[i].at_us > now_us - US_PER_HOUR && (limit->spots[i].open || limit->spots[i].places))
            limit->spots[kept++] = limit->spots[i];
    limit->count = kept;
    assert(limit->count < SPOTS_MAX);
    limit->spots[limit->count++] = spot;
}

static bool happens(struct seam_limits *limits, enum seam_mood mood, uint64_t per_mille) {
    if (limits->mood != mood || limits->world->now_us >= limits->until_us) return false;
    return rng_below(&limits->rng, 1000) < per_mille;
}

static void let_others_start(struct seam_limits *limits, struct seam_limit *limit, const struct limit_ask *ask) {
    int64_t now_us = limits->world->now_us;
    size_t left = places_left(limit, ask, now_us);
    if (left == SIZE_MAX || !happens(limits, SEAM_CROWDED, 500)) return;
    add_spot(limit, (struct spot){.at_us = now_us, .places = rng_below(&limits->rng, left + 1), .others = true},
             now_us);
}

static struct limit_grant take_one(struct seam_limits *limits, const struct limit_ask *ask) {
    struct seam_limit *limit = limit_of(limits, ask->limit);
    struct limit_grant grant = {.lost = limit->forgotten};
    int64_t now_us = limits->world->now_us;
    limit->forgotten = false;
    let_others_start(limits, limit, ask);
    grant.remaining = places_left(limit, ask, now_us);
    if (limit->quiet_until_us > now_us) grant.quiet_us = limit->quiet_until_us - now_us;
    if (!grant.lost && !grant.quiet_us) grant.granted = ask->want < grant.remaining ? ask->want : grant.remaining;
    if (grant.granted < ask->want) grant.wait_us = grant.quiet_us ? grant.quiet_us : 100 * US_PER_MS;
    grant.ticket = (struct limit_ticket){limit, 0, ++limits->tickets};
    struct spot spot = {
        .at_us = now_us + ask->hold_us, .places = grant.granted, .open = true, .ticket = grant.ticket.take};
    add_spot(limit, spot, now_us);
    return grant;
}

/* Everything is gone, as after a restart without a disk. */
static void forget(struct seam_limits *limits) {
    for (size_t i = 0; i < limits->count; i++) {
        limits->limits[i].forgotten = limits->limits[i].count > 0;
        limits->limits[i].count = 0;
    }
}

/* What a lost answer had granted stays taken, and counts until it runs out. */
static void close_open(struct seam_limits *limits) {
    for (size_t i = 0; i < limits->count; i++)
        for (size_t j = 0; j < limits->limits[i].count; j++) limits->limits[i].spots[j].open = false;
}

static enum err take(void *self, const struct limit_ask *asks, size_t count, struct limit_grant *ret_grants) {
    struct seam_limits *limits = self;
    struct world *world = limits->world;
    struct limit_grant grants[LIMIT_ASKS_MAX];
    if (world->dead) return ERR_IO;
    if (happens(limits, SEAM_TROUBLED, 100)) world->now_us += (int64_t)rng_below(&limits->rng, SLOW_US);
    if (happens(limits, SEAM_TROUBLED, 20)) forget(limits);
    bool fails = happens(limits, SEAM_TROUBLED, 100);
    if (fails && rng_below(&limits->rng, 2)) return ERR_IO;
    close_open(limits); /* of a process that died; this one asks for nothing while something is open */
    for (size_t i = 0; i < count; i++) grants[i] = take_one(limits, &asks[i]);
    for (size_t i = 0; i < count; i++) world_trace(world, "take", grants[i].granted);
    if (fails) close_open(limits);
    if (fails) return ERR_IO;
    memcpy(ret_grants, grants, count * sizeof *grants);
    return ERR_NONE;
}

static void started(void *self, const struct limit_use *uses, size_t count) {
    struct seam_limits *limits = self;
    if (limits->world->dead || happens(limits, SEAM_TROUBLED, 50)) return; /* never arrives */
    for (size_t i = 0; i < count; i++) {
        struct seam_limit *limit = limit_of(limits, uses[i].limit);
        for (size_t j = 0; j < limit->count; j++) {
            struct spot *spot = &limit->spots[j];
            if (!spot->open) continue;
            assert(uses[i].started <= spot->places);
            int64_t at_us = uses[i].starting ? spot->at_us : limits->world->now_us;
            *spot = (struct spot){.at_us = at_us, .places = uses[i].started, .ticket = spot->ticket};
        }
    }
}

static void began(void *self, struct limit_ticket ticket, size_t started) {
    struct seam_limits *limits = self;
    struct seam_limit *limit = limit_of(limits, str_from(((const struct seam_limit *)ticket.limit)->name));
    if (limits->world->dead || happens(limits, SEAM_TROUBLED, 50)) return; /* never arrives */
    for (size_t i = 0; i < limit->count; i++) {
        struct spot *spot = &limit->spots[i];
        if (spot->ticket == ticket.take && spot->places == started) spot->at_us = limits->world->now_us;
    }
}

static void quiet(void *self, struct str name, int64_t for_us) {
    struct seam_limits *limits = self;
    struct seam_limit *limit = limit_of(limits, name);
    int64_t until_us = limits->world->now_us + for_us;
    if (!for_us) limit->quiet_until_us = 0;
    if (until_us > limit->quiet_until_us && for_us) limit->quiet_until_us = until_us;
}

static enum err teach(void *self, const struct limit_ask *ask, const int64_t *ages_us, size_t count) {
    struct seam_limits *limits = self;
    struct seam_limit *limit = limit_of(limits, ask->limit);
    int64_t now_us = limits->world->now_us;
    bool is_empty = limit->count == 0;
    if (happens(limits, SEAM_TROUBLED, 100)) return ERR_IO;
    for (size_t i = 0; i < count && is_empty; i++)
        if (ages_us[i] < US_PER_HOUR) add_spot(limit, (struct spot){.at_us = now_us - ages_us[i], .places = 1}, now_us);
    return ERR_NONE;
}

static const char *trouble(void *self) {
    (void)self;
    return "simulated";
}

struct shared_limits seam_shared_limits(struct seam_limits *limits) {
    return (struct shared_limits){take, started, began, quiet, teach, trouble, limits};
}
