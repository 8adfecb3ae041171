/* base/rng.h - randomness as a value (xoshiro256**, public domain algorithm by
 * Blackman and Vigna). Seeded in main or by the simulator and passed down;
 * not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed); /* splitmix64 over the seed */
uint64_t rng_u64(struct rng *rng);
/* Uniform in [0, bound); bound 0 gives 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif
