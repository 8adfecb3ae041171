/* store/files.h - whether the files of an embedded store are still those that
 * were opened. Whoever removes, replaces or cuts one of them under a running
 * server takes away commits that were acknowledged, and what is written after
 * that goes where nobody finds it. Costs three stat() a look. Private to this
 * room. Texts live in the arena that files_note got. Thread: one. */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct file_mark {
    const char *path; /* NULL = not looked at */
    dev_t device;
    ino_t inode;
    int64_t bytes; /* it never has fewer */
};

enum { FILES_STORE, FILES_LOG, FILES_LOCK, FILES_COUNT };

struct files {
    struct file_mark marks[FILES_COUNT];
};

/* Before it is opened: STORE_CORRUPT or STORE_FOREIGN with words, when it is there and can hold no store. made: that
 * there was one is on record. */
MUST_USE enum err files_check(struct str path, bool made, struct arena *arena, struct str *ret_problem);
/* Why the system lets this process not read or, where it wants to, write the store: whose it is, or that the disk is
 * read-only. "" = it does. For people, after an attempt has failed. */
struct str files_complaint(struct str path, bool writes, struct arena *arena);
/* Makes the store's file, for its owner alone, if it is not there. */
void files_make_private(struct str path, struct arena *arena);

/* Remembers the store's file, its log and its lock as they are now. */
void files_note(struct files *files, struct str path, struct arena *arena);
/* After a checkpoint: the length that the store's file has now is the least from now on. */
void files_grew(struct files *files);

enum files_trouble { FILES_FINE, FILES_LOG_GONE, FILES_GONE, FILES_REPLACED, FILES_CUT };
/* log_bytes: what was written of the log. LOG_GONE: the log alone was removed, and all that it held can still be read
 * through the descriptor. *ret_what is for people: "the store's log (-wal)". */
enum files_trouble files_look_at_log(const struct files *files, int64_t log_bytes, const char **ret_what);
/* At the log as well as the others. */
enum files_trouble files_look(const struct files *files, int64_t log_bytes, const char **ret_what);
const char *files_trouble_text(enum files_trouble trouble); /* "was removed" */

#endif
