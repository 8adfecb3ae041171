/* sim/replays.h - people who send again while a seed runs: plans are made, let go, paused, resumed and cancelled, and
 * the process dies in between. At the end each plan is held against what was sent. */
#ifndef SIM_REPLAYS_H
#define SIM_REPLAYS_H

#include "sim/oracle.h"

struct replays {
    struct rng rng;  /* of its own: what is drawn here shifts nothing else of the seed */
    uint64_t chance; /* per mille, at each step of the workload; 0 = nobody sends again */
    size_t wished;
};

void replays_draw(struct replays *replays, uint64_t seed, bool standing);
/* A word of somebody, between two turns: another plan, or how one of the last goes on. */
void replays_act(struct replays *replays, struct oracle *oracle);
/* After the faults: the next word that brings a plan to its end; false when all are there. */
bool replays_end(struct oracle *oracle);
/* In a transaction of the store, at the end: exactly what the plans said was made, once, in order (I5, I14, I19). Notes
 * in each fact how often it was sent again. */
void replays_check(struct oracle *oracle, struct arena *arena);

#endif
