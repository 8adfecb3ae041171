/* share/share.h - limits that all processes keep together, in Redis: exact
 * sliding windows by one Lua script (limits.lua) on the server's clock.
 *
 * For each rule N per W, all processes together start no more than N sends in
 * any half-open window (t, t+W], as long as all of them ask with the same
 * rules and Redis keeps what it was told. `redis-cli GET
 * rate_limit:<limit>:window` is what was left when the limit was last touched.
 *
 * Redis may forget (flushed, failed over, short of memory). That is found at
 * the next take of each process that had used the limit, which says `lost`
 * once; the caller may teach what it knows. The first teacher wins, so each
 * should tell all that it knows, other processes' starts too; what was started
 * or taken since the loss may then count twice until its window is over. A
 * clock of Redis that jumps forward lets windows end early; one that jumps back
 * makes them last longer.
 *
 * Every call that waits does so for deadline_us at most, connecting included.
 * A connection with any trouble is dropped; the next is tried 500 ms after the
 * last one was tried, not sooner. Thread: the loop's thread.
 */
#ifndef SHARE_SHARE_H
#define SHARE_SHARE_H

#include "model/settings.h"
#include "world.h"

struct share;

/* Names of limits that one process uses at most; a take of one more is ERR_IO. */
#define SHARE_LIMITS_MAX 4096

struct share_options {
    /* redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path; %xx is decoded; no TLS */
    struct str url;
    int64_t deadline_us; /* of one call; 0 = 50 ms */
    struct str instance; /* this process, in the names of what it takes: for people who look */
    struct clock clock;  /* when to connect again, and how long a limit is remembered; deadlines are real time */
};

/* Never blocks and needs no server: connects at first use. CONFIG with *ret_problem (which does not show the url,
 * because that may hold a password) when the url cannot be used. The share and its texts live in the arena. */
MUST_USE enum err share_open(const struct share_options *options, struct arena *arena, struct share **ret_share,
                             struct str *ret_problem);
void share_close(struct share *share);

/* The real end of the seam. What Redis could not be told, because the connection was away or broke, goes with the next
 * take; so do places that it may hold for a take whose answer never came: they are given back. A lesson joins more than
 * about a thousand starts into groups, each as young as the youngest of it. */
struct shared_limits share_limits(struct share *share);

bool share_is_up(const struct share *share); /* the last call that waited was answered, and nothing broke since */
const char *share_trouble(const struct share *share); /* words for the last trouble; "" when there was none */

#endif
