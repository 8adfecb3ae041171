/* cli/replay.c - plans to send again: plan, apply, pause, resume, cancel, status, show, list. */
#include "base/json.h"
#include "base/when.h"
#include "cli/bar.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/show.h"
#include "config/keys.h"

#define POLL_US (200 * US_PER_MS)

static const struct column part_columns[] = {
    {"destination", CELL_TEXT, {.title = "DESTINATION"}},
    {"send", CELL_TEXT, {.title = "SEND", .right = true, .whole = true}},
    {"offer", CELL_TEXT, {.title = "OFFER", .right = true, .whole = true, .spare = true}},
    {"unknown", CELL_TEXT, {.title = "LOOK UP", .right = true, .whole = true, .spare = true}},
    {"done", CELL_TEXT, {.title = "DONE", .right = true, .whole = true, .spare = true}},
    {"skipped", CELL_TEXT, {.title = "SKIPPED", .right = true, .whole = true, .spare = true}},
    {"open", CELL_TEXT, {.title = "OPEN", .right = true, .whole = true, .spare = true}},
    {"held", CELL_TEXT, {.title = "HELD", .right = true, .whole = true, .spare = true}},
    {"gone", CELL_TEXT, {.title = "GONE", .right = true, .whole = true, .spare = true}},
    {"moving", CELL_TEXT, {.title = "MOVING", .right = true, .whole = true, .spare = true}},
    {"made", CELL_TEXT, {.title = "MADE", .right = true, .whole = true, .spare = true}},
    {"moved", CELL_TEXT, {.title = "MOVED", .right = true, .whole = true, .spare = true}},
    {"left", CELL_TEXT, {.title = "LEFT", .right = true, .whole = true}},
    {"eta", CELL_TIME, {.title = "UNTIL ABOUT", .whole = true}},
    {"blocked", CELL_TEXT, {.title = "BLOCKED", .whole = true}},
    {0},
};

/* What was never made is offered to its route, which may not want it. */
static void show_offered(struct cli *cli, const struct json *replay) {
    const struct json *parts = json_get(replay, STR("destinations"));
    int64_t offered = 0;
    for (size_t i = 0; i < json_size(parts); i++) offered += json_integer(json_get(json_at(parts, i), STR("offer")), 0);
    if (!offered) return;
    writer_fmt(&cli->out,
               "%lld %s never made: %s route decides whether it is sent or SKIPPED (drumbeat deliveries list --status "
               "SKIPPED)\n",
               (long long)offered, offered == 1 ? "was" : "were", offered == 1 ? "its" : "for each, its");
}

static void show_replay(struct cli *cli, const struct json *replay) {
    struct str reason = show_member(cli, replay, "reason");
    writer_fmt(&cli->out, "replay %.*s %.*s", STR_ARG(show_member(cli, replay, "id")),
               STR_ARG(show_member(cli, replay, "status")));
    if (reason.n) writer_fmt(&cli->out, " (%.*s)", STR_ARG(str_safe(cli->arena, reason, true)));
    writer_fmt(&cli->out, ": %.*s, by the %.*s configuration; %.*s made, %.*s left\n",
               STR_ARG(show_count(cli, json_integer(json_get(replay, STR("events")), 0), "event", "events")),
               STR_ARG(show_member(cli, replay, "config")), STR_ARG(show_member(cli, replay, "made")),
               STR_ARG(show_member(cli, replay, "left")));
    int64_t failed = json_integer(json_get(replay, STR("failed")), 0);
    if (failed)
        writer_fmt(&cli->out, "--when failed on %.*s, which %s not in it: drumbeat replay show %.*s --failed\n",
                   STR_ARG(show_count(cli, failed, "event", "events")), failed == 1 ? "is" : "are",
                   STR_ARG(show_member(cli, replay, "id")));
    show_table(cli, json_get(replay, STR("destinations")), part_columns);
    show_offered(cli, replay);
}

static struct str path_to(struct cli *cli, const char *after) {
    return path_of(cli, "/v1/replays/", cli_argument(cli, 0), after);
}

/* Asks until the replay's status is another one than that; *asked is the last answer. */
static int follow(struct cli *cli, struct str path, const char *status, struct asked *asked) {
    while (str_eq(show_member(cli, asked->json, "status"), str_from(status)) && !cli_stopped(cli)) {
        double made = json_number(json_get(asked->json, STR("made")), 0);
        double left = json_number(json_get(asked->json, STR("left")), 0);
        bool plans = str_eq(str_from(status), STR("PLANNING"));
        bar_show(cli, plans ? "plan" : "replay",
                 plans             ? json_number(json_get(asked->json, STR("planned")), 0)
                 : made + left > 0 ? made / (made + left)
                                   : 1,
                 json_integer(json_get(asked->json, STR("events")), 0));
        asked_free(asked);
        cli_sleep(cli, POLL_US);
        int code = ask(cli, "GET", path, STR_NONE, asked);
        if (code) return code;
    }
    bar_end(cli);
    return EXIT_DONE;
}

