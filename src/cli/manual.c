/* cli/manual.c - drumbeat(1), from the table of commands; see help.h. */
#include <string.h>

#include "base/roff.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/parse.h"

static void add_options(struct buf *buf, const struct option *options) {
    for (const struct option *option = options; option && option->name; option++) {
        struct str code = option->letter ? str_fmt(buf->arena, "-%c, --%s", option->letter, option->name)
                                         : str_fmt(buf->arena, "--%s", option->name);
        roff_item(buf, code, str_from(option->value));
        roff_words(buf, str_from(option->help));
        if (option->choices && !strchr(option->value, '|')) {
            buf_add(buf, STR(": "));
            roff_code(buf, str_from(option->choices));
        }
        buf_add(buf, option->required ? STR(" (required).\n") : STR(".\n"));
    }
}

static void add_command(struct buf *buf, const struct command *command) {
    struct str rest = str_from(command->examples), line, name = command_name(buf->arena, command);
    roff_request(buf, ".SS",
                 str_fmt(buf->arena, "%.*s%s%s", STR_ARG(name), *command->arguments ? " " : "", command->arguments));
    roff_words(buf, str_from(command->summary));
    buf_add(buf, STR(".\n"));
    add_options(buf, command->options);
    if (!*command->examples) return;
    buf_add(buf, STR(".PP\n.nf\n"));
    while (str_next(&rest, '\n', &line)) {
        if (!line.n) continue;
        buf_add(buf, STR("drumbeat "));
        roff_code(buf, line);
        buf_byte(buf, '\n');
    }
    buf_add(buf, STR(".fi\n"));
}

static void add_codes(struct buf *buf) {
    struct str rest = help_exit_codes(), item;
    while (str_next(&rest, '\n', &item)) {
        size_t blank = str_find(item, ' ');
        if (!item.n) continue;
        roff_item(buf, str_sub(item, 0, blank), STR(""));
        roff_words(buf, str_sub(item, blank + 1, SIZE_MAX));
        buf_byte(buf, '\n');
    }
}

static const struct {
    const char *name, *what;
} variables[] =
    {
        {"DRUMBEAT_CONFIG", "The configuration, where `-c` is not given."},
        {"DB_DSN", "Where the store is; it overrides `store`."},
        {"DRUMBEAT_KEY_FILE", "A file that holds the API key for `--server`."},
        {"DRUMBEAT_KEY", "The API key itself, where there is no such file."},
        {"CREDENTIALS_DIRECTORY", "Where secrets are looked up first: NAME, then drumbeat_NAME. systemd sets it."},
        {"NO_COLOR", "Any value: status words have no colour."},
        {"NOTIFY_SOCKET",
         "Where the service manager listens, which is told what sd_notify(3) describes. systemd sets it."},
        {"WATCHDOG_USEC", "How often the service manager wants to hear that the loop goes on. systemd sets it."},
},
  files[] =
      {
          {"/etc/drumbeat/drumbeat.yaml",
           "The configuration, where `./drumbeat.yaml` is not there: see drumbeat.yaml(5)."},
          {"secrets/NAME", "Beside the configuration, mode 0600: a secret."},
          {"STORE, STORE-wal", "A store of SQLite's and its log: they belong together."},
          {"STORE.lock, STORE.reserve, STORE.sock",
           "Held by the server; the room kept for a full disk; where the command line finds the server."},
},
  signals[] = {
      {"SIGTERM, SIGINT", "Take no more requests, let what is on its way come back within `server.stop_timeout`, end. "
                          "Again: do not wait."},
      {"SIGHUP", "Read the configuration again. A bad one changes nothing."},
};

#define ADD_NAMED(buf, list)                                                                                           \
    for (size_t i = 0; i < sizeof(list) / sizeof *(list); i++) {                                                       \
        roff_item((buf), str_from((list)[i].name), STR(""));                                                           \
        roff_words((buf), str_from((list)[i].what));                                                                   \
        buf_byte((buf), '\n');                                                                                         \
    }

struct str help_manual(struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, STR(".TH DRUMBEAT 1 \"\" \"drumbeat " DRUMBEAT_VERSION "\"\n"
                      ".SH NAME\n"
                      "drumbeat \\- take marketing events in once and see every delivery through\n"
                      ".SH SYNOPSIS\n"
                      ".B drumbeat\n"
                      ".I command\n"
                      "[\n.I verb\n]\n[\n.I arguments\n]\n[\n.I options\n]\n"
                      ".SH DESCRIPTION\n"));
    roff_words(&buf,
               STR("drumbeat takes events in over HTTP, stores each one durably and once, and sees every delivery "
                   "that it owes through retries, rate limits, breakers and unknown outcomes to a settled state. "
                   "`drumbeat serve` is the server; the other commands ask it through the unix socket beside its "
                   "store, or by `--server URL`. Data goes to standard output, talk to standard error."));
    buf_add(&buf, STR("\n.SH COMMANDS\n"));
    for (size_t i = 0; i < command_count; i++)
        if (!(commands[i].traits & COMMAND_HIDDEN)) add_command(&buf, &commands[i]);
    buf_add(&buf, STR(".SH OPTIONS\nThese every command takes.\n"));
    add_options(&buf, global_options);
    buf_add(&buf, STR(".SH EXIT STATUS\n"));
    add_codes(&buf);
    buf_add(&buf, STR(".SH ENVIRONMENT\n"));
    ADD_NAMED(&buf, variables)
    buf_add(&buf, STR(".SH FILES\n"));
    ADD_NAMED(&buf, files)
    buf_add(&buf, STR(".SH SIGNALS\n"));
    ADD_NAMED(&buf, signals)
    buf_add(&buf, STR(".SH SEE ALSO\n.BR drumbeat.yaml (5)\n"));
    return buf_str(&buf);
}
