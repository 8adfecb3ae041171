/* server/server_watch.c - what a person who reads the log wants to know of the process: that it found a past to settle,
 * that Redis or jq's process went and came back, that a configuration is in force, that it stops.
 *
 * The rooms that notice these things do not log. Between turns the server compares what they tell with what they told
 * before, and writes one line for each change: so a thing that lasts is said when it begins and when it ends, not each
 * time it is met. */
#include <string.h>
#include <sys/stat.h>

#include "base/when.h"
#include "sandbox/sandbox.h"
#include "server/server_private.h"

#define WARNINGS_SAID 10 /* of a configuration, one line each, */
#define OF_ONE_CODE   3  /* so many of one code, so that they do not hide the others */

#define LOG(server, level, event, ...)                                                                                 \
    log_event(&(server)->options.log, (level), (server)->clock.wall_us((server)->clock.self), (event), __VA_ARGS__)
#define LOG_SINCE(server, level, event, ...)                                                                           \
    log_change(&(server)->options.log, (level), (server)->clock.wall_us((server)->clock.self), (event), __VA_ARGS__)

/* A server that ended well empties its log into the store's file. One that was killed leaves what it wrote last. On
 * PostgreSQL, which is another program, nothing can be said. */
void server_look_back(struct server *server, struct arena *arena) {
    struct stat log;
    if (place_is_shared(&server->place)) return;
    if (stat(str_fmt(arena, "%.*s-wal", STR_ARG(server->place.store)).p, &log) || log.st_size == 0) return;
    server->crashed = true;
    server->last_seen_us = log.st_mtim.tv_sec * US_PER_S + log.st_mtim.tv_nsec / 1000;
}

static void watch_recovery(struct server *server, const struct loop_view *view) {
    struct arena arena = ARENA_EMPTY;
    if (server->recovered || view->recovering) return;
    server->recovered = true;
    int64_t down_us = server->started_wall_us - server->last_seen_us;
    if (server->crashed)
        LOG(server, LOG_WARN, "recovered", LOG_TEXT("down", span_human(&arena, down_us > 0 ? down_us : 0)),
            LOG_NUMBER("resumed", (int64_t)view->resumed), LOG_NUMBER("unknown", (int64_t)view->in_doubt));
    else if (view->resumed + view->in_doubt)
        LOG(server, LOG_WARN, "recovered", LOG_NUMBER("resumed", (int64_t)view->resumed),
            LOG_NUMBER("unknown", (int64_t)view->in_doubt));
    arena_free(&arena);
}

static void watch_limits(struct server *server, const struct loop_view *view) {
    if (!server->share) return;
    if (server->limits_down == view->limits_up)
        LOG_SINCE(server, view->limits_up ? LOG_INFO : LOG_WARN, view->limits_up ? "redis_back" : "redis_lost",
                  LOG_TEXT("limits", view->limits_up ? STR("counted by Redis for all processes")
                                                     : STR("redis.on_failure decides until Redis answers")));
    server->limits_down = !view->limits_up;
    if (server->limits_lost != view->limits_lost)
        LOG(server, LOG_WARN, "redis_forgot", LOG_NUMBER("times", (int64_t)view->limits_lost),
            LOG_TEXT("limits", STR("taught anew from the store")));
    server->limits_lost = view->limits_lost;
}

static void watch_sandbox(struct server *server) {
    uint64_t restarts = server->sandbox ? sandbox_restarts(server->sandbox) : 0;
    if (restarts > server->jq_restarts)
        LOG(server, LOG_WARN, "jq_restarted", LOG_NUMBER("times", (int64_t)restarts),
            LOG_TEXT("reason", STR("a jq program ran away, or its process was killed")));
    server->jq_restarts = restarts;
}

static void watch_disk(struct server *server, const struct loop_view *view) {
    if (server->tight == view->tight) return;
    server->tight = view->tight;
    server->publish_us = 0; /* /readyz follows at once */
    LOG_SINCE(server, view->tight ? LOG_ERROR : LOG_INFO, view->tight ? "disk_full" : "disk_has_space",
              LOG_TEXT("effect", view->tight
                                     ? STR("new events are refused (E0121); what is stored goes on being delivered, "
                                           "in the room that was kept for it")
                                     : STR("new events are taken again")));
}

