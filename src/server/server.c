#include "server/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/when.h"
#include "http/client.h"
#include "http/listener.h"
#include "os/deadline.h"
#include "sandbox/sandbox.h"
#include "server/server_private.h"

#define SLOTS             1024            /* sends in flight in all */
#define STALL_US          (10 * US_PER_S) /* a request waits this long for the store */
#define BODY_PACE_US      (10 * US_PER_S) /* 16 KiB of a body must come in this time */
#define PUBLISH_US        US_PER_S
#define SETTLE_DOWN_US    (60 * US_PER_S)   /* the seed's gauges look back one minute */
#define STOP_CANCELLED_US (2 * US_PER_S)    /* what was ended is settled within this, or by the next start */
#define STOP_STARTING_US  US_PER_S          /* a start that is told to stop waits this long for its store */
#define STOP_MORE_US      (500 * US_PER_MS) /* after stop_timeout: the store is waited for so much longer */
#define CONNECTIONS_KEPT  256

/* ---- open ---- */

static enum err open_listener(struct server *server, struct arena *arena, struct str *ret_problem) {
    const struct server_settings *settings = &server->setup->settings->server;
    struct listener_options options = {.host = settings->listen_host,
                                       .port = settings->listen_port,
                                       .socket_path = server->place.socket,
                                       .max_body_bytes = settings->max_body_bytes,
                                       .max_header_bytes = 16384,
                                       .header_timeout_us = settings->header_timeout_us,
                                       .body_timeout_us = settings->body_timeout_us,
                                       .idle_timeout_us = settings->idle_timeout_us,
                                       .body_pace_us = BODY_PACE_US,
                                       .stall_us = STALL_US,
                                       .connections = server->shares.connections,
                                       .connections_per_address = settings->connections_per_address,
                                       .queue_max = 4096};
    if (server->options.listen.n) {
        size_t colon = server->options.listen.n;
        while (colon > 0 && server->options.listen.p[colon - 1] != ':') colon--;
        uint64_t port;
        if (colon == 0 || !str_to_u64(str_sub(server->options.listen, colon, SIZE_MAX), &port) || port > 65535) {
            *ret_problem = STR("--listen takes host:port, as 127.0.0.1:8120");
            return ERR_CONFIG;
        }
        options.host = str_sub(server->options.listen, 0, colon - 1);
        if (str_starts(options.host, STR("[")) && str_ends(options.host, STR("]")))
            options.host = str_sub(options.host, 1, options.host.n - 2);
        options.port = (uint16_t)port;
        place_move(&server->place, options.port, &server->arena);
        options.socket_path = server->place.socket;
    }
    server->listen_host = str_dup(&server->arena, options.host);
    server->open_metrics = settings->metrics == METRICS_OPEN;
    enum err err = listener_open(&options, &server->clock, server->wake, arena, &server->listener, ret_problem);
    if (!err || !place_is_shared(&server->place)) return err;
    struct str problem = *ret_problem; /* of the socket, unless it comes again: then of the port */
    options.socket_path = STR_NONE;
    TRY(listener_open(&options, &server->clock, server->wake, arena, &server->listener, ret_problem));
    log_event(&server->options.log, LOG_WARN, server->clock.wall_us(server->clock.self), "no_socket",
              LOG_TEXT("reason", problem), LOG_TEXT("effect", STR("the command line needs --server and a key")));
    return ERR_NONE;
}

static enum err open_evaluator(void *self, struct str program, struct arena *arena, struct evaluator *ret_evaluator,
                               struct str *ret_problem) {
    const struct sandbox_options options = {
        .executable = STR("/proc/self/exe"), .deadline_us = 50 * US_PER_MS, .memory_bytes = 256 << 20};
    struct sandbox *sandbox;
    (void)self;
    TRY(sandbox_open(&options, program, arena, &sandbox, ret_problem));
    *ret_evaluator = sandbox_evaluator(sandbox);
    return ERR_NONE;
}

static void close_evaluator(void *self, struct evaluator evaluator) {
    (void)self;
    sandbox_close(evaluator.self);
}

/* The line waits for what a person asks, too: a call that runs away is stopped sooner than those of routes. */
static struct evaluator_maker server_evaluators(void) {
    return (struct evaluator_maker){open_evaluator, close_evaluator, NULL};
}

