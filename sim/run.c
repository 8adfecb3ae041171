#include "sim/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bulk.h"
#include "sim/oracle.h"
#include "sim/replays.h"
#include "store/query.h"

#define FAULTS_US       (20 * US_PER_MIN) /* the world misbehaves this long */
#define SETTLE_US       (30 * US_PER_HOUR)
#define CLIENT_US       (2 * US_PER_S) /* a client tries again after this */
#define FAULT_KINDS     9
#define PLANS_ENDED_MAX 30 /* words, a minute apart */

struct run {
    struct plant plant;
    struct oracle *oracle;
    struct swarm swarm;
    struct replays replays;
    struct rng rng;
    bool faulty;                                 /* the spell of faults */
    uint64_t chance[RECEIVERS_MAX][FAULT_KINDS]; /* per mille, by the seed */
    uint64_t crash_chance, full_chance, sync_chance;
    int64_t ahead_us; /* how much the calendar was ahead until the first death */
};

/* ---- receivers ---- */

enum fault { BUSY, BUSY_DONE, LATE_DONE, LATE_NOTHING, CUT_DONE, CUT_NOTHING, TOO_MANY, UNREACHED, REFUSES };

static struct behaviour misbehave(struct run *run, enum fault fault, bool knows_key) {
    static const char *const seconds[] = {"2", "7", "30"};
    struct behaviour behaviour = {.kind = ANSWER, .status = 200, .effect = true};
    switch (fault) {
    case BUSY:
        behaviour.status = 503, behaviour.effect = false;
        break;
    case BUSY_DONE:
        behaviour.status = 503, behaviour.effect = knows_key;
        break;
    case LATE_DONE:
        behaviour.kind = TIMEOUT;
        break;
    case LATE_NOTHING:
        behaviour.kind = TIMEOUT, behaviour.effect = false;
        break;
    case CUT_DONE:
        behaviour.kind = CUT;
        break;
    case CUT_NOTHING:
        behaviour.kind = CUT, behaviour.effect = false;
        break;
    case TOO_MANY:
        behaviour.status = 429, behaviour.effect = false;
        behaviour.header_name = STR("Retry-After");
        behaviour.header_value = str_from(seconds[rng_below(&run->rng, 3)]);
        break;
    case UNREACHED:
        behaviour.kind = NO_CONNECT, behaviour.effect = false;
        break;
    case REFUSES:
        behaviour.status = 400, behaviour.effect = false;
        break;
    }
    return behaviour;
}

static struct str header_of(const struct outgoing *outgoing, struct str name) {
    for (size_t i = 0; i < outgoing->header_count; i++)
        if (str_eq_nocase(outgoing->headers[i].name, name)) return outgoing->headers[i].value;
    return STR("");
}

static struct behaviour behave(void *self, struct receiver *receiver, const struct outgoing *outgoing, bool lookup) {
    struct run *run = self;
    struct str key = header_of(outgoing, STR("Idempotency-Key"));
    const struct site *site = swarm_site(&run->swarm, str_from(receiver->name));
    bool knows_key = site->kind == SITE_HOOK || site->kind == SITE_LEDGER || site->kind == SITE_BULK;
    struct behaviour behaviour = {.kind = ANSWER, .status = 200, .effect = true};
    size_t row = (size_t)(receiver - run->plant.world->receivers);
    for (int i = 0; run->faulty && i < FAULT_KINDS; i++)
        if (rng_below(&run->rng, 1000) < run->chance[row][i]) {
            behaviour = misbehave(run, (enum fault)i, knows_key);
            break;
        }
    if (site->kind == SITE_BULK && bulk_refuses(outgoing->body)) behaviour = misbehave(run, REFUSES, knows_key);
    if (lookup && behaviour.kind == ANSWER && behaviour.status == 200)
        behaviour.body = world_effect(receiver, key) ? STR("{\"found\":true}") : STR("{\"found\":false}");
    if (knows_key && world_effect(receiver, key)) behaviour.effect = false; /* the effect exists already */
    behaviour.latency_us = (int64_t)(1 + rng_below(&run->rng, rng_below(&run->rng, 20) ? 200 : 4000)) * US_PER_MS;
    return behaviour;
}

