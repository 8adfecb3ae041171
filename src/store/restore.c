#include "store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "store/lock.h"

#define CHUNK_BYTES ((size_t)1 << 24)

static enum err fails(struct str path, const char *what, struct arena *arena, struct str *ret_problem) {
    int number = errno;
    *ret_problem = str_fmt(arena, "%.*s %s: %s", STR_ARG(path), what, strerror(number));
    return number == ENOSPC ? ERR_STORE_FULL : ERR_IO;
}

static struct str beside(struct str path, const char *suffix, struct arena *arena) {
    return str_fmt(arena, "%.*s%s", STR_ARG(path), suffix);
}

static enum err copy_file(struct str from, struct str to, struct arena *arena, struct str *ret_problem) {
    int in = open(str_dup(arena, from).p, O_RDONLY | O_CLOEXEC);
    if (in < 0) return fails(from, "cannot be read", arena, ret_problem);
    int out = open(str_dup(arena, to).p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t moved = out < 0 ? -1 : 1;
    while (moved > 0) moved = sendfile(out, in, NULL, CHUNK_BYTES);
    enum err err = moved < 0 || fsync(out) ? fails(to, "cannot be written", arena, ret_problem) : ERR_NONE;
    if (out >= 0) close(out);
    close(in);
    return err;
}

enum err restore_copy(struct str from, struct str to, struct arena *arena, struct str *ret_problem) {
    struct str log = beside(from, "-wal", arena);
    struct stat info;
    TRY(copy_file(from, to, arena, ret_problem));
    return stat(log.p, &info) || !info.st_size ? ERR_NONE
                                               : copy_file(log, beside(to, "-wal", arena), arena, ret_problem);
}

bool restore_is_open(struct str path, struct arena *arena, struct str *ret_problem) {
    int pid = lock_holder(path, arena);
    if (pid) *ret_problem = str_fmt(arena, "%.*s is in use by process %d", STR_ARG(path), pid);
    return pid != 0;
}

static void remove_sides(struct str path, struct arena *arena) {
    static const char *const suffixes[] = {".lock", ".reserve", "-shm", "-wal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) unlink(beside(path, suffixes[i], arena).p);
}

void restore_drop(struct str copy, struct arena *arena) {
    remove_sides(copy, arena);
    unlink(str_dup(arena, copy).p);
}

static enum err sync_folder(struct str path, struct arena *arena, struct str *ret_problem) {
    int fd = open(file_folder(path, arena).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err =
        fd < 0 || fsync(fd) ? fails(path, "has a folder that cannot be synced", arena, ret_problem) : ERR_NONE;
    if (fd >= 0) close(fd);
    return err;
}

static enum err move(struct str from, struct str to, unsigned flags, struct arena *arena, struct str *ret_problem) {
    if (!renameat2(AT_FDCWD, str_dup(arena, from).p, AT_FDCWD, str_dup(arena, to).p, flags)) return ERR_NONE;
    return fails(from, "cannot be renamed", arena, ret_problem);
}

/* The two change their names in one step. A log that is not empty, of a store that could not be opened to empty it,
 * goes aside before that: under the new file it would be another's. */
static enum err put_locked(struct str from, struct str path, struct str aside, struct arena *arena,
                           struct str *ret_problem) {
    struct str log = beside(path, "-wal", arena);
    struct stat info;
    bool replaces = !stat(str_dup(arena, path).p, &info);
    if (!stat(log.p, &info) && info.st_size)
        TRY(move(log, beside(aside, "-wal", arena), RENAME_NOREPLACE, arena, ret_problem));
    unlink(log.p);
    unlink(beside(path, "-shm", arena).p);
    TRY(move(from, path, replaces ? RENAME_EXCHANGE : RENAME_NOREPLACE, arena, ret_problem));
    if (replaces) TRY(move(from, aside, RENAME_NOREPLACE, arena, ret_problem));
    remove_sides(from, arena);
    return sync_folder(path, arena, ret_problem);
}

enum err restore_put(struct str from, struct str path, struct str aside, struct arena *arena, struct str *ret_problem) {
    struct lock lock;
    TRY(lock_take(&lock, path, arena, ret_problem));
    enum err err = put_locked(from, path, aside, arena, ret_problem);
    if (!err) lock_note_made(&lock);
    lock_release(&lock);
    return err;
}
