#include "cli/help.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/grid.h"
#include "cli/parse.h"

/* ---- pieces ---- */

#define OPTION_AT  8  /* where an option's name begins, behind its dashes */
#define SUMMARY_AT 26 /* where a command's summary begins */
#define USAGE_AT   7  /* where what is behind "usage: " begins */

static size_t option_width(const struct option *options) {
    size_t widest = 0;
    for (const struct option *option = options; option && option->name; option++) {
        size_t width = strlen(option->name) + (option->value ? strlen(option->value) + 1 : 0);
        if (width > widest) widest = width;
    }
    return widest;
}

static void add_options(struct buf *buf, const struct option *options, size_t width) {
    int widest = (int)option_width(options);
    size_t at = OPTION_AT + (size_t)widest + 2;
    for (const struct option *option = options; option && option->name; option++) {
        struct str named =
            str_fmt(buf->arena, "%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
        if (option->letter)
            buf_fmt(buf, "  -%c, ", option->letter);
        else
            buf_add(buf, STR("      "));
        buf_fmt(buf, "--%-*.*s  ", widest, STR_ARG(named));
        bool chosen = option->choices && !strchr(option->value, '|');
        struct str help =
            str_fmt(buf->arena, "%s%s%s", option->help, chosen ? ": " : "", chosen ? option->choices : "");
        text_wrap(buf, help, at, at, width);
        buf_byte(buf, '\n');
    }
}

static void add_examples(struct buf *buf, const struct command *command) {
    struct str rest = str_from(command->examples), line;
    while (str_next(&rest, '\n', &line))
        if (line.n) buf_fmt(buf, "  drumbeat %.*s\n", STR_ARG(line));
}

/* An option and its value stay in one line. */
static void add_usage(struct buf *buf, const struct command *command, size_t width) {
    struct str first = str_fmt(buf->arena, "usage: drumbeat %.*s%s%s", STR_ARG(command_name(buf->arena, command)),
                               *command->arguments ? " " : "", command->arguments);
    size_t column = first.n;
    buf_add(buf, first);
    for (const struct option *option = command->options; option && option->name; option++) {
        const char *open = option->required ? "" : "[", *close = option->required ? "" : "]";
        struct str one = str_fmt(buf->arena, "%s--%s%s%s%s", open, option->name, option->value ? " " : "",
                                 option->value ? option->value : "", close);
        bool breaks = width && column + 1 + one.n > width;
        column = (breaks ? USAGE_AT : column + 1) + one.n;
        buf_fmt(buf, breaks ? "\n%*s%.*s" : "%*s%.*s", breaks ? USAGE_AT : 1, "", STR_ARG(one));
    }
    buf_byte(buf, '\n');
}

static void add_line(struct buf *buf, const struct command *command, size_t width) {
    struct str name = command_name(buf->arena, command);
    buf_fmt(buf, "  %-22.*s  ", STR_ARG(name));
    text_wrap(buf, str_from(command->summary), SUMMARY_AT, SUMMARY_AT, width);
    buf_byte(buf, '\n');
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

struct str help_overview(struct arena *arena, size_t width) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, STR("drumbeat takes events in, stores each one once, and sees every delivery through.\n\n"
                      "  drumbeat demo                                      the whole thing in a minute\n"
                      "  drumbeat init && drumbeat serve                    your own\n"
                      "  drumbeat send LEAD_CAPTURE --data '{}' --wait      a first event\n"
                      "\nDaily\n"));
    for (size_t i = 0; i < command_count; i++)
        if (commands[i].traits & COMMAND_DAILY) add_line(&buf, &commands[i], width);
    buf_add(&buf, STR("\nMore\n"));
    for (size_t i = 0; i < command_count; i++)
        if (!(commands[i].traits & (COMMAND_DAILY | COMMAND_HIDDEN))) add_line(&buf, &commands[i], width);
    buf_add(&buf, STR("\nEverywhere\n"));
    add_options(&buf, global_options, width);
    buf_add(&buf, STR("\nExit codes\n"));
    add_exit_codes(&buf);
    buf_add(&buf, STR("\ndrumbeat help COMMAND says more, with examples.\n"));
    return buf_str(&buf);
}

struct str help_noun(struct arena *arena, struct str noun, size_t width) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < command_count; i++)
        if (str_eq(str_from(commands[i].noun), noun)) add_examples(&buf, &commands[i]);
    buf_byte(&buf, '\n');
    for (size_t i = 0; i < command_count; i++)
        if (str_eq(str_from(commands[i].noun), noun)) add_line(&buf, &commands[i], width);
    buf_fmt(&buf, "\ndrumbeat help %.*s VERB says more.\n", STR_ARG(noun));
    return buf_str(&buf);
}

struct str help_command(struct arena *arena, const struct command *command, size_t width) {
    struct buf buf = {.arena = arena};
    add_examples(&buf, command);
    buf_fmt(&buf, "%s", buf.n ? "\n" : "");
    text_wrap(&buf, str_fmt(arena, "%s.", command->summary), 0, 0, width);
    buf_add(&buf, STR("\n\n"));
    add_usage(&buf, command, width);
    if (command->options) {
        buf_add(&buf, STR("\nOptions\n"));
        add_options(&buf, command->options, width);
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

size_t help_width(void) {
    size_t width = cli_width();
    return width ? width : 80;
}

int command_help(struct cli *cli) {
    struct str noun = cli_argument(cli, 0), verb = cli_argument(cli, 1);
    const struct command *command = command_find(noun, verb);
    if (!noun.p)
        writer_add(&cli->out, help_overview(cli->arena, help_width()));
    else if (command)
        writer_add(&cli->out, help_command(cli->arena, command, help_width()));
    else if (!verb.p && command_has_noun(noun))
        writer_add(&cli->out, help_noun(cli->arena, noun, help_width()));
    else
        return cli_fail(cli, EXIT_USAGE, "error: %.*s",
                        STR_ARG(command_unknown(cli->arena, noun, command_has_noun(noun) ? verb : STR(""))));
    return EXIT_DONE;
}
