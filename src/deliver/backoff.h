/* deliver/backoff.h - how long to wait before the next try. Pure. */
#ifndef DELIVER_BACKOFF_H
#define DELIVER_BACKOFF_H

#include "base/rng.h"
#include "model/settings.h"

/* A destination that the program itself has paused is probed again after this long. */
#define PAUSE_PROBE_US ((int64_t)3600000000)

/* min(cap, base * 2^retries) + uniform(0, half of it). */
int64_t backoff_delay_us(const struct retry_rule *rule, int32_t retries, struct rng *rng);

/* How long to wait before the store is asked again, when something is due and a claim found nothing: somebody else's
 * transaction holds it, or it cannot be claimed at all. Each wait is twice the last one, from 50 ms to 1 s; last_us 0
 * means that this is the first. */
int64_t backoff_barren_us(int64_t last_us);

#endif
