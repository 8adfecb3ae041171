/* deliver/limiter.h - exact sliding windows. Pure: `now_us` is a parameter.
 *
 * For each rule N per W: in no half-open window (t, t+W] do more than N sends
 * start. Kept as a ring of the youngest starts, as many as the largest N needs
 * (N <= 100,000); it grows as starts come, so an idle limiter costs nothing.
 *
 * A send is taken in a turn (staged: it counts at once, a rollback undoes it),
 * committed with the turn, and starts at some later moment. Until it has
 * started it counts in every window, because it may start at any moment: so no
 * window is ever passed, however late it starts and whatever is taken between.
 * Every committed send must be followed by limiter_started or limiter_unsent.
 */
#ifndef DELIVER_LIMITER_H
#define DELIVER_LIMITER_H

#include "model/settings.h"

/* Starts kept at least, so that longer windows or larger counts that are configured later find what they must count. */
#define LIMITER_KEEP_MIN 1024

struct limiter;

struct limiter *limiter_new(const struct limit_rule *rules, size_t count); /* count 0 = only quiet spells */
void limiter_free(struct limiter *limiter);
/* New rules, old starts. Starts too old for the ring are taken to be as young as its oldest: never too many sends. */
void limiter_configure(struct limiter *limiter, const struct limit_rule *rules, size_t count);

/* How many may start now, at most want. O(1) when all of want may, else O(log N). */
size_t limiter_room(const struct limiter *limiter, int64_t now_us, size_t want);
/* The earliest moment at which one may start, now_us or later; WHEN_NEVER while sends not yet started fill a window. */
int64_t limiter_next(const struct limiter *limiter, int64_t now_us);
void limiter_take(struct limiter *limiter, size_t count, int64_t now_us); /* staged; count <= room */
void limiter_commit(struct limiter *limiter);
void limiter_rollback(struct limiter *limiter);
/* So many committed sends started at at_us (not before they were taken): the windows count from there. */
void limiter_started(struct limiter *limiter, size_t count, int64_t at_us);
/* So many committed sends will never start. */
void limiter_unsent(struct limiter *limiter, size_t count);
/* So many committed sends of another limiter will start under this one, whatever its room. */
void limiter_adopt(struct limiter *limiter, size_t count);
/* At start-up, in any order (oldest first is fastest). A start later than now_us, by a clock set back, counts as now.
 */
void limiter_restore(struct limiter *limiter, int64_t started_us, int64_t now_us);
/* The provider said: nothing before this moment. Staged. Only ever moves it later; clamped to 24 h from now. True when
 * it moved. */
bool limiter_quiet(struct limiter *limiter, int64_t until_us, int64_t now_us);
/* The quiet spell is over. Staged. */
void limiter_speak(struct limiter *limiter);
int64_t limiter_quiet_until(const struct limiter *limiter); /* 0 = never was one */
/* What is left now under the tightest rule, quiet or not; SIZE_MAX without rules. */
size_t limiter_remaining(const struct limiter *limiter, int64_t now_us);
const struct limit_rule *limiter_rules(const struct limiter *limiter, size_t *ret_count);
/* From now on each send counts as `parts` (1 = itself); forget: every start before is forgotten. None may be on its way
 * to start. */
void limiter_part(struct limiter *limiter, size_t parts, bool forget);
bool limiter_used(const struct limiter *limiter, int64_t now_us); /* a start counts in some rule's window */
int64_t limiter_longest_window(const struct limiter *limiter);    /* 0 without rules */

#endif
