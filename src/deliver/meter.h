/* deliver/meter.h - limits that hold for each value of a parameter: 1/s in each channel. Pure.
 *
 * A meter is what one value has sent lately. An account has as many as its deliveries have values, to a bound:
 * one that counts nothing any more is forgotten when its place is needed, and while none can be, a value without a
 * meter waits. Staged, started and unsent mean what they mean in deliver/limiter.h; desks commit and roll back.
 */
#ifndef DELIVER_METER_H
#define DELIVER_METER_H

#include "model/settings.h"

#define METERS_MAX ((size_t)10000) /* what a server bears of one account */

struct deliver;
struct meters;

/* Of the desk's account; NULL when no limit of it is per value. They live as long as deliver. */
struct meters *deliver_meters(const struct deliver *deliver, size_t desk);
/* By the last configure an account counts a longer window per value, or the sends of one more destination: all that the
 * store remembers must be told anew. */
bool deliver_meters_stale(const struct deliver *deliver);
/* As deliver_restore_past (deliver/heir.h): in which other account this start counts; NULL = in none. */
struct meters *deliver_meters_past(const struct deliver *deliver, size_t desk, int64_t started_us);
/* Of all accounts, also those that no destination is in any more: what was sent is told anew. */
void deliver_forget_meters(struct deliver *deliver);
/* How far back limits per value count what the desk sent: those of its account, and of accounts it has left. */
int64_t deliver_metered_window(const struct deliver *deliver, size_t desk);
/* What each value's parameter is called. */
struct str meters_param(const struct meters *meters);

struct meters *meters_new(size_t max); /* values at a time, 1 at least */
void meters_free(struct meters *meters);
/* Keeps the starts. The name of the parameter must outlive the next configure. */
void meters_configure(struct meters *meters, struct str param, const struct limit_rule *rules, size_t count);
const struct limit_rule *meters_rules(const struct meters *meters, size_t *ret_count);
int64_t meters_longest_window(const struct meters *meters); /* 0 without rules */
size_t meters_count(const struct meters *meters);

/* How many of this value may start now, at most want. */
size_t meters_room(struct meters *meters, struct str value, int64_t now_us, size_t want);
/* When a delivery that has no room now should be claimed again, not before at_least_us. Those of a value are spread as
 * its limit lets them go, so that each is claimed about once. One that is `fresh` (it never waited for this) comes
 * behind all that wait; another keeps its place among those of this turn. Never further ahead than METER_AHEAD_US,
 * so that a wider limit is soon felt. */
#define METER_AHEAD_US (10 * US_PER_MIN)
int64_t meters_slot(struct meters *meters, struct str value, int64_t now_us, int64_t at_least_us, bool fresh);
void meters_take(struct meters *meters, struct str value, int64_t now_us); /* one; room must have been found */
void meters_commit(struct meters *meters);
void meters_rollback(struct meters *meters);
/* A committed send of this value started, or will never start. */
void meters_started(struct meters *meters, struct str value, int64_t at_us);
void meters_unsent(struct meters *meters, struct str value);
/* Forgets the starts, for those that the store remembers (meters_restore) and perhaps more of them. */
void meters_forget(struct meters *meters);
void meters_restore(struct meters *meters, struct str value, int64_t started_us, int64_t now_us);

#endif
