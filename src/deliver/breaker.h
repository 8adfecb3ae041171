/* deliver/breaker.h - closed, open, half-open. Pure.
 *
 * Opens on consecutive failures, on a share of at least 20 attempts within
 * the window, or when over a whole error window more than the error rate of at
 * least 100 attempts failed: a provider that answers most of the time is let
 * rest now and then, and is not cut off. Open lasts open_us (doubled up to 10 times open_us while probes
 * fail) and until the sends that were on their way are back; then one probe. A
 * good probe closes it over a ramp: one send at a time, and one more for each
 * good answer, which is 1, 2, 4, 8 ... from answer to answer; a bad one begins
 * the ramp again. Holds deliveries without spending their retries.
 * A breaker of zeros is closed and ready for use.
 */
#ifndef DELIVER_BREAKER_H
#define DELIVER_BREAKER_H

#include "model/settings.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
#define BREAKER_STATES 3

#define BREAKER_SAMPLES   64
#define BREAKER_SHARE_MIN 20  /* fewer attempts in the window have no share */
#define BREAKER_RAMP_MAX  64  /* the ramp is over when so many may be sent at a time */
#define BREAKER_OPEN_MAX  10  /* times open_us */
#define BREAKER_RATE_MIN  100 /* fewer attempts in the error window have no rate */
#define BREAKER_SLICES    10  /* of the error window, each counted as a whole */

struct breaker {
    enum breaker_state state;
    int32_t consecutive;                   /* failures in a row while CLOSED */
    int32_t ramp;                          /* sends at a time allowed while ramping up; 0 = no ramp */
    int32_t opened;                        /* how often it opened in a row, without a good probe in between */
    int64_t until_us;                      /* OPEN: until when */
    int64_t sample_at_us[BREAKER_SAMPLES]; /* ring of the last attempts */
    bool sample_bad[BREAKER_SAMPLES];
    uint32_t sample_next, sample_count;
    int64_t rate_from_us; /* since when the error window is counted; 0 = nothing was yet */
    int64_t slice;        /* the number of the last slice, since 1970 */
    uint32_t slice_seen[BREAKER_SLICES], slice_bad[BREAKER_SLICES];
};

/* How many more sends may start when in_flight are on their way. Moves OPEN to HALF_OPEN when its time is over and
 * nothing is in flight. A rule that is off admits all and closes the breaker. */
size_t breaker_admit(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, size_t in_flight,
                     size_t want);
/* Takes in one attempt. It is good when a complete answer came that is not trouble, which includes a 4xx that one
 * payload caused. Answers that come while the breaker is OPEN change nothing. Returns true when the state changed. */
bool breaker_record(struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, bool good);
/* The moment from which breaker_admit gives at least one, now_us or later; WHEN_NEVER while that waits for a send in
 * flight to end. */
int64_t breaker_next(const struct breaker *breaker, const struct breaker_rule *rule, int64_t now_us, size_t in_flight);
const char *breaker_text(enum breaker_state state);

/* For the store, which keeps one count: that of failures while CLOSED, else how often it opened. The breaker is made
 * again from what was kept; a state that is none of the three is taken as CLOSED, and until_us is clamped to the
 * longest time that the rule allows. */
int32_t breaker_failures(const struct breaker *breaker);
struct breaker breaker_restored(const struct breaker_rule *rule, int32_t state, int64_t until_us, int32_t failures,
                                int32_t ramp, int64_t now_us);

#endif
