/* cli/deliveries.c - deliveries list, show, retry, cancel, resolve. */
#include "base/json.h"
#include "cli/bulk.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/show.h"

static const struct column list_columns[] = {
    {"id", CELL_DELIVERY_ID, {.title = "ID", .whole = true}},
    {"status", CELL_TEXT, {.title = "STATUS", .whole = true, .status = true}},
    {"destination", CELL_TARGET, {.title = "DESTINATION"}},
    {"attempt_count", CELL_TEXT, {.title = "TRIES", .right = true, .whole = true}},
    {"due", CELL_TIME, {.title = "DUE", .whole = true}},
    {"last_error", CELL_ERROR, {.title = "ERROR"}},
    {0},
};

int command_deliveries_list(struct cli *cli) {
    static const char *const filters[][2] = {{"status", "status"},
                                             {"destination", "destination"},
                                             {"event", "event_id"},
                                             {"since", "since"},
                                             {"until", "until"}};
    struct buf path = {.arena = cli->arena};
    struct asked asked;
    buf_add(&path, STR("/v1/deliveries"));
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) path_option(cli, &path, filters[i][0], filters[i][1]);
    if (cli_flag(cli, "resent")) path_query(&path, "resent", STR("true"));
    int code = pages_ask(cli, buf_str(&path), NULL, &asked);
    if (!code && !json_size(json_get(asked.json, STR("items"))) && !cli_flag(cli, "cursor")) {
        code = pages_check_name(cli, "destination", "/v1/destinations");
        if (code) asked_free(&asked);
    }
    return code ? code : show_list(cli, &asked, list_columns, "id");
}

static const struct column delivery_fields[] = {
    {"status", CELL_TEXT, {.title = "status", .status = true}},
    {"key", CELL_TEXT, {.title = "key"}},
    {"event_id", CELL_TEXT, {.title = "event"}},
    {"destination", CELL_TEXT, {.title = "destination"}},
    {"action", CELL_TEXT, {.title = "action"}},
    {"route", CELL_TEXT, {.title = "route"}},
    {"run", CELL_TEXT, {.title = "run"}},
    {"due", CELL_TIME, {.title = "due"}},
    {"created_at", CELL_TIME, {.title = "created"}},
    {"updated_at", CELL_TIME, {.title = "updated"}},
    {"last_error", CELL_TEXT, {.title = "error"}},
    {"superseded_by", CELL_TEXT, {.title = "superseded by"}},
    {"params", CELL_TEXT, {.title = "content"}},
    {0},
};
static const struct column attempt_columns[] = {
    {"number", CELL_TEXT, {.title = "  TRY", .right = true, .whole = true}},
    {"started_at", CELL_TIME, {.title = "STARTED", .whole = true}},
    {"outcome", CELL_TEXT, {.title = "OUTCOME", .whole = true, .status = true}},
    {"http_status", CELL_TEXT, {.title = "HTTP", .whole = true}},
    {"error", CELL_TEXT, {.title = "ERROR"}},
    {"answer", CELL_TEXT, {.title = "ANSWER"}},
    {0},
};

static void show_delivery(struct cli *cli, const struct json *delivery) {
    writer_fmt(&cli->out, "delivery %.*s\n", STR_ARG(show_member(cli, delivery, "id")));
    show_fields(cli, delivery, delivery_fields);
    show_table(cli, json_get(delivery, STR("attempts")), attempt_columns);
    show_acts(cli, json_get(delivery, STR("acts")), show_member(cli, delivery, "id"));
}

int command_deliveries_show(struct cli *cli) {
    struct asked asked;
    struct buf path = {.arena = cli->arena};
    buf_add(&path, path_of(cli, "/v1/deliveries/", cli_argument(cli, 0), ""));
    path_option(cli, &path, "event", "event_id");
    int code = ask(cli, "GET", buf_str(&path), STR_NONE, &asked);
    return code ? code : show_one(cli, &asked, "id", show_delivery);
}

static void show_changed(struct cli *cli, const struct json *delivery) {
    writer_fmt(&cli->out, "%.*s\n", STR_ARG(show_member(cli, delivery, "id")));
    show_delivery_line(cli, delivery, 0, STR(""));
}

static int act(struct cli *cli, const char *verb, struct str body) {
    struct asked asked;
    int code = ask(cli, "POST", path_of(cli, "/v1/deliveries/", cli_argument(cli, 0), verb), body, &asked);
    return code ? code : show_one(cli, &asked, "id", show_changed);
}

static int act_on_many(struct cli *cli, const char *verb, const char *statuses, struct str members) {
    const struct bulk bulk = {"deliveries", verb, statuses, "destination", members};
    return bulk_run(cli, &bulk);
}

int command_deliveries_retry(struct cli *cli) {
    const char *as_sent = cli_flag(cli, "as-sent") ? "true" : "false";
    struct str members = str_fmt(cli->arena, "\"act\":\"retry\",\"as_sent\":%s", as_sent);
    if (bulk_wanted(cli)) return act_on_many(cli, "retry", "PENDING HELD UNKNOWN FAILED", members);
    return act(cli, "/retry", str_fmt(cli->arena, "{\"as_sent\":%s}", as_sent));
}

int command_deliveries_cancel(struct cli *cli) {
    if (bulk_wanted(cli)) return act_on_many(cli, "cancel", "PENDING HELD UNKNOWN", STR("\"act\":\"cancel\""));
    return act(cli, "/cancel", STR("{}"));
}

int command_deliveries_resolve(struct cli *cli) {
    struct buf members = {.arena = cli->arena};
    buf_add(&members, STR("\"as\":"));
    json_quote(&members, cli_value(cli, "as"));
    if (cli_flag(cli, "note")) {
        buf_add(&members, STR(",\"note\":"));
        json_quote(&members, cli_value(cli, "note"));
    }
    if (!bulk_wanted(cli)) return act(cli, "/resolve", str_fmt(cli->arena, "{%.*s}", STR_ARG(buf_str(&members))));
    buf_add(&members, STR(",\"act\":\"resolve\""));
    return act_on_many(cli, "resolve", "HELD UNKNOWN", buf_str(&members));
}