static void hear(void *self, struct receiver *receiver, const struct send *send) {
    oracle_hear(((struct run *)self)->oracle, receiver, send);
}

/* ---- clients ---- */

static void answer(void *self, uint64_t tag, const struct reply *reply) {
    struct run *run = self;
    if (tag < FACTS_MAX) oracle_answer(run->oracle, &run->oracle->facts[tag], reply);
}

static void draw_facts(struct run *run) {
    struct oracle *oracle = run->oracle;
    oracle->fact_count = 40 + rng_below(&run->rng, 160);
    for (size_t i = 0; i < oracle->fact_count; i++) {
        struct fact *fact = &oracle->facts[i];
        fact->post_us = WORLD_START_US + (int64_t)rng_below(&run->rng, FAULTS_US - US_PER_MIN);
        fact->n = (int32_t)i;
        fact->k = (int32_t)rng_below(&run->rng, 8);
        snprintf(fact->key, sizeof fact->key, "fact-%zu", i);
        fact->runaway = rng_below(&run->rng, 1000) < run->swarm.runaway_chance;
        if (rng_below(&run->rng, 10) == 0)
            fact->scheduled_us = fact->post_us + (int64_t)rng_below(&run->rng, US_PER_HOUR);
    }
    for (size_t i = 5; i < oracle->fact_count; i += 11) {
        struct fact *fact = &oracle->facts[i];
        fact->conflicting = true;
        fact->of = i - 1;
        fact->post_us = WORLD_START_US + FAULTS_US;
        memcpy(fact->key, oracle->facts[i - 1].key, sizeof fact->key);
    }
}

static void post(struct run *run, size_t index) {
    struct fact *fact = &run->oracle->facts[index];
    struct arena arena = ARENA_EMPTY;
    struct buf body = {.arena = &arena};
    buf_fmt(&body, "{\"type\":\"LEAD\",\"source\":\"sim\",\"idempotency_key\":\"%s\",\"payload\":%.*s", fact->key,
            STR_ARG(oracle_payload(fact, &arena)));
    if (fact->scheduled_us) buf_fmt(&body, ",\"scheduled_at\":\"%.*s\"", STR_ARG(when_str(&arena, fact->scheduled_us)));
    buf_byte(&body, '}');
    fact->posted_us = run->plant.world->now_us;
    fact->posts++;
    world_post(run->plant.world, index, STR("POST"), STR("/v1/events"), buf_str(&body));
    arena_free(&arena);
}

/* The next moment at which some client acts; some post a second time although they were answered. */
static int64_t next_post(struct run *run, size_t *ret_fact) {
    int64_t next_us = WHEN_NEVER;
    for (size_t i = 0; i < run->oracle->fact_count; i++) {
        const struct fact *fact = &run->oracle->facts[i];
        bool again = fact->acked && fact->posts < 2 && i % 7 == 0;
        if (fact->acked && !again) continue;
        if (fact->conflicting && !run->oracle->facts[fact->of].acked) continue; /* the first one must be stored */
        int64_t at_us = fact->posted_us ? fact->posted_us + CLIENT_US : fact->post_us;
        if (at_us < next_us) {
            next_us = at_us;
            *ret_fact = i;
        }
    }
    return next_us;
}

/* ---- faults ---- */

static void draw_faults(struct run *run) {
    for (int i = 0; i < RECEIVERS_MAX; i++)
        for (int j = 0; j < FAULT_KINDS; j++)
            if (rng_below(&run->rng, 3) == 0) run->chance[i][j] = rng_below(&run->rng, 250);
    if (rng_below(&run->rng, 4) == 0) run->chance[rng_below(&run->rng, 4)][BUSY] = 900; /* one receiver is down */
    if (rng_below(&run->rng, 2)) run->crash_chance = 20 + rng_below(&run->rng, 150);
    if (rng_below(&run->rng, 4) == 0) run->full_chance = 30;
    if (rng_below(&run->rng, 4) == 0) run->sync_chance = 20;
    if (run->swarm.standing) return;
    if (rng_below(&run->rng, 3) == 0) run->plant.world->slow_chance = 1 + rng_below(&run->rng, 40);
    if (rng_below(&run->rng, 4) == 0) run->ahead_us = (int64_t)rng_below(&run->rng, 3 * US_PER_HOUR);
    run->plant.world->wall_offset_us = run->ahead_us;
    run->swarm.ahead = run->ahead_us > 0;
}

