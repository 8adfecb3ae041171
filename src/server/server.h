/* server/server.h - the real world put together: store, listener, client, sandbox and
 * loop, run until a signal says stop. Used by `serve` and by `demo`.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <signal.h>
#include <time.h>

#include "engine/loop.h"
#include "server/setup.h"

/* Set by main's signal handler, which also writes to wake_fd so that the loop looks. */
struct signals {
    volatile sig_atomic_t stop; /* times asked */
    volatile sig_atomic_t reload;
    volatile sig_atomic_t wake_fd; /* -1 = none */
    /* A timer that the first stop starts: when it ends, nothing is waited for any more. 0 = none. */
    volatile sig_atomic_t stop_fd;
    struct itimerspec stop_after;
};

struct server_options {
    struct str config_file;
    struct str config_text;              /* given instead of reading the file, when .p is not NULL: no reload then */
    struct str connector_text;           /* one more connector, for `demo` */
    struct str listen;                   /* "host:port", overrides the configuration; "" = as configured */
    struct str store;                    /* likewise */
    const struct secret_source *secrets; /* NULL = the real ones */
    struct str role; /* "all" (or ""), "ingest": accepts and stores, "worker": routes and delivers */
    bool hold;
    bool banner; /* where things are, on stderr */
    bool quiet;  /* neither banner nor ready line */
    struct log log;
    struct signals *signals;
};

struct server;

/* Everything is open and ready to turn. On failure *ret_findings_text (configuration) or *ret_problem says why.
 * CONFIG = findings; other errors = problem. Texts are in the arena. */
MUST_USE enum err server_open(const struct server_options *options, struct arena *arena, struct server **ret_server,
                              struct str *ret_problem);
/* One turn and one wait of at most wait_us; *ret_done when a stop is complete. For `demo`, which acts between turns. */
MUST_USE enum err server_step(struct server *server, int64_t wait_us, bool *ret_done);
void server_close(struct server *server); /* checkpoints, removes the socket */

uint16_t server_port(const struct server *server);
struct loop *server_loop(struct server *server);

#endif
