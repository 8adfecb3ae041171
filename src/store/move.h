/* store/move.h - copies an embedded store into one on PostgreSQL, all tables
 * with their seqs, ids and texts, in batches. A batch and the note of how far
 * it came are one transaction of the target, so that a move may be killed at
 * any moment and goes on there. Until it is finished no server starts on the
 * target (move_check).
 *
 * A target takes one move, and only when it is empty: nothing is mixed. A
 * source that changed since its move began is another source. The source is
 * open for writing, which keeps servers from it, and is not changed.
 * Errors as in store/store.h; after one of class RETRY the same call may be
 * made again. Thread: one.
 */
#ifndef STORE_MOVE_H
#define STORE_MOVE_H

#include "store/store.h"

/* For a server that starts, once the others can see it (store_seen): NOT_NOW while a move into this store is not
 * finished. It is a transaction of its own. */
MUST_USE enum err move_check(struct store *store, struct arena *arena, struct str *ret_problem);

struct move;
struct move_table {
    const char *name;
    int64_t rows, copied;
};

/* Looks at both and changes nothing. NOT_NOW with a sentence when the target cannot take the move. `to` may be NULL,
 * for a look at what there is to move. */
MUST_USE enum err move_open(struct store *from, struct store *to, struct arena *arena, struct move **ret_move,
                            struct str *ret_problem);
void move_close(struct move *move);
bool move_was_begun(const struct move *move);    /* it goes on where an earlier run stopped */
bool move_was_finished(const struct move *move); /* by an earlier run */
const struct move_table *move_tables(const struct move *move, size_t *ret_count);

/* From here on the target is this move's. NOT_NOW when a server runs on it. */
MUST_USE enum err move_begin(struct move *move, struct str *ret_problem);
/* Copies one batch; *ret_more is false when everything is there. */
MUST_USE enum err move_step(struct move *move, bool *ret_more);
/* Compares the counts of all tables; NOT_NOW, and nothing is finished, when they differ. */
MUST_USE enum err move_compare(struct move *move, struct str *ret_problem);
/* Puts all of the source into its one file, which may then be renamed. */
MUST_USE enum err move_settle_source(struct move *move);
/* What alerts told goes along, and servers may start on the target. */
MUST_USE enum err move_finish(struct move *move);

#endif
