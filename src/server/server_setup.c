/* server/server_setup.c - configurations of a running server: read, staged, put in
 * force between turns, forgotten when their last send has come back. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/when.h"
#include "config/secret.h"
#include "http/listener.h"
#include "sandbox/sandbox.h"
#include "server/server_private.h"

static enum err read_config(struct server *server, struct arena *arena, struct setup_input *input,
                            struct str *ret_problem) {
    *input = (struct setup_input){.file = server->options.config_file,
                                  .text = server->options.config_text,
                                  .connector_text = server->options.connector_text};
    struct str folder = file_folder(input->file, arena);
    input->connectors_folder = str_fmt(arena, "%.*s/connectors", STR_ARG(folder));
    struct secret_source *secrets = arena_new(arena, struct secret_source);
    *secrets = server->options.secrets ? *server->options.secrets : secret_source_real(arena, folder);
    input->secrets = secrets;
    if (input->text.p) return ERR_NONE;
    return file_read(input->file, CONFIG_TEXT_MAX, arena, &input->text, ret_problem);
}

enum err server_load(struct server *server, struct arena *arena, struct setup **ret_setup, struct str *ret_problem) {
    struct setup_input input;
    struct findings findings = {.arena = arena};
    TRY(read_config(server, arena, &input, ret_problem));
    struct setup *setup = setup_load(&input, &findings);
    if (!setup) {
        *ret_problem = findings_text(arena, &findings);
        return ERR_CONFIG;
    }
    if (!server->options.config_text.p) setup->settings->path = file_whole(input.file, &setup->arena);
    *ret_setup = setup;
    return ERR_NONE;
}

void server_set_log(struct server *server) {
    const struct log_settings *settings = &server->setup->settings->log, *wish = &server->options.log_wish;
    int32_t level = wish->level ? wish->level : settings->level,
            format = wish->format ? wish->format : settings->format;
    log_set(&server->options.log, (enum log_level)(level - 1), (enum log_format)(format - 1), settings->fold_us);
}

static bool say(struct arena *arena, struct str problem, struct str *ret_json) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, STR("{\"valid\":false,\"problem\":"));
    json_quote(&buf, problem);
    buf_byte(&buf, '}');
    *ret_json = buf_str(&buf);
    return false;
}

static bool has_destination(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->destination_count; i++)
        if (str_eq(settings->destinations[i].name, name)) return true;
    return false;
}

static void add_removed(struct buf *buf, const struct settings *from, const struct settings *to) {
    const char *comma = "";
    buf_add(buf, STR("],\"removed\":["));
    for (size_t i = 0; i < from->destination_count; i++) {
        if (has_destination(to, from->destinations[i].name)) continue;
        if (settings_heir(to, from->destinations[i].name) != SIZE_MAX) continue;
        buf_add(buf, str_from(comma));
        json_quote(buf, from->destinations[i].name);
        comma = ",";
    }
}

/* Those that take over from an earlier name, whether it was there before or not. */
static void add_heirs(struct buf *buf, const struct settings *from, const struct settings *to) {
    const char *comma = "";
    buf_add(buf, STR("],\"adopted\":["));
    for (size_t i = 0; i < to->destination_count; i++) {
        const struct str_list was = to->destinations[i].was;
        for (size_t j = 0; j < was.count; j++) {
            buf_fmt(buf, "%s{\"destination\":", comma);
            json_quote(buf, to->destinations[i].name);
            buf_add(buf, STR(",\"was\":"));
            json_quote(buf, was.items[j]);
            buf_fmt(buf, ",\"renamed\":%s}", has_destination(from, was.items[j]) ? "true" : "false");
            comma = ",";
        }
    }
}

/* What takes a restart and was started otherwise. It lives as long as the setup. */
static struct str_list restart_waits(const struct setup *begun, struct setup *setup) {
    struct change *changes = config_diff(&setup->arena, begun->settings, setup->settings);
    struct str_list waits = {.items = NULL};
    size_t count = 0;
    for (const struct change *change = changes; change; change = change->next) count += change->needs_restart;
    struct str *items = arena_array(&setup->arena, struct str, count);
    for (const struct change *change = changes; change; change = change->next)
        if (change->needs_restart) items[waits.count++] = change->text;
    waits.items = items;
    return waits;
}

/* What was changed back to how the server runs waits for nothing. */
static bool takes_restart(const struct change *change, const struct change *since_begin) {
    while (since_begin && !str_eq(since_begin->what, change->what)) since_begin = since_begin->next;
    return change->needs_restart && since_begin;
}

static struct str changes_json(struct arena *arena, const struct server *server, const struct setup *setup, bool dry) {
    const struct settings *from = server->setup->settings, *to = setup->settings;
    const struct change *change = config_diff(arena, from, to);
    const struct change *since_begin = config_diff(arena, server->begun->settings, to);
    struct buf buf = {.arena = arena};
    buf_fmt(&buf, "{\"valid\":true,\"applied\":%s,\"changes\":[", dry ? "false" : "true");
    for (const char *comma = ""; change; change = change->next, comma = ",") {
        buf_fmt(&buf, "%s{\"text\":", comma);
        json_quote(&buf, change->text);
        buf_fmt(&buf, ",\"needs_restart\":%s}", takes_restart(change, since_begin) ? "true" : "false");
    }
    add_removed(&buf, from, to);
    add_heirs(&buf, from, to);
    buf_add(&buf, STR("],\"warnings\":"));
    buf_add(&buf, findings_json(arena, &setup->warnings));
    buf_byte(&buf, '}');
    return buf_str(&buf);
}

