/* deliver/backoff.c - see backoff.h. */
#include "deliver/backoff.h"

#include "base/when.h"

#include <assert.h>

#define BARREN_FIRST_US (50 * US_PER_MS)
#define BARREN_CAP_US   US_PER_S

int64_t backoff_delay_us(const struct retry_rule *rule, int32_t retries, struct rng *rng) {
    assert(rule->base_us >= 0 && rule->cap_us >= 0);
    int64_t delay_us = rule->base_us;
    for (int32_t i = 0; i < retries && delay_us && delay_us < rule->cap_us; i++)
        delay_us = delay_us > rule->cap_us / 2 ? rule->cap_us : 2 * delay_us;
    if (delay_us > rule->cap_us) delay_us = rule->cap_us;
    return delay_us + (int64_t)rng_below(rng, (uint64_t)delay_us / 2 + 1);
}

int64_t backoff_barren_us(int64_t last_us) {
    if (!last_us) return BARREN_FIRST_US;
    return last_us < BARREN_CAP_US / 2 ? 2 * last_us : BARREN_CAP_US;
}
