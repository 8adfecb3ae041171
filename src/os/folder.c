/* os/folder.c - see folder.h. A name is resolved by the kernel beneath the folder (openat2), so that no link and no
 * race leads out of it; where a kernel or a sandbox has no such call, no link is followed. */
#include "os/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int compare_names(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* NAME.md or NAME.markdown; in capitals too, as other systems write it. */
static bool is_post(struct str name) {
    static const struct str endings[] = {{".md", 3}, {".markdown", 9}};
    for (size_t i = 0; i < 2; i++)
        if (name.n > endings[i].n && str_eq_nocase(str_sub(name, name.n - endings[i].n, endings[i].n), endings[i]))
            return true;
    return false;
}

static enum err list(void *self, struct str path, struct arena *arena, struct str **ret_names, size_t *ret_count,
                     bool *ret_more, struct str *ret_problem) {
    DIR *dir = opendir(str_dup(arena, path).p);
    size_t count = 0, room = 64;
    (void)self;
    if (!dir) {
        *ret_problem = str_fmt(arena, "the folder %.*s cannot be read: %s", STR_ARG(path), strerror(errno));
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    struct str *names = arena_array(arena, struct str, room);
    *ret_more = false;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || !is_post(str_from(entry->d_name))) continue;
        if (count == FOLDER_FILES_MAX) {
            *ret_more = true;
            break;
        }
        if (count == room) {
            struct str *more = arena_array(arena, struct str, room * 2);
            memcpy(more, names, room * sizeof *names);
            names = more;
            room *= 2;
        }
        names[count++] = str_dup(arena, str_from(entry->d_name));
    }
    closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    return ERR_NONE;
}

/* A copy or a move keeps the time of the file's content, and gives its node a time of its own. */
static struct file_stamp stamp_of(const struct stat *stat) {
    return (struct file_stamp){stat->st_ino, stat->st_size,
                               (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec,
                               (int64_t)stat->st_ctim.tv_sec * 1000000 + stat->st_ctim.tv_nsec / 1000};
}

static void look(void *self, struct str path, const struct str *names, size_t count, struct file_stamp *ret_stamps) {
    struct arena arena = ARENA_EMPTY;
    int folder = open(str_dup(&arena, path).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)self;
    for (size_t i = 0; i < count; i++) {
        struct stat stat;
        bool there = folder >= 0 && !fstatat(folder, str_dup(&arena, names[i]).p, &stat, 0);
        ret_stamps[i] = there ? stamp_of(&stat) : (struct file_stamp){0};
    }
    if (folder >= 0) close(folder);
    arena_free(&arena);
}

static int open_beneath(int folder, const char *name) {
    const struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)fd;
    return openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

static const char *open_problem(int error) {
    return error == EXDEV || error == ELOOP ? "it is a link that leads out of the folder" : strerror(error);
}

/* A file that grows while it is read has another stamp behind it. */
static enum err read_file(int fd, size_t max_bytes, struct arena *arena, struct str *ret_text,
                          struct file_stamp *ret_stamp, struct str *ret_problem) {
    struct stat stat;
    if (fstat(fd, &stat) || !S_ISREG(stat.st_mode)) {
        *ret_problem = STR("it is no regular file");
        return ERR_IO;
    }
    if ((uint64_t)stat.st_size > max_bytes) {
        *ret_problem = str_fmt(arena, "it is larger than %zu bytes (server.max_event)", max_bytes);
        return ERR_TOO_LARGE;
    }
    char *text = arena_alloc(arena, (size_t)stat.st_size + 1);
    size_t n = 0;
    for (ssize_t got; n < (size_t)stat.st_size && (got = read(fd, text + n, (size_t)stat.st_size - n)) != 0;) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            *ret_problem = str_fmt(arena, "it cannot be read: %s", strerror(errno));
            return ERR_IO;
        }
        n += (size_t)got;
    }
    if (fstat(fd, &stat)) return ERR_IO;
    *ret_stamp = stamp_of(&stat);
    *ret_text = (struct str){text, n};
    return ERR_NONE;
}

static enum err read_whole(void *self, struct str path, struct str name, size_t max_bytes, struct arena *arena,
                           struct str *ret_text, struct file_stamp *ret_stamp, struct str *ret_problem) {
    int folder = open(str_dup(arena, path).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : open_beneath(folder, str_dup(arena, name).p), error = errno;
    (void)self;
    if (folder >= 0) close(folder);
    if (fd < 0) {
        *ret_problem = str_fmt(arena, "it cannot be opened: %s", open_problem(error));
        return error == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    enum err err = read_file(fd, max_bytes, arena, ret_text, ret_stamp, ret_problem);
    close(fd);
    return err;
}

struct folder_seam folder_seam_real(void) {
    return (struct folder_seam){list, look, read_whole, NULL};
}
