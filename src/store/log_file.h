/* store/log_file.h - SQLite's log, written in few large pieces.
 *
 * SQLite writes each page of its write-ahead log with two system calls, 24
 * bytes and then the page. Here the bytes are gathered while they follow one
 * another, and written when they are to be read, cut or synced, or when there
 * is no more room. A commit syncs, so its promise stays where it is; what is
 * still gathered when the file is closed is no part of it. Wraps a VFS; all
 * files but the log are that VFS's own.
 */
#ifndef STORE_LOG_FILE_H
#define STORE_LOG_FILE_H

#include <stdint.h>

struct log_vfs;

/* vfs NULL = the system's; it must outlive this. NULL when there is none of that name. */
struct log_vfs *log_vfs_new(const char *vfs);
const char *log_vfs_name(const struct log_vfs *log_vfs); /* to open a database with; each has another */
/* How long the log's file is at least, as far as it was written through here. */
int64_t log_vfs_bytes(const struct log_vfs *log_vfs);
void log_vfs_free(struct log_vfs *log_vfs); /* when its files are closed; NULL is fine */

#endif
