/* deliver/backoff.h - how long to wait before the next try. Pure. */
#ifndef DELIVER_BACKOFF_H
#define DELIVER_BACKOFF_H

#include "base/rng.h"
#include "model/settings.h"

/* What the program paused by itself it tries again so often. */
#define PAUSE_PROBE_US ((int64_t)3600000000)

/* min(cap, base * 2^retries) + uniform(0, half of it). */
int64_t backoff_delay_us(const struct retry_rule *rule, int32_t retries, struct rng *rng);

#endif
