/* store/sqlite.h - opens the embedded store: WAL, synchronous=FULL, one
 * connection that writes and checkpoints, an exclusive lock on the file. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "world.h"

struct sqlite_options {
    struct str path;         /* its folder must exist */
    const char *vfs;         /* NULL = the system's; the simulator names its own */
    bool read_only;          /* for the CLI when no server runs; takes no lock, changes nothing */
    int64_t wal_bound_bytes; /* checkpoint inside a busy spell past this; 0 = 64 MiB */
};
/* STORE_LOCKED when another process holds it, STORE_FOREIGN when it is no SQLite file, STORE_CORRUPT, IO. */
MUST_USE enum err sqlite_open(const struct sqlite_options *options, struct arena *arena, struct sql_driver *ret_driver,
                              struct str *ret_problem);

#endif
