/* cli/init.c - a first drumbeat.yaml, with a folder for secrets. Nothing that exists is overwritten. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/commands.h"
#include "server/setup.h"

/* The first event is to arrive without a network and without anything of the user's own. */
#define FIRST_URL "http://127.0.0.1:" DEMO_RECEIVER_PORT "/leads"

struct init_answers {
    struct str destination, url, type, zone, listen;
};

static const struct {
    const char *question, *fallback;
    size_t place; /* in struct init_answers */
} questions[] = {
    {"Where shall deliveries go first? A URL that takes JSON by POST; this one is `drumbeat demo --receiver`:",
     FIRST_URL, offsetof(struct init_answers, url)},
    {"A short name for it:", "crm", offsetof(struct init_answers, destination)},
    {"Which type of event starts a delivery?", "LEAD_CAPTURE", offsetof(struct init_answers, type)},
    {"In which time zone are times of day meant?", "UTC", offsetof(struct init_answers, zone)},
    {"Where shall the server listen?", "127.0.0.1:8120", offsetof(struct init_answers, listen)},
};

static struct init_answers ask_questions(struct cli *cli) {
    struct init_answers answers;
    bool interactive = cli_interactive(cli);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct str fallback = str_from(questions[i].fallback);
        struct str *answer = (void *)((char *)&answers + questions[i].place);
        *answer = interactive ? cli_question(cli, questions[i].question, fallback) : fallback;
    }
    return answers;
}

static struct str quoted(struct cli *cli, struct str text) {
    struct buf buf = {.arena = cli->arena};
    json_quote(&buf, text);
    return buf_str(&buf);
}

static struct str config_of(struct cli *cli, const struct init_answers *answers) {
    struct str url = quoted(cli, answers->url), zone = quoted(cli, answers->zone);
    struct str listen = quoted(cli, answers->listen), type = quoted(cli, answers->type);
    const char *receiver = str_eq(answers->url, STR(FIRST_URL))
                               ? "    # `drumbeat demo --receiver` takes it on this machine and shows it. Put your own "
                                 "address here, and take\n"
                                 "    # the next line away unless that one is private, too:\n"
                                 "    allow_private: true\n"
                               : "";
    return str_fmt(
        cli->arena,
        "# drumbeat.yaml - `drumbeat check` finds every mistake, `drumbeat explain KEY` says what a key does.\n"
        "version: 1\n"
        "zone: %.*s\n"
        "store: ./data/drumbeat.db\n"
        "server:\n"
        "  # Any address but a loopback one needs a key first: drumbeat keys create --role ingest\n"
        "  listen: %.*s\n"
        "\n"
        "destinations:\n"
        "  %.*s:\n"
        "    type: http\n"
        "    url: %.*s\n"
        "%s"
        "    # It drops a delivery that it had before, by webhook-id. If it does not, say hold and be asked:\n"
        "    on_unknown: retry\n"
        "    # The value of ${CRM_TOKEN} is the content of secrets/CRM_TOKEN (mode 0600):\n"
        "    # headers: {authorization: \"Bearer ${CRM_TOKEN}\"}\n"
        "    # Never faster than this, in any window of that length:\n"
        "    # limit: [10/s, 300/15m]\n"
        "\n"
        "routes:\n"
        "  first:\n"
        "    from: %.*s\n"
        "    # Only events for which this jq expression is true:\n"
        "    # when: .email != null\n"
        "    to:\n"
        "      # The payload, as it came in:\n"
        "      - %.*s\n",
        STR_ARG(zone), STR_ARG(listen), STR_ARG(answers->destination), STR_ARG(url), receiver, STR_ARG(type),
        STR_ARG(answers->destination));
}

/* The answers must give a configuration that `check` accepts. */
static int check_answers(struct cli *cli, struct str text) {
    struct findings findings = {.arena = cli->arena};
    const struct setup_input input = {.file = STR("drumbeat.yaml"), .text = text};
    struct setup *setup = setup_load(&input, &findings);
    setup_free(setup);
    if (setup) return EXIT_DONE;
    return cli_fail(cli, EXIT_CONFIG, "%.*snothing was written", STR_ARG(findings_text(cli->arena, &findings)));
}

/* ---- files ---- */

static int cannot(struct cli *cli, struct str path) {
    int code = errno == EEXIST ? EXIT_CONFLICT : EXIT_FAILED;
    if (errno == EEXIST) return cli_fail(cli, code, "error: %.*s exists and is not overwritten", STR_ARG(path));
    return cli_fail(cli, code, "error: cannot make %.*s: %s", STR_ARG(path), strerror(errno));
}

static int make_folder(struct cli *cli, struct str path, mode_t mode) {
    if (mkdir(path.p, mode) == 0 || errno == EEXIST) return EXIT_DONE;
    return cannot(cli, path);
}

/* Makes a file that is not there yet, whole and on disk. */
static int make_file(struct cli *cli, struct str path, struct str text) {
    int fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return cannot(cli, path);
    ssize_t written = write(fd, text.p, text.n);
    bool whole = written == (ssize_t)text.n && fsync(fd) == 0;
    if (close(fd) || !whole) return cannot(cli, path);
    return EXIT_DONE;
}

static int make_all(struct cli *cli, struct str folder, struct str text) {
    struct str config = str_fmt(cli->arena, "%.*s/drumbeat.yaml", STR_ARG(folder));
    struct str ignore = str_fmt(cli->arena, "%.*s/.gitignore", STR_ARG(folder));
    int code = make_folder(cli, folder, 0755);
    if (!code) code = make_file(cli, config, text);
    if (!code) code = make_folder(cli, str_fmt(cli->arena, "%.*s/secrets", STR_ARG(folder)), 0700);
    if (code) return code;
    if (access(ignore.p, F_OK) == 0) {
        cli_say(cli, "%.*s stays as it is: see that it names data/ and secrets/", STR_ARG(ignore));
        return EXIT_DONE;
    }
    return make_file(cli, ignore, STR("data/\nsecrets/\n"));
}

int command_init(struct cli *cli) {
    struct str folder = cli->argument_count ? str_dup(cli->arena, cli_argument(cli, 0)) : STR(".");
    struct str config = str_fmt(cli->arena, "%.*s/drumbeat.yaml", STR_ARG(folder));
    if (!cli->dry_run && access(config.p, F_OK) == 0) {
        errno = EEXIST;
        return cannot(cli, config);
    }
    const struct init_answers answers = ask_questions(cli);
    struct str text = config_of(cli, &answers);
    int code = check_answers(cli, text);
    if (code) return code;
    if (cli->dry_run) {
        writer_add(&cli->out, text);
        return EXIT_DONE;
    }
    code = make_all(cli, folder, text);
    if (code) return code;
    writer_fmt(&cli->out, "wrote %.*s\n", STR_ARG(config));
    cli_say(cli,
            "Next:%s%.*s\n  drumbeat check\n%s  drumbeat serve &\n  drumbeat send %.*s --data "
            "'{\"email\":\"ada@example.com\"}' "
            "--wait",
            cli->argument_count ? "\n  cd " : "", STR_ARG(cli->argument_count ? folder : STR("")),
            str_eq(answers.url, STR(FIRST_URL)) ? "  drumbeat demo --receiver &    # the destination\n" : "",
            STR_ARG(answers.type));
    return EXIT_DONE;
}
