/* deliver/heir.h - desks of destinations that were renamed: they take over what
 * their earlier name (`was`) owes. Same rules as deliver/deliver.h. */
#ifndef DELIVER_HEIR_H
#define DELIVER_HEIR_H

#include "deliver/deliver.h"

/* The open desk of that name, else the one that took over from it; SIZE_MAX when there is neither. */
size_t deliver_known(const struct deliver *deliver, struct str name);
/* After a configure: says when destinations left the accounts that they left by it. What they sent until then goes on
 * to count there, however often it is told anew; for the last four changes of a destination. */
void deliver_left(struct deliver *deliver, int64_t now_us);
/* Besides deliver_restore_send, when starts are told anew: counts one with the account that its destination was in
 * then, where that is not its account of now, or the destination is gone. */
void deliver_restore_past(struct deliver *deliver, struct str name, int64_t started_us, int64_t now_us);
/* A desk whose `was` is new sends nothing until somebody says that what was owed under that name has come over: what
 * is made meanwhile could overtake it. */
bool deliver_inherits(const struct deliver *deliver, size_t desk);
void deliver_inherited(struct deliver *deliver, size_t desk, int64_t now_us);

#endif
