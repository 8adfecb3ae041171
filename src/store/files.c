/* store/files.c - see files.h. */
#include "store/files.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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

static enum files_trouble look_at(const struct file_mark *mark, int64_t bytes) {
    struct stat now;
    if (!mark->path) return FILES_FINE;
    if (stat(mark->path, &now)) return FILES_GONE;
    if (now.st_dev != mark->device || now.st_ino != mark->inode) return FILES_REPLACED;
    return now.st_size < bytes ? FILES_CUT : FILES_FINE;
}

enum files_trouble files_look(const struct files *files, int64_t log_bytes, const char **ret_what) {
    for (int i = 0; i < FILES_COUNT; i++) {
        const struct file_mark *mark = &files->marks[i];
        enum files_trouble trouble = look_at(mark, i == FILES_LOG ? log_bytes : mark->bytes);
        if (trouble == FILES_FINE) continue;
        *ret_what = kinds[i].name;
        return i == FILES_LOG && trouble == FILES_GONE ? FILES_LOG_GONE : trouble;
    }
    return FILES_FINE;
}

const char *files_trouble_text(enum files_trouble trouble) {
    static const char *const texts[] = {[FILES_FINE] = "is as it was",
                                        [FILES_LOG_GONE] = "was removed; what it held was saved into the store's file",
                                        [FILES_GONE] = "was removed",
                                        [FILES_REPLACED] = "was removed or replaced",
                                        [FILES_CUT] = "was cut short by another program"};
    return texts[trouble];
}
