/* test/unit/store/files.h - what lies on a disk: bytes to read, to compare and
 * to spoil, and a process that dies over them. */
#ifndef STORE_TEST_FILES_H
#define STORE_TEST_FILES_H

#include "disk.h"

static inline struct str read_whole(struct disk *disk, const char *suffix) {
    char path[96];
    struct stat info;
    snprintf(path, sizeof path, "%s%s", disk->path, suffix);
    int fd = open(path, O_RDONLY);
    if (fd < 0) return STR_NONE;
    assert_int_equal(fstat(fd, &info), 0);
    char *bytes = arena_alloc(&disk->arena, (size_t)info.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)info.st_size), info.st_size);
    close(fd);
    return (struct str){bytes, (size_t)info.st_size};
}

static inline void write_whole(const char *path, struct str bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
    close(fd);
}

static inline int64_t bytes_of(struct disk *disk, const char *suffix) {
    char path[96];
    struct stat info;
    snprintf(path, sizeof path, "%s%s", disk->path, suffix);
    return stat(path, &info) ? -1 : (int64_t)info.st_size;
}

/* A process that opens the store, appends, and dies without another word. It leaves its work in the log. */
static inline void die_after(struct disk *disk, int events) {
    pid_t pid = fork();
    if (pid == 0) {
        if (open_store(disk)) _exit(1);
        for (int i = 0; i < events; i++)
            if (append_in_turn(disk, i, 400)) _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

#endif