enum err server_start_engine(const struct setup *setup, struct arena *arena, struct sandbox **ret_sandbox,
                             struct str *ret_problem) {
    const struct sandbox_options options = {
        .executable = STR("/proc/self/exe"), .deadline_us = 250 * US_PER_MS, .memory_bytes = 256 << 20};
    *ret_sandbox = NULL;
    if (setup->program.n == 0) return ERR_NONE;
    enum err err = sandbox_open(&options, setup->program, arena, ret_sandbox, ret_problem);
    if (err != ERR_JQ_COMPILE) return err;
    struct findings findings = {.arena = arena};
    setup_blame(setup, &findings);
    if (findings.errors) *ret_problem = findings_text(arena, &findings);
    return ERR_CONFIG;
}

/* Whether others can reach this host. The address decides and not how it is written: 127.example.com is a name. */
static bool is_exposed(struct str host, struct arena *arena) {
    struct in_addr v4;
    struct in6_addr v6;
    const char *text = str_dup(arena, host).p;
    if (str_eq(host, STR("localhost"))) return false;
    if (inet_pton(AF_INET, text, &v4) == 1) return ntohl(v4.s_addr) >> 24 != 127;
    return inet_pton(AF_INET6, text, &v6) != 1 || !IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Refuses to start without API keys where others can reach the door. */
static enum err check_exposure(struct server *server, struct arena *arena, struct str *ret_problem) {
    struct str host = server->listen_host;
    server->exposed = is_exposed(host, arena);
    if (!server->exposed) return ERR_NONE;
    struct api_key *keys;
    size_t count, valid = 0;
    TRY(store_begin(server->store));
    enum err err = store_key_list(server->store, arena, &keys, &count);
    store_rollback(server->store);
    TRY(err);
    for (size_t i = 0; i < count; i++) valid += keys[i].revoked_us == 0;
    if (valid) return ERR_NONE;
    *ret_problem = str_fmt(arena,
                           "server.listen is %.*s, which others can reach, and there is no API key: run `drumbeat keys "
                           "create --role ingest` first, or listen on 127.0.0.1",
                           STR_ARG(host));
    return ERR_CONFIG;
}

/* What the listener needs to judge keys by itself. */
static void publish_keys(void *self, const struct api_keys *in_force) {
    struct server *server = self;
    struct arena arena = ARENA_EMPTY;
    struct door_key *keys = arena_array(&arena, struct door_key, in_force->count);
    for (size_t i = 0; i < in_force->count; i++) {
        keys[i].reads = in_force->digests[i].reads;
        memcpy(keys[i].digest, in_force->digests[i].digest, sizeof keys[i].digest);
    }
    const struct door_keys door = {
        .keys = keys, .count = in_force->count, .keyless = in_force->keyless, .open_metrics = server->open_metrics};
    listener_publish_keys(server->listener, &door);
    arena_free(&arena);
}

static enum err open_loop(struct server *server, struct str *ret_problem) {
    uint64_t seed;
    hash_random(&seed, sizeof seed);
    const struct api_options api = {.copy = server->copy,
                                    .log = &server->options.log,
                                    .exposed = server->exposed,
                                    .keys_read = publish_keys,
                                    .keys_self = server};
    server->api = api_new(&api);
    server_read_otel(server);
    server->reload = server_reload(server);
    const struct loop_options options = {.clock = server->clock,
                                         .inlet = listener_inlet(server->listener),
                                         .transport = client_transport(server->client),
                                         .folders = folder_seam_real(),
                                         .evaluators = server_evaluators(),
                                         .parse = config_parse,
                                         .store = server->store,
                                         .log = &server->options.log,
                                         .instance = server->token,
                                         .seed = seed,
                                         .slots = server->shares.sends,
                                         .role = server->role,
                                         .limits = server->limits,
                                         .redis_failure = (enum redis_failure)server->setup->settings->redis.on_failure,
                                         .exclusive = !server->driver.shared,
                                         .hold = server->options.hold,
                                         .service = api_service(server->api),
                                         .reload = server->options.config_text.p ? NULL : &server->reload,
                                         .backups = place_backups(&server->place, &server->arena),
                                         .version = STR(DRUMBEAT_VERSION),
                                         .otel = &server->otel,
                                         .other_gauges = server_gauges,
                                         .other_self = server,
                                         .store_text = server->store_name};
    return loop_open(&options, setup_in_force(server->setup, &server->evaluator), &server->loop, ret_problem);
}

static enum err open_parts(struct server *server, struct arena *arena, struct str *ret_problem) {
    TRY(server_load(server, arena, &server->setup, ret_problem));
    server->begun = server->setup;
    server_set_log(server);
    server->descriptors = descriptors_raise();
    server->shares = descriptors_share(server->descriptors, server->setup->settings->server.connections, SLOTS);
    TRY(server_start_engine(server->setup, arena, &server->sandbox, ret_problem));
    if (server->sandbox) server->evaluator = sandbox_evaluator(server->sandbox);
    TRY(server_open_store(server, arena, ret_problem));
    TRY(server_open_share(server, arena, ret_problem));
    TRY(open_listener(server, arena, ret_problem));
    TRY(check_exposure(server, arena, ret_problem));
    const struct client_options client = {
        .user_agent = STR("drumbeat/" DRUMBEAT_VERSION),
        .ca_file = str_from(getenv("SSL_CERT_FILE")),
        .connections_max = server->shares.sends < CONNECTIONS_KEPT ? server->shares.sends : CONNECTIONS_KEPT};
    TRY(client_open(&client, &server->clock, server->wake, &server->client));
    return open_loop(server, ret_problem);
}

/* Arms the timer that the signal's handler starts: somebody must count the time even when the loop stands still. */
static void arm_stop(struct server *server, int64_t after_us) {
    struct signals *signals = server->options.signals;
    if (!signals) return;
    if (!server->stop_fd) server->stop_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (server->stop_fd < 0) server->stop_fd = 0;
    signals->stop_fd = 0;
    signals->stop_after =
        (struct itimerspec){.it_value = {.tv_sec = after_us / US_PER_S, .tv_nsec = after_us % US_PER_S * 1000}};
    signals->stop_fd = server->stop_fd;
}

/* Publishes the texts that the listener's own thread answers: at most once a second while busy, once more when a minute
 * without work is over, and for who asked for metrics and got old ones, because the next look shall find newer ones:
 * the age of what waits grows also while nothing happens. */
static void publish(struct server *server, bool at_once) {
    int64_t now_us = server->clock.now_us(server->clock.self);
    if (listener_was_asked(server->listener) && now_us >= server->published_us + PUBLISH_US) at_once = true;
    if (!at_once && now_us < server->publish_us) return;
    struct arena arena = ARENA_EMPTY;
    struct loop_view view = loop_view(server->loop);
    bool ready = view.ready && !view.stopping;
    struct str body = ready ? STR("{\"ready\":true}\n")
                            : str_fmt(&arena, "{\"ready\":false,\"code\":\"%s\"}\n",
                                      err_code(view.stopping ? ERR_STOPPING : view.trouble));
    listener_publish(server->listener, STR("/healthz"), 200, STR("application/json"), STR("{\"alive\":true}\n"));
    listener_publish(server->listener, STR("/readyz"), ready ? 200 : 503, STR("application/json"), body);
    const struct exposition metrics = loop_metrics(server->loop, &arena);
    listener_publish_metrics(server->listener, &(struct probe_text){STR(EXPOSITION_PLAIN), metrics.plain},
                             &(struct probe_text){STR(EXPOSITION_OPEN), metrics.open});
    arena_free(&arena);
    server->published_us = now_us;
    /* Busy: again in a second. Just gone quiet: once more when a minute is over. Quiet since: not before the next turn.
     */
    server->publish_us = server->was_busy   ? now_us + PUBLISH_US
                         : server->settling ? now_us + SETTLE_DOWN_US
                                            : WHEN_NEVER;
    server->settling = server->was_busy;
    server->was_busy = false;
}

enum err server_open(const struct server_options *options, struct arena *arena, struct server **ret_server,
                     struct str *ret_problem) {
    struct server *server = calloc(1, sizeof *server);
    assert(server);
    server->options = *options;
    server->wake = wake_new();
    server->clock = wake_clock(server->wake);
    arm_stop(server, STOP_STARTING_US);
    server->started_wall_us = server->reloaded_wall_us = server->clock.wall_us(server->clock.self);
    int64_t began_us = server->clock.now_us(server->clock.self);
    *ret_problem = STR("");
    enum err err = open_parts(server, arena, ret_problem);
    if (err) {
        if (!ret_problem->n) *ret_problem = str_from(err_text(err));
        *ret_problem = str_dup(arena, *ret_problem);
        server_close(server);
        return err;
    }
    arm_stop(server, server->setup->settings->server.stop_timeout_us + STOP_MORE_US);
    if (options->signals) options->signals->wake_fd = wake_fd(server->wake);
    publish(server, true);
    if (!options->quiet) server_banner(server, server->clock.now_us(server->clock.self) - began_us);
    if (!options->quiet) server_say_warnings(server);
    *ret_server = server;
    return ERR_NONE;
}

/* ---- run ---- */

uint16_t server_port(const struct server *server) {
    return listener_port(server->listener);
}

/* Whether the time to stop is over. A silent store is no longer waited for then, and there is no time for another try.
 */
static bool stop_time_is_over(const struct server *server) {
    return server->stop_fd && wait_fd(server->stop_fd, POLLIN, 0, 0) == WAIT_READY;
}

/* The first stop ends new work and lets what flies come back. A second stop, or the end of the time, ends what flies.
 */
static bool stop_is_complete(struct server *server) {
    const struct signals *signals = server->options.signals;
    int64_t now_us = server->clock.now_us(server->clock.self);
    if (!signals || !signals->stop) return false;
    if (!server->stop_by_us) {
        server->stop_by_us = now_us + server->setup->settings->server.stop_timeout_us;
        server_say_stopping(server);
        listener_quiesce(server->listener);
        loop_stop(server->loop);
        publish(server, true);
    }
    if (!server->cancelled && (signals->stop > 1 || now_us >= server->stop_by_us)) {
        server->cancelled = true;
        server->stop_by_us = now_us + STOP_CANCELLED_US;
        loop_cancel(server->loop);
    }
    bool stuck =
        server->cancelled && now_us >= server->stop_by_us; /* the store takes nothing: leases will tell later */
    return stuck || stop_time_is_over(server) || loop_in_flight(server->loop) == 0;
}

/* Not beyond the moment at which the log has something to say that it folded. */
static int64_t until_log(const struct server *server, int64_t until_us) {
    int64_t due_us = log_due(&server->options.log);
    if (due_us == WHEN_NEVER) return until_us;
    int64_t left_us = due_us - server->clock.wall_us(server->clock.self);
    int64_t then_us = server->clock.now_us(server->clock.self) + (left_us > 0 ? left_us : 0);
    return then_us < until_us ? then_us : until_us;
}

enum err server_step(struct server *server, int64_t wait_us, bool *ret_done) {
    struct signals *signals = server->options.signals;
    if (signals && signals->reload) {
        signals->reload = 0;
        server_reload_by_signal(server);
    }
    listener_turn(server->listener, true);
    TRY(loop_turn(server->loop));
    TRY(server_swap(server));
    server_watch(server);
    log_tick(&server->options.log, server->clock.wall_us(server->clock.self));
    if (loop_turns(server->loop) != server->turns) {
        server->turns = loop_turns(server->loop);
        server->was_busy = true;
        if (server->publish_us > PUBLISH_US + server->clock.now_us(server->clock.self)) server->publish_us = 0;
    }
    *ret_done = stop_is_complete(server);
    if (*ret_done) server_say_stopped(server);
    if (*ret_done) return ERR_NONE;
    publish(server, false);
    int64_t until_us = server->clock.now_us(server->clock.self) + wait_us;
    if (server->publish_us < until_us) until_us = server->publish_us;
    until_us = until_log(server, until_us);
    if (server->stop_by_us && server->stop_by_us < until_us) until_us = server->stop_by_us;
    listener_turn(server->listener, false);
    loop_wait(server->loop, until_us);
    return ERR_NONE;
}

void server_close(struct server *server) {
    if (server->options.signals) server->options.signals->wake_fd = -1;
    if (server->options.signals) server->options.signals->stop_fd = 0;
    if (server->listener) listener_close(server->listener);
    if (server->loop) loop_release(server->loop);
    if (server->client) client_close(server->client);
    if (server->store && server->loop) (void)!!store_tidy(server->store, true);
    if (server->loop) loop_close(server->loop);
    if (server->api) api_free(server->api);
    server_close_store(server);
    if (server->sandbox) sandbox_close(server->sandbox);
    server_forget_setups(server);
    setup_free(server->setup);
    log_close(&server->options.log, server->clock.wall_us(server->clock.self));
    wake_free(server->wake);
    arena_free(&server->arena);
    if (server->stop_fd) close(server->stop_fd);
    free(server);
}
