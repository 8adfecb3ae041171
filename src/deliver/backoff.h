/* deliver/backoff.h - how long to wait before the next try. Pure. */
#ifndef DELIVER_BACKOFF_H
#define DELIVER_BACKOFF_H

#include "base/rng.h"
#include "model/settings.h"

/* What the program paused by itself it tries again so often. */
#define PAUSE_PROBE_US ((int64_t)3600000000)

/* min(cap, base * 2^retries) + uniform(0, half of it). */
int64_t backoff_delay_us(const struct retry_rule *rule, int32_t retries, struct rng *rng);

/* Something is due and nothing came of asking for it: somebody else's transaction holds it, or it cannot be taken at
 * all. How long to wait before asking again, from how long the last wait was (0 = it was not): 50 ms to 1 s. */
int64_t backoff_barren_us(int64_t last_us);

#endif
