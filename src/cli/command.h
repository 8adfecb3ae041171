/* cli/command.h - THE table of commands, and what a command is given.
 *
 * Parsing, messages, help, completion and docs/cli.md all read the table. A
 * command is one function: it reads its options by name, puts data to out and
 * talk to err, and returns an exit code of cli/cli.h. Thread: one.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/writer.h"

#define CLI_ARGUMENTS_MAX 64
#define CLI_OPTIONS_MAX   32

struct cli;
typedef int command_run(struct cli *cli);

/* A table of them ends with a name of NULL. */
struct option {
    const char *name;
    char letter;         /* 0 = none */
    const char *value;   /* how its value is called; NULL = a switch */
    const char *choices; /* the values there are, with '|' between; NULL = any */
    bool required;
    const char *help;
};

#define COMMAND_JSON    1U  /* has a JSON form: takes -o and --jq */
#define COMMAND_CHANGES 2U  /* takes --dry-run */
#define COMMAND_SIGNALS 4U  /* looks at the signals itself; the others just end */
#define COMMAND_DAILY   8U  /* comes first in the help */
#define COMMAND_HIDDEN  16U /* for the program's own use */

struct command {
    const char *noun, *verb; /* verb NULL: the noun is the whole command */
    const char *arguments;   /* "ROUTE", "[FILE]", "[ID...]", "" */
    const char *summary;
    const struct option *options; /* NULL = none of its own */
    const char *examples;         /* what follows `drumbeat `, one a line */
    command_run *run;
    unsigned traits;
};

extern const struct command commands[];
extern const size_t command_count;
extern const struct option global_options[];

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_NDJSON, OUTPUT_ID };

struct option_value {
    const struct option *option;
    struct str value; /* "" for a switch */
};

struct cli {
    struct arena *arena; /* as long as the program */
    struct signals *signals;
    struct str noun; /* as far as the command was named, for help */
    const struct command *command;
    struct str arguments[CLI_ARGUMENTS_MAX];
    size_t argument_count;
    struct option_value given[CLI_OPTIONS_MAX];
    size_t given_count;
    /* the global options, read */
    enum output output;
    bool quiet, verbose, yes, no_input, dry_run;
    bool only_server;        /* the store is never read in its place */
    bool mute;               /* says nothing at all: a question that may go wrong in silence */
    bool colour, err_colour; /* on stdout, on stderr */
    int64_t timeout_us;
    struct str jq; /* .p NULL = none */
    struct writer out, err;
};

/* ---- what a command reads ---- */
bool cli_flag(const struct cli *cli, const char *name);
struct str cli_value(const struct cli *cli, const char *name); /* the last one given; STR_NONE when absent */
struct str cli_argument(const struct cli *cli, size_t index);  /* likewise */
bool cli_stopped(const struct cli *cli);                       /* somebody pressed Ctrl-C, or nobody reads any more */
void cli_sleep(const struct cli *cli, int64_t us);             /* ends early when a signal comes */
int64_t cli_wall_us(void);
int64_t cli_now_us(void); /* only forward; for deadlines */
/* Columns of the terminal that stdout is; 0 = it is none, and nothing is cut or wrapped. */
size_t cli_width(void);
/* y/N on the terminal; true without asking where there is no terminal, or with --yes or --no-input. */
bool cli_confirm(struct cli *cli, const char *question);
/* One line from the terminal, the fallback when it is empty. */
struct str cli_question(struct cli *cli, const char *question, struct str fallback);
bool cli_interactive(const struct cli *cli); /* there is a person to ask */

/* ---- what a command says ---- */
/* A line to stderr; dropped with --quiet. */
void cli_say(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line to stderr, also with --quiet; gives the code back. */
int cli_fail(struct cli *cli, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
