/* cli/status.c - the server in one look. */
#include "cli/status.h"
#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/show.h"

#define WATCH_US (2 * US_PER_S)

static long long number(const struct json *status, struct str name) {
    return (long long)json_integer(json_get(status, name), 0);
}

static void show_troubled(struct cli *cli, const struct json *list) {
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *one = json_at(list, i);
        bool paused = json_true(json_get(one, STR("paused")));
        struct str name = show_member(cli, one, "name"), reason = show_member(cli, one, "pause_reason");
        struct str word =
            paused ? STR("paused") : str_fmt(cli->arena, "breaker %.*s", STR_ARG(show_member(cli, one, "breaker")));
        writer_fmt(&cli->out, "! %.*s: %.*s", STR_ARG(name), STR_ARG(word));
        if (paused && reason.n) writer_fmt(&cli->out, " (%.*s)", STR_ARG(text_safe(cli->arena, reason, true)));
        writer_fmt(&cli->out, "; drumbeat destinations show %.*s\n", STR_ARG(name));
    }
}

static const struct column instance_columns[] = {
    {"role", CELL_TEXT, {.title = "PROCESS", .whole = true}},
    {"host", CELL_TEXT, {.title = "HOST"}},
    {"started_at", CELL_TIME, {.title = "STARTED", .whole = true}},
    {"seen_at", CELL_TIME, {.title = "SEEN", .whole = true}},
    {"token", CELL_TEXT, {.title = "TOKEN", .whole = true}},
    {0},
};

/* A server that has the store for itself shares nothing. */
static void show_company(struct cli *cli, const struct json *status) {
    const struct json *limits = json_get(status, STR("limits")), *instances = json_get(status, STR("instances"));
    struct str way = show_member(cli, limits, "shared_by");
    long long parts = number(limits, STR("parts"));
    if (way.n && !str_eq(way, STR("none")))
        writer_fmt(&cli->out, "  Limits    counted by %.*s for all processes\n",
                   STR_ARG(str_eq(way, STR("store")) ? STR("the store") : way));
    if (limits && !json_true(json_get(limits, STR("up"))))
        writer_fmt(&cli->out, "! limits: %.*s does not answer%s\n", STR_ARG(way),
                   parts > 1 ? str_fmt(cli->arena, "; this process keeps to 1/%lld of each", parts).p : "");
    if (json_size(instances) > 1) show_table(cli, instances, instance_columns);
}

static void show_head(struct cli *cli, const struct json *status) {
    struct str up = span_human(cli->arena, json_integer(json_get(status, STR("uptime_seconds")), 0) * US_PER_S);
    writer_fmt(&cli->out, "drumbeat %.*s   ", STR_ARG(show_member(cli, status, "version")));
    if (json_get(status, STR("running"))) {
        writer_fmt(&cli->out, "no server runs here; the store says:\n");
        return;
    }
    bool hold = json_true(json_get(status, STR("hold"))), stopping = json_true(json_get(status, STR("stopping")));
    writer_fmt(&cli->out, "up %.*s%s%s\n", STR_ARG(up), hold ? "   held: nothing is delivered" : "",
               stopping ? "   stopping" : "");
    writer_fmt(&cli->out, "  Config    %.*s  (%lld destinations, %lld routes)%s\n",
               STR_ARG(show_member(cli, status, "config")), number(status, STR("destinations")),
               number(status, STR("routes")),
               json_true(json_get(status, STR("config_ok"))) ? "" : "  the last reload was refused");
}

void status_show(struct cli *cli, const struct json *status) {
    show_head(cli, status);
    writer_fmt(&cli->out, "  Store     %.*s\n", STR_ARG(show_member(cli, status, "store")));
    writer_fmt(&cli->out, "  Waiting   %lld pending · %lld processing · %lld s behind\n",
               number(status, STR("pending")), number(status, STR("processing")), number(status, STR("lag_seconds")));
    writer_fmt(&cli->out, "  Needs you %lld held · %lld unknown · %lld failed\n", number(status, STR("held")),
               number(status, STR("unknown")), number(status, STR("failed")));
    show_troubled(cli, json_get(status, STR("troubled")));
    show_company(cli, status);
}

bool status_of_running(struct cli *cli, struct asked *ret_asked) {
    bool was_mute = cli->mute;
    struct asked asked;
    cli->mute = true;
    int code = ask(cli, "GET", STR("/v1/status"), STR_NONE, &asked);
    cli->mute = was_mute;
    if (code) return false;
    if (!asked.offline) {
        *ret_asked = asked;
        return true;
    }
    asked_free(&asked);
    return false;
}

/* Each look forgets the one before: --watch may run for months. */
static int look(struct cli *cli, struct arena *arena) {
    struct asked asked;
    struct arena *kept = cli->arena;
    cli->arena = arena;
    int code = ask(cli, "GET", STR("/v1/status"), STR_NONE, &asked);
    if (!code) code = show_one(cli, &asked, "version", status_show);
    cli->arena = kept;
    arena_reset(arena);
    return code;
}

int command_status(struct cli *cli) {
    bool watch = cli_flag(cli, "watch"), redraw = watch && cli->colour && cli->output == OUTPUT_TABLE;
    struct arena *looks = arena_new(cli->arena, struct arena);
    int code;
    do {
        if (redraw) writer_add(&cli->out, STR("\033[H\033[J"));
        code = look(cli, looks);
        writer_flush(&cli->out);
        if (watch) cli_sleep(cli, WATCH_US);
    } while (watch && !code && !cli_stopped(cli));
    arena_free(looks);
    return cli->signals && cli->signals->stop ? EXIT_INTERRUPTED : code;
}
