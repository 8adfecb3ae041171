/* server/server_private.h - what server.c and server_setup.c share. */
#ifndef SERVER_SERVER_PRIVATE_H
#define SERVER_SERVER_PRIVATE_H

#include "api/api.h"
#include "engine/loop.h"
#include "http/wake.h"
#include "observe/otel.h"
#include "os/descriptor.h"
#include "os/file.h"
#include "os/folder.h"
#include "server/place.h"
#include "server/server.h"
#include "server/setup.h"
#include "store/admin.h"

struct client;
struct listener;
struct sandbox;

#define RETIRED_MAX 8

/* A setup that is no longer in force but whose sends still fly. */
struct retired {
    struct setup *setup;
    struct sandbox *sandbox;
};

struct server {
    struct server_options options;
    struct arena arena;
    struct wake *wake;
    struct clock clock;
    struct setup *setup;
    struct setup *begun; /* the one that the process was started with: what takes a restart is still as it says */
    struct sandbox *sandbox;
    struct evaluator evaluator;
    struct sql_driver driver;
    bool driver_open;
    bool store_joined; /* others see this process in the store */
    struct place place;
    struct str token; /* this process's, new at each start */
    struct str store_name, listen_host;
    enum loop_role role;
    int64_t descriptors; /* files and sockets that the process may have open */
    struct descriptor_shares shares;
    bool open_metrics; /* /metrics needs no key */
    bool exposed;      /* others than this machine can reach it */
    struct store *store;
    struct sql_driver copy_driver;
    struct store *copy;  /* a replica, for lists; NULL = none */
    struct share *share; /* limits in Redis; NULL = none */
    struct shared_limits limits;
    struct listener *listener;
    struct client *client;
    struct loop *loop;
    struct api *api;
    struct reload reload;
    struct otel_options otel; /* of the environment; its texts are in the arena */
    /* the next setup: prepared, and once it is adopted put in force between turns */
    struct setup *staged;
    struct sandbox *staged_sandbox;
    bool adopted;
    struct retired retired[RETIRED_MAX];
    size_t retired_count;
    /* publishing */
    int64_t publish_us, published_us;
    uint64_t turns;
    bool was_busy, settling;
    uint64_t reloads_applied, reloads_refused;
    int64_t reloaded_wall_us; /* when a configuration was put in force last */
    /* what the log has said already (server_watch.c) */
    bool crashed, recovered, limits_down, tight, queue_fills;
    int64_t last_seen_us, started_wall_us;
    uint64_t limits_lost, jq_restarts;
    /* stopping */
    int64_t stop_by_us;
    bool cancelled;
    int stop_fd; /* readable when nothing is waited for any more; 0 = none */
};

/* server_setup.c */
/* The log as the configuration in force and the command line want it. */
void server_set_log(struct server *server);
MUST_USE enum err server_load(struct server *server, struct arena *arena, struct setup **ret_setup,
                              struct str *ret_problem);
struct reload server_reload(struct server *server);
void server_reload_by_signal(struct server *server);
MUST_USE enum err server_swap(struct server *server);
void server_forget_setups(struct server *server);
void server_banner(struct server *server, int64_t took_us);
/* server_gauges.c */
size_t server_gauges(void *self, struct gauge_set *ret_sets); /* loop_options.other_gauges */
/* server_otel.c */
void server_read_otel(struct server *server);

/* server_watch.c */
void server_look_back(struct server *server, struct arena *arena); /* before the store is opened */
void server_watch(struct server *server);                          /* between turns */
void server_say_applied(struct server *server);
void server_say_warnings(struct server *server); /* of the configuration in force */
void server_say_refused(struct server *server, struct str problem);
void server_say_stopping(struct server *server);
void server_say_stopped(struct server *server);
/* server_store.c */
/* home.c: a store that is a file and a copy of one that was served elsewhere is held. */
MUST_USE enum err server_look_for_copy(struct server *server, struct arena *arena, struct str *ret_problem);
MUST_USE enum err server_open_store(struct server *server, struct arena *arena, struct str *ret_problem);
MUST_USE enum err server_open_share(struct server *server, struct arena *arena, struct str *ret_problem);
void server_close_store(struct server *server);
/* server.c */
MUST_USE enum err server_start_engine(const struct setup *setup, struct arena *arena, struct sandbox **ret_sandbox,
                                      struct str *ret_problem);

#endif
