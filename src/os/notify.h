/* os/notify.h - what a service manager wants to hear of the process that it started: that it is ready, that it reloads
 * or stops, and that it still does its work. Datagrams to the socket that $NOTIFY_SOCKET names, as sd_notify(3)
 * describes them; no library is needed for that. Nothing here waits, and what cannot be sent is dropped: a manager that
 * does not listen must not hold up the work.
 *
 * The watchdog is fed by whoever calls notify_beat, and there is no thread behind it. So a loop that stands still is
 * missed, although other threads of the process go on. Thread: the caller's, one.
 */
#ifndef OS_NOTIFY_H
#define OS_NOTIFY_H

#include <stdint.h>

struct notify {
    int fd;           /* -1 = nobody listens */
    int64_t every_us; /* between beats; 0 = none are wanted */
    int64_t next_us;  /* the moment of the next one, in the monotonic clock of os/deadline.h */
};

/* Looks into the environment: $NOTIFY_SOCKET (a path, or an abstract name behind @), and $WATCHDOG_USEC with
 * $WATCHDOG_PID. One of another process's, or one that makes no sense, is as none. */
struct notify notify_open(void);
/* Lines such as "READY=1\nSTATUS=words". */
void notify_send(const struct notify *notify, const char *lines);
/* That a reload begins: with the moment, which the manager wants to have. "READY=1" ends it. */
void notify_reloading(const struct notify *notify, int64_t now_us);
/* The work goes on. Sends WATCHDOG=1 when that is due: three times as often as the manager asks for. Gives the time
 * until the next, or most_us where that is shorter. */
int64_t notify_beat(struct notify *notify, int64_t now_us, int64_t most_us);
void notify_close(struct notify *notify);

#endif
