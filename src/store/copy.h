/* store/copy.h - a consistent copy of an embedded store, made by the one connection that writes, while it serves.
 *
 * Steps are taken between turns, a few pages at a time. What a turn changes meanwhile is changed in the copy as well,
 * so the copy is the store as of its last step, and a busy store never makes it begin again. The copy is not synced:
 * who asked for it syncs, checks and names it (cli/backup.c). Source: sqlite.org/c3ref/backup_finish.html. Thread: the
 * loop's.
 */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct copy;
struct store;

/* How one stands, for those who ask. */
struct copy_view {
    char file[4096]; /* "" = none was asked for since the start; its name ends in .part */
    char problem[300];
    bool running;
    int64_t started_us, finished_us; /* wall time */
    int64_t pages, left;
};

/* Begins a file in the folder, which is made, and named for the moment; what was left unfinished there is removed, but
 * for the path `spared` ("" = none) and what somebody holds with flock(). Only its owner will be able to read it.
 * NOT_NOW: the store is not a file. STORE_FULL: there is no room. IO. *ret_file is its path, *ret_problem a sentence,
 * both in the arena. */
MUST_USE enum err copy_begin(struct store *store, struct str folder, struct str spared, int64_t wall_us,
                             struct arena *arena, struct copy **ret_copy, struct str *ret_file,
                             struct str *ret_problem);
/* Not inside a transaction. *ret_left = 0: it is whole. An error ends it. */
MUST_USE enum err copy_step(struct copy *copy, int pages, int64_t *ret_left, int64_t *ret_total);
const char *copy_trouble(const struct copy *copy);
/* Closes the file, and removes it unless it is whole. NULL is fine. */
void copy_end(struct copy *copy);

#endif