int command_replay_plan(struct cli *cli) {
    static const char *const texts[] = {"since",       "until",  "type",  "source", "route",
                                        "destination", "status", "error", "when"};
    struct json *body = json_object();
    struct asked asked;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (cli_flag(cli, texts[i])) json_set(body, str_from(texts[i]), json_str(cli_value(cli, texts[i])));
    if (cli_flag(cli, "by")) json_set_str(body, "config", cli_value(cli, "by"));
    json_set(body, STR("again"), json_bool(cli_flag(cli, "again")));
    struct str text = json_dump(cli->arena, body);
    json_free(body);
    int code = pages_check_name(cli, "route");
    if (!code) code = ask(cli, "POST", STR("/v1/replays"), text, &asked);
    if (code) return code;
    struct str id = str_dup(cli->arena, show_member(cli, asked.json, "id"));
    code = follow(cli, path_of(cli, "/v1/replays/", id, ""), "PLANNING", &asked);
    if (code) return code;
    bool planned = str_eq(show_member(cli, asked.json, "status"), STR("PLANNED"));
    if (planned && !json_size(json_get(asked.json, STR("destinations")))) {
        code = pages_found_nothing(cli);
        if (code) {
            asked_free(&asked);
            return code;
        }
    }
    code = show_one(cli, &asked, "id", show_replay);
    if (planned && !code) cli_say(cli, "nothing was sent; within a day: drumbeat replay apply %.*s", STR_ARG(id));
    return code ? code : planned ? EXIT_DONE : EXIT_FAILED;
}

static int act(struct cli *cli, const char *what) {
    struct asked asked;
    int code = ask(cli, "POST", path_to(cli, what), STR("{}"), &asked);
    return code ? code : show_one(cli, &asked, "id", show_replay);
}

/* What apply would do: the plan, and whether it can still be let go. */
static int rehearse(struct cli *cli, struct asked *asked) {
    struct str id = str_dup(cli->arena, cli_argument(cli, 0)),
               status = str_dup(cli->arena, show_member(cli, asked->json, "status"));
    int64_t left = json_integer(json_get(asked->json, STR("left")), 0);
    int code = show_one(cli, asked, "id", show_replay);
    if (code) return code;
    if (!str_eq(status, STR("PLANNED")))
        return cli_fail(cli, EXIT_CONFLICT, "error: replay %.*s is %.*s, and cannot be let go", STR_ARG(id),
                        STR_ARG(status));
    cli_say(cli, "would begin a new run of %.*s (--dry-run)", STR_ARG(show_count(cli, left, "delivery", "deliveries")));
    return EXIT_DONE;
}

int command_replay_apply(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", path_to(cli, ""), STR_NONE, &asked);
    if (code) return code;
    if (cli->dry_run) return rehearse(cli, &asked);
    int64_t left = json_integer(json_get(asked.json, STR("left")), 0);
    asked_free(&asked);
    struct str question =
        str_fmt(cli->arena, "Send %.*s again?", STR_ARG(show_count(cli, left, "delivery", "deliveries")));
    if (!cli_confirm(cli, question.p)) return EXIT_DECLINED;
    code = ask(cli, "POST", path_to(cli, "/apply"), STR("{}"), &asked);
    if (code) return code;
    if (cli_flag(cli, "wait")) code = follow(cli, path_to(cli, ""), "APPLYING", &asked);
    if (code) return code;
    bool stopped = cli_flag(cli, "wait") && !str_eq(show_member(cli, asked.json, "status"), STR("DONE"));
    code = show_one(cli, &asked, "id", show_replay);
    return code ? code : stopped ? EXIT_PARTLY : EXIT_DONE;
}

int command_replay_pause(struct cli *cli) {
    return act(cli, "/pause");
}

int command_replay_resume(struct cli *cli) {
    return act(cli, "/resume");
}

int command_replay_cancel(struct cli *cli) {
    if (!cli->dry_run && !cli_confirm(cli, "What is not sent yet is not sent by it any more. Cancel it?"))
        return EXIT_DECLINED;
    return act(cli, "/cancel");
}

int command_replay_status(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", path_to(cli, ""), STR_NONE, &asked);
    return code ? code : show_one(cli, &asked, "id", show_replay);
}

static const struct column item_columns[] = {
    {"n", CELL_TEXT, {.title = "N", .right = true, .whole = true}},
    {"event_id", CELL_EVENT_ID, {.title = "EVENT", .whole = true}},
    {"route", CELL_TEXT, {.title = "ROUTE", .spare = true}},
    {"step", CELL_TEXT, {.title = "STEP"}},
    {"would", CELL_TEXT, {.title = "WOULD", .whole = true}},
    {"result", CELL_TEXT, {.title = "RESULT", .whole = true}},
    {0},
};

static const struct column failure_columns[] = {
    {"n", CELL_TEXT, {.title = "N", .right = true, .whole = true}},
    {"event_id", CELL_EVENT_ID, {.title = "EVENT", .whole = true}},
    {"error", CELL_TEXT, {.title = "ERROR"}},
    {0},
};

