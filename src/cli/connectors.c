/* cli/connectors.c - connectors list: what a destination's `type` may be. Needs no server: the built-in ones are
 * in the program, a user's own lie in connectors/ beside the configuration. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/locate.h"
#include "cli/show.h"
#include "model/catalog.h"
#include "os/file.h"
#include "server/setup.h"

#define LANGUAGE_VERSION 1 /* the only one there is; another is a finding */

static const struct column list_columns[] = {
    {"name", CELL_TEXT, {.title = "NAME", .whole = true}},
    {"version", CELL_TEXT, {.title = "VERSION", .right = true, .whole = true, .spare = true}},
    {"checked", CELL_TEXT, {.title = "CHECKED", .whole = true}},
    {"from", CELL_TEXT, {.title = "FROM"}},
    {"secrets", CELL_LIST, {.title = "SECRETS"}},
    {"about", CELL_TEXT, {.title = "ABOUT"}},
    {0},
};

/* ---- an entry as JSON ---- */

static struct json *settings_json(const struct catalog_entry *entry) {
    struct json *list = json_array();
    for (size_t i = 0; i < entry->field_count; i++) {
        struct json *item = json_object();
        json_set_str(item, "name", entry->fields[i].name);
        json_set(item, STR("required"), json_bool(entry->fields[i].required));
        json_set(item, STR("secret"), json_bool(entry->fields[i].secret));
        json_set_str(item, "help", entry->fields[i].help);
        json_push(list, item);
    }
    return list;
}

/* The settings that must come from a secret; one that is not required is among an entry's settings alone. */
static struct json *secrets_json(const struct catalog_entry *entry) {
    struct json *list = json_array();
    for (size_t i = 0; i < entry->field_count; i++)
        if (entry->fields[i].secret && entry->fields[i].required) json_push(list, json_str(entry->fields[i].name));
    return list;
}

static struct json *actions_json(const struct catalog_entry *entry) {
    struct json *list = json_array();
    for (size_t i = 0; i < entry->action_count; i++) json_push(list, json_str(entry->actions[i].name));
    return list;
}

static struct json *entry_json(const struct catalog_entry *entry, struct str own_folder) {
    struct json *item = json_object();
    json_set_str(item, "name", entry->name);
    json_set_str(item, "about", entry->about);
    json_set_int(item, "version", LANGUAGE_VERSION);
    json_set_str(item, "checked", entry->checked);
    json_set_str(item, "from", str_starts(entry->file, own_folder) ? entry->file : STR("built in"));
    json_set(item, STR("secrets"), secrets_json(entry));
    json_set(item, STR("settings"), settings_json(entry));
    json_set(item, STR("actions"), actions_json(entry));
    return item;
}

/* ---- the commands ---- */

/* Reads all there are. A file of the user's that is wrong is left out and said; the exit code tells. */
static int read_catalog(struct cli *cli, const struct catalog **ret_catalog, struct str *ret_folder) {
    struct findings findings = {.arena = cli->arena};
    struct str file = locate_config(cli);
    struct str folder = file_folder(file.p ? file : STR("drumbeat.yaml"), cli->arena);
    *ret_folder = str_fmt(cli->arena, "%.*s/connectors/", STR_ARG(folder));
    *ret_catalog = setup_catalog(cli->arena, str_sub(*ret_folder, 0, ret_folder->n - 1), &findings);
    if (!findings.errors) return EXIT_DONE;
    return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(findings_text(cli->arena, &findings)));
}

int command_connectors_list(struct cli *cli) {
    const struct catalog *catalog;
    struct str folder;
    int code = read_catalog(cli, &catalog, &folder);
    struct json *items = json_array(), *answer = json_object();
    for (size_t i = 0; i < catalog->count; i++) json_push(items, entry_json(&catalog->entries[i], folder));
    json_set(answer, STR("items"), items);
    json_set(answer, STR("next"), NULL);
    struct asked asked = {.status = 200, .body = json_dump(cli->arena, answer), .json = answer};
    int shown = show_list(cli, &asked, list_columns, "name");
    return code ? code : shown;
}
