/* store/chore.h - what is done to a store now and then, a few rows at a time,
 * and how far each such round has come. A round's state is one row of the table
 * chores, written in the transaction of the step that it speaks of: whoever
 * reads it, also after a crash and in another process, goes on behind exactly
 * what was done. Same rules as store/store.h.
 */
#ifndef STORE_CHORE_H
#define STORE_CHORE_H

#include "store/store.h"

struct chore_round {
    struct str name;
    int64_t mode;                    /* how it was asked for; the chore's own */
    int64_t started_us, finished_us; /* started 0 = there never was one; finished 0 = it is under way */
    /* Where it stands: in the part of that number, rows up to last_seq are done, and part_end is its last. */
    int64_t part, last_seq, part_end;
    int64_t done, total; /* seqs of all parts that are over, and of all parts */
    int64_t steps, found;
    struct str result; /* bounded; the chore's own */
};
/* The last round, or one that never started. */
MUST_USE enum err store_chore_get(struct store *store, struct str name, struct arena *arena,
                                  struct chore_round *ret_round);
MUST_USE enum err store_chore_set(struct store *store, const struct chore_round *round);
bool chore_is_open(const struct chore_round *round);
double chore_share(const struct chore_round *round); /* of the range, 0 to 1 */

/* ---- verify ---- */
enum verify_mode {
    VERIFY_DEEP = 1,  /* also every payload's fingerprint and every delivery's id */
    VERIFY_PAGES = 2, /* and at the end the pages of an embedded store's file: in one go, whatever its size */
};
struct violation {
    struct violation *next;
    struct str rule; /* "I5 fan-out", "integrity" ... */
    struct str text;
};
struct verification {
    int64_t events, deliveries, attempts;
    struct violation *violations;
    size_t violation_count; /* at most 100 are kept */
};
/* Looks at a few hundred rows that were there when their part began. A round begins when steps is 0; the caller counts
 * the steps. The result is in the arena. *ret_more is false when the round came to its end. */
MUST_USE enum err store_verify_step(struct store *store, struct hasher *hasher, struct arena *arena,
                                    struct chore_round *round, bool *ret_more);
/* What a round of it found so far. */
struct verification verify_found(const struct chore_round *round, struct arena *arena);
/* A whole round, for a caller that has the store to itself: nothing of it is written. `look`, where it is not NULL,
 * sees the round after each step. */
struct verify_look {
    void (*look)(void *self, const struct chore_round *round);
    void *self;
};
MUST_USE enum err store_verify_whole(struct store *store, const struct verify_look *look, struct hasher *hasher,
                                     struct arena *arena, struct chore_round *round);
/* The same for a caller that only wants to know what it found; deep includes the file's pages. */
MUST_USE enum err store_verify(struct store *store, bool deep, struct hasher *hasher, struct arena *arena,
                               struct verification *ret);

/* ---- orphans: deliveries whose event somebody deleted ---- */
struct sweep {
    int64_t after_seq, upto_seq; /* looks at the first `limit` deliveries with a seq in (after, upto] */
    size_t limit;
    int64_t now_us;
    int64_t counted_us; /* sends since then still count for a limit */
};
struct swept {
    int64_t last_seq;         /* looked at as far as this */
    size_t orphans, open;     /* how many there were, and how many of them were open */
    struct str *destinations; /* of the open ones: the next of an order key may be free */
    bool more;
};
/* Open orphans become SKIPPED, which frees the next of their order keys. Orphans that no limit counts any more are
 * removed with their attempts. An orphan that is being sent stays until its lease is over. */
MUST_USE enum err store_sweep(struct store *store, const struct sweep *sweep, struct arena *arena,
                              struct swept *ret_swept);
MUST_USE enum err store_last_delivery(struct store *store, int64_t *ret_seq);

/* ---- strays: deliveries whose destination is no more ---- */
#define STRAY_ERROR "no such destination: it was removed or renamed in the configuration"
#define STRAY_DOUBT "no such destination, and whether it was sent is unknown" /* what was to be looked up */
/* Holds up to limit that wait for this destination, due or not. */
MUST_USE enum err store_strand(struct store *store, struct str destination, int64_t now_us, size_t limit,
                               struct arena *arena, size_t *ret_held);
/* The destinations for which something is held because too many wait. */
MUST_USE enum err store_overflowed(struct store *store, struct arena *arena, struct str **ret_names, size_t *ret_count);
/* The destinations for which something is held so, and up to limit that wait again because theirs came back. */
MUST_USE enum err store_stranded(struct store *store, struct arena *arena, struct str **ret_names, size_t *ret_count);
MUST_USE enum err store_unstrand(struct store *store, struct str destination, int64_t now_us, size_t limit,
                                 struct arena *arena, size_t *ret_freed);

/* ---- overflow: deliveries that are held because too many wait for their destination ---- */
#define OVERFLOW_ERROR "too many wait for this destination (its 'queue'); it goes on by itself when there is room"
struct held_row {
    int64_t seq;
    struct str destination, error;
    bool blocked; /* an earlier one of its order is open */
};
/* What is held for any reason, by seq, behind after_seq. store_release lets wait again what overflowed of it. */
MUST_USE enum err store_held(struct store *store, int64_t after_seq, size_t limit, struct arena *arena,
                             struct held_row **ret_held, size_t *ret_count);
/* Whether nothing that waits for the destination can go by itself: each waits for an earlier one of its order. */
MUST_USE enum err store_stands_still(struct store *store, struct str destination, struct arena *arena, bool *ret_still);
MUST_USE enum err store_release(struct store *store, const int64_t *seqs, size_t count, int64_t now_us,
                                struct arena *arena, size_t *ret_freed);

/* ---- retirement ---- */
struct retirement {
    int64_t last_seq; /* looked at as far as this; on an error the last that was to go */
    size_t removed;
    bool more; /* false: behind it is nothing old */
};
/* Looks at events behind after_seq and removes up to limit of those that are settled (COMPLETED, FAILED without HELD)
 * and were created before before_us, with their deliveries and attempts. */
MUST_USE enum err store_retire(struct store *store, int64_t before_us, size_t limit, int64_t after_seq,
                               struct retirement *ret_retirement);

#endif
