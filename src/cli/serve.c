/* cli/serve.c - the server, until it is told to stop. */
#include <stdlib.h>
#include <unistd.h>

#include "base/when.h"
#include "cli/commands.h"
#include "cli/locate.h"
#include "os/deadline.h"
#include "os/notify.h"
#include "server/server.h"

#define LONGEST_WAIT_US (3600 * US_PER_S)

static void say_ready(const struct cli *cli, const struct server *server, const struct notify *notify) {
    const char *held = cli_flag(cli, "hold") ? "; held: nothing is delivered" : "";
    struct str lines =
        str_fmt(cli->arena, "READY=1\nSTATUS=Taking requests on port %u%s", (unsigned)server_port(server), held);
    notify_send(notify, lines.p);
}

/* Turn after turn. The service manager's watchdog is fed here and nowhere else, so that it notices a loop that stands
 * still. A reload is over when the step that does it is over; that step waits for nothing. */
static int run(struct cli *cli, struct server *server, struct notify *notify) {
    bool stops = false;
    for (bool done = false; !done;) {
        int64_t now_us = deadline_now_us();
        bool reloads = cli->signals->reload;
        if (cli->signals->stop && !stops) notify_send(notify, "STOPPING=1");
        stops = cli->signals->stop;
        if (reloads) notify_reloading(notify, now_us);
        int64_t wait_us = notify_beat(notify, now_us, reloads ? 0 : LONGEST_WAIT_US);
        enum err err = server_step(server, wait_us, &done);
        if (err) return cli_fail(cli, EXIT_FAILED, "error %s: %s; the server ends here", err_code(err), err_text(err));
        if (reloads) notify_send(notify, "READY=1");
    }
    return EXIT_DONE;
}

/* A role that does a part of the work needs other processes for the rest, and so a store that they share. */
static int check_role(struct cli *cli, struct str role) {
    struct place place;
    struct str problem;
    if (!role.p || str_eq(role, STR("all"))) return EXIT_DONE;
    int code = locate_place(cli, &place, &problem);
    if (code || place_is_shared(&place)) return code;
    return cli_fail(cli, EXIT_USAGE,
                    "error: --role %.*s needs a store that several processes share: set store: postgres://...",
                    STR_ARG(role));
}

/* The place of a word among the choices of its option, from 1; 0 when it was not given. */
static int32_t choice_of(const struct cli *cli, const char *name, const char *choices) {
    struct str value = cli_value(cli, name), rest = str_from(choices), word;
    for (int32_t i = 1; value.p && str_next(&rest, '|', &word); i++)
        if (str_eq(word, value)) return i;
    return 0;
}

/* What is said here about the log goes before what the configuration says. */
static struct log_settings read_wish(const struct cli *cli) {
    struct log_settings wish = {.level = choice_of(cli, "log-level", LOG_LEVELS),
                                .format = choice_of(cli, "log-format", LOG_FORMATS)};
    if (!wish.level && cli->verbose) wish.level = LOG_DEBUG + 1;
    if (!wish.level && cli->quiet) wish.level = LOG_WARN + 1;
    return wish;
}

int command_serve(struct cli *cli) {
    struct str role = cli_value(cli, "role"), file = locate_config(cli), listen = cli_value(cli, "listen"), problem;
    struct log log = log_open(STDERR_FILENO, LOG_INFO, getenv("JOURNAL_STREAM"));
    log.colour = cli->err_colour;
    struct server *server;
    int code = check_role(cli, role);
    if (code) return code;
    if (!file.p) {
        struct str text;
        return locate_config_text(cli, STR_NONE, &file, &text); /* says that there is none */
    }
    const struct server_options options = {.config_file = file,
                                           .listen = listen.p ? listen : STR(""),
                                           .store = STR(""),
                                           .role = role.p ? role : STR("all"),
                                           .hold = cli_flag(cli, "hold"),
                                           .banner = isatty(STDERR_FILENO) && !cli->quiet,
                                           .log = log,
                                           .log_wish = read_wish(cli),
                                           .signals = cli->signals};
    enum err err = server_open(&options, cli->arena, &server, &problem);
    bool config = err == ERR_CONFIG || err == ERR_NOT_FOUND;
    if (err)
        return cli_fail(cli, config ? EXIT_CONFIG : EXIT_FAILED, "%s%.*s",
                        str_find(problem, '\n') == SIZE_MAX ? "error: " : "", STR_ARG(problem));
    struct notify notify = notify_open();
    say_ready(cli, server, &notify);
    code = run(cli, server, &notify);
    server_close(server);
    notify_close(&notify);
    return code;
}
