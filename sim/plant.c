#include "sim/plant.h"

#include <stdlib.h>
#include <string.h>

#include "base/jq.h"
#include "store/sqlite.h"

#define STARTS_MAX 100    /* deaths in a row while starting */
#define SPINS_MAX  100000 /* turns without time going on */

static bool no_secret(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note) {
    (void)self;
    *ret_value = str_fmt(arena, "secret-%.*s", STR_ARG(name));
    *ret_note = STR("");
    return true;
}

static struct setup *load(struct plant *plant, struct str config, struct str connector) {
    const struct secret_source secrets = {.lookup = no_secret, .self = NULL};
    struct findings findings = {.arena = &plant->arena};
    const struct setup_input input = {
        .file = STR("scenario.yaml"), .text = config, .secrets = &secrets, .connector_text = connector};
    struct setup *setup = setup_load(&input, &findings);
    if (!setup) plant->problem = findings_text(&plant->arena, &findings);
    return setup;
}

static bool start_engine(struct plant *plant) {
    plant->jq = NULL;
    plant->evaluator = (struct evaluator){0};
    if (plant->setup->program.n == 0) return true;
    if (jq_open(plant->setup->program, &plant->jq, &plant->arena, &plant->problem)) return false;
    plant->evaluator = seam_evaluator(plant->jq);
    return true;
}

bool plant_load(struct plant *plant, struct str config, struct str connector) {
    plant->setup = load(plant, config, connector);
    return plant->setup && start_engine(plant);
}

bool plant_load_once(struct plant *plant, struct ready *ready, struct str config, struct str connector) {
    if (!ready->setup) return plant_load(plant, config, connector);
    plant->setup = ready->setup;
    plant->jq = ready->jq;
    plant->evaluator = ready->evaluator;
    *ready = (struct ready){0};
    return true;
}

/* Puts the configuration back into `ready`, unless another one took its place meanwhile. */
void plant_keep(struct plant *plant, struct ready *ready) {
    if (plant->changed) return;
    *ready = (struct ready){plant->setup, plant->jq, plant->evaluator};
    plant->setup = NULL;
    plant->jq = NULL;
}

void ready_free(struct ready *ready) {
    if (ready->jq) jq_close(ready->jq);
    setup_free(ready->setup);
}

static void retired_free(struct retired *retired) {
    if (retired->jq) jq_close(retired->jq);
    setup_free(retired->setup);
}

/* Those that nothing in flight points at are over. */
static void forget_unused(struct plant *plant) {
    size_t kept = 0;
    for (size_t i = 0; i < plant->retired_count; i++) {
        struct retired *retired = &plant->retired[i];
        if (plant->loop && loop_uses(plant->loop, retired->setup->settings))
            plant->retired[kept++] = *retired;
        else
            retired_free(retired);
    }
    plant->retired_count = kept;
}

bool plant_may_apply(struct plant *plant) {
    forget_unused(plant);
    return plant->retired_count < PLANT_RETIRED_MAX;
}

bool plant_apply(struct plant *plant, struct str config, struct str connector) {
    plant->problem = STR_NONE; /* a start that a full disk stopped left its own, although a later one went well */
    struct setup *setup = load(plant, config, connector);
    if (!setup) return false;
    if (!plant_may_apply(plant)) {
        plant->problem = STR("too many calls are under way under older configurations");
        setup_free(setup);
        return false;
    }
    plant->retired[plant->retired_count++] = (struct retired){plant->setup, plant->jq};
    plant->changed = true;
    plant->setup = setup;
    if (!start_engine(plant)) return false;
    return !plant->loop || !loop_apply(plant->loop, setup_in_force(setup, &plant->evaluator));
}

