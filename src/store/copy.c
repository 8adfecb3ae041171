/* store/copy.c - see copy.h.
 *
 * WHAT. SQLite's online backup between the store's own connection and a file beside it.
 * PROMISE. The copy holds every turn that had committed at its last step, and no part of one that had not. A turn waits
 * for one step at most.
 * WHY IT HOLDS. A step runs outside any transaction, and reads under a read transaction of its own. The source's only
 * writer is the same connection, so SQLite writes what it changes into the copy as well, and never begins again.
 * WHAT BREAKS IT. A machine that dies before the copy was synced: then its name still ends in .part.
 * HOW TO SEE IT. GET /v1/backup; the log lines backup_finished and backup_failed.
 * TESTED BY. test/e2e/test_backup.py.
 */
#include "store/copy.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/when.h"
#include "os/file.h"
#include "store/row.h"
#include "store/sqlite.h"

#define MARGIN_BYTES ((int64_t)16 << 20)
#define NAMES_TRIED  60

struct copy {
    sqlite3 *into;
    sqlite3_backup *backup;
    bool whole;
    char path[4096], trouble[200];
};

static bool has_room(struct store *store, struct str path, struct arena *arena, struct str *ret_problem) {
    int64_t file_bytes = 0, log_bytes = 0;
    struct statvfs system;
    const struct sql_driver *driver = store->driver;
    if (!driver->measure(driver->self, &file_bytes, &log_bytes)) return true;
    if (statvfs(file_folder(path, arena).p, &system)) return true; /* making the file will say it */
    int64_t there = (int64_t)system.f_bavail * (int64_t)system.f_frsize, needed = file_bytes + log_bytes + MARGIN_BYTES;
    if (there >= needed) return true;
    *ret_problem = str_fmt(arena, "the copy needs %lld MiB, and the file system has %lld MiB",
                           (long long)(needed >> 20), (long long)(there >> 20));
    return false;
}

static void note(struct copy *copy, sqlite3 *db) {
    snprintf(copy->trouble, sizeof copy->trouble, "%s", sqlite3_errmsg(db));
}

static enum err start(struct copy *copy, sqlite3 *from) {
    int code = sqlite3_open_v2(copy->path, &copy->into, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
    if (!code)
        code = sqlite3_exec(copy->into, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;", NULL, NULL, NULL);
    if (!code) copy->backup = sqlite3_backup_init(copy->into, "main", from, "main");
    if (copy->backup) return ERR_NONE;
    note(copy, copy->into);
    return ERR_IO;
}

/* Whoever checks a copy and gives it its name holds a lock on it (cli/backup.c). */
static bool is_held(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0) close(fd);
    return held;
}

/* What an earlier process left unfinished, and copies of this one that nobody came for. */
static void remove_parts(struct str folder, struct str spared, struct arena *arena) {
    struct str *names;
    size_t count = file_list(folder, STR(".part"), arena, &names);
    for (size_t i = 0; i < count; i++) {
        struct str path = str_fmt(arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(names[i]));
        if (!str_eq(path, spared) && !is_held(path.p)) unlink(path.p);
    }
}

/* "drumbeat-2026-11-28T091500Z.db.part": a ':' in a file's name is trouble elsewhere. */
static struct str name_of(struct str folder, int64_t wall_us, struct arena *arena) {
    struct str moment = when_str(arena, wall_us);
    struct buf path = {.arena = arena};
    buf_add(&path, folder);
    buf_add(&path, STR("/drumbeat-"));
    for (size_t i = 0; i < moment.n && moment.p[i] != '.' && moment.p[i] != 'Z'; i++)
        if (moment.p[i] != ':') buf_byte(&path, moment.p[i]);
    buf_add(&path, STR("Z.db.part"));
    return buf_str(&path);
}

/* The first second from then on that is no other copy's name: names are in the order in which copies were made. */
static struct str file_in(struct str folder, int64_t wall_us, struct arena *arena) {
    struct stat info;
    struct str part;
    for (int i = 0; i < NAMES_TRIED; i++, wall_us += US_PER_S) {
        part = name_of(folder, wall_us, arena);
        struct str file = str_sub(part, 0, part.n - strlen(".part"));
        if (stat(part.p, &info) && stat(str_dup(arena, file).p, &info)) break;
    }
    return part;
}

static enum err make(struct copy *copy, struct store *store) {
    int fd = open(copy->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(copy->trouble, sizeof copy->trouble, "%s", strerror(errno));
        return errno == ENOSPC ? ERR_STORE_FULL : ERR_IO;
    }
    close(fd);
    return start(copy, sqlite_connection(store->driver));
}

/* Makes the folder where it is not there, and gives its whole path: who follows may stand elsewhere. */
static bool find_folder(struct str *folder, struct arena *arena, struct str *ret_problem) {
    const char *path = str_dup(arena, *folder).p;
    bool made = !mkdir(path, 0700) || errno == EEXIST;
    char *whole = made ? realpath(path, NULL) : NULL;
    if (!whole) *ret_problem = str_fmt(arena, "%s cannot be made: %s", path, strerror(errno));
    if (whole) *folder = str_dup(arena, str_from(whole));
    free(whole);
    return whole != NULL;
}

enum err copy_begin(struct store *store, struct str folder, struct str spared, int64_t wall_us, struct arena *arena,
                    struct copy **ret_copy, struct str *ret_file, struct str *ret_problem) {
    if (store->driver->dialect != SQL_SQLITE) {
        *ret_problem = STR("the store is not a file");
        return ERR_NOT_NOW;
    }
    if (!find_folder(&folder, arena, ret_problem)) return ERR_IO;
    remove_parts(folder, spared, arena);
    struct str file = file_in(folder, wall_us, arena);
    *ret_file = file;
    if (!has_room(store, file, arena, ret_problem)) return ERR_STORE_FULL;
    struct copy *copy = calloc(1, sizeof *copy);
    assert(copy && file.n < sizeof copy->path);
    memcpy(copy->path, file.p, file.n);
    enum err err = make(copy, store);
    *ret_copy = copy;
    if (!err) return ERR_NONE;
    *ret_problem = str_fmt(arena, "%s cannot be made: %s", copy->path, copy->trouble);
    copy_end(copy);
    return err;
}

enum err copy_step(struct copy *copy, int pages, int64_t *ret_left, int64_t *ret_total) {
    int code = sqlite3_backup_step(copy->backup, pages);
    *ret_left = sqlite3_backup_remaining(copy->backup);
    *ret_total = sqlite3_backup_pagecount(copy->backup);
    if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) return ERR_NONE; /* the next turn goes on */
    if (code == SQLITE_DONE) {
        code = sqlite3_backup_finish(copy->backup);
        copy->backup = NULL;
        copy->whole = code == SQLITE_OK;
    }
    if (copy->whole) return ERR_NONE;
    snprintf(copy->trouble, sizeof copy->trouble, "%s", sqlite3_errstr(code));
    return (code & 0xff) == SQLITE_FULL ? ERR_STORE_FULL : ERR_IO;
}

const char *copy_trouble(const struct copy *copy) {
    return copy->trouble;
}

void copy_end(struct copy *copy) {
    if (!copy) return;
    if (copy->backup) sqlite3_backup_finish(copy->backup);
    sqlite3_close(copy->into);
    if (!copy->whole) unlink(copy->path);
    free(copy);
}
