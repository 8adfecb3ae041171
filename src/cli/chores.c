/* cli/chores.c - what the server does now and then, and how a long chore's progress looks on a terminal. */
#include "base/json.h"
#include "base/when.h"
#include "cli/bar.h"
#include "cli/commands.h"
#include "cli/show.h"

#include <unistd.h>

#define POLL_US (100 * US_PER_MS)

static const struct column list_columns[] = {
    {"name", CELL_TEXT, {.title = "CHORE", .whole = true}},
    {"running", CELL_FLAG, {.title = "RUNS", .whole = true}},
    {"progress", CELL_TEXT, {.title = "PROGRESS", .whole = true}},
    {"found", CELL_TEXT, {.title = "FOUND", .whole = true}},
    {"started_at", CELL_TIME, {.title = "STARTED", .whole = true, .spare = true}},
    {"finished_at", CELL_TIME, {.title = "FINISHED", .whole = true}},
    {"looked_at", CELL_TIME, {.title = "LOOKED", .whole = true}},
    {0},
};

int command_chores_list(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/chores"), STR_NONE, &asked);
    return code ? code : show_list(cli, &asked, list_columns, "name");
}

static bool has_terminal(const struct cli *cli) {
    return !cli->quiet && !cli->mute && isatty(STDERR_FILENO);
}

void bar_show(struct cli *cli, const char *what, double share, int64_t found) {
    if (!has_terminal(cli)) return;
    writer_add(&cli->err, STR("\r"));
    writer_fmt(&cli->err, "%s %3.0f %%, %lld found ", what, share * 100, (long long)found);
    writer_add(&cli->err, STR("\033[K"));
    writer_flush(&cli->err);
}

void bar_end(struct cli *cli) {
    if (!has_terminal(cli)) return;
    writer_add(&cli->err, STR("\r\033[K"));
    writer_flush(&cli->err);
}

int bar_follow(struct cli *cli, const char *what, struct str path, const char *found, struct asked *asked) {
    while (json_true(json_get(asked->json, STR("running")))) {
        bar_show(cli, what, json_number(json_get(asked->json, STR("progress")), 0),
                 json_integer(json_get(asked->json, str_from(found)), 0));
        asked_free(asked);
        cli_sleep(cli, POLL_US);
        int code = ask(cli, "GET", path, STR_NONE, asked);
        if (code) return code;
    }
    bar_end(cli);
    return EXIT_DONE;
}