static void strike(struct run *run) {
    struct world *world = run->plant.world;
    if (world->now_us >= world->full_until_us) disk_limit(world->disk, SIZE_MAX);
    if (!run->faulty) return;
    if (rng_below(&run->rng, 1000) < run->crash_chance) world->die_at = world->calls + 1 + rng_below(&run->rng, 120);
    if (rng_below(&run->rng, 1000) < run->full_chance) {
        disk_limit(world->disk, disk_bytes(world->disk) + rng_below(&run->rng, 65536));
        world->full_until_us = world->now_us + (int64_t)rng_below(&run->rng, US_PER_MIN);
    }
    if (rng_below(&run->rng, 1000) < run->sync_chance) disk_fail_syncs(world->disk, 1);
}

/* ---- people ---- */

static void say(struct run *run, struct str path, struct str body) {
    world_post(run->plant.world, FACTS_MAX, STR("POST"), path, body);
}

/* A person's word about a delivery may double an effect, or take it out of its order: the fact is let off. False:
 * no client was told of the event yet, so that nobody knows which fact it is. */
static bool note_act(struct run *run, const struct uuid *event_id) {
    struct fact *fact = oracle_fact(run->oracle, *event_id);
    if (fact) fact->acted = true;
    return fact != NULL;
}

static void act_on_delivery(struct run *run, struct arena *arena) {
    static const char *const acts[] = {"retry", "cancel", "resolve"};
    static const char *const bodies[] = {"{\"as\":\"delivered\"}", "{\"as\":\"not-delivered\"}", "{\"as\":\"retry\"}"};
    static const int statuses[] = {DELIVERY_HELD, DELIVERY_FAILED, DELIVERY_PENDING, DELIVERY_UNKNOWN};
    struct delivery_query query = {.status = statuses[rng_below(&run->rng, 4)], .limit = 20};
    struct delivery *deliveries;
    size_t count = 0;
    if (!run->plant.store || store_begin(run->plant.store)) return;
    enum err err = store_delivery_list(run->plant.store, &query, arena, &deliveries, &count);
    store_rollback(run->plant.store);
    if (err || !count) return;
    const struct delivery *delivery = &deliveries[rng_below(&run->rng, count)];
    size_t act = rng_below(&run->rng, 3);
    if (!note_act(run, &delivery->event_id)) return;
    say(run, str_fmt(arena, "/v1/deliveries/%.*s/%s", STR_ARG(uuid_str(arena, delivery->id)), acts[act]),
        act == 2 ? str_from(bodies[rng_below(&run->rng, 3)]) : STR("{}"));
}

static void act_on_event(struct run *run, struct arena *arena) {
    struct fact *fact = &run->oracle->facts[rng_below(&run->rng, run->oracle->fact_count)];
    if (!fact->id[0]) return;
    fact->acted = fact->cancelled = true;
    say(run, str_fmt(arena, "/v1/events/%s/%s", fact->id, rng_below(&run->rng, 2) ? "retry" : "cancel"), STR("{}"));
}

/* A fact that is posted again, or whose key another payload names, must stay. */
static bool may_go(const struct fact *facts, const struct fact *fact) {
    size_t index = (size_t)(fact - facts);
    return fact->id[0] && !fact->conflicting && index % 7 && index % 11 != 4;
}