static void drop_staged(struct server *server) {
    if (server->staged_sandbox) sandbox_close(server->staged_sandbox);
    setup_free(server->staged);
    server->staged = NULL;
    server->staged_sandbox = NULL;
    server->adopted = false;
}

static bool prepare(void *self, bool dry, struct arena *arena, struct str *ret_json) {
    struct server *server = self;
    struct setup *setup = NULL;
    struct sandbox *sandbox = NULL;
    struct str problem = STR("");
    if (server->retired_count == RETIRED_MAX)
        return say(arena, STR("sends of earlier configurations are still on their way: try again soon"), ret_json);
    enum err err = server_load(server, arena, &setup, &problem);
    if (!err) err = server_start_engine(setup, arena, &sandbox, &problem);
    if (err) {
        setup_free(setup);
        if (!dry) loop_config_failed(server->loop, true);
        server->reloads_refused += !dry;
        if (!dry) server_say_refused(server, problem);
        return say(arena, problem, ret_json);
    }
    setup->settings->restart_waits = restart_waits(server->begun, setup);
    *ret_json = changes_json(arena, server, setup, dry);
    drop_staged(server);
    server->staged = setup;
    server->staged_sandbox = sandbox;
    if (dry) drop_staged(server);
    return true;
}

static void adopt(void *self) {
    struct server *server = self;
    server->adopted = server->staged != NULL;
}

static void forget(void *self) {
    struct server *server = self;
    if (!server->adopted) drop_staged(server);
}

struct reload server_reload(struct server *server) {
    return (struct reload){prepare, adopt, forget, server};
}

void server_reload_by_signal(struct server *server) {
    struct arena arena = ARENA_EMPTY;
    struct str answer;
    if (server->options.config_text.p) return;
    if (prepare(server, false, &arena, &answer)) adopt(server);
    arena_free(&arena);
}

static void forget_unused(struct server *server) {
    size_t kept = 0;
    for (size_t i = 0; i < server->retired_count; i++) {
        struct retired *retired = &server->retired[i];
        if (loop_uses(server->loop, retired->setup->settings)) {
            server->retired[kept++] = *retired;
            continue;
        }
        if (retired->sandbox) sandbox_close(retired->sandbox);
        if (retired->setup != server->begun) setup_free(retired->setup);
    }
    server->retired_count = kept;
}

enum err server_swap(struct server *server) {
    if (server->retired_count) forget_unused(server);
    if (!server->adopted) return ERR_NONE;
    server->retired[server->retired_count++] = (struct retired){server->setup, server->sandbox};
    server->setup = server->staged;
    server->sandbox = server->staged_sandbox;
    server->staged = NULL;
    server->staged_sandbox = NULL;
    server->adopted = false;
    server->evaluator = server->sandbox ? sandbox_evaluator(server->sandbox) : (struct evaluator){0};
    loop_config_failed(server->loop, false);
    server->reloads_applied++;
    server->reloaded_wall_us = server->clock.wall_us(server->clock.self);
    server->jq_restarts = 0;
    server_set_log(server);
    server_say_applied(server);
    server_say_warnings(server);
    return loop_apply(server->loop, setup_in_force(server->setup, &server->evaluator));
}

void server_forget_setups(struct server *server) {
    drop_staged(server);
    for (size_t i = 0; i < server->retired_count; i++) {
        if (server->retired[i].sandbox) sandbox_close(server->retired[i].sandbox);
        if (server->retired[i].setup != server->begun) setup_free(server->retired[i].setup);
    }
    server->retired_count = 0;
    if (server->begun != server->setup) setup_free(server->begun);
    server->begun = NULL;
}

void server_banner(struct server *server, int64_t took_us) {
    const struct settings *settings = server->setup->settings;
    struct loop_view view = loop_view(server->loop);
    unsigned port = listener_port(server->listener);
    if (!server->options.banner) {
        log_event(&server->options.log, LOG_INFO, server->clock.wall_us(server->clock.self), "ready",
                  LOG_TEXT("version", STR(DRUMBEAT_VERSION)), LOG_TEXT("listen", server->listen_host),
                  LOG_NUMBER("port", port), LOG_TEXT("store", server->store_name),
                  LOG_NUMBER("waiting", view.open_deliveries), LOG_NUMBER("descriptors", server->descriptors),
                  LOG_NUMBER("connections", server->shares.connections),
                  LOG_NUMBER("sends", (int64_t)server->shares.sends), LOG_NUMBER("ready_ms", took_us / US_PER_MS));
        return;
    }
    fprintf(stderr, "drumbeat " DRUMBEAT_VERSION "   config %.*s  (%zu %s, %zu %s)\n", STR_ARG(settings->file),
            settings->destination_count, settings->destination_count == 1 ? "destination" : "destinations",
            settings->route_count, settings->route_count == 1 ? "route" : "routes");
    fprintf(stderr, "  Ready in %lld ms\n", (long long)(took_us / US_PER_MS));
    fprintf(stderr, "  Events    http://%.*s:%u/v1/events\n", STR_ARG(server->listen_host), port);
    fprintf(stderr, "  Store     %.*s  %s\n", STR_ARG(server->store_name),
            server->driver.shared ? "PostgreSQL" : "SQLite, durable (fsync on every commit)");
    if (server->driver.shared) fprintf(stderr, "  Role      %.*s\n", STR_ARG(loop_role_text(server->role)));
    fprintf(stderr, "  Metrics   http://%.*s:%u/metrics  ·  Health /healthz /readyz\n", STR_ARG(server->listen_host),
            port);
    fprintf(stderr, "  Waiting   %lld %s%s\n", (long long)view.open_deliveries,
            view.open_deliveries == 1 ? "delivery" : "deliveries",
            server->options.hold ? "  ·  held: nothing is delivered" : "");
}
