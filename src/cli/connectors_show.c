/* cli/connectors_show.c - connectors show: one connector's page. Needs no server. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/connectors.h"
#include "cli/locate.h"
#include "cli/show.h"
#include "os/file.h"
#include "server/setup.h"

static const struct column fields[] = {
    {"about", CELL_TEXT, {.title = "about"}},
    {"docs", CELL_LIST, {.title = "facts from"}},
    {"checked", CELL_TEXT, {.title = "checked"}},
    {"limits", CELL_LIST, {.title = "limits"}},
    {"concurrency", CELL_TEXT, {.title = "calls at a time"}},
    {0},
};

static const struct column setting_columns[] = {
    {"name", CELL_TEXT, {.title = "SETTING", .whole = true}},
    {"required", CELL_FLAG, {.title = "REQUIRED", .whole = true, .spare = true}},
    {"secret", CELL_FLAG, {.title = "SECRET", .whole = true, .spare = true}},
    {"default", CELL_TEXT, {.title = "DEFAULT", .spare = true}},
    {"help", CELL_TEXT, {.title = "HELP", .wraps = true}},
    {0},
};

static const struct column param_columns[] = {
    {"name", CELL_TEXT, {.title = "PARAMETER", .whole = true}},
    {"type", CELL_TEXT, {.title = "TYPE"}},
    {"required", CELL_FLAG, {.title = "REQUIRED", .whole = true, .spare = true}},
    {"needs", CELL_LIST, {.title = "ONLY WITH", .spare = true}},
    {"default", CELL_TEXT, {.title = "DEFAULT", .spare = true}},
    {"help", CELL_TEXT, {.title = "HELP", .wraps = true}},
    {0},
};

static const struct column action_fields[] = {
    {"help", CELL_TEXT, {.title = "does"}},
    {"unknown", CELL_TEXT, {.title = "an unknown outcome"}},
    {"batch", CELL_TEXT, {.title = "in one call"}},
    {0},
};

static void show_any_of(struct cli *cli, const struct json *any_of) {
    for (size_t i = 0; i < json_size(any_of); i++) {
        const struct json *names = json_at(any_of, i);
        for (size_t j = 0; j < json_size(names); j++)
            writer_fmt(&cli->out, "%s%.*s", j ? ", " : "  one at least of     ", STR_ARG(json_text(json_at(names, j))));
        writer_add(&cli->out, STR("\n"));
    }
}

static void show_connector(struct cli *cli, const struct json *connector) {
    const struct json *actions = json_get(connector, STR("actions"));
    writer_fmt(&cli->out, "connector %.*s\n", STR_ARG(show_member(cli, connector, "name")));
    show_fields(cli, connector, fields);
    writer_add(&cli->out, STR("\n"));
    show_table(cli, json_get(connector, STR("settings")), setting_columns);
    for (size_t i = 0; i < json_size(actions); i++) {
        const struct json *action = json_at(actions, i);
        writer_fmt(&cli->out, "\naction %.*s.%.*s\n", STR_ARG(show_member(cli, connector, "name")),
                   STR_ARG(show_member(cli, action, "name")));
        show_fields(cli, action, action_fields);
        show_any_of(cli, json_get(action, STR("any_of")));
        show_table(cli, json_get(action, STR("params")), param_columns);
    }
}

int command_connectors_show(struct cli *cli) {
    struct findings findings = {.arena = cli->arena};
    struct str file = locate_config(cli), name = cli_argument(cli, 0);
    struct str folder = file_folder(file.p ? file : STR("drumbeat.yaml"), cli->arena);
    struct str own = str_fmt(cli->arena, "%.*s/connectors", STR_ARG(folder));
    const struct catalog *catalog = setup_catalog(cli->arena, own, &findings);
    const struct catalog_entry *entry = catalog_find(catalog, name);
    struct buf names = {.arena = cli->arena};
    for (size_t i = 0; i < catalog->count; i++)
        buf_fmt(&names, "%s%.*s", i ? ", " : "", STR_ARG(catalog->entries[i].name));
    if (findings.errors) cli_say(cli, "%.*s", STR_ARG(findings_text(cli->arena, &findings)));
    if (!entry)
        return cli_fail(cli, findings.errors ? EXIT_CONFIG : EXIT_NOT_FOUND,
                        "error: no connector is named '%.*s'; there are %.*s", STR_ARG(name), STR_ARG(buf_str(&names)));
    struct json *json = connector_json(cli->arena, entry);
    struct asked asked = {.status = 200, .body = json_dump(cli->arena, json), .json = json};
    return show_one(cli, &asked, "name", show_connector);
}