/* The destination that was named, or the plan's only one. */
static int choose_destination(struct cli *cli, struct str *ret_name) {
    struct str named = cli_value(cli, "destination"), only = STR_NONE, replay = cli_argument(cli, 0);
    struct suggestion near = {.wrong = named};
    struct buf known = {.arena = cli->arena};
    struct asked asked;
    bool found = false;
    int code = ask(cli, "GET", path_to(cli, ""), STR_NONE, &asked);
    if (code) return code;
    const struct json *parts = json_get(asked.json, STR("destinations"));
    size_t count = json_size(parts);
    for (size_t i = 0; i < count; i++) {
        only = str_dup(cli->arena, show_member(cli, json_at(parts, i), "destination"));
        found |= str_eq(only, named);
        buf_fmt(&known, "%s%.*s", i ? ", " : "", STR_ARG(only));
        if (named.p) suggestion_consider(&near, only);
    }
    asked_free(&asked);
    *ret_name = named.p ? named : only;
    if (!count) return cli_fail(cli, EXIT_NOT_FOUND, "replay %.*s has nothing in it", STR_ARG(replay));
    if (found || (!named.p && count == 1)) return EXIT_DONE;
    struct str all = str_safe(cli->arena, buf_str(&known), true);
    if (!named.p)
        return cli_fail(cli, EXIT_USAGE, "error: name a --destination of the plan (%.*s), or --failed", STR_ARG(all));
    struct str hint =
        near.best.n ? suggestion_text(cli->arena, &near) : str_fmt(cli->arena, "; it has: %.*s", STR_ARG(all));
    return cli_fail(cli, EXIT_NOT_FOUND, "error: replay %.*s has nothing for '%.*s'%.*s", STR_ARG(replay),
                    STR_ARG(str_safe(cli->arena, named, true)), STR_ARG(hint));
}

static const char *const narrowers[] = {"would", "result", "route", "event"};

static bool means_item(const struct narrowing *narrowing, struct str item) {
    const struct cli *cli = narrowing->own;
    struct str would = cli_value(cli, "would"), result = cli_value(cli, "result"), route = cli_value(cli, "route");
    struct str event = cli_value(cli, "event"), slice;
    if (would.p && !narrowing_is(item, "would", would)) return false;
    if (route.p && !narrowing_is(item, "route", route)) return false;
    if (event.p && !(json_slice(item, STR("event_id"), &slice) && str_starts(str_sub(slice, 1, slice.n), event)))
        return false;
    if (!str_eq(result, STR("none"))) return !result.p || narrowing_is(item, "result", result);
    return json_slice(item, STR("result"), &slice) && str_eq(slice, STR("null"));
}

static int show_items(struct cli *cli, bool narrowed) {
    const struct narrowing narrowing = {means_item, cli};
    struct buf path = {.arena = cli->arena};
    struct asked asked;
    struct str destination;
    int code = choose_destination(cli, &destination);
    if (code) return code;
    buf_add(&path, path_to(cli, "/items"));
    path_query(&path, "destination", destination);
    code = pages_ask_narrowed(cli, buf_str(&path), narrowed ? &narrowing : NULL, &asked);
    if (code) return code;
    if (!json_size(json_get(asked.json, STR("items")))) code = pages_check_name(cli, "route");
    if (!code) return show_list(cli, &asked, item_columns, "event_id");
    asked_free(&asked);
    return code;
}

int command_replay_show(struct cli *cli) {
    struct asked asked;
    bool narrowed = false;
    for (size_t i = 0; i < sizeof narrowers / sizeof *narrowers; i++) narrowed |= cli_flag(cli, narrowers[i]);
    if (!cli_flag(cli, "failed")) return show_items(cli, narrowed);
    if (narrowed || cli_flag(cli, "destination"))
        return cli_fail(cli, EXIT_USAGE,
                        "error: --failed lists events that are in no plan: it goes with no other filter");
    int code = pages_ask(cli, path_to(cli, "/failures"), NULL, &asked);
    return code ? code : show_list(cli, &asked, failure_columns, "event_id");
}

static const struct column list_columns[] = {
    {"id", CELL_TEXT, {.title = "ID", .right = true, .whole = true}},
    {"status", CELL_TEXT, {.title = "STATUS", .whole = true}},
    {"config", CELL_TEXT, {.title = "CONFIG"}},
    {"events", CELL_TEXT, {.title = "EVENTS", .right = true, .whole = true}},
    {"created_at", CELL_TIME, {.title = "PLANNED", .whole = true}},
    {"applied_at", CELL_TIME, {.title = "APPLIED", .whole = true}},
    {"finished_at", CELL_TIME, {.title = "OVER", .whole = true}},
    {0},
};

int command_replay_list(struct cli *cli) {
    struct asked asked;
    int code = pages_ask(cli, STR("/v1/replays"), NULL, &asked);
    return code ? code : show_list(cli, &asked, list_columns, "id");
}
