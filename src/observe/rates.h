/* observe/rates.h - the seed's two ratios of attempts, as alerts look at them: over the last minute, and for how long
 * each has been above its bound. drumbeat's own messages are not counted by who calls it, so that a message about
 * trouble never makes it worse. Times: the loop's clock. Thread: the loop's. */
#ifndef OBSERVE_RATES_H
#define OBSERVE_RATES_H

#include "model/exchange.h"

#define RATES_WINDOW_S     60
#define RATES_RETRIES_MOST 0.05 /* worker_retry_ratio */
#define RATES_ERRORS_MOST  0.02 /* api_error_rate */

struct rates {
    struct rates_second {
        int64_t at_s;
        uint64_t attempts, retries, errors;
    } seconds[RATES_WINDOW_S];
    int64_t looked_us;                         /* when it was last looked at */
    int64_t retries_since_us, errors_since_us; /* above their bounds without a break; 0 = not above */
};
struct rates_view {
    double retries, errors;                /* 0 .. 1 */
    int64_t retries_for_us, errors_for_us; /* 0 = not above */
};

void rates_attempt(struct rates *rates, enum outcome_class outcome, int64_t now_us);
struct rates_view rates_look(struct rates *rates, int64_t now_us);

#endif