/* Somebody cleans up by SQL, between two turns: events go, and leave behind the deliveries that wait. */
static void delete_events(struct run *run, struct arena *arena) {
    struct delivery_query query = {.status = DELIVERY_PENDING, .limit = 20};
    struct plant *plant = &run->plant;
    struct delivery *deliveries;
    size_t count = 0;
    if (!plant->store || store_begin(plant->store)) return;
    if (store_delivery_list(plant->store, &query, arena, &deliveries, &count)) count = 0;
    struct buf sql = {.arena = arena};
    buf_add(&sql, STR("DELETE FROM marketing_events WHERE idempotency_key IN (''"));
    struct fact *facts = run->oracle->facts;
    for (size_t i = 0; i < run->oracle->fact_count; i++)
        for (size_t j = 0; j < count; j++) {
            if (!may_go(facts, &facts[i]) || !str_eq(uuid_str(arena, deliveries[j].event_id), str_from(facts[i].id)))
                continue;
            facts[i].deleted = facts[i].acted = facts[i].cancelled = true;
            facts[i].deleted_us = plant->world->now_us;
            buf_fmt(&sql, ", '%s'", facts[i].key);
        }
    buf_byte(&sql, ')');
    struct sql_result result;
    if (plant->driver.script(plant->driver.self, buf_str(&sql), arena, &result) || store_commit(plant->store))
        store_rollback(plant->store);
}

static void act(struct run *run) {
    struct arena arena = ARENA_EMPTY;
    const struct site *site = &run->swarm.sites[rng_below(&run->rng, run->swarm.count)];
    switch (rng_below(&run->rng, 8)) {
    case 0:
        say(run, str_fmt(&arena, "/v1/destinations/%s/pause", site->name), STR("{}"));
        break;
    case 1:
        say(run, str_fmt(&arena, "/v1/destinations/%s/resume", site->name), STR("{}"));
        break;
    case 2:
        act_on_event(run, &arena);
        break;
    case 3:
        delete_events(run, &arena);
        break;
    default:
        act_on_delivery(run, &arena);
    }
    arena_free(&arena);
}

static void reload(struct run *run) {
    struct swarm *swarm = &run->swarm;
    if (run->plant.world->now_us < swarm->reloaded_us + US_PER_MIN ||
        swarm->owed_count == sizeof swarm->owed / sizeof *swarm->owed)
        return;
    if (!plant_may_apply(&run->plant)) return;
    struct arena arena = ARENA_EMPTY;
    swarm_change(swarm, &run->rng, run->plant.world);
    if (!plant_apply(&run->plant, swarm_config(swarm, &arena), swarm_connector())) {
        if (run->plant.problem.n) oracle_fail(run->oracle, "config", "%.*s", STR_ARG(run->plant.problem));
        plant_crash(&run->plant); /* the store failed while the new configuration read it: the process ends */
    }
    arena_free(&arena);
}

static void let_people_act(struct run *run) {
    struct world *world = run->plant.world;
    if (run->plant.deaths && run->ahead_us) world->wall_offset_us = run->ahead_us = 0;
    if (!run->faulty) return;
    if (rng_below(&run->rng, 1000) < run->swarm.act_chance) act(run);
    if (rng_below(&run->rng, 1000) < run->swarm.reload_chance) reload(run);
    if (rng_below(&run->replays.rng, 1000) < run->replays.chance) replays_act(&run->replays, run->oracle);
}

static void resume_all(struct run *run) {
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < run->swarm.count && run->swarm.act_chance; i++)
        say(run, str_fmt(&arena, "/v1/destinations/%s/resume", run->swarm.sites[i].name), STR("{}"));
    arena_free(&arena);
}

/* ---- the run ---- */

/* Every third seed shares its limits with others: in half of them these take places, in half there is trouble. */
static void draw_limits(struct run *run, uint64_t seed) {
    static const enum redis_failure policies[] = {REDIS_FAIL_LOCAL, REDIS_CLOSED};
    if (seed % 3) return;
    enum seam_mood mood = rng_below(&run->rng, 2) ? SEAM_CROWDED : SEAM_TROUBLED;
    run->plant.limits = seam_limits_new(run->plant.world, mood, WORLD_START_US + FAULTS_US);
    run->plant.redis_failure = policies[rng_below(&run->rng, 2)];
}

static bool advance(struct run *run, int64_t until_us) {
    if (plant_run(&run->plant, until_us)) return true;
    oracle_fail(run->oracle, "I19", "%.*s (%s)", STR_ARG(run->plant.problem), err_code(run->plant.refused));
    return false;
}

