/* deliver/breaker.h - closed, open, half-open. Pure.
 *
 * Opens on consecutive failures, or on a share of at least 20 attempts within
 * the window. Open lasts open_us (doubled up to 10 times open_us while probes
 * fail), then one probe; a good probe closes it over a ramp of 1, 2, 4, 8 ...
 * sends at a time until `concurrency` is reached. Holds deliveries without
 * spending their retries.
 */
#ifndef DELIVER_BREAKER_H
#define DELIVER_BREAKER_H

#include "model/settings.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

#define BREAKER_SAMPLES 64

struct breaker {
    enum breaker_state state;
    int32_t consecutive;
    int32_t ramp; /* sends at a time allowed while ramping up; 0 = no ramp */
    int32_t opened; /* times in a row without a good probe between */
    int64_t until_us; /* OPEN: until when */
    int64_t sample_at_us[BREAKER_SAMPLES]; /* ring of the last attempts */
    bool sample_bad[BREAKER_SAMPLES];
    uint32_t sample_next, sample_count;
};

/* How many more sends may start when in_flight are on their way. Moves OPEN to HALF_OPEN when its time is over. */
size_t breaker_admit(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, size_t in_flight, size_t want);
/* good: any complete answer that is not trouble, also a 4xx of one payload. Returns true when the state changed. */
bool breaker_record(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, bool good);
int64_t breaker_next(const struct breaker *breaker, int64_t now_us); /* when to ask again; WHEN_NEVER while a probe is out */
const char *breaker_text(enum breaker_state state);

#endif
