/* engine/folders.h - folders make events: what memory knows of their files, and
 * the chore that looks at them. Private to the loop's own files.
 */
#ifndef ENGINE_FOLDERS_H
#define ENGINE_FOLDERS_H

#include "engine/made.h"
#include "model/folder.h"

struct folders;

/* For the configuration in force; those of the one before are forgotten. The files are read anew. */
void folders_open(struct loop *loop);
MUST_USE enum err folders_step(struct turn *turn, struct chore_round *round, bool *ret_more);
/* When there is something to do next, by the loop's clock; NEVER = there is no folder. */
int64_t folders_next(const struct turn *turn);
/* After the commit: what the turn appended is published. */
void folders_apply(struct turn *turn);
const struct folder_view *folders_view(const struct loop *loop, size_t *ret_count);

#endif