static void play(struct run *run) {
    const int64_t end_of_faults_us = WORLD_START_US + FAULTS_US;
    size_t fact = 0;
    run->faulty = true;
    while (!run->oracle->verdict->failed) {
        int64_t at_us = next_post(run, &fact);
        if (run->faulty && at_us > end_of_faults_us) at_us = end_of_faults_us;
        if (at_us == WHEN_NEVER) break;
        if (!advance(run, at_us)) return;
        if (run->plant.world->now_us >= end_of_faults_us) run->faulty = false;
        strike(run);
        let_people_act(run);
        if (next_post(run, &fact) <= run->plant.world->now_us) post(run, fact);
        if (run->plant.world->now_us > end_of_faults_us + US_PER_HOUR)
            break; /* whoever is not answered by now never is */
    }
    run->plant.world->die_at = 0;
    run->plant.world->slow_chance = 0;
    disk_limit(run->plant.world->disk, SIZE_MAX);
    disk_fail_syncs(run->plant.world->disk, 0);
    resume_all(run);
    for (int i = 0; i < PLANS_ENDED_MAX && run->replays.chance && replays_end(run->oracle); i++)
        if (!advance(run, run->plant.world->now_us + US_PER_MIN)) return;
    if (run->oracle->verdict->failed || !advance(run, run->plant.world->now_us + SETTLE_US)) return;
    oracle_end(run->oracle);
}

struct verdict run_seed(uint64_t seed, bool lying_disk, struct ready *ready) {
    struct verdict verdict = {0};
    struct run *run = calloc(1, sizeof *run);
    struct oracle *oracle = calloc(1, sizeof *oracle);
    if (!run || !oracle) abort();
    struct world *world = world_new(seed);
    rng_seed(&run->rng, seed ^ 0x5eed);
    run->plant.world = world;
    run->oracle = oracle;
    *oracle = (struct oracle){.plant = &run->plant, .swarm = &run->swarm, .verdict = &verdict};
    swarm_draw(&run->swarm, &run->rng, seed % 2 == 0);
    replays_draw(&run->replays, seed, run->swarm.standing);
    run->plant.meters_max = run->swarm.rooms_max;
    for (size_t i = 0; i < run->swarm.count; i++) world_receiver(world, str_from(run->swarm.sites[i].host));
    world->behave = behave;
    world->hear = hear;
    world->reply = answer;
    world->self = run;
    disk_lie(world->disk, lying_disk);
    draw_facts(run);
    draw_faults(run);
    draw_limits(run, seed);
    struct str config = swarm_config(&run->swarm, &run->plant.arena);
    bool ready_made = run->swarm.standing;
    snprintf(verdict.drawn, sizeof verdict.drawn,
             "%.*srooms at a time: %zu (0 = all)\nper mille: acts %llu, reloads %llu, replays %llu, runaways %llu, "
             "slow disk %llu\n",
             STR_ARG(config), run->swarm.rooms_max, (unsigned long long)run->swarm.act_chance,
             (unsigned long long)run->swarm.reload_chance, (unsigned long long)run->replays.chance,
             (unsigned long long)run->swarm.runaway_chance, (unsigned long long)world->slow_chance);
    if (ready_made ? plant_load_once(&run->plant, ready, config, swarm_connector())
                   : plant_load(&run->plant, config, swarm_connector()))
        play(run);
    else
        oracle_fail(oracle, "config", "%.*s", STR_ARG(run->plant.problem));
    verdict.hash = world->hash;
    verdict.calls = world->calls;
    verdict.deaths = run->plant.deaths;
    verdict.virtual_us = world->now_us - WORLD_START_US;
    for (size_t i = 0; i < world->receiver_count; i++) verdict.sends += world->receivers[i].send_count;
    verdict.events = oracle->fact_count;
    if (ready_made) plant_keep(&run->plant, ready);
    plant_end(&run->plant);
    seam_limits_free(run->plant.limits);
    world_free(world);
    free(oracle);
    free(run);
    return verdict;
}
