/* http/linger.h - connections that are over, kept until what their senders had
 * on the way has come.
 *
 * A socket that is closed while bytes wait in it answers them with a reset,
 * and a reset makes a client forget the answer that it has not read yet. So
 * after a denial before the end of a body our side says that it is done, and
 * reads on into nothing for a while. Thread: the listener's.
 */
#ifndef HTTP_LINGER_H
#define HTTP_LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINGERS_MAX 64 /* one more is reset at once */

struct lingers {
    struct lingerer {
        int fd;
        int64_t until_us;
    } all[LINGERS_MAX];
    size_t count;
};

/* Takes a second descriptor of the connection; the caller closes his own. -1 when there is no room, else the
 * descriptor, whose bytes wake whoever watches it. */
int linger_add(struct lingers *lingers, int fd, int64_t now_us);
/* Reads what is there, and ends the connections whose time is over. */
void lingers_serve(struct lingers *lingers, int64_t now_us);
int64_t lingers_due(const struct lingers *lingers); /* WHEN_NEVER = nobody lingers */
void lingers_end(struct lingers *lingers);

#endif
