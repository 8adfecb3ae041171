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
/* Gives it new rules and keeps the starts. Starts that have left the ring are taken to be as young as its oldest one,
 * so that a longer window or a larger count never lets too many leave. */
void limiter_configure(struct limiter *limiter, const struct limit_rule *rules, size_t count);

/* How many may start now, at most want. O(1) when all of want may, else O(log N). */
size_t limiter_room(const struct limiter *limiter, int64_t now_us, size_t want);
/* The earliest moment at which one may start, now_us or later; WHEN_NEVER while sends not yet started fill a window. */
int64_t limiter_next(const struct limiter *limiter, int64_t now_us);
void limiter_take(struct limiter *limiter, size_t count, int64_t now_us); /* staged; count <= room */
void limiter_commit(struct limiter *limiter);
void limiter_rollback(struct limiter *limiter);
/* `count` committed sends started at at_us, which is not before they were taken: the windows count them from there. */
void limiter_started(struct limiter *limiter, size_t count, int64_t at_us);
/* `count` committed sends will never start, and no longer count. */
void limiter_unsent(struct limiter *limiter, size_t count);
/* `count` committed sends of another limiter will start under this one, even when it has no room for them. */
void limiter_adopt(struct limiter *limiter, size_t count);
/* For the start of the process: one start that the store remembers, in any order (oldest first is fastest). A start
 * that lies after now_us, because the clock was set back, counts as now. */
void limiter_restore(struct limiter *limiter, int64_t started_us, int64_t now_us);
/* The provider wants nothing before this moment. Staged. The moment only ever moves later, and never beyond 24 h from
 * now. True when it moved. */
bool limiter_quiet(struct limiter *limiter, int64_t until_us, int64_t now_us);
/* What the provider told the other limiter, it told this one: their sends are one account's. */
void limiter_heed(struct limiter *limiter, const struct limiter *other);
/* The quiet spell is over. Staged. */
void limiter_speak(struct limiter *limiter);
int64_t limiter_quiet_until(const struct limiter *limiter); /* 0 = never was one */
/* What is left now under the tightest rule, quiet or not; SIZE_MAX without rules. */
size_t limiter_remaining(const struct limiter *limiter, int64_t now_us);
/* How many may start now so that no more than a share (in percent) of any rule is used; at least one of each rule that
 * is not used at all. SIZE_MAX without rules. */
size_t limiter_spare(const struct limiter *limiter, int64_t now_us, size_t percent);
/* How much of the tightest rule is used, from 0 to 1; 0 without rules. */
double limiter_used_share(const struct limiter *limiter, int64_t now_us);
const struct limit_rule *limiter_rules(const struct limiter *limiter, size_t *ret_count);
/* From now on each send counts as `parts` sends (1 = as itself), also one that is taken and has not started. forget
 * drops all starts before this. */
void limiter_part(struct limiter *limiter, size_t parts, bool forget);
bool limiter_used(const struct limiter *limiter, int64_t now_us); /* some start still counts in some rule's window */
int64_t limiter_idle(const struct limiter *limiter); /* when no start counts any more; NEVER while some are to start */
int64_t limiter_longest_window(const struct limiter *limiter); /* 0 without rules */

#endif
