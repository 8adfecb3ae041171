/* deliver/heir.h - desks of destinations that were renamed: they take over what
 * their earlier name (`was`) owes. Same rules as deliver/deliver.h. */
#ifndef DELIVER_HEIR_H
#define DELIVER_HEIR_H

#include "deliver/deliver.h"

/* The open desk of that name, else the one that took over from it; SIZE_MAX when there is neither. */
size_t deliver_known(const struct deliver *deliver, struct str name);
bool deliver_same_limit(const struct deliver *deliver, size_t a, size_t b);
/* A desk whose `was` is new sends nothing until somebody says that what was owed under that name has come over: what
 * is made meanwhile could overtake it. */
bool deliver_inherits(const struct deliver *deliver, size_t desk);
void deliver_inherited(struct deliver *deliver, size_t desk, int64_t now_us);

#endif
