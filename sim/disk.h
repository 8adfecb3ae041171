/* sim/disk.h - a disk that can lose what was not synced: a SQLite VFS in
 * memory. A write is seen at once and durable after the file's next sync. A
 * crash keeps, drops or tears each unsynced 512-byte sector, by the seed.
 * Directory changes are durable at once. No shared memory: the store runs in
 * exclusive locking mode, where SQLite needs none.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/rng.h"
#include "base/str.h"

#define DISK_VFS_NAME "simulated"

struct disk;

/* Makes the one disk of this process, which the VFS then uses. SQLite must not be open on a disk that is replaced. */
struct disk *disk_new(struct rng *rng);
void disk_free(struct disk *disk);

/* It is asked before each write, sync and truncate. False means that the process is dead: the call fails and changes
 * nothing. */
struct disk_watch {
    bool (*alive)(void *self);
    void *self;
};
void disk_watch(struct disk *disk, struct disk_watch watch);
void disk_crash(struct disk *disk); /* what was not synced is kept, dropped or torn */
void disk_limit(struct disk *disk,
                size_t bytes); /* all files together; SIZE_MAX = no bound: writes beyond are ENOSPC */
void disk_fail_syncs(struct disk *disk, size_t count); /* the next syncs are EIO */
void disk_lie(struct disk *disk, bool lie);            /* syncs say yes and do nothing: the checker must see losses */
size_t disk_bytes(const struct disk *disk);
uint64_t disk_syncs(const struct disk *disk);

#endif
