/* store/restore.h - a copied store takes the place of one. For the CLI: no server may run. Thread: one. */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Copies a store's file, and what is left in a log beside it, to `to`, which is replaced, and syncs both. STORE_FULL,
 * IO: a sentence in *ret_problem. */
MUST_USE enum err restore_copy(struct str from, struct str to, struct arena *arena, struct str *ret_problem);
/* `from`, which nobody has open, takes the name `path`; what stood there goes to `aside` with its log. From any crash
 * in between, each of the two is there under one of the names. STORE_LOCKED: a server has the store at path. */
MUST_USE enum err restore_put(struct str from, struct str path, struct str aside, struct arena *arena,
                              struct str *ret_problem);

#endif
