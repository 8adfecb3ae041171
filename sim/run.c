#include "sim/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/oracle.h"

#define FAULTS_US   (20 * US_PER_MIN) /* the world misbehaves this long */
#define SETTLE_US   (30 * US_PER_HOUR)
#define CLIENT_US   (2 * US_PER_S) /* a client tries again after this */
#define FAULT_KINDS 9

/* The receiver tells calls apart by these headers; the provider it plays knows no keys. */
#define MARKS "headers: {X-Drumbeat-Event: \"${event.id}\", Idempotency-Key: \"${delivery.id}\"}"

static const char connector[] = "version: 1\nname: asked\nabout: A provider without keys that can be asked.\n"
                                "fields: {server: {required: true}}\n"
                                "actions:\n  post:\n    params: {text: required}\n"
                                "    request: {url: \"${field.server}/posts\", " MARKS ", json: {text: \"${.text}\"}}\n"
                                "    lookup:\n"
                                "      request: {url: \"${field.server}/find\", " MARKS "}\n"
                                "      answers:\n"
                                "        - {status: 200, when: .found == true, is: found}\n"
                                "        - {status: 200, is: absent}\n"
                                "      settle: 20s\n";
static const char config[] =
    "version: 1\nstore: drumbeat.db\ndestinations:\n"
    "  crm: {url: \"http://crm.test/x\", limit: [5/1s, 60/1m], concurrency: 4, timeout: 5s}\n"
    "  mail: {url: \"http://mail.test/x\", on_unknown: hold, concurrency: 3, timeout: 5s}\n"
    "  social: {type: asked, server: \"http://social.test\", concurrency: 2, timeout: 5s, limit: 100/1m}\n"
    "  ledger: {url: \"http://ledger.test/x\", concurrency: 8, timeout: 5s, breaker: off}\n"
    "routes:\n"
    "  all:\n    from: \"*\"\n    to:\n      - crm\n      - mail\n      - social.post: {text: \"n ${.n}\"}\n"
    "      - ledger: {order_by: .k}\n"
    "  even:\n    from: \"*\"\n    when: .n % 2 == 0\n    to:\n      - crm: {body: {even: \"${.n}\"}}\n";

struct run {
    struct plant plant;
    struct oracle *oracle;
    struct rng rng;
    bool faulty;                                 /* the spell of faults */
    uint64_t chance[RECEIVERS_MAX][FAULT_KINDS]; /* per mille, by the seed */
    uint64_t crash_chance, full_chance, sync_chance;
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
    bool knows_key = strcmp(receiver->name, "crm") == 0 || strcmp(receiver->name, "ledger") == 0;
    struct behaviour behaviour = {.kind = ANSWER, .status = 200, .effect = true};
    size_t row = (size_t)(receiver - run->plant.world->receivers);
    for (int i = 0; run->faulty && i < FAULT_KINDS; i++)
        if (rng_below(&run->rng, 1000) < run->chance[row][i]) {
            behaviour = misbehave(run, (enum fault)i, knows_key);
            break;
        }
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
    oracle_answer(run->oracle, &run->oracle->facts[tag], reply);
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
    buf_fmt(&body,
            "{\"type\":\"LEAD\",\"source\":\"sim\",\"idempotency_key\":\"%s\",\"payload\":{\"n\": %d, \"k\":\"%d\"}",
            fact->key, fact->n, fact->k);
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
        if (next_post(run, &fact) <= run->plant.world->now_us) post(run, fact);
        if (run->plant.world->now_us > end_of_faults_us + US_PER_HOUR)
            break; /* whoever is not answered by now never is */
    }
    run->plant.world->die_at = 0;
    disk_limit(run->plant.world->disk, SIZE_MAX);
    disk_fail_syncs(run->plant.world->disk, 0);
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
    *oracle = (struct oracle){.plant = &run->plant, .verdict = &verdict};
    const char *const names[] = {"crm", "mail", "social", "ledger"};
    for (int i = 0; i < 4; i++) world_receiver(world, str_from(names[i]));
    world->behave = behave;
    world->hear = hear;
    world->reply = answer;
    world->self = run;
    disk_lie(world->disk, lying_disk);
    draw_facts(run);
    draw_faults(run);
    draw_limits(run, seed);
    if (plant_load_once(&run->plant, ready, STR(config), STR(connector)))
        play(run);
    else
        oracle_fail(oracle, "config", "%.*s", STR_ARG(run->plant.problem));
    verdict.hash = world->hash;
    verdict.calls = world->calls;
    verdict.deaths = run->plant.deaths;
    verdict.virtual_us = world->now_us - WORLD_START_US;
    for (size_t i = 0; i < world->receiver_count; i++) verdict.sends += world->receivers[i].send_count;
    verdict.events = oracle->fact_count;
    plant_keep(&run->plant, ready);
    plant_end(&run->plant);
    seam_limits_free(run->plant.limits);
    world_free(world);
    free(oracle);
    free(run);
    return verdict;
}
