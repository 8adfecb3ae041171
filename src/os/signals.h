/* os/signals.h - what a signal handler tells the thread that runs everything.
 * main.c has the only one of these and sets it; whoever waits puts the
 * descriptor there that is to wake it. Thread: any; each field is atomic. */
#ifndef OS_SIGNALS_H
#define OS_SIGNALS_H

#include <signal.h>
#include <time.h>

struct signals {
    volatile sig_atomic_t stop; /* times asked */
    volatile sig_atomic_t reload;
    volatile sig_atomic_t hangup_reloads; /* SIGHUP sets reload; else it asks to stop, as the others do */
    volatile sig_atomic_t wake_fd;        /* an eventfd that the handler writes to; -1 = none */
    /* A timer that the first stop starts: when it ends, nothing is waited for any more. 0 = none. */
    volatile sig_atomic_t stop_fd;
    struct itimerspec stop_after;
};

#endif
