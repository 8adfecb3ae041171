/* cli/check.c - every mistake of a configuration at once, jq included. */
#include <unistd.h>

#include "cli/check_logins.h"
#include "cli/commands.h"
#include "cli/locate.h"
#include "cli/show.h"
#include "config/secret.h"
#include "os/file.h"
#include "sandbox/sandbox.h"
#include "server/setup.h"

#define JQ_DEADLINE_US  ((int64_t)250000)
#define JQ_MEMORY_BYTES (256 << 20)

/* ---- looking ---- */

/* jq is compiled where it will run: in a process of its own. */
static int check_jq(struct cli *cli, const struct setup *setup, struct findings *findings) {
    const struct sandbox_options options = {
        .executable = STR("/proc/self/exe"), .deadline_us = JQ_DEADLINE_US, .memory_bytes = JQ_MEMORY_BYTES};
    struct sandbox *sandbox;
    struct str problem;
    if (!setup->program.n) return EXIT_DONE;
    enum err err = sandbox_open(&options, setup->program, cli->arena, &sandbox, &problem);
    if (!err) sandbox_close(sandbox);
    if (err == ERR_JQ_COMPILE) setup_blame(setup, findings);
    if (!err || findings->errors) return EXIT_DONE;
    return cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(err), STR_ARG(problem));
}

static int look(struct cli *cli, struct str file, struct str text, struct findings *findings, struct str *ret_size) {
    struct str folder = file_folder(file, cli->arena);
    const struct secret_source secrets = secret_source_real(cli->arena, folder);
    const struct setup_input input = {.file = file,
                                      .text = text,
                                      .secrets = &secrets,
                                      .connectors_folder = str_fmt(cli->arena, "%.*s/connectors", STR_ARG(folder))};
    struct setup *setup = setup_load(&input, findings);
    if (!setup) return EXIT_DONE;
    setup_look(setup, findings);
    int code = check_jq(cli, setup, findings);
    if (!code && !findings->errors) check_logins(cli, setup, file, findings);
    *ret_size = str_fmt(cli->arena, "%zu %s, %zu %s", setup->settings->destination_count,
                        setup->settings->destination_count == 1 ? "destination" : "destinations",
                        setup->settings->route_count, setup->settings->route_count == 1 ? "route" : "routes");
    setup_free(setup);
    return code;
}

/* ---- saying ---- */

static struct str line_of(struct str text, uint32_t number) {
    struct str line = STR_NONE;
    for (uint32_t i = 0; i < number; i++)
        if (!str_next(&text, '\n', &line)) return STR_NONE;
    return line;
}

/* How many characters to underline: up to the end of the word that begins at the column. */
static size_t word_length(struct str line, size_t from) {
    size_t end = from;
    while (end < line.n && line.p[end] != ' ' && line.p[end] != ':' && line.p[end] != ',') end++;
    return end > from ? text_columns(str_sub(line, from, end - from)) : 1;
}

/*  31 |       limt: 300/h
 *     |       ^~~~                                     */
static void show_place(struct cli *cli, const struct finding *finding, struct str text) {
    struct str line = line_of(text, finding->mark.line);
    size_t column = finding->mark.column ? finding->mark.column - 1 : 0;
    if (!line.n || column > line.n) return;
    struct str shown = str_safe(cli->arena, line, true);
    size_t before = text_columns(str_safe(cli->arena, str_sub(line, 0, column), true));
    writer_fmt(&cli->err, "%4u | %.*s\n     | %*s", finding->mark.line, STR_ARG(shown), (int)before, "");
    writer_add(&cli->err, cli->err_colour ? STR("\033[31m^") : STR("^"));
    for (size_t i = word_length(line, column); i > 1; i--) writer_add(&cli->err, STR("~"));
    writer_add(&cli->err, cli->err_colour ? STR("\033[0m\n") : STR("\n"));
}

static void show_findings(struct cli *cli, const struct findings *findings, struct str file, struct str text) {
    bool places = isatty(STDERR_FILENO);
    writer_flush(&cli->out);
    for (const struct finding *at = findings->first; at; at = at->next) {
        struct finding alone = *at;
        alone.next = NULL;
        const struct findings one = {.arena = cli->arena, .first = &alone};
        cli->err.weight = at->warning ? WEIGHT_WARNING : WEIGHT_ERROR;
        writer_safe(&cli->err, findings_text(cli->arena, &one));
        if (places && str_eq(at->file, file)) show_place(cli, at, text);
    }
    cli->err.weight = WEIGHT_TALK;
    writer_flush(&cli->err);
}

static int judge(struct cli *cli, const struct findings *findings, struct str file, struct str text, struct str size) {
    int code = EXIT_DONE;
    bool bad = findings->errors || (cli_flag(cli, "strict") && findings->warnings);
    bool machine = show_machine(cli, findings_json(cli->arena, findings), "code", &code);
    if (code) return code;
    if (!machine && findings->first) {
        show_findings(cli, findings, file, text);
        cli_say(cli, "%zu %s, %zu %s", findings->errors, findings->errors == 1 ? "error" : "errors", findings->warnings,
                findings->warnings == 1 ? "warning" : "warnings");
    }
    if (!machine && !bad && !cli->quiet) writer_fmt(&cli->out, "%.*s is valid: %.*s\n", STR_ARG(file), STR_ARG(size));
    return bad ? EXIT_CONFIG : EXIT_DONE;
}

static int print_schema(struct cli *cli) {
    struct findings findings = {.arena = cli->arena};
    struct str file = cli->argument_count ? cli_argument(cli, 0) : locate_config(cli);
    struct str folder = file_folder(file.p ? file : STR("drumbeat.yaml"), cli->arena);
    const struct catalog *catalog =
        setup_catalog(cli->arena, str_fmt(cli->arena, "%.*s/connectors", STR_ARG(folder)), &findings);
    writer_add(&cli->out, config_schema(cli->arena, catalog));
    writer_add(&cli->out, STR("\n"));
    return EXIT_DONE;
}

int command_check(struct cli *cli) {
    struct findings findings = {.arena = cli->arena};
    struct str file, text, size = STR("");
    if (cli_flag(cli, "schema")) return print_schema(cli);
    int code = locate_config_text(cli, cli_argument(cli, 0), &file, &text);
    if (!code) code = look(cli, file, text, &findings, &size);
    return code ? code : judge(cli, &findings, file, text, size);
}
