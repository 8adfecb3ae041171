#include "cli/help.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/connectors.h"
#include "cli/parse.h"
#include "config/config.h"
#include "model/scheme.h"
#include "server/setup.h"

/* ---- pieces ---- */

static size_t option_width(const struct option *options) {
    size_t widest = 0;
    for (const struct option *option = options; option && option->name; option++) {
        size_t width = strlen(option->name) + (option->value ? strlen(option->value) + 1 : 0);
        if (width > widest) widest = width;
    }
    return widest;
}

static void add_options(struct buf *buf, const struct option *options) {
    int widest = (int)option_width(options);
    for (const struct option *option = options; option && option->name; option++) {
        struct str named =
            str_fmt(buf->arena, "%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
        if (option->letter)
            buf_fmt(buf, "  -%c, ", option->letter);
        else
            buf_add(buf, STR("      "));
        buf_fmt(buf, "--%-*.*s  %s", widest, STR_ARG(named), option->help);
        if (option->choices && !strchr(option->value, '|')) buf_fmt(buf, ": %s", option->choices);
        buf_byte(buf, '\n');
    }
}

static void add_examples(struct buf *buf, const struct command *command) {
    struct str rest = str_from(command->examples), line;
    while (str_next(&rest, '\n', &line))
        if (line.n) buf_fmt(buf, "  drumbeat %.*s\n", STR_ARG(line));
}

static void add_usage(struct buf *buf, const struct command *command) {
    struct str name = command_name(buf->arena, command);
    buf_fmt(buf, "drumbeat %.*s", STR_ARG(name));
    if (*command->arguments) buf_fmt(buf, " %s", command->arguments);
    for (const struct option *option = command->options; option && option->name; option++) {
        const char *open = option->required ? "" : "[", *close = option->required ? "" : "]";
        buf_fmt(buf, " %s--%s%s%s%s", open, option->name, option->value ? " " : "", option->value ? option->value : "",
                close);
    }
    buf_byte(buf, '\n');
}

static void add_line(struct buf *buf, const struct command *command) {
    struct str name = command_name(buf->arena, command);
    buf_fmt(buf, "  %-22.*s  %s\n", STR_ARG(name), command->summary);
}

/* ---- helps ---- */

/* One a line; on a screen several share one. */
static const char exit_codes[] = "0 done\n1 failed\n2 wrong usage\n3 configuration invalid\n4 not found\n5 conflict\n"
                                 "6 no server answers\n7 not allowed\n8 partly done\n9 findings\n10 timed out waiting\n"
                                 "11 declined\n130 interrupted\n";

struct str help_exit_codes(void) {
    return str_from(exit_codes);
}

static void add_exit_codes(struct buf *buf) {
    struct str rest = help_exit_codes(), item;
    size_t column = 0;
    while (str_next(&rest, '\n', &item)) {
        if (!item.n) continue;
        bool begins = column + 4 + item.n > 80;
        buf_add(buf, !column ? STR("") : begins ? STR("\n") : STR(" · "));
        column = (column && !begins ? column + 3 : 0) + item.n;
        buf_add(buf, item);
    }
    buf_byte(buf, '\n');
}

struct str help_overview(struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, STR("drumbeat takes events in, stores each one once, and sees every delivery through.\n\n"
                      "  drumbeat demo                                      the whole thing in a minute\n"
                      "  drumbeat init && drumbeat serve                    your own\n"
                      "  drumbeat send LEAD_CAPTURE --data '{}' --wait      a first event\n"
                      "\nDaily\n"));
    for (size_t i = 0; i < command_count; i++)
        if (commands[i].traits & COMMAND_DAILY) add_line(&buf, &commands[i]);
    buf_add(&buf, STR("\nMore\n"));
    for (size_t i = 0; i < command_count; i++)
        if (!(commands[i].traits & (COMMAND_DAILY | COMMAND_HIDDEN))) add_line(&buf, &commands[i]);
    buf_add(&buf, STR("\nEverywhere\n"));
    add_options(&buf, global_options);
    buf_add(&buf, STR("\nExit codes\n"));
    add_exit_codes(&buf);
    buf_add(&buf, STR("\ndrumbeat help COMMAND says more, with examples.\n"));
    return buf_str(&buf);
}

struct str help_noun(struct arena *arena, struct str noun) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < command_count; i++)
        if (str_eq(str_from(commands[i].noun), noun)) add_examples(&buf, &commands[i]);
    buf_byte(&buf, '\n');
    for (size_t i = 0; i < command_count; i++)
        if (str_eq(str_from(commands[i].noun), noun)) add_line(&buf, &commands[i]);
    buf_fmt(&buf, "\ndrumbeat help %.*s VERB says more.\n", STR_ARG(noun));
    return buf_str(&buf);
}

struct str help_command(struct arena *arena, const struct command *command) {
    struct buf buf = {.arena = arena};
    add_examples(&buf, command);
    buf_fmt(&buf, "%s%s.\n\nusage: ", buf.n ? "\n" : "", command->summary);
    add_usage(&buf, command);
    if (command->options) {
        buf_add(&buf, STR("\nOptions\n"));
        add_options(&buf, command->options);
    }
    buf_fmt(&buf, "\nOptions that every command takes, and exit codes: drumbeat help\n");
    return buf_str(&buf);
}

/* ---- the reference page ---- */

