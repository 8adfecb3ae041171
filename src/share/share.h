/* share/share.h - limits that all processes keep together, in Redis: exact
 * sliding windows by one Lua script (limits.lua) on the server's clock.
 *
 * For each rule N per W, all processes together start no more than N sends in
 * any half-open window (t, t+W], as long as all of them ask with the same
 * rules and Redis keeps what it was told. `redis-cli GET
 * rate_limit:<limit>:window` is what was left when the limit was last touched.
 *
 * Redis may forget (flushed, failed over, short of memory). That is found at
 * the next take of each process that had used the limit: it is answered with
 * ERR_IO once and counted in share_losses, and the caller may teach what it
 * knows. A clock of Redis that jumps forward lets windows end early; one that
 * jumps back makes them last longer.
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

struct share_ask {
    struct str limit;               /* the account's name; any bytes */
    const struct limit_rule *rules; /* windows are whole milliseconds */
    size_t rule_count;              /* at most LIMIT_RULES_MAX; 0 = only quiet spells */
    size_t want;
    int64_t hold_us; /* a send of this take must start within so long after the call, or not at all */
};
struct share_grant {
    size_t granted;
    size_t remaining; /* under the tightest rule, quiet or not; SIZE_MAX without rules */
    int64_t wait_us;  /* then asking for more makes sense: never too late, perhaps too early; 0 when granted == want */
    int64_t quiet_us; /* the provider's quiet spell goes on for so long; 0 = none */
};

/* Takes up to want places. What is granted counts in every window as if it started hold_us from now, until
 * share_started says that it left (then from that moment on): so a process that dies with it costs places, never a
 * window. At most one take per limit may be open: one that granted something is, until share_started. IO: no server,
 * too slow, an answer that makes no sense, or Redis had forgotten: nothing was granted (or it runs out by itself). */
MUST_USE enum err share_take(struct share *share, const struct share_ask *ask, struct share_grant *ret_grant);
/* Of the open take of this limit so many left just now; the rest is given back. Nothing when none is open. Written
 * without waiting; its answer is read with the next call. When it cannot be written, the take runs out by itself. */
void share_started(struct share *share, struct str limit, size_t started);

/* The provider said: nothing before now + for_us (0 = the spell is over). Only moves later; at most 24 h. Written
 * without waiting; when it cannot be, a spell goes with the next take. */
void share_quiet(struct share *share, struct str limit, int64_t for_us);

/* What is left now, as in the grant; refreshes what GET rate_limit:<limit>:window gives. Does not look for losses. */
MUST_USE enum err share_remaining(struct share *share, const struct share_ask *ask, size_t *ret_remaining);

/* Starts of the past, by their age, in any order: added if Redis knows nothing of the limit yet, or a loss was found
 * and nobody has taught it since. The first teacher wins, so each should tell all that it knows, other processes'
 * starts too; what was started or taken since the loss may then count twice until its window is over. More than about
 * a thousand are joined, each as young as the youngest of its group. ask.want is not looked at. */
enum err share_teach(struct share *share, const struct share_ask *ask, const int64_t *ages_us, size_t count);

bool share_is_up(const struct share *share); /* the last call that waited was answered, and nothing broke since */
const char *share_trouble(const struct share *share); /* words for the last trouble; "" when there was none */
/* Times that Redis was found without what it had been told: for metrics and for the caller's caution. */
uint64_t share_losses(const struct share *share);

#endif
