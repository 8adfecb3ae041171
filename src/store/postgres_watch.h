/* store/postgres_watch.h - a thread that listens on the channel
 * marketing_events with a connection of its own, makes it anew when it is lost,
 * and says when there is news. After every new connection there is news: what
 * was said meanwhile is not known. Private to this room.
 * Thread: watch_take_news and watch_stop from one thread; wake is called from
 * the watch's own.
 */
#ifndef STORE_POSTGRES_WATCH_H
#define STORE_POSTGRES_WATCH_H

struct watch;
struct watch_options {
    const char *dsn, *token; /* kept, not copied; notifications that carry the token are our own */
    void (*wake)(void *wake_self);
    void *wake_self;
};
struct watch *watch_start(const struct watch_options *options);
void watch_stop(struct watch *watch);
unsigned watch_take_news(struct watch *watch); /* enum sql_news */

#endif
