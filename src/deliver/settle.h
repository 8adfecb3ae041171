/* deliver/settle.h - what becomes of a delivery after an attempt. Pure.
 *
 * Fast lane: delay = min(cap, base * 2^n) + uniform(0, half of it), up to
 * retry.max; then the slow lane, every hour, until give_up after the first due
 * moment; then FAILED. `not_before` of the provider is obeyed, clamped to
 * [1 s, 24 h]. Unknown: lookup after the settle time, or resend under the same
 * key while the provider keeps it, or hold.
 */
#ifndef DELIVER_SETTLE_H
#define DELIVER_SETTLE_H

#include "base/rng.h"
#include "model/delivery.h"
#include "model/outcome.h"
#include "model/settings.h"

struct settled {
    enum delivery_status status;
    int64_t due_us;
    int32_t retry_count;
    int64_t first_sent_us;
    struct str last_error;
    bool counts_as_trouble; /* the breaker's view */
    bool counts_as_good;    /* neither: the breaker does not look */
    bool keep_batch;
};
/* delivery is as claimed. arena for texts. */
struct settled settle_outcome(const struct delivery *delivery, const struct outcome *outcome, const struct destination_settings *settings,
                              int64_t now_us, struct rng *rng, struct arena *arena);
/* min(cap, base * 2^retries) + uniform(0, half of it). */
int64_t backoff_delay_us(const struct retry_rule *rule, int32_t retries, struct rng *rng);
/* What is in force for this action: the destination's word, else the connector's. */
enum on_unknown settle_policy(const struct destination_settings *settings, struct str action);

#endif
