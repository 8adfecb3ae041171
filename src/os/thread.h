/* os/thread.h - a thread beside the loop's. It gets no signals: they are for
 * the main thread. */
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* name: up to 15 characters, as ps shows it. */
bool thread_start(const char *name, void *(*run)(void *), void *arg, pthread_t *ret_thread);

#endif
