/* cli/destinations.c - destinations list, show, pause, resume; test is in destinations_test.c. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/show.h"

static const struct column list_columns[] = {
    {"name", CELL_TEXT, {.title = "NAME", .whole = true}},
    {"type", CELL_TEXT, {.title = "TYPE", .spare = true}},
    {"paused", CELL_FLAG, {.title = "PAUSED", .status = true, .spare = true}},
    {"breaker", CELL_TEXT, {.title = "BREAKER", .status = true}},
    {"pending", CELL_TEXT, {.title = "PENDING", .right = true}},
    {"unknown", CELL_TEXT, {.title = "UNKNOWN", .right = true}},
    {"held", CELL_TEXT, {.title = "HELD", .right = true}},
    {"in_flight", CELL_TEXT, {.title = "FLYING", .right = true, .spare = true}},
    {"remaining", CELL_TEXT, {.title = "LEFT", .right = true, .spare = true}},
    {"limits", CELL_LIST, {.title = "LIMITS", .spare = true}},
    {0},
};

int command_destinations_list(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/destinations"), STR_NONE, &asked);
    return code ? code : show_list(cli, &asked, list_columns, "name");
}

static const struct column fields[] = {
    {"type", CELL_TEXT, {.title = "type"}},
    {"account", CELL_TEXT, {.title = "account"}},
    {"limits", CELL_LIST, {.title = "limits"}},
    {"remaining", CELL_TEXT, {.title = "may leave now"}},
    {"breaker", CELL_TEXT, {.title = "breaker", .status = true}},
    {"breaker_until", CELL_TIME, {.title = "breaker until"}},
    {"breaker_reason", CELL_TEXT, {.title = "because"}},
    {"quiet_until", CELL_TIME, {.title = "quiet until"}},
    {"paused", CELL_TEXT, {.title = "paused"}},
    {"paused_until", CELL_TIME, {.title = "paused until"}},
    {"pause_reason", CELL_TEXT, {.title = "because"}},
    {"in_flight", CELL_TEXT, {.title = "in flight"}},
    {"concurrency", CELL_TEXT, {.title = "at most"}},
    {"token_expires", CELL_TIME, {.title = "token until"}},
    {"login_expires", CELL_TIME, {.title = "login until"}},
    {"certificate_expires", CELL_TIME, {.title = "certificate until"}},
    {"certificate_host", CELL_TEXT, {.title = "of"}},
    {"pending", CELL_TEXT, {.title = "pending"}},
    {"unknown", CELL_TEXT, {.title = "unknown"}},
    {"held", CELL_TEXT, {.title = "held"}},
    {0},
};

static void show_destination(struct cli *cli, const struct json *destination) {
    writer_fmt(&cli->out, "destination %.*s\n", STR_ARG(show_member(cli, destination, "name")));
    show_fields(cli, destination, fields);
}

static struct str path_to(struct cli *cli, const char *verb) {
    return path_of(cli, "/v1/destinations/", cli_argument(cli, 0), verb);
}

static int check_name(struct cli *cli) {
    return pages_check(cli, "destination", cli_argument(cli, 0));
}

int command_destinations_show(struct cli *cli) {
    struct asked asked;
    int code = check_name(cli);
    if (!code) code = ask(cli, "GET", path_to(cli, ""), STR_NONE, &asked);
    return code ? code : show_one(cli, &asked, "name", show_destination);
}

static struct str pending_text(struct cli *cli, const struct json *destination) {
    return show_count(cli, json_integer(json_get(destination, STR("pending")), 0), "delivery", "deliveries");
}

static void show_paused(struct cli *cli, const struct json *destination) {
    struct str name = show_member(cli, destination, "name"), pending = pending_text(cli, destination);
    struct str until = show_time(cli, show_member(cli, destination, "paused_until"));
    writer_fmt(&cli->out, "paused %.*s%s%.*s; %.*s waiting. Undo: drumbeat destinations resume %.*s\n", STR_ARG(name),
               until.n ? " until " : "", STR_ARG(until), STR_ARG(pending), STR_ARG(name));
}

/* A pause takes the place of the one before, which may be one for a refusal that nobody mended yet. */
static int say_earlier_pause(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", path_to(cli, ""), STR_NONE, &asked);
    if (code) return code;
    struct str until = show_time(cli, show_member(cli, asked.json, "paused_until"));
    struct str reason = str_safe(cli->arena, show_member(cli, asked.json, "pause_reason"), true);
    if (json_true(json_get(asked.json, STR("paused"))))
        cli_say(cli, "it was paused already%s%.*s: %.*s. This takes its place", until.n ? " until " : "",
                STR_ARG(until), STR_ARG(reason));
    asked_free(&asked);
    return EXIT_DONE;
}

int command_destinations_pause(struct cli *cli) {
    struct json *body = json_object();
    struct asked asked;
    if (cli_flag(cli, "for")) json_set_str(body, "for", cli_value(cli, "for"));
    if (cli_flag(cli, "reason")) json_set_str(body, "reason", cli_value(cli, "reason"));
    struct str text = json_dump(cli->arena, body);
    json_free(body);
    int code = check_name(cli);
    if (!code) code = say_earlier_pause(cli);
    if (!code) code = ask(cli, "POST", path_to(cli, "/pause"), text, &asked);
    return code ? code : show_one(cli, &asked, "name", show_paused);
}

static void show_resumed(struct cli *cli, const struct json *destination) {
    struct str name = show_member(cli, destination, "name"), pending = pending_text(cli, destination);
    writer_fmt(&cli->out, "resumed %.*s; %.*s to go out. Undo: drumbeat destinations pause %.*s\n", STR_ARG(name),
               STR_ARG(pending), STR_ARG(name));
    int64_t held = json_integer(json_get(destination, STR("held")), 0);
    if (held)
        writer_fmt(&cli->out, "%lld %s held: drumbeat todo says why, and what helps\n", (long long)held,
                   held == 1 ? "stays" : "stay");
}

int command_destinations_resume(struct cli *cli) {
    struct asked asked;
    int code = check_name(cli);
    if (!code) code = ask(cli, "POST", path_to(cli, "/resume"), STR("{}"), &asked);
    return code ? code : show_one(cli, &asked, "name", show_resumed);
}
