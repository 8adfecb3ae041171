/* server/server_store.c - the store of a server: opened where the configuration says,
 * with one clock for all processes that share it. */
#include <stdlib.h>

#include "base/hash.h"
#include "engine/company.h"
#include "os/deadline.h"
#include "server/server_private.h"
#include "share/share.h"
#include "store/move.h"
#include "store/postgres.h"
#include "store/shared.h"

#define READERS_US      2000000 /* a start waits so long for those who read the file */
#define READERS_LOOK_US 50000

static const char role_refused[] =
    "needs a store that several processes share: set `store: postgres://...` (or DB_DSN)";

static enum err read_role(struct server *server, struct arena *arena, struct str *ret_problem) {
    struct str role = server->options.role;
    while (role.n && server->role <= LOOP_WORKER && !str_eq(role, loop_role_text(server->role))) server->role++;
    if (server->role > LOOP_WORKER) {
        *ret_problem = str_fmt(arena, "--role takes all, ingest or worker, not '%.*s'", STR_ARG(role));
        return ERR_CONFIG;
    }
    if (server->role == LOOP_ALL || place_is_shared(&server->place)) return ERR_NONE;
    *ret_problem = str_fmt(arena, "--role %.*s %s", STR_ARG(role), role_refused);
    return ERR_CONFIG;
}

static void raise_wake(void *wake_self) {
    wake_raise(wake_self);
}

/* Leases and limits of several machines count on the database's clock. */
static enum err align_clock(struct server *server) {
    int64_t server_us;
    TRY(store_begin(server->store));
    enum err err = store_clock(server->store, &server_us);
    store_rollback(server->store);
    if (!err && server_us) wake_align(server->wake, server_us);
    return err;
}

/* Shows this process to the others first, and then looks whether somebody moves a store into this one. Whoever moves
 * does the same two things, so one of the two sees the other. */
static enum err join_company(struct server *server, struct arena *arena, struct str *ret_problem) {
    store_set_owner(server->store, server->token);
    server->store_joined = true;
    TRY(store_begin(server->store));
    enum err err = company_show(server->store, server->role);
    if (!err) err = store_commit(server->store);
    if (err) store_rollback(server->store);
    if (err) *ret_problem = str_fmt(arena, "the store cannot be written: %s", store_trouble(server->store));
    TRY(err);
    TRY(align_clock(server));
    return move_check(server->store, arena, ret_problem);
}

static void warn_if_deaf(const struct server *server) {
    if (!server->driver.shared || !postgres_is_deaf(&server->driver)) return;
    log_event(&server->options.log, LOG_WARN, server->clock.wall_us(server->clock.self), "no_notifications",
              LOG_TEXT("reason", STR("a pooler stands before PostgreSQL and postgres.listen_dsn names no direct "
                                     "connection: what is new is found by polling every 2 s")));
}

static void warn_if_risky(const struct server *server) {
    if (!server->driver.shared || !postgres_is_risky(&server->driver)) return;
    log_event(&server->options.log, LOG_WARN, server->clock.wall_us(server->clock.self), "store_not_durable",
              LOG_TEXT("reason", STR("PostgreSQL runs with fsync or full_page_writes off: when its machine stops, "
                                     "events that were acknowledged may be lost")));
}

static enum err open_copy(struct server *server, struct str *ret_problem) {
    const struct place_options options = {.copy = true, .token = server->token, .stop_fd = server->stop_fd};
    TRY(place_open(&server->place, &options, &server->arena, &server->copy_driver, ret_problem));
    server->copy = store_attach(&server->copy_driver, &server->arena);
    return ERR_NONE;
}

/* Somebody who reads the store while no server runs, as `drumbeat status` does, keeps a server out for a moment. */
static enum err open_when_free(struct server *server, const struct place_options *options, struct arena *arena,
                               struct str *ret_problem) {
    int64_t until_us = deadline_now_us() + READERS_US;
    for (;;) {
        enum err err = place_open(&server->place, options, arena, &server->driver, ret_problem);
        int64_t now_us = deadline_now_us();
        if (err != ERR_STORE_LOCKED || now_us >= until_us) return err;
        if (wait_fd(-1, 0, now_us + READERS_LOOK_US, server->stop_fd) == WAIT_STOPPED) return err;
    }
}

enum err server_open_store(struct server *server, struct arena *arena, struct str *ret_problem) {
    uint8_t token[8];
    hash_random(token, sizeof token);
    server->token = hex_encode(&server->arena, token, sizeof token);
    server->place = place_of(server->setup->settings, server->options.config_file, &server->arena);
    if (server->options.store.n) server->place = place_at(server->options.store, &server->arena);
    TRY(place_check(&server->place, arena, ret_problem));
    server->store_name = place_name(&server->place, &server->arena);
    TRY(read_role(server, arena, ret_problem));
    const struct place_options options = {
        .token = server->token, .stop_fd = server->stop_fd, .wake = raise_wake, .wake_self = server->wake};
    server_look_back(server, arena);
    TRY(open_when_free(server, &options, &server->arena, ret_problem));
    server->driver_open = true;
    TRY(store_open(&server->driver, server->clock.wall_us(server->clock.self), &server->arena, &server->store,
                   ret_problem));
    TRY((server->driver.shared ? join_company : server_look_for_copy)(server, arena, ret_problem));
    warn_if_deaf(server);
    warn_if_risky(server);
    return server->driver.shared && server->place.read_dsn.n ? open_copy(server, ret_problem) : ERR_NONE;
}

/* Only processes that share a store have limits to share. */
enum err server_open_share(struct server *server, struct arena *arena, struct str *ret_problem) {
    const struct redis_settings *settings = &server->setup->settings->redis;
    struct str url = str_from(getenv("REDIS_URL"));
    if (!url.n) url = settings->url;
    if (!url.n || !server->driver.shared) return ERR_NONE;
    const struct share_options options = {
        .url = url, .deadline_us = settings->timeout_us, .instance = server->token, .clock = server->clock};
    struct str problem;
    enum err err = share_open(&options, &server->arena, &server->share, &problem);
    if (!err) server->limits = share_limits(server->share);
    if (err) *ret_problem = str_fmt(arena, "redis.url (or REDIS_URL): %.*s", STR_ARG(problem));
    return err;
}

void server_close_store(struct server *server) {
    if (server->share) share_close(server->share);
    if (server->store && server->store_joined) company_leave(server->store);
    if (server->copy) store_close(server->copy);
    if (server->copy) server->copy_driver.close(server->copy_driver.self);
    if (server->store) store_close(server->store);
    if (server->driver_open) server->driver.close(server->driver.self);
}
