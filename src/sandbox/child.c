/* sandbox/child.c - see child.h. A worker is started by posix_spawn, because other threads run and because a large
 * parent must not be copied for each start. */
#include "sandbox/child.h"

#include "base/when.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts the program with only the socket open, and with signals as a fresh program has them. Gives 0 or an errno. */
static int child_spawn(const char *executable, int fd, pid_t *ret_pid) {
    char name[] = "drumbeat", command[] = "jq-worker";
    char *arguments[] = {name, command, NULL}, *environment[] = {NULL};
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    int trouble = posix_spawn(ret_pid, executable, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return trouble;
}

enum err child_start(const char *executable, struct child *ret_child) {
    int fds[2];
    struct child child;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return ERR_IO;
    int trouble = child_spawn(executable, fds[1], &child.pid);
    close(fds[1]);
    if (!trouble) trouble = clock_getcpuclockid(child.pid, &child.cpu);
    if (trouble) {
        close(fds[0]);
        errno = trouble;
        return ERR_IO;
    }
    child.fd = fds[0];
    *ret_child = child;
    return ERR_NONE;
}

bool child_is_quiet(const struct child *child) {
    struct pollfd wanted = {.fd = child->fd, .events = POLLIN | POLLRDHUP};
    return child->pid && poll(&wanted, 1, 0) == 0;
}

int64_t child_cpu_us(const struct child *child) {
    struct timespec used;
    if (clock_gettime(child->cpu, &used) != 0) return 0; /* it has ended, which its socket will say */
    return used.tv_sec * US_PER_S + used.tv_nsec / 1000;
}

void child_end(struct child *child) {
    if (!child->pid) return;
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    close(child->fd);
    child->pid = 0;
}
