/* cli/report.c - the sheet of a day: has it made at the server, follows it, shows it. */
#include "base/json.h"
#include "cli/bar.h"
#include "cli/commands.h"
#include "cli/show.h"

static const struct column columns[] = {
    {"destination", CELL_TEXT, {.title = "DESTINATION"}},
    {"in", CELL_TEXT, {.title = "IN", .right = true, .whole = true}},
    {"completed", CELL_TEXT, {.title = "COMPLETED", .right = true, .whole = true}},
    {"skipped", CELL_TEXT, {.title = "SKIPPED", .right = true, .whole = true, .spare = true}},
    {"failed", CELL_TEXT, {.title = "FAILED", .right = true, .whole = true}},
    {"unknown", CELL_TEXT, {.title = "UNKNOWN", .right = true, .whole = true, .spare = true}},
    {"held", CELL_TEXT, {.title = "HELD", .right = true, .whole = true, .spare = true}},
    {"open", CELL_TEXT, {.title = "OPEN", .right = true, .whole = true}},
    {"superseded", CELL_TEXT, {.title = "SUPERSEDED", .right = true, .whole = true, .spare = true}},
    {"difference", CELL_TEXT, {.title = "DIFFERENCE", .right = true, .whole = true, .spare = true}},
    {0},
};

static void show_sheet(struct cli *cli, const struct json *sheet) {
    const struct json *events = json_get(sheet, STR("events"));
    bool adds_up = json_true(json_get(sheet, STR("adds_up")));
    static const char *const parts[] = {"completed", "failed", "open", "pending", "unrouted"};
    struct buf head = {.arena = cli->arena};
    buf_fmt(&head, "%.*s %.*s: %.*s came in", STR_ARG(show_member(cli, sheet, "day")),
            STR_ARG(show_member(cli, sheet, "zone")),
            STR_ARG(show_count(cli, json_integer(json_get(events, STR("in")), 0), "event", "events")));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buf_fmt(&head, "%s%.*s %s", i ? " + " : " = ", STR_ARG(show_member(cli, events, parts[i])), parts[i]);
    show_text(cli, buf_str(&head), 0, 2);
    show_table(cli, json_get(sheet, STR("destinations")), columns);
    if (adds_up)
        writer_add(&cli->out, STR("it adds up\n"));
    else
        writer_fmt(&cli->out, "it does not add up, by %.*s: `drumbeat verify` names what is wrong\n",
                   STR_ARG(show_member(cli, sheet, "difference")));
}

int command_report(struct cli *cli) {
    struct asked asked;
    struct buf path = {.arena = cli->arena};
    buf_add(&path, STR("/v1/report"));
    path_option(cli, &path, "day", "day");
    int code = ask(cli, "POST", buf_str(&path), STR_NONE, &asked);
    if (!code) code = bar_follow(cli, "report", STR("/v1/report"), "difference", &asked);
    if (code) return code;
    bool adds_up = json_true(json_get(asked.json, STR("adds_up")));
    code = show_one(cli, &asked, "day", show_sheet);
    return code ? code : adds_up ? EXIT_DONE : EXIT_FINDINGS;
}
