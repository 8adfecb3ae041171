/* store/reserve.c - see reserve.h.
 *
 * WHAT. A file that holds nothing but room, so that a full disk stops the taking in of events before it stops their
 * delivery.
 * PROMISE. Once a write finds no space, RESERVE_BYTES are there for claims, outcomes and what operators do, and no new
 * event takes of them.
 * WHY IT HOLDS.
 * 1. The blocks are allocated when the file is made, not when it is written, so removing it gives them back.
 * 2. It is made beside the store, hence on the same file system.
 * 3. While it is given up the store is tight, and the API refuses events (E0121). The log is emptied into the store's
 *    file earlier then (driver_sqlite.c), so that it does not eat the room either.
 * 4. It is made again only where twice its size is free (STORE_ROOM_MIB). So the state does not change to and fro at
 *    the edge.
 * WHAT BREAKS IT. Another program that fills the disk takes the room as well; then everything but questions waits, as
 * without a reserve. A file system that cannot allocate ahead (some network mounts) has no reserve.
 * HOW TO SEE IT. The log lines disk_full and disk_has_space; GET /readyz says E0121.
 * TESTED BY. test/unit/store/test_reserve.c, test/e2e/test_full_disk.py */
#include "store/reserve.h"

#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/store.h"

static_assert(((long long)STORE_ROOM_MIB << 20) >= 2 * RESERVE_BYTES, "what it takes from a disk leaves as much");

static bool has_space(const char *store) {
    struct statvfs disk;
    return !statvfs(store, &disk) && (long long)(disk.f_bavail * disk.f_frsize) >= (long long)STORE_ROOM_MIB << 20;
}

void reserve_open(struct reserve *reserve, struct str store, struct arena *arena) {
    struct stat now;
    *reserve =
        (struct reserve){.store = str_dup(arena, store).p, .path = str_fmt(arena, "%.*s.reserve", STR_ARG(store)).p};
    bool there = !stat(reserve->path, &now);
    reserve->held = there && now.st_blocks * 512LL >= RESERVE_BYTES;
    reserve->tight = there && !reserve->held;
}

/* Emptied, not removed, so that a restart knows that what room there is was given up for what must go on. */
void reserve_give_up(struct reserve *reserve) {
    if (!reserve->held) return;
    reserve->held = false;
    reserve->tight = truncate(reserve->path, 0) == 0;
}

void reserve_restore(struct reserve *reserve) {
    if (reserve->held || !reserve->path || !has_space(reserve->store)) return;
    int fd = open(reserve->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    reserve->held = fallocate(fd, 0, 0, RESERVE_BYTES) == 0;
    close(fd);
    reserve->tight = false;
    if (reserve->held) return;
    unlink(reserve->path);
    reserve->path = NULL; /* there was space, so this file system cannot allocate ahead: not tried again */
}
