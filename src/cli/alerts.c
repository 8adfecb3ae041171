/* cli/alerts.c - what people are told of, and whether a message arrives where alerts go. */
#include "cli/commands.h"
#include "cli/show.h"

static const struct column columns[] = {
    {"state", CELL_TEXT, {.title = "STATE", .whole = true}},
    {"cause", CELL_TEXT, {.title = "CAUSE", .whole = true}},
    {"kind", CELL_TEXT, {.title = "OF", .whole = true}},
    {"name", CELL_TEXT, {.title = "NAME", .whole = true}},
    {"since", CELL_TIME, {.title = "SINCE", .whole = true}},
    {"told_at", CELL_TIME, {.title = "TOLD", .whole = true}},
    {0},
};

int command_alerts_list(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/alerts"), STR_NONE, &asked);
    return code ? code : show_list(cli, &asked, columns, "cause");
}

int command_alerts_test(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "POST", STR("/v1/alerts/test"), STR_NONE, &asked);
    if (code) return code;
    struct str id = str_dup(cli->arena, show_member(cli, asked.json, "eventId"));
    asked_free(&asked);
    return show_outcome(cli, id);
}
