/* store/sqlite.h - opens the embedded store: WAL, synchronous=FULL, one
 * connection that writes and checkpoints.
 *
 * A server holds <path>.lock, which names its process and ends with it,
 * and SQLite's own exclusive lock, so that nothing else opens the file beside
 * it and no shared memory file is needed. A reader opens it only while no
 * server runs; it sees what a killed server left in the log and changes
 * neither (it may leave an empty -shm). A store of up to 4 MiB is checked page
 * by page at each start; a larger one for its length.
 * Thread: one in the process; SQLite is configured for that.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "world.h"

struct sqlite_options {
    struct str path;         /* its folder must exist */
    const char *vfs;         /* NULL = the system's; the simulator names its own */
    bool read_only;          /* for the CLI when no server runs; takes no lock, changes nothing */
    int64_t wal_bound_bytes; /* checkpoint inside a busy spell past this; 0 = 12 MiB */
};
/* STORE_LOCKED when another process holds it, STORE_FOREIGN when it is not an SQLite file of ours, STORE_CORRUPT, IO.
 */
MUST_USE enum err sqlite_open(const struct sqlite_options *options, struct arena *arena, struct sql_driver *ret_driver,
                              struct str *ret_problem);

/* The connection, for who copies it page by page (store/copy.c). */
struct sqlite3 *sqlite_connection(const struct sql_driver *driver);

/* What the file takes, and what of it is left of rows that are gone: later rows go there before the file grows. */
struct sqlite_room {
    int64_t bytes, free_bytes;
};
MUST_USE enum err sqlite_measure(struct sql_driver *driver, struct arena *arena, struct sqlite_room *ret_room);
/* Puts a copy without unused room in the place of the file at path, which the driver has open to write. It needs as
 * much room beside it as is in use. Close the driver afterwards: it still has the old file. STORE_FULL, IO, NOT_NOW: a
 * sentence in *ret_problem; the store is then as it was. */
MUST_USE enum err sqlite_vacuum(struct sql_driver *driver, struct str path, struct arena *arena,
                                struct str *ret_problem);

#endif
