/* cli/cli.c - from the words of a command line to the command. */
#include "cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "cli/show.h"
#include "cli/status.h"
#include "observe/log.h"
#include "sandbox/sandbox.h"

int command_jq_worker(struct cli *cli) {
    (void)cli;
    return sandbox_worker_main();
}

/* NO_COLOR: https://no-color.org */
static bool use_colour(const struct cli *cli, int fd) {
    struct str when = cli_value(cli, "color");
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (str_eq(when, STR("always"))) return true;
    if (str_eq(when, STR("never")) || (no_colour && *no_colour)) return false;
    return isatty(fd) && terminal && strcmp(terminal, "dumb") != 0;
}

/* `drumbeat` alone: the state of the server, or how to begin. */
static int run_nothing(struct cli *cli) {
    struct asked asked;
    if (!status_of_running(cli, &asked)) {
        writer_add(&cli->out, help_overview(cli->arena, help_width()));
        return EXIT_DONE;
    }
    return show_one(cli, &asked, "version", status_show);
}

static int run_help(struct cli *cli) {
    if (cli->command)
        writer_add(&cli->out, help_command(cli->arena, cli->command, help_width()));
    else if (cli->noun.n)
        writer_add(&cli->out, help_noun(cli->arena, cli->noun, help_width()));
    else
        writer_add(&cli->out, help_overview(cli->arena, help_width()));
    return EXIT_DONE;
}

static int run_wrong(struct cli *cli, struct str problem) {
    struct str name = cli->command ? command_name(cli->arena, cli->command) : cli->noun;
    return cli_fail(cli, EXIT_USAGE, "error: %.*s\nSee drumbeat help%s%.*s", STR_ARG(problem), name.n ? " " : "",
                    STR_ARG(name));
}

/* Runs the command. A command that does not look at the signals simply ends by them. SIGHUP is the closing of the
 * terminal, and ends each command as Ctrl-C does; a server alone reads its configuration again. */
static int run_command(struct cli *cli) {
    if (cli->signals) cli->signals->hangup_reloads = cli->command->run == command_serve;
    if (!(cli->command->traits & COMMAND_SIGNALS)) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
    }
    int code = cli->command->run(cli);
    return code == ASK_DRY ? EXIT_DONE : code;
}

static int run(struct cli *cli, char *const *words, size_t count) {
    struct str problem = STR("");
    enum parsed parsed = parse_words(cli, words, count, &problem);
    cli->colour = use_colour(cli, STDOUT_FILENO);
    cli->err_colour = use_colour(cli, STDERR_FILENO);
    switch (parsed) {
    case PARSED_RUN:
        return run_command(cli);
    case PARSED_HELP:
        return run_help(cli);
    case PARSED_VERSION:
        return command_version(cli);
    case PARSED_NOTHING:
        return run_nothing(cli);
    case PARSED_WRONG:
        break;
    }
    return run_wrong(cli, problem);
}

int cli_main(int argc, char **argv, struct signals *signals) {
    struct arena arena = ARENA_EMPTY;
    struct cli *cli = calloc(1, sizeof *cli);
    if (!cli) abort();
    cli->arena = &arena;
    cli->signals = signals;
    cli->out.fd = STDOUT_FILENO;
    cli->err.fd = STDERR_FILENO;
    cli->err.journal = log_is_journal(STDERR_FILENO, getenv("JOURNAL_STREAM"));
    int code = run(cli, argv + 1, argc > 1 ? (size_t)argc - 1 : 0);
    writer_flush(&cli->out);
    if (cli->out.trouble)
        code = cli_fail(cli, EXIT_FAILED, "error: stdout cannot be written: %s", strerror(cli->out.trouble));
    writer_flush(&cli->err);
    free(cli);
    arena_free(&arena);
    return code;
}
