/* store/lock.h - one server per store: a file beside it, held by flock() for
 * as long as the process lives, also through kill -9. It names the holder and
 * remembers whether a store was ever made here, so that one cut to nothing is
 * not taken for a new one. Private to this room. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "base/err.h"
#include "base/str.h"

struct lock {
    int fd; /* -1 = not held */
};

/* Takes <path>.lock. STORE_LOCKED or IO; *ret_problem says who holds it, or why it cannot be made. */
MUST_USE enum err lock_take(struct lock *lock, struct str path, struct arena *arena, struct str *ret_problem);
void lock_release(struct lock *lock);
/* The process that holds it, 0 when nobody does or it cannot be told. */
int lock_holder(struct str path, struct arena *arena);

bool lock_was_made(const struct lock *lock);
void lock_note_made(const struct lock *lock);

#endif
