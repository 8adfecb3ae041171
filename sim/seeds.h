/* sim/seeds.h - many seeds, as many at once as there are processors. */
#ifndef SIM_SEEDS_H
#define SIM_SEEDS_H

#include <stdbool.h>
#include <stdint.h>

/* Plays the seeds from..from+count-1 and says on stdout which failed, how many passed, and the rate. True = all passed.
 * Every 20th is played twice and must come to the same hash. A seed that ends its process has failed by itself. */
bool seeds_play(uint64_t from, uint64_t count, bool lying_disk);

#endif
