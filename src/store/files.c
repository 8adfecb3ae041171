/* store/files.c - see files.h. */
#include "store/files.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DATABASE_LEAST_BYTES 512 /* a page of SQLite's smallest kind */

static const struct {
    const char *suffix, *name;
} kinds[FILES_COUNT] = {
    [FILES_STORE] = {"", "the store's file"},
    [FILES_LOG] = {"-wal", "the store's log (-wal)"},
    [FILES_LOCK] = {".lock", "the store's lock (.lock)"},
};

static int64_t bytes_of(struct str path, const char *suffix, struct arena *arena) {
    struct stat now;
    return stat(str_fmt(arena, "%.*s%s", STR_ARG(path), suffix).p, &now) ? -1 : (int64_t)now.st_size;
}

/* SQLite makes a new database of a file that is shorter than a page, and throws away the log of one it does not find.
 */
enum err files_check(struct str path, bool made, struct arena *arena, struct str *ret_problem) {
    int64_t bytes = bytes_of(path, "", arena), log = bytes_of(path, "-wal", arena);
    if (bytes >= DATABASE_LEAST_BYTES || (bytes <= 0 && log <= 0 && (bytes < 0 || !made))) return ERR_NONE;
    if (bytes > 0)
        *ret_problem = str_fmt(arena, "it is cut short: %lld bytes are no database", (long long)bytes);
    else
        *ret_problem = bytes < 0 ? STR("the file is gone, but its log (-wal) is there") : STR("the file was emptied");
    return bytes > 0 && !made ? ERR_STORE_FOREIGN : ERR_STORE_CORRUPT;
}

static struct str complaint_about(const char *path, int number, const char *what, struct arena *arena) {
    struct stat now;
    if (number == EROFS) return str_fmt(arena, "%s is on a file system that is read-only", path);
    if (number != EACCES && number != EPERM) return STR_NONE;
    if (stat(path, &now)) return str_fmt(arena, "uid %u may not look into the folder of %s", geteuid(), path);
    return str_fmt(arena, "uid %u may not %s %s, which belongs to uid %u", geteuid(), what, path, now.st_uid);
}

/* A reader, too, makes a file in the folder, because SQLite reads a log by way of one. */
struct str files_complaint(struct str path, bool writes, struct arena *arena) {
    const char *file = str_dup(arena, path).p;
    int fd = open(file, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    int number = errno;
    if (fd < 0) return complaint_about(file, number, writes ? "write" : "read", arena);
    close(fd);
    const char *folder = file_folder(path, arena).p;
    return access(folder, W_OK) ? complaint_about(folder, errno, "make files in", arena) : STR_NONE;
}

/* Makes the file before SQLite does, which would let everybody read it. The log later gets the file's mode. */
void files_make_private(struct str path, struct arena *arena) {
    int fd = open(str_dup(arena, path).p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd); /* if it could not be made, SQLite will say why */
}

void files_note(struct files *files, struct str path, struct arena *arena) {
    for (int i = 0; i < FILES_COUNT; i++) {
        struct file_mark *mark = &files->marks[i];
        struct stat now;
        *mark = (struct file_mark){.path = str_fmt(arena, "%.*s%s", STR_ARG(path), kinds[i].suffix).p};
        if (stat(mark->path, &now))
            mark->path = NULL;
        else
            *mark = (struct file_mark){mark->path, now.st_dev, now.st_ino, now.st_size};
    }
    files->marks[FILES_LOG].bytes = 0; /* it is emptied from time to time: who looks says how long it must be */
}

void files_grew(struct files *files) {
    struct file_mark *mark = &files->marks[FILES_STORE];
    struct stat now;
    if (mark->path && !stat(mark->path, &now)) mark->bytes = now.st_size;
}

/* The times are not asked for: a kernel that was asked for them gives the next write a time of its own, which makes the
 * file's record change, too, and each sync of the log slower. */
static enum files_trouble look_at(const struct file_mark *mark, int64_t bytes) {
    struct statx now;
    if (!mark->path) return FILES_FINE;
    if (statx(AT_FDCWD, mark->path, 0, STATX_INO | STATX_SIZE, &now)) return FILES_GONE;
    if (makedev(now.stx_dev_major, now.stx_dev_minor) != mark->device || now.stx_ino != mark->inode)
        return FILES_REPLACED;
    return (int64_t)now.stx_size < bytes ? FILES_CUT : FILES_FINE;
}

enum files_trouble files_look_at_log(const struct files *files, int64_t log_bytes, const char **ret_what) {
    enum files_trouble trouble = look_at(&files->marks[FILES_LOG], log_bytes);
    *ret_what = kinds[FILES_LOG].name;
    return trouble == FILES_GONE ? FILES_LOG_GONE : trouble;
}

enum files_trouble files_look(const struct files *files, int64_t log_bytes, const char **ret_what) {
    static const int others[] = {FILES_STORE, FILES_LOCK};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const struct file_mark *mark = &files->marks[others[i]];
        enum files_trouble trouble = look_at(mark, mark->bytes);
        *ret_what = kinds[others[i]].name;
        if (trouble != FILES_FINE) return trouble;
    }
    return files_look_at_log(files, log_bytes, ret_what);
}

const char *files_trouble_text(enum files_trouble trouble) {
    static const char *const texts[] = {[FILES_FINE] = "is as it was",
                                        [FILES_LOG_GONE] = "was removed; what it held was saved into the store's file",
                                        [FILES_GONE] = "was removed",
                                        [FILES_REPLACED] = "was removed or replaced",
                                        [FILES_CUT] = "was cut short by another program"};
    return texts[trouble];
}
