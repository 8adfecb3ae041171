/* store/log_file.c - see log_file.h.
 *
 * WHAT. A file of SQLite's that gathers the small writes of its log and hands them on as one, at the latest when
 * the log is synced.
 * PROMISE. After a sync that succeeded, everything SQLite wrote before it is on the disk, in SQLite's own order. A
 * failure is told to SQLite before it may take anything for written.
 * WHY IT HOLDS.
 * 1. Only writes that follow one another without a gap are gathered; any other one first has the gathered bytes
 *    written.
 * 2. A sync, a truncation, and a read that touches the gathered bytes have them written first. The size that is
 *    told counts them. So nobody who asks can tell the difference.
 * 3. When writing the gathered bytes fails, the call that had them written fails with the code of a failed write,
 *    and SQLite rolls back, as it would have at the write itself.
 * 4. The bytes are then kept and go first at the next try, because some of them may belong to an earlier commit:
 *    where the disk is not trusted to leave the rest of a sector alone, SQLite fills the sector behind a commit,
 *    and only syncs up to there.
 * 5. What was gathered and not synced when the process dies was not promised to anybody: its COMMIT had not
 *    returned.
 * WHAT BREAKS IT. A second connection that reads the log's file beside us: it would not see the gathered bytes.
 * The store is opened in exclusive locking mode, so there is none. Shared memory or a mapping of the log, which
 * version 1 of the methods does not offer.
 * HOW TO SEE IT. strace: one pwrite64 of the -wal for a commit, then one fdatasync.
 * TESTED BY. test/unit/store/test_log_file.c, test/e2e/test_log_file.py, test_store_faults.py; the simulator's
 * disk, and the planted bug normal-instead-of-full. */
#include "store/log_file.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_BYTES ((size_t)16 * (4096 + 24)) /* 16 pages with their heads */

struct log_vfs {
    sqlite3_vfs vfs; /* the base's, but for opening and the name: its functions find in it what they look for */
    sqlite3_vfs *base;
    sqlite3_int64 written; /* the end of what was written of the log since it was last cut */
    char name[32];
};

/* The base's file follows directly behind this one in memory. */
struct log_file {
    sqlite3_file file;
    struct log_vfs *owner;
    sqlite3_int64 from; /* where the gathered bytes belong */
    size_t count;
    unsigned char *bytes;
};

static sqlite3_file *inner(sqlite3_file *file) {
    return (sqlite3_file *)((struct log_file *)file + 1);
}

static sqlite3_int64 log_end(const struct log_file *log) {
    return log->from + (sqlite3_int64)log->count;
}

static int write_now(struct log_file *log, const void *bytes, size_t count, sqlite3_int64 at) {
    sqlite3_file *to = inner(&log->file);
    sqlite3_int64 end = at + (sqlite3_int64)count;
    int code = to->pMethods->xWrite(to, bytes, (int)count, at);
    if (!code && end > log->owner->written) log->owner->written = end;
    return code;
}

static int write_gathered(sqlite3_file *file) {
    struct log_file *log = (struct log_file *)file;
    if (!log->count) return SQLITE_OK;
    int code = write_now(log, log->bytes, log->count, log->from);
    if (!code) log->count = 0;
    return code;
}

static int log_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at) {
    struct log_file *log = (struct log_file *)file;
    size_t size = (size_t)count;
    if (log->count && (log_end(log) != at || size > GATHER_BYTES - log->count)) {
        int code = write_gathered(file);
        if (code) return code;
    }
    if (size > GATHER_BYTES) return write_now(log, bytes, size, at);
    if (!log->count) log->from = at;
    memcpy(log->bytes + log->count, bytes, size);
    log->count += size;
    return SQLITE_OK;
}

static int log_close(sqlite3_file *file) {
    free(((struct log_file *)file)->bytes);
    return inner(file)->pMethods->xClose(inner(file));
}

/* A read that does not touch the gathered bytes works even while they cannot be written. */
static int log_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at) {
    const struct log_file *log = (struct log_file *)file;
    bool apart = at + count <= log->from || at >= log_end(log);
    int code = apart ? SQLITE_OK : write_gathered(file);
    return code ? code : inner(file)->pMethods->xRead(inner(file), bytes, count, at);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int code = write_gathered(file);
    if (!code) code = inner(file)->pMethods->xTruncate(inner(file), size);
    struct log_vfs *owner = ((struct log_file *)file)->owner;
    if (!code && owner->written > size) owner->written = size;
    return code;
}

static int log_sync(sqlite3_file *file, int flags) {
    int code = write_gathered(file);
    return code ? code : inner(file)->pMethods->xSync(inner(file), flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
    const struct log_file *log = (struct log_file *)file;
    int code = inner(file)->pMethods->xFileSize(inner(file), ret_size);
    if (!code && log->count && *ret_size < log_end(log)) *ret_size = log_end(log);
    return code;
}

static int log_lock(sqlite3_file *file, int level) {
    return inner(file)->pMethods->xLock(inner(file), level);
}

static int log_unlock(sqlite3_file *file, int level) {
    return inner(file)->pMethods->xUnlock(inner(file), level);
}

static int log_is_reserved(sqlite3_file *file, int *ret_reserved) {
    return inner(file)->pMethods->xCheckReservedLock(inner(file), ret_reserved);
}

static int log_control(sqlite3_file *file, int what, void *argument) {
    return inner(file)->pMethods->xFileControl(inner(file), what, argument);
}

static int log_sector_bytes(sqlite3_file *file) {
    return inner(file)->pMethods->xSectorSize(inner(file));
}

static int log_traits(sqlite3_file *file) {
    return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}

/* Version 1, because a log has neither shared memory nor a mapping. */
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_is_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector_bytes,
    .xDeviceCharacteristics = log_traits,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    sqlite3_vfs *base = ((struct log_vfs *)vfs)->base;
    if (!(flags & SQLITE_OPEN_WAL)) return base->xOpen(base, name, file, flags, ret_flags);
    struct log_file *log = (struct log_file *)file;
    *log = (struct log_file){.owner = (struct log_vfs *)vfs};
    int code = base->xOpen(base, name, inner(file), flags, ret_flags);
    if (code) {
        if (inner(file)->pMethods) inner(file)->pMethods->xClose(inner(file));
        return code;
    }
    log->owner->written = 0;
    log->bytes = malloc(GATHER_BYTES);
    assert(log->bytes);
    log->file.pMethods = &log_methods;
    return SQLITE_OK;
}

struct log_vfs *log_vfs_new(const char *vfs) {
    sqlite3_vfs *base = sqlite3_vfs_find(vfs);
    if (!base) return NULL;
    struct log_vfs *log_vfs = malloc(sizeof *log_vfs);
    assert(log_vfs);
    *log_vfs = (struct log_vfs){.vfs = *base, .base = base};
    snprintf(log_vfs->name, sizeof log_vfs->name, "log-%p", (void *)log_vfs);
    log_vfs->vfs.zName = log_vfs->name;
    log_vfs->vfs.szOsFile += (int)sizeof(struct log_file);
    log_vfs->vfs.xOpen = vfs_open;
    int code = sqlite3_vfs_register(&log_vfs->vfs, 0);
    assert(code == SQLITE_OK);
    return log_vfs;
}

const char *log_vfs_name(const struct log_vfs *log_vfs) {
    return log_vfs->name;
}

int64_t log_vfs_bytes(const struct log_vfs *log_vfs) {
    return log_vfs->written;
}

void log_vfs_free(struct log_vfs *log_vfs) {
    if (!log_vfs) return;
    sqlite3_vfs_unregister(&log_vfs->vfs);
    free(log_vfs);
}
