/* main.c - signals, and the door to the commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cli/cli.h"

/* The only mutable state of the program that is not passed down. */
static struct signals signals = {.wake_fd = -1};

/* It comes between any two instructions, also between a call that failed and the look at errno: that one stays. */
static void on_signal(int number) {
    int kept = errno;
    if (number == SIGHUP && signals.hangup_reloads)
        signals.reload = 1;
    else if (signals.stop < 2)
        signals.stop = signals.stop + 1;
    uint64_t one = 1;
    if (signals.stop == 1 && signals.stop_fd) timerfd_settime(signals.stop_fd, 0, &signals.stop_after, NULL);
    if (signals.wake_fd >= 0) (void)!write(signals.wake_fd, &one, sizeof one); /* full = it is awake already */
    errno = kept;
}

/* Who starts with 0, 1 or 2 closed would else have a store's file there, into which the log is written. */
static void fill_standard(void) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO) fd = fcntl(fd, F_DUPFD, fd + 1);
    if (fd > STDERR_FILENO) close(fd);
}

int main(int argc, char **argv) {
    fill_standard();
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return cli_main(argc, argv, &signals);
}
