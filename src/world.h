/* world.h - the narrow seams through which everything outside is reached. All
 * else is plain calls. Thread: the loop's, except where `wake` is named.
 *
 *   seam            real end             simulated end
 *   clock           http/wake.c          sim/world.c: a number; waiting jumps
 *   inlet           http/listener.c      sim/world.c: the workload
 *   transport       http/client.c        sim/world.c: receivers that record effects and lie
 *   SQL driver      store/driver_*.c     real SQLite on the disk of sim/disk.c
 *   evaluator       sandbox/sandbox.c    sim/seams.c: jq in the process
 *   folders         os/folder.c          sim/seams.c: files in memory (base/folder.h)
 *   shared limits   share/share.c        sim/seams.c: windows in virtual time; slow, failing, forgetful
 */
#ifndef WORLD_H
#define WORLD_H

#include "base/err.h"
#include "base/evaluator.h"
#include "model/exchange.h"
#include "model/request.h"
#include "model/sql.h"

struct arena;
struct limit_ask;
struct limit_grant;
struct limit_ticket;
struct limit_use;

/* ---- clock ---- */
struct clock {
    int64_t (*wall_us)(void *self); /* what a calendar shows; may jump */
    /* Wall time at the start plus monotonic time since: never jumps. For leases, limits, retries. */
    int64_t (*now_us)(void *self);
    void (*wait)(void *self, int64_t until_us); /* sleeps until then, or until something wakes it */
    void *self;
};

/* ---- inlet: requests in, replies out ---- */
struct inlet {
    /* Up to max requests that are complete, oldest first; each must be replied to once. Never blocks. */
    size_t (*collect)(void *self, struct request **ret_requests, size_t max);
    /* Sends the reply (copied before the call returns) and ends the request's life. */
    void (*reply)(void *self, struct request *request, const struct reply *reply);
    void *self;
};

/* ---- transport: calls outward ---- */
struct completion {
    uint64_t tag;
    struct answer answer; /* lives until release */
    void *own;            /* the transport's */
};
/* When a request began to leave: until then a connection was made, which may take long. */
struct beginning {
    uint64_t tag;
    int64_t at_us; /* the same as the answer's started_us */
};
struct transport {
    /* outgoing must stay as it is until its completion was released. Never blocks or fails: trouble is an answer. */
    void (*start)(void *self, uint64_t tag, const struct outgoing *outgoing);
    size_t (*collect)(void *self, struct completion *ret_completions, size_t max);
    void (*release)(void *self, struct completion *completion);
    /* Ends it soon; a completion still comes, CANCELLED or what was true before. */
    void (*cancel)(void *self, uint64_t tag);
    /* Of the calls with tell_start, those that began to leave since they were asked for last, up to max. One that ends
     * may not be among them. NULL = every call leaves when it starts. */
    size_t (*begun)(void *self, struct beginning *ret_begun, size_t max);
    void *self;
};

/* ---- SQL driver ---- */
struct sql_driver {
    enum sql_dialect dialect;
    bool shared;    /* other processes may write to the same store */
    bool read_only; /* it was opened to change nothing */
    MUST_USE enum err (*begin)(void *self);
    /* ret_result may be NULL when no rows are wanted. Rows are in the arena. */
    MUST_USE enum err (*run)(void *self, const struct sql_batch *batch, struct arena *arena,
                             struct sql_result *ret_result);
    /* Waits for the answers to all that was sent; NULL = nothing is ever sent without its answer. */
    MUST_USE enum err (*hear)(void *self);
    MUST_USE enum err (*commit)(void *self); /* durable when it returns ERR_NONE; FATAL errors end the process */
    void (*rollback)(void *self);
    /* Text outside the papers: migrations, pragmas. Rows as in run. */
    MUST_USE enum err (*script)(void *self, struct str sql, struct arena *arena, struct sql_result *ret_result);
    /* Housekeeping between turns (checkpoint); idle says that nothing waits. Never inside a transaction. */
    MUST_USE enum err (*tidy)(void *self, bool idle);
    void (*close)(void *self);
    const char *(*trouble)(void *self); /* the database's words for the last error */
    /* What it takes on the disk of this machine, in files that are its own. NULL where it is on a server. */
    bool (*measure)(void *self, int64_t *ret_file_bytes, int64_t *ret_log_bytes);
    const struct sql_traffic *(*traffic)(void *self); /* NULL where there is no server */
    bool (*tight)(void *self);    /* the disk was full: there is no room for new events. NULL = never so */
    unsigned (*news)(void *self); /* what others said since the last call (enum sql_news); NULL unless shared */
    void *self;
};

/* ---- shared limits: places in windows that all processes count together ---- */
struct shared_limits {
    /* Asks for several limits at once, each named once, and waits for a bounded time. What is granted counts in every
     * window as if it started hold_us from now, and from the moment on at which `started` says that it left: a process
     * that dies with it costs places, never a window. After a grant, `started` comes before the next ask for that
     * limit. IO: no answer, or none that makes sense; nothing was granted. */
    MUST_USE enum err (*take)(void *self, const struct limit_ask *asks, size_t count, struct limit_grant *ret_grants);
    /* Says how many of those granted left just now; the rest is given back. Never waits. Those of a use that is
     * `starting` count on as if they started at the end of their hold, until began says that the last of them did. */
    void (*started)(void *self, const struct limit_use *uses, size_t count);
    void (*began)(void *self, struct limit_ticket ticket, size_t started);
    /* The provider said: nothing before now + for_us (0 = the spell is over). Only moves later. Never waits. */
    void (*quiet)(void *self, struct str limit, int64_t for_us);
    /* Starts of the past, by their age, where a loss was found and nobody has taught it since. Waits as take does. */
    enum err (*teach)(void *self, const struct limit_ask *ask, const int64_t *ages_us, size_t count);
    const char *(*trouble)(void *self); /* words for the last error */
    void *self;
};

#endif
