/* sim/run.h - one seed: a workload, faults drawn by the seed, and the
 * invariants checked on the way and at the end. docs/simulation.md lists them. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "sim/plant.h"

struct verdict {
    bool failed;
    char rule[8]; /* "I7" */
    char text[240];
    char drawn[4096]; /* the configuration it began with, and how often people act */
    uint64_t hash, calls, deaths, sends, events;
    uint64_t plans, runs; /* plans to send again that came to their end, and what they made */
    int64_t virtual_us;
};
/* ready keeps the configuration for the next seed. */
struct verdict run_seed(uint64_t seed, bool lying_disk, struct ready *ready);

#endif
