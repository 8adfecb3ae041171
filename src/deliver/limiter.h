/* deliver/limiter.h - exact sliding windows. Pure: `now_us` is a parameter.
 *
 * For each rule N per W: in no half-open window (t, t+W] do more than N sends
 * start. Kept as a ring of the last N starts; N <= 100,000.
 * Takes are staged until the turn commits. A staged take counts at once.
 */
#ifndef DELIVER_LIMITER_H
#define DELIVER_LIMITER_H

#include "model/settings.h"

struct limiter;

struct limiter *limiter_new(const struct limit_rule *rules, size_t count); /* count 0 = only quiet spells */
void limiter_free(struct limiter *limiter);
/* New rules, old starts: nothing is forgotten that still counts. */
void limiter_configure(struct limiter *limiter, const struct limit_rule *rules, size_t count);

/* How many may start now, at most want. */
size_t limiter_room(const struct limiter *limiter, int64_t now_us, size_t want);
/* The earliest moment at which one may start: now_us or later. */
int64_t limiter_next(const struct limiter *limiter, int64_t now_us);
void limiter_take(struct limiter *limiter, size_t count, int64_t now_us); /* staged; count <= room */
void limiter_commit(struct limiter *limiter);
void limiter_rollback(struct limiter *limiter);
/* The sends committed last really started at at_us (later than they were taken): the window counts from there. */
void limiter_started(struct limiter *limiter, size_t count, int64_t at_us);
/* At start-up, oldest first. */
void limiter_restore(struct limiter *limiter, int64_t started_us);
/* The provider said: nothing before this moment. Only ever moves it later; clamped to 24 h from now. */
void limiter_quiet(struct limiter *limiter, int64_t until_us, int64_t now_us);
int64_t limiter_quiet_until(const struct limiter *limiter);
/* What is left now under the tightest rule; SIZE_MAX without rules. */
size_t limiter_remaining(const struct limiter *limiter, int64_t now_us);
int64_t limiter_longest_window(const struct limiter *limiter);

#endif