/* Warns at half of the common queue, which only a trouble of several destinations fills, and is done at 40 %. */
static void watch_queue(struct server *server, const struct loop_view *view) {
    int64_t most = server->setup->settings->server.queue_max, waiting = view->open_deliveries;
    bool fills = most && waiting * 10 >= most * (server->queue_fills ? 4 : 5);
    if (fills == server->queue_fills) return;
    server->queue_fills = fills;
    LOG_SINCE(server, fills ? LOG_WARN : LOG_INFO, fills ? "queue_half_full" : "queue_has_room",
              LOG_NUMBER("waiting", waiting), LOG_NUMBER("most", most),
              LOG_TEXT("effect",
                       fills ? STR("at server.queue new events are refused (E0120), whoever they are for") : STR("")));
}

void server_watch(struct server *server) {
    struct loop_view view = loop_view(server->loop);
    watch_queue(server, &view);
    watch_recovery(server, &view);
    watch_disk(server, &view);
    watch_limits(server, &view);
    watch_sandbox(server);
}

void server_say_applied(struct server *server) {
    const struct settings *settings = server->setup->settings;
    LOG(server, LOG_INFO, "config_applied", LOG_TEXT("file", settings->file),
        LOG_NUMBER("destinations", (int64_t)settings->destination_count),
        LOG_NUMBER("routes", (int64_t)settings->route_count));
}

/* The first of them, one line each: whoever starts the server may never run `drumbeat check`. */
void server_say_warnings(struct server *server) {
    struct arena arena = ARENA_EMPTY;
    const struct finding *first = server->setup->warnings.first;
    size_t said = 0;
    for (const struct finding *at = first; at && said < WARNINGS_SAID; at = at->next) {
        size_t before = 0;
        for (const struct finding *other = first; other != at; other = other->next)
            before += !strcmp(other->code, at->code);
        if (before >= OF_ONE_CODE) continue;
        said++;
        LOG(server, LOG_WARN, "config_warning",
            LOG_TEXT("place", str_fmt(&arena, "%.*s:%u:%u", STR_ARG(at->file), at->mark.line, at->mark.column)),
            LOG_TEXT("code", str_from(at->code)), LOG_TEXT("problem", at->text));
    }
    if (server->setup->settings->warning_count > said)
        LOG(server, LOG_WARN, "config_warnings",
            LOG_NUMBER("more", (int64_t)(server->setup->settings->warning_count - said)),
            LOG_TEXT("command", STR("drumbeat check")));
    arena_free(&arena);
}

/* All findings in the one line that a log has: "drumbeat.yaml:3:1: error E0204: ...; drumbeat.yaml:7:5: ..." */
void server_say_refused(struct server *server, struct str problem) {
    struct arena arena = ARENA_EMPTY;
    struct buf joined = {.arena = &arena};
    for (struct str line; str_next(&problem, '\n', &line);)
        buf_fmt(&joined, "%s%.*s", joined.n ? "; " : "", STR_ARG(line));
    LOG(server, LOG_ERROR, "config_refused", LOG_TEXT("file", server->options.config_file),
        LOG_TEXT("problem", buf_str(&joined)));
    arena_free(&arena);
}

void server_say_stopping(struct server *server) {
    LOG(server, LOG_INFO, "stopping", LOG_NUMBER("in_flight", (int64_t)loop_in_flight(server->loop)),
        LOG_NUMBER("waits_at_most_s", server->setup->settings->server.stop_timeout_us / US_PER_S));
}

void server_say_stopped(struct server *server) {
    LOG(server, LOG_INFO, "stopped", LOG_NUMBER("in_flight", (int64_t)loop_in_flight(server->loop)),
        LOG_NUMBER("waiting", loop_view(server->loop).open_deliveries));
}
