/* engine/backup.h - a copy of an embedded store, made between turns while the server goes on (store/copy.h).
 *
 * It is asked for by POST /v1/backup and begins after the commit. One at a time. A crash leaves a file whose name ends
 * in .part; the next backup removes it. Owned by the loop. Thread: the loop's.
 */
#ifndef ENGINE_BACKUP_H
#define ENGINE_BACKUP_H

#include "store/copy.h"

struct loop;
struct turn;

struct backup {
    struct copy_view view;
    struct copy *copy;
    int64_t next_us; /* WHEN_NEVER = nothing is being copied */
};

/* After the commit of the turn that asked. */
void backup_begin(const struct turn *turn);
/* Between two turns: some of it, as long as a chore may take. */
void backup_step(const struct turn *turn);
void backup_close(struct loop *loop);

#endif
