/* os/file.h - reading files whole, for the composition. */
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* path "-" is standard input. NOT_FOUND, TOO_LARGE, IO; *ret_problem is a sentence. The text ends in NUL. */
MUST_USE enum err file_read(struct str path, size_t max_bytes, struct arena *arena, struct str *ret_text,
                            struct str *ret_problem);
/* Names (not paths) in a folder that end in suffix, sorted; none when there is no such folder. */
size_t file_list(struct str folder, struct str suffix, struct arena *arena, struct str **ret_names);
/* The folder part of a path: "." when it has none. */
struct str file_folder(struct str path, struct arena *arena);
/* The path from the root; links stay in it, since they may be turned. "-" and what cannot be told stay as they are. */
struct str file_whole(struct str path, struct arena *arena);
/* Whether both paths lead to one file. */
bool file_is_same(struct str one, struct str other, struct arena *arena);

#endif
