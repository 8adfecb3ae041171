/* store/adopt.h - a destination that goes on under another name takes over what
 * the old name owes. Same rules as store/store.h: inside a transaction, on the
 * loop's thread. */
#ifndef STORE_ADOPT_H
#define STORE_ADOPT_H

#include "store/store.h"

struct adoption {
    struct str from, to; /* the old name and the new one */
    size_t limit;
    int64_t after_seq; /* store_adopt_stopped looks behind this */
    int64_t now_us;
};
struct adopted {
    size_t moved;
    int64_t last_seq; /* looked at as far as this */
    bool more;
};
/* Moves up to limit that wait; none are left when it moved none, but for those that cannot come. */
MUST_USE enum err store_adopt(struct store *store, const struct adoption *adoption, struct arena *arena,
                              size_t *ret_moved);
/* Looks at up to limit that are HELD or FAILED, of all destinations, and moves those of the old name. */
MUST_USE enum err store_adopt_stopped(struct store *store, const struct adoption *adoption, enum delivery_status status,
                                      struct arena *arena, struct adopted *ret_adopted);
/* Pause, breaker and quiet spell go over, unless the new name has its own. */
MUST_USE enum err store_adopt_state(struct store *store, struct str from, struct str to);
/* How many of a destination are being sent, and how many of these have an order key. */
MUST_USE enum err store_flying(struct store *store, struct str destination, struct arena *arena, int64_t *ret_count,
                               int64_t *ret_ordered);

#endif
