/* store/vacuum.c - see sqlite.h.
 *
 * WHAT. Gives the room that removed events left in the store's file back to the file system.
 * PROMISE. Whenever it is killed, the store is either as it was or as it shall be, and nothing is missing in either.
 * WHY IT HOLDS. All that is in use is copied into a file beside the store, which is on the disk before it takes the
 * store's name in one step. The store's own file is only read. The lock is held until the end, so no server comes in
 * between. The log is empty when the name changes: one that had something in it would be applied to the new file.
 * WHAT BREAKS IT. A program that keeps the old file open goes on with a file that has no name any more.
 * HOW TO SEE IT. drumbeat_store_free_bytes says what it would give back.
 * TESTED BY. test/e2e/test_vacuum.py. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "os/file.h"
#include "store/sqlite.h"

#define PAGE_BYTES   ((int64_t)4096)
#define MARGIN_BYTES ((int64_t)1 << 20)

static enum err ask(struct sql_driver *driver, const char *sql, struct arena *arena, int64_t *ret_number) {
    struct sql_result result;
    TRY(driver->script(driver->self, str_from(sql), arena, &result));
    *ret_number = result.count ? result.rows[0].values[0].number : 0;
    return ERR_NONE;
}

enum err sqlite_measure(struct sql_driver *driver, struct arena *arena, struct sqlite_room *ret_room) {
    int64_t pages, unused;
    TRY(ask(driver, "PRAGMA page_count;", arena, &pages));
    TRY(ask(driver, "PRAGMA freelist_count;", arena, &unused));
    *ret_room = (struct sqlite_room){pages * PAGE_BYTES, unused * PAGE_BYTES};
    return ERR_NONE;
}

static enum err refuse(struct str path, const char *what, int number, struct arena *arena, struct str *ret_problem) {
    *ret_problem = str_fmt(arena, "%.*s %s: %s", STR_ARG(path), what, strerror(number));
    return number == ENOSPC ? ERR_STORE_FULL : ERR_IO;
}

static enum err check_space(struct str path, const struct sqlite_room *room, struct arena *arena,
                            struct str *ret_problem) {
    struct statvfs system;
    int64_t needed = room->bytes - room->free_bytes + MARGIN_BYTES;
    if (statvfs(file_folder(path, arena).p, &system)) return ERR_NONE; /* the copy will say it */
    int64_t there = (int64_t)system.f_bavail * (int64_t)system.f_frsize;
    if (there >= needed) return ERR_NONE;
    *ret_problem = str_fmt(arena, "the copy beside the store needs %lld MiB, and the file system has %lld MiB",
                           (long long)(needed >> 20), (long long)(there >> 20));
    return ERR_STORE_FULL;
}

/* Only its owner may read it, as the store itself. SQLite takes a file that is there and empty. */
static enum err make_copy(struct sql_driver *driver, struct str copy, struct arena *arena, struct str *ret_problem) {
    unlink(copy.p); /* of one that was killed */
    int fd = open(copy.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return refuse(copy, "cannot be made", errno, arena, ret_problem);
    struct buf text = {.arena = arena};
    buf_add(&text, STR("VACUUM INTO '"));
    for (size_t i = 0; i < copy.n; i++) {
        if (copy.p[i] == '\'') buf_byte(&text, '\'');
        buf_byte(&text, copy.p[i]);
    }
    buf_add(&text, STR("';"));
    enum err err = driver->script(driver->self, buf_str(&text), arena, NULL);
    if (err)
        *ret_problem = str_fmt(arena, "the store cannot be copied: %s", driver->trouble(driver->self));
    else if (fsync(fd))
        err = refuse(copy, "cannot be written", errno, arena, ret_problem);
    close(fd);
    return err;
}

/* The copy takes the store's name, and the folder that says so is on the disk. */
static enum err put_in_place(struct sql_driver *driver, struct str path, struct str copy, struct arena *arena,
                             struct str *ret_problem) {
    struct stat log;
    TRY(driver->tidy(driver->self, true));
    if (!stat(str_fmt(arena, "%.*s-wal", STR_ARG(path)).p, &log) && log.st_size) {
        *ret_problem = STR("the log could not be emptied");
        return ERR_NOT_NOW;
    }
    if (rename(copy.p, str_dup(arena, path).p)) return refuse(path, "cannot be replaced", errno, arena, ret_problem);
    int fd = open(file_folder(path, arena).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool fine = fd >= 0 && !fsync(fd);
    int number = errno;
    if (fd >= 0) close(fd);
    return fine ? ERR_NONE : refuse(path, "is replaced, but its folder cannot be synced", number, arena, ret_problem);
}

enum err sqlite_vacuum(struct sql_driver *driver, struct str path, struct arena *arena, struct str *ret_problem) {
    struct str copy = str_fmt(arena, "%.*s.vacuum", STR_ARG(path));
    struct sqlite_room room;
    TRY(sqlite_measure(driver, arena, &room));
    TRY(check_space(path, &room, arena, ret_problem));
    enum err err = make_copy(driver, copy, arena, ret_problem);
    if (!err) err = put_in_place(driver, path, copy, arena, ret_problem);
    if (err) unlink(copy.p); /* has another name by then, where the folder alone is the trouble */
    return err;
}
