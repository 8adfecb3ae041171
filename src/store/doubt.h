/* store/doubt.h - deliveries of which nobody knows whether they arrived, and
 * that are looked up at the provider: HELD ones are UNKNOWN again, those that
 * wait for a later lookup wait no longer. Same rules as store/store.h.
 */
#ifndef STORE_DOUBT_H
#define STORE_DOUBT_H

#include "store/store.h"

struct doubtful {
    int64_t seq;
    struct str destination, action;
    int64_t first_sent_us, updated_us;
    bool in_doubt; /* false: it is held for another reason */
};
/* What is held, by seq, behind after_seq. */
MUST_USE enum err store_doubtful(struct store *store, int64_t after_seq, size_t limit, struct arena *arena,
                                 struct doubtful **ret_held, size_t *ret_count);
/* Those of them that are still held and in doubt are looked up, with all the tries of a fresh start. */
MUST_USE enum err store_look_up(struct store *store, const int64_t *seqs, size_t count, int64_t now_us,
                                struct arena *arena, size_t *ret_count);
MUST_USE enum err store_look_now(struct store *store, struct str destination, int64_t now_us, struct arena *arena,
                                 size_t *ret_count);

#endif
