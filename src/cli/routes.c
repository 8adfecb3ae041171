/* cli/routes.c - routes list; test is in routes_test.c. */
#include "cli/commands.h"
#include "cli/show.h"

static const struct column list_columns[] = {
    {"name", CELL_TEXT, {.title = "NAME", .whole = true}},
    {"from", CELL_LIST, {.title = "FROM"}},
    {"source", CELL_TEXT, {.title = "SOURCE"}},
    {"when", CELL_TEXT, {.title = "WHEN"}},
    {"to", CELL_LIST, {.title = "TO"}},
    {"stopped", CELL_FLAG, {.title = "STOPPED", .spare = true}},
    {0},
};

int command_routes_list(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/routes"), STR_NONE, &asked);
    return code ? code : show_list(cli, &asked, list_columns, "name");
}
