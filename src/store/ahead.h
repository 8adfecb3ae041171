/* store/ahead.h - what a clock that was ahead wrote, and what would therefore
 * wait until the clock is there again. Same rules as store/store.h.
 */
#ifndef STORE_AHEAD_H
#define STORE_AHEAD_H

#include "store/store.h"

/* The newest moment that the last rows tell; 0 = there is none. */
MUST_USE enum err store_ahead_newest(struct store *store, int64_t *ret_us);
/* Processes that were here before this one (store_set_owner), and were seen within within_us. None on an embedded
 * store. */
MUST_USE enum err store_ahead_elders(struct store *store, int64_t within_us, int64_t *ret_count);
/* Pauses, breakers, quiet spells and stopped routes: a handful of rows. */
MUST_USE enum err store_ahead_states(struct store *store, int64_t now_us);

struct ahead_window {
    int64_t after_seq, upto_seq; /* looks at the first `limit` rows with a seq in (after, upto] */
    size_t limit;
    int64_t now_us; /* of events: the calendar's */
};
struct ahead_moved {
    int64_t last_seq;         /* looked at as far as this */
    size_t count;             /* moved */
    struct str *destinations; /* of each delivery that was moved */
    bool more;
};
/* Events that were due at once when they came, and open deliveries. */
MUST_USE enum err store_ahead_events(struct store *store, const struct ahead_window *window, struct arena *arena,
                                     struct ahead_moved *ret_moved);
MUST_USE enum err store_ahead_deliveries(struct store *store, const struct ahead_window *window, struct arena *arena,
                                         struct ahead_moved *ret_moved);
MUST_USE enum err store_last_event(struct store *store, int64_t *ret_seq);

#endif