static struct str cell(struct arena *arena, const char *text) {
    struct buf buf = {.arena = arena};
    for (; *text; text++) {
        if (*text == '|') buf_byte(&buf, '\\');
        buf_byte(&buf, *text);
    }
    return buf_str(&buf);
}

static void add_option_rows(struct buf *buf, const struct option *options) {
    buf_add(buf, STR("\n| option | |\n| --- | --- |\n"));
    for (const struct option *option = options; option->name; option++) {
        struct str value = cell(buf->arena, option->value ? option->value : ""), help = cell(buf->arena, option->help);
        struct str choices =
            option->choices && !strchr(option->value, '|') ? cell(buf->arena, option->choices) : STR("");
        buf_add(buf, STR("| `"));
        if (option->letter) buf_fmt(buf, "-%c`, `", option->letter);
        buf_fmt(buf, "--%s%s%.*s` | %.*s", option->name, value.n ? " " : "", STR_ARG(value), STR_ARG(help));
        if (choices.n) buf_fmt(buf, ": `%.*s`", STR_ARG(choices));
        buf_fmt(buf, "%s |\n", option->required ? " (required)" : "");
    }
}

static void add_section(struct buf *buf, const struct command *command) {
    struct str name = command_name(buf->arena, command);
    buf_fmt(buf, "\n## %.*s\n%s.\n", STR_ARG(name), command->summary);
    if (*command->examples) {
        buf_add(buf, STR("```sh\n"));
        struct str rest = str_from(command->examples), line;
        while (str_next(&rest, '\n', &line))
            if (line.n) buf_fmt(buf, "drumbeat %.*s\n", STR_ARG(line));
        buf_add(buf, STR("```\n"));
    }
    if (*command->arguments) buf_fmt(buf, "Arguments: `%s`\n", command->arguments);
    if (command->options) add_option_rows(buf, command->options);
}

struct str help_reference(struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_add(&buf,
            STR("# Command line\n\n"
                "This page is made from the table of commands in `src/cli/commands.c` by `drumbeat reference cli`.\n"
                "Data goes to stdout, talk to stderr. `-o json` prints what the API answers for the same question.\n"
                "The command line finds the running server through the unix socket beside the store (with a store on\n"
                "PostgreSQL beside the configuration, named for the port of `server.listen`), or asks `--server URL`.\n"
                "Without a server `events`, `deliveries`, `status`, `verify`, `audit`, `chores` and\n"
                "`keys` read the store itself.\n\n"
                "## Options of every command\n"));
    add_option_rows(&buf, global_options);
    buf_add(&buf, STR("\n## Exit codes\n"));
    add_exit_codes(&buf);
    for (size_t i = 0; i < command_count; i++)
        if (!(commands[i].traits & COMMAND_HIDDEN)) add_section(&buf, &commands[i]);
    return buf_str(&buf);
}

/* ---- the commands ---- */

int command_help(struct cli *cli) {
    struct str noun = cli_argument(cli, 0), verb = cli_argument(cli, 1);
    const struct command *command = command_find(noun, verb);
    if (!noun.p)
        writer_add(&cli->out, help_overview(cli->arena));
    else if (command)
        writer_add(&cli->out, help_command(cli->arena, command));
    else if (!verb.p && command_has_noun(noun))
        writer_add(&cli->out, help_noun(cli->arena, noun));
    else
        return cli_fail(cli, EXIT_USAGE, "error: %.*s",
                        STR_ARG(command_unknown(cli->arena, noun, command_has_noun(noun) ? verb : STR(""))));
    return EXIT_DONE;
}

/* connector/NAME and source/NAME */
static struct str named_page(struct cli *cli, struct str page, const struct catalog *catalog) {
    struct str kind = str_sub(page, 0, str_find(page, '/')), name = str_sub(page, kind.n + 1, page.n);
    const struct catalog_entry *entry = catalog_find(catalog, name);
    const struct scheme *scheme = scheme_find(name);
    if (str_eq(kind, STR("connector")) && entry && entry->action_count) return connector_page(cli->arena, entry);
    if (str_eq(kind, STR("source")) && scheme) return sender_page(cli->arena, scheme);
    return STR("");
}

int command_reference(struct cli *cli) {
    struct str page = cli_argument(cli, 0), named;
    struct findings findings = {.arena = cli->arena};
    const struct catalog *catalog = setup_catalog(cli->arena, STR_NONE, &findings);
    if (str_eq(page, STR("cli")))
        writer_add(&cli->out, help_reference(cli->arena));
    else if (str_eq(page, STR("config")))
        writer_add(&cli->out, config_reference(cli->arena));
    else if (str_eq(page, STR("connectors")))
        writer_add(&cli->out, connectors_reference(cli->arena, catalog));
    else if (str_eq(page, STR("metrics")))
        writer_add(&cli->out, metrics_reference(cli->arena));
    else if (str_eq(page, STR("drumbeat.1")))
        writer_add(&cli->out, help_manual(cli->arena));
    else if (str_eq(page, STR("drumbeat.yaml.5")))
        writer_add(&cli->out, config_manual(cli->arena));
    else if ((named = named_page(cli, page, catalog)).n)
        writer_add(&cli->out, named);
    else
        return cli_fail(cli, EXIT_USAGE,
                        "error: the pages are cli, config, connectors, metrics, connector/NAME, source/NAME, "
                        "drumbeat.1 and drumbeat.yaml.5");
    return EXIT_DONE;
}
