#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err read_all(int fd, size_t max_bytes, struct arena *arena, struct buf *buf, struct str path,
                         struct str *ret_problem) {
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            *ret_problem = str_fmt(arena, "cannot read %.*s: %s", STR_ARG(path), strerror(errno));
            return ERR_IO;
        }
        if (n == 0) return ERR_NONE;
        buf_add(buf, (struct str){chunk, (size_t)n});
        if (buf->n > max_bytes) {
            *ret_problem = str_fmt(arena, "%.*s is larger than %zu bytes", STR_ARG(path), max_bytes);
            return ERR_TOO_LARGE;
        }
    }
}

enum err file_read(struct str path, size_t max_bytes, struct arena *arena, struct str *ret_text,
                   struct str *ret_problem) {
    bool standard_input = str_eq(path, STR("-"));
    int fd = standard_input ? 0 : open(str_dup(arena, path).p, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *ret_problem = str_fmt(arena, "cannot open %.*s: %s", STR_ARG(path), strerror(errno));
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    struct buf buf = {.arena = arena};
    enum err err = read_all(fd, max_bytes, arena, &buf, path, ret_problem);
    if (!standard_input) close(fd);
    if (!err) *ret_text = buf_str(&buf);
    return err;
}

static int compare_names(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

#define LIST_MAX 1000

size_t file_list(struct str folder, struct str suffix, struct arena *arena, struct str **ret_names) {
    DIR *dir = opendir(str_dup(arena, folder).p);
    if (!dir) return 0;
    struct str *names = arena_array(arena, struct str, LIST_MAX);
    size_t count = 0;
    for (struct dirent *entry; count < LIST_MAX && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && str_ends(str_from(entry->d_name), suffix))
            names[count++] = str_dup(arena, str_from(entry->d_name));
    closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    return count;
}

struct str file_folder(struct str path, struct arena *arena) {
    size_t end = path.n;
    while (end > 0 && path.p[end - 1] != '/') end--;
    if (end == 0) return STR(".");
    return str_dup(arena, str_sub(path, 0, end == 1 ? 1 : end - 1));
}

struct str file_whole(struct str path, struct arena *arena) {
    char folder[PATH_MAX];
    if (str_starts(path, STR("/")) || str_eq(path, STR("-")) || !getcwd(folder, sizeof folder)) return path;
    while (str_starts(path, STR("./"))) path = str_sub(path, 2, path.n);
    return str_fmt(arena, "%s/%.*s", folder[1] ? folder : "", STR_ARG(path));
}

bool file_is_same(struct str one, struct str other, struct arena *arena) {
    struct stat a, b;
    if (str_eq(one, other)) return true;
    return !stat(str_dup(arena, one).p, &a) && !stat(str_dup(arena, other).p, &b) && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}
