/* deliver/backoff.c - see backoff.h. */
#include "deliver/backoff.h"

#include <assert.h>

int64_t backoff_delay_us(const struct retry_rule *rule, int32_t retries, struct rng *rng) {
    assert(rule->base_us >= 0 && rule->cap_us >= 0);
    int64_t delay_us = rule->base_us;
    for (int32_t i = 0; i < retries && delay_us && delay_us < rule->cap_us; i++)
        delay_us = delay_us > rule->cap_us / 2 ? rule->cap_us : 2 * delay_us;
    if (delay_us > rule->cap_us) delay_us = rule->cap_us;
    return delay_us + (int64_t)rng_below(rng, (uint64_t)delay_us / 2 + 1);
}
