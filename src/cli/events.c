/* cli/events.c - events list, show, retry, cancel, release. */
#include "base/json.h"
#include "cli/bulk.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/show.h"

static const struct column list_columns[] = {
    {"id", CELL_EVENT_ID, {.title = "ID", .whole = true}},
    {"status", CELL_TEXT, {.title = "STATUS", .whole = true, .status = true}},
    {"type", CELL_TEXT, {.title = "TYPE"}},
    {"source", CELL_TEXT, {.title = "SOURCE", .spare = true}},
    {"idempotency_key", CELL_TEXT, {.title = "KEY"}},
    {"created_at", CELL_TIME, {.title = "CREATED", .whole = true}},
    {"scheduled_at", CELL_LATER, {.title = "SCHEDULED", .whole = true, .spare = true}},
    {0},
};

int command_events_list(struct cli *cli) {
    static const char *const filters[][2] = {{"type", "type"},   {"source", "source"}, {"key", "idempotency_key"},
                                             {"since", "since"}, {"until", "until"},   {"delivery", "delivery"}};
    struct buf path = {.arena = cli->arena};
    struct asked asked;
    struct where *where;
    bool held = str_eq(cli_value(cli, "status"), STR("HELD")); /* which is said of an event by its deliveries */
    buf_add(&path, STR("/v1/events"));
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) path_option(cli, &path, filters[i][0], filters[i][1]);
    path_option(cli, &path, "status", held ? "delivery" : "status");
    int code = where_open(cli, &where);
    if (!code) code = pages_ask(cli, buf_str(&path), where, &asked);
    where_close(where);
    if (!code && !json_size(json_get(asked.json, STR("items"))) && !cli_flag(cli, "cursor")) {
        code = pages_found_nothing(cli);
        if (code) asked_free(&asked);
    }
    return code ? code : show_list(cli, &asked, list_columns, "id");
}

static const struct column event_fields[] = {
    {"status", CELL_TEXT, {.title = "status", .status = true}},
    {"type", CELL_TEXT, {.title = "type"}},
    {"source", CELL_TEXT, {.title = "source"}},
    {"idempotency_key", CELL_TEXT, {.title = "key"}},
    {"scheduled_at", CELL_TIME, {.title = "scheduled"}},
    {"created_at", CELL_TIME, {.title = "created"}},
    {"last_error", CELL_TEXT, {.title = "error"}},
    {"payload", CELL_TEXT, {.title = "payload"}},
    {"payload_problem", CELL_TEXT, {.title = "unreadable"}},
    {0},
};

static void show_event(struct cli *cli, const struct json *event) {
    const struct json *deliveries = json_get(event, STR("deliveries"));
    const struct json *acts = json_get(event, STR("acts"));
    writer_fmt(&cli->out, "event %.*s\n", STR_ARG(show_member(cli, event, "id")));
    show_fields(cli, event, event_fields);
    show_acts(cli, acts, show_member(cli, event, "id"));
    writer_fmt(&cli->out, "%zu %s\n", json_size(deliveries), json_size(deliveries) == 1 ? "delivery" : "deliveries");
    for (size_t i = 0; i < json_size(deliveries); i++) {
        show_delivery_line(cli, json_at(deliveries, i), 0, STR(""));
        show_acts(cli, acts, show_member(cli, json_at(deliveries, i), "id"));
    }
    show_unwanted(cli, &cli->out, event);
}

int command_events_show(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", path_of(cli, "/v1/events/", cli_argument(cli, 0), ""), STR_NONE, &asked);
    return code ? code : show_one(cli, &asked, "id", show_event);
}

static void show_cancelled(struct cli *cli, const struct json *answer) {
    struct str id = show_member(cli, answer, "id");
    writer_fmt(
        &cli->out,
        "%.*s cancelled. Undo: drumbeat events retry %.*s where it was not routed yet; else drumbeat deliveries retry "
        "for each of its deliveries\n",
        STR_ARG(id), STR_ARG(id));
}

int command_events_cancel(struct cli *cli) {
    struct asked asked;
    if (!cli->dry_run && !cli_confirm(cli, "Cancel what is open of this event?")) return EXIT_DECLINED;
    int code = ask(cli, "POST", path_of(cli, "/v1/events/", cli_argument(cli, 0), "/cancel"), STR("{}"), &asked);
    return code ? code : show_one(cli, &asked, "id", show_cancelled);
}

static void show_released(struct cli *cli, const struct json *answer) {
    bool now = json_true(json_get(answer, STR("released")));
    writer_fmt(&cli->out, now ? "released as %.*s\n" : "%.*s is the event already\n",
               STR_ARG(show_member(cli, answer, "id")));
}

int command_events_release(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "POST", path_of(cli, "/v1/events/", cli_argument(cli, 0), "/release"), STR("{}"), &asked);
    return code ? code : show_one(cli, &asked, "id", show_released);
}

int command_events_retry(struct cli *cli) {
    bool all = cli_flag(cli, "all"), narrow = !all && !cli_flag(cli, "status");
    if (narrow && !cli->argument_count) cli_say(cli, "without --status or --all only what FAILED is meant");
    const struct bulk bulk = {"events",
                              "retry",
                              narrow ? "FAILED" : "FAILED COMPLETED",
                              "type",
                              str_fmt(cli->arena, "\"all\":%s", all ? "true" : "false"),
                              false};
    return bulk_run(cli, &bulk);
}
