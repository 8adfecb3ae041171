/* observe/rates.c - see rates.h. A ratio changes with an attempt, and falls as attempts grow older than a minute. It is
 * looked at with the first attempt of each second and when somebody asks; a minute without a look had no attempt in it,
 * so whatever was above its bound has been below it. */
#include "observe/rates.h"

#include "base/when.h"

static double share(uint64_t part, uint64_t whole) {
    return whole ? (double)part / (double)whole : 0;
}

static void follow(int64_t *since_us, bool above, int64_t now_us) {
    if (!above)
        *since_us = 0;
    else if (!*since_us)
        *since_us = now_us;
}

struct rates_view rates_look(struct rates *rates, int64_t now_us) {
    struct rates_second sum = {0};
    int64_t now_s = now_us / US_PER_S;
    for (size_t i = 0; i < RATES_WINDOW_S; i++) {
        const struct rates_second *second = &rates->seconds[i];
        if (second->at_s <= now_s - RATES_WINDOW_S || second->at_s > now_s) continue;
        sum.attempts += second->attempts;
        sum.retries += second->retries;
        sum.errors += second->errors;
    }
    struct rates_view view = {.retries = share(sum.retries, sum.attempts), .errors = share(sum.errors, sum.attempts)};
    if (now_us - rates->looked_us > RATES_WINDOW_S * US_PER_S) rates->retries_since_us = rates->errors_since_us = 0;
    rates->looked_us = now_us;
    follow(&rates->retries_since_us, view.retries > RATES_RETRIES_MOST, now_us);
    follow(&rates->errors_since_us, view.errors > RATES_ERRORS_MOST, now_us);
    if (rates->retries_since_us) view.retries_for_us = now_us - rates->retries_since_us;
    if (rates->errors_since_us) view.errors_for_us = now_us - rates->errors_since_us;
    return view;
}

void rates_attempt(struct rates *rates, enum outcome_class outcome, int64_t now_us) {
    int64_t now_s = now_us / US_PER_S;
    struct rates_second *slot = &rates->seconds[now_s % RATES_WINDOW_S];
    bool first = slot->at_s != now_s;
    if (first) *slot = (struct rates_second){.at_s = now_s};
    slot->attempts++;
    slot->retries += outcome == OUTCOME_RETRY;
    slot->errors += outcome == OUTCOME_RETRY || outcome == OUTCOME_FAILED || outcome == OUTCOME_UNKNOWN;
    if (first) (void)rates_look(rates, now_us);
}
