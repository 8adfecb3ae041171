/* store/restore.h - a copied store takes the place of one. For the CLI: no server may run. Thread: one. */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Copies a store's file, and what is left in a log beside it, to `to`, which must not be there, and syncs both.
 * STORE_FULL, IO: a sentence in *ret_problem. */
MUST_USE enum err restore_copy(struct str from, struct str to, struct arena *arena, struct str *ret_problem);
/* `from`, which nobody has open, takes the name `path`; what stood there goes to `aside`, which must not be there. From
 * any crash in between the store at path is the one of before or the new one, whole, as long as the log of the one of
 * before is empty; what is put aside may then still be called `from`. STORE_LOCKED: a server has the store at path. */
MUST_USE enum err restore_put(struct str from, struct str path, struct str aside, struct arena *arena,
                              struct str *ret_problem);
void restore_drop(struct str copy, struct arena *arena); /* a copy that takes nobody's place */
/* Whether a server has the store at path; *ret_problem names it. */
bool restore_is_open(struct str path, struct arena *arena, struct str *ret_problem);

#endif
