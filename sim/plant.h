/* sim/plant.h - the server under test in the simulated world: all of src/ but
 * the real ends of the seams. It starts again by itself whenever it dies. */
#ifndef SIM_PLANT_H
#define SIM_PLANT_H

#include "api/api.h"
#include "server/setup.h"
#include "sim/seams.h"

#define PLANT_RETIRED_MAX 8

/* A configuration with its engine, read once and run many times. Zeros = none yet. */
struct ready {
    struct setup *setup;
    struct jq *jq;
    struct evaluator evaluator;
};

struct plant {
    struct world *world;
    struct arena arena; /* configuration texts and problems */
    struct setup *setup;
    struct retired { /* what flies still points at it, and reads its answer with it */
        struct setup *setup;
        struct jq *jq;
    } retired[PLANT_RETIRED_MAX];
    size_t retired_count;
    bool changed; /* another configuration took the place of the first one */
    struct jq *jq;
    struct evaluator evaluator;
    struct seam_limits *limits; /* shared with others; NULL = this process has them alone. The caller's */
    enum redis_failure redis_failure;
    size_t meters_max; /* 0 = as many as a server bears */
    struct sql_driver driver;
    bool driver_open;
    struct store *store;
    struct api *api;
    struct loop *loop;
    uint64_t starts, deaths;
    enum err refused; /* it would not start any more */
    struct str problem;
};

/* False when the configuration is wrong; plant->problem says why. Its receivers are http://NAME.test/ */
bool plant_load(struct plant *plant, struct str config, struct str connector);
/* The same, but the configuration is taken out of `ready` if it is there. plant_keep puts it back for the next plant,
 * before plant_end. It must be the same configuration each time. */
bool plant_load_once(struct plant *plant, struct ready *ready, struct str config, struct str connector);
void plant_keep(struct plant *plant, struct ready *ready);
void ready_free(struct ready *ready);
/* Puts a new configuration in force, as `apply` does. */
bool plant_may_apply(struct plant *plant); /* not while calls are under way under too many earlier ones */
bool plant_apply(struct plant *plant, struct str config, struct str connector);
/* Turns and waits until the moment, and dies and starts again on the way as the world says. False when it does not
 * start, or spins without time going on; problem says which. */
bool plant_run(struct plant *plant, int64_t until_us);
void plant_crash(struct plant *plant); /* now */
void plant_end(struct plant *plant);   /* frees all but the world */

#endif
