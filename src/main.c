/* main.c - signals, and the door to the commands. */
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cli/cli.h"

/* The only mutable state of the program that is not passed down. */
static struct signals signals = {.wake_fd = -1};

static void on_signal(int number) {
    int kept_errno = errno;
    if (number == SIGHUP)
        signals.reload = 1;
    else if (signals.stop < 2)
        signals.stop = signals.stop + 1;
    uint64_t one = 1;
    if (signals.stop == 1 && signals.stop_fd) timerfd_settime(signals.stop_fd, 0, &signals.stop_after, NULL);
    /* A write that fails finds it awake already. */
    ssize_t written = signals.wake_fd >= 0 ? write(signals.wake_fd, &one, sizeof one) : 0;
    (void)written;
    errno = kept_errno;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return cli_main(argc, argv, &signals);
}