static enum err open_all(struct plant *plant) {
    struct world *world = plant->world;
    const struct sqlite_options sqlite = {.path = STR("drumbeat.db"), .vfs = DISK_VFS_NAME, .wal_bound_bytes = 1 << 20};
    static const struct log silent = {.fd = -1, .level = LOG_ERROR};
    world->start_offset_us = world->wall_offset_us;
    TRY(sqlite_open(&sqlite, &plant->arena, &plant->driver, &plant->problem));
    plant->driver_open = true;
    TRY(store_open(&plant->driver, world->now_us + world->wall_offset_us, &plant->arena, &plant->store,
                   &plant->problem));
    const struct api_options api = {.log = &silent};
    plant->api = api_new(&api);
    struct shared_limits limits = plant->limits ? seam_shared_limits(plant->limits) : (struct shared_limits){0};
    const struct loop_options options = {.clock = world_clock(world),
                                         .inlet = world_inlet(world),
                                         .transport = world_transport(world),
                                         .folders = shelf_seam(world->shelf),
                                         .evaluators = seam_evaluators(),
                                         .parse = config_parse,
                                         .store = plant->store,
                                         .log = &silent,
                                         .instance =
                                             str_fmt(&plant->arena, "instance-%llu", (unsigned long long)plant->starts),
                                         .seed = rng_u64(&world->rng),
                                         .slots = 256,
                                         .meters_max = plant->meters_max,
                                         .limits = limits,
                                         .redis_failure = plant->redis_failure,
                                         .exclusive = true,
                                         .service = api_service(plant->api),
                                         .version = STR("simulated"),
                                         .store_text = STR("simulated")};
    return loop_open(&options, setup_in_force(plant->setup, &plant->evaluator), &plant->loop, &plant->problem);
}

static void drop_all(struct plant *plant) {
    if (plant->loop) loop_close(plant->loop);
    if (plant->api) api_free(plant->api);
    plant->api = NULL;
    if (plant->store) store_close(plant->store);
    if (plant->driver_open) plant->driver.close(plant->driver.self);
    plant->loop = NULL;
    plant->store = NULL;
    plant->driver_open = false;
}

static bool start(struct plant *plant) {
    for (int i = 0; i < STARTS_MAX; i++) {
        plant->starts++;
        enum err err = open_all(plant);
        if (!err) return true;
        bool died = plant->world->dead;
        drop_all(plant);
        if (died || err == ERR_STORE_FAILED || err == ERR_STORE_FULL) { /* it starts again, as under a supervisor */
            plant->deaths++;
            world_crash(plant->world);
            plant->world->now_us += US_PER_S; /* a supervisor waits a little */
            if (plant->world->now_us >= plant->world->full_until_us) disk_limit(plant->world->disk, SIZE_MAX);
            continue;
        }
        plant->refused = err;
        return false;
    }
    plant->refused = ERR_STORE_FAILED;
    plant->problem = STR("it dies again and again while starting");
    return false;
}

void plant_crash(struct plant *plant) {
    plant->deaths++;
    plant->world->dead = true; /* closing writes nothing any more */
    drop_all(plant);
    world_crash(plant->world);
    plant->world->now_us += 50 * US_PER_MS; /* a process needs a while to start */
}

bool plant_run(struct plant *plant, int64_t until_us) {
    struct world *world = plant->world;
    int64_t last_us = -1;
    size_t spins = 0;
    world->horizon_us = until_us;
    while (world->now_us < until_us || world->waiting_count) {
        if (!plant->loop && !start(plant)) return false;
        enum err err = loop_turn(plant->loop);
        if (err || world->dead) {
            plant_crash(plant);
            continue;
        }
        loop_wait(plant->loop, WHEN_NEVER); /* the horizon ends it */
        spins = world->now_us == last_us ? spins + 1 : 0;
        last_us = world->now_us;
        if (spins > SPINS_MAX) {
            plant->problem = STR("the loop turns without time going on");
            return false;
        }
    }
    return true;
}

void plant_end(struct plant *plant) {
    plant->world->dead = true;
    drop_all(plant);
    if (plant->jq) jq_close(plant->jq);
    for (size_t i = 0; i < plant->retired_count; i++) retired_free(&plant->retired[i]);
    setup_free(plant->setup);
    arena_free(&plant->arena);
}
