/* store/sqlite_error.c - see sqlite_error.h. */
#include "store/sqlite_error.h"

#include <errno.h>
#include <sqlite3.h>
#include <stddef.h>

static const struct {
    int code;
    enum err err;
} errors[] = {
    {SQLITE_FULL, ERR_STORE_FULL},
    {SQLITE_BUSY, ERR_STORE_BUSY},
    {SQLITE_LOCKED, ERR_STORE_BUSY},
    {SQLITE_READONLY, ERR_STORE_BUSY},
    {SQLITE_NOMEM, ERR_STORE_BUSY},
    {SQLITE_INTERRUPT, ERR_STORE_BUSY},
    {SQLITE_IOERR, ERR_STORE_FAILED},
    {SQLITE_CORRUPT, ERR_STORE_CORRUPT},
    {SQLITE_NOTADB, ERR_STORE_FOREIGN},
    {SQLITE_CANTOPEN, ERR_IO},
    {SQLITE_PERM, ERR_IO},
    {SQLITE_AUTH, ERR_IO},
    {SQLITE_TOOBIG, ERR_STORE_REFUSED},
    {SQLITE_CONSTRAINT, ERR_STORE_REFUSED},
    {SQLITE_MISMATCH, ERR_STORE_REFUSED},
};

/* After a write that found no room or a read-only disk the last commit is whole. After a failed sync nothing is known.
 */
static enum err io_error(int extended, int system_errno) {
    if (extended == SQLITE_IOERR_NOMEM) return ERR_STORE_BUSY;
    if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC) return ERR_STORE_FAILED;
    if (system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG) return ERR_STORE_FULL;
    return system_errno == EROFS ? ERR_STORE_BUSY : ERR_STORE_FAILED;
}

enum err sqlite_error(int extended, int system_errno) {
    if ((extended & 0xff) == SQLITE_IOERR) return io_error(extended, system_errno);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == (extended & 0xff)) return errors[i].err;
    return ERR_INTERNAL;
}
