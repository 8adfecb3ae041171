/* os/thread.c - threads without signals. */
#include "os/thread.h"

#include <signal.h>

bool thread_start(const char *name, void *(*run)(void *), void *arg, pthread_t *ret_thread) {
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) return false;
    pthread_setname_np(thread, name);
    *ret_thread = thread;
    return true;
}
