/* api/throttle.h - how often each address may send each form. Private to this room.
 *
 * So many at once as the limit says, and then one in each part of its window. What is remembered is bounded: when there
 * are more addresses than room, the one that was quiet longest is forgotten, which only lets it send. A turn that is
 * done again counts its requests twice. Thread: the loop's. */
#ifndef API_THROTTLE_H
#define API_THROTTLE_H

#include "model/settings.h"

struct request;
struct throttle;

struct throttle *throttle_new(void);
void throttle_free(struct throttle *throttle);

/* Whether one more request to a form may come now. *ret_wait_us: how long until one may, when not. Who sent it is the
 * other end of its connection or, where that is one of server.proxies, the last address of X-Forwarded-For that is none
 * of them. Where nobody can tell, because something on this machine passed the request on and server.proxies does not
 * name it, there is no limit. */
bool throttle_admits(struct throttle *throttle, const struct server_settings *server, struct str form,
                     const struct limit_rule *limit, const struct request *request, int64_t now_us,
                     int64_t *ret_wait_us);

#endif
