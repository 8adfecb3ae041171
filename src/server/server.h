/* server/server.h - the real world put together: store, listener, client, sandbox and
 * loop, run until a signal says stop. Used by `serve` and by `demo`.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/gauge.h"
#include "model/settings.h"
#include "observe/log.h"
#include "os/signals.h"

struct secret_source;

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
    struct log_settings log_wish; /* what overrides the configuration's; members that are 0 do not. fold_us is unused */
    struct signals *signals;
};

struct server;

/* Opens everything, ready for the first turn. On failure *ret_findings_text (CONFIG: the configuration is wrong) or
 * *ret_problem (all other errors) says why. Texts are in the arena. */
MUST_USE enum err server_open(const struct server_options *options, struct arena *arena, struct server **ret_server,
                              struct str *ret_problem);
/* One turn and one wait of at most wait_us; *ret_done when a stop is complete. For `demo`, which acts between turns. */
MUST_USE enum err server_step(struct server *server, int64_t wait_us, bool *ret_done);
void server_close(struct server *server); /* checkpoints, removes the socket */

/* Every table of numbers that a server may show, to be described and not to be read. */
#define SERVER_GAUGE_SETS 8
size_t server_gauge_sets(struct gauge_set ret_sets[SERVER_GAUGE_SETS]);

uint16_t server_port(const struct server *server);

#endif
