/* base/folder.h - the seam to folders into which people put files. Calls look
 * at a bounded number of files each, and wait for the disk alone: a folder lies
 * on a local disk. Thread: the loop's.
 *
 * Only names that end in .md or .markdown are seen, none that begins with a dot. A file
 * is read if it is a regular one that lies in the folder: a link may lead to
 * another place of it, never out of it.
 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define FOLDER_FILES_MAX ((size_t)10000)

/* Of a file whose content has not changed it is the same; all zeros of one that is not there. */
struct file_stamp {
    uint64_t node;
    int64_t size_bytes, changed_ns;
    int64_t
        came_us; /* when it came into the folder, or was changed there last, by the wall clock; no part of equality */
};

struct folder_seam {
    /* The names, sorted, FOLDER_FILES_MAX at most: *ret_more says that there are more. NOT_FOUND, IO: the folder cannot
     * be read, *ret_problem is a sentence. */
    enum err (*list)(void *self, struct str path, struct arena *arena, struct str **ret_names, size_t *ret_count,
                     bool *ret_more, struct str *ret_problem);
    /* The stamps of some files; the name "." is the folder, whose stamp changes when a name comes or goes. */
    void (*look)(void *self, struct str path, const struct str *names, size_t count, struct file_stamp *ret_stamps);
    /* A file whole, and the stamp of what was read. NOT_FOUND, TOO_LARGE, IO with a problem. */
    enum err (*read)(void *self, struct str path, struct str name, size_t max_bytes, struct arena *arena,
                     struct str *ret_text, struct file_stamp *ret_stamp, struct str *ret_problem);
    void *self;
};

static inline bool file_stamp_eq(struct file_stamp a, struct file_stamp b) {
    return a.node == b.node && a.size_bytes == b.size_bytes && a.changed_ns == b.changed_ns;
}

#endif
