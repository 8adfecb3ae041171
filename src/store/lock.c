/* store/lock.c - see lock.h. The file is eleven digits of a pid, a newline, and "made" once the store exists. Each part
 * is written in place, so a crash in between takes nothing away. */
#include "store/lock.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PID_BYTES 12 /* with its newline */
static const char made_mark[] = "made\n";

static struct str lock_path(struct str path, struct arena *arena) {
    return str_fmt(arena, "%.*s.lock", STR_ARG(path));
}

static int read_pid(int fd) {
    char text[PID_BYTES + 1] = {0};
    return pread(fd, text, PID_BYTES, 0) > 0 ? atoi(text) : 0;
}

/* The pid is a note for people. It does not matter whether it can be written, because the lock is what holds. */
static void write_pid(int fd, int pid) {
    char text[PID_BYTES + 1];
    snprintf(text, sizeof text, "%11d\n", pid);
    ssize_t written = pwrite(fd, text, PID_BYTES, 0);
    (void)written;
}

static enum err refuse(int fd, struct str path, struct arena *arena, struct str *ret_problem) {
    int pid = read_pid(fd);
    *ret_problem = pid > 0 ? str_fmt(arena, "%.*s is in use by process %d", STR_ARG(path), pid)
                           : str_fmt(arena, "%.*s is in use by another process", STR_ARG(path));
    close(fd);
    return ERR_STORE_LOCKED;
}

enum err lock_take(struct lock *lock, struct str path, struct arena *arena, struct str *ret_problem) {
    struct str file = lock_path(path, arena);
    int fd = open(file.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        *ret_problem = str_fmt(arena, "cannot open %.*s: %s", STR_ARG(file), strerror(errno));
        return ERR_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) return refuse(fd, path, arena, ret_problem);
    write_pid(fd, getpid());
    lock->fd = fd;
    return ERR_NONE;
}

/* The file stays, because removing it would let two processes each hold a lock on a file of that name. */
void lock_release(struct lock *lock) {
    if (lock->fd < 0) return;
    write_pid(lock->fd, 0);
    close(lock->fd);
    lock->fd = -1;
}

int lock_holder(struct str path, struct arena *arena) {
    int fd = open(lock_path(path, arena).p, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    int pid = flock(fd, LOCK_SH | LOCK_NB) ? read_pid(fd) : 0;
    close(fd);
    return pid;
}

bool lock_was_made(const struct lock *lock) {
    char text[sizeof made_mark] = {0};
    return pread(lock->fd, text, sizeof made_mark - 1, PID_BYTES) > 0 && !strcmp(text, made_mark);
}

void lock_note_made(const struct lock *lock) {
    ssize_t written = pwrite(lock->fd, made_mark, sizeof made_mark - 1, PID_BYTES);
    (void)written;
}
