/* cli/deliveries.c - deliveries list, show, retry, cancel, resolve. */
#include "base/json.h"
#include "base/when.h"
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

/* Not one that a later run replaced; those are counted. */
static bool means_standing(const struct narrowing *narrowing, struct str item) {
    struct str later;
    bool superseded = json_slice(item, STR("superseded_by"), &later) && !str_eq(later, STR("null"));
    *(size_t *)narrowing->own += superseded;
    return !superseded;
}

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
    /* Who asks how deliveries stand asks for what is left to do; a machine gets what the API answers. */
    bool table = cli->output == OUTPUT_TABLE && !cli->jq.p;
    bool standing = table && cli_flag(cli, "status") && !cli_flag(cli, "event") && !cli_flag(cli, "superseded");
    size_t superseded = 0;
    const struct narrowing narrowing = {means_standing, &superseded};
    int code = standing ? pages_ask_narrowed(cli, buf_str(&path), &narrowing, &asked)
                        : pages_ask(cli, buf_str(&path), NULL, &asked);
    if (!code && !superseded && !json_size(json_get(asked.json, STR("items"))) && !cli_flag(cli, "cursor")) {
        code = pages_found_nothing(cli);
        if (code) asked_free(&asked);
    }
    if (!code) code = show_list(cli, &asked, list_columns, "id");
    if (!code && superseded)
        cli_say(cli, "%.*s that a later run replaced %s left out; --superseded shows them too",
                STR_ARG(show_count(cli, (int64_t)superseded, "delivery", "deliveries")),
                superseded == 1 ? "is" : "are");
    return code;
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
    {"waits_for", CELL_TEXT, {.title = "waits"}},
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

static void show_cancelled(struct cli *cli, const struct json *delivery) {
    show_changed(cli, delivery);
    writer_fmt(&cli->out, "Undo: drumbeat deliveries retry %.*s\n", STR_ARG(show_member(cli, delivery, "id")));
}

static bool has_status(struct cli *cli, const struct json *delivery, const char *status) {
    return str_eq(show_member(cli, delivery, "status"), str_from(status));
}

/* Of one that may have arrived, before it is sent again. */
static void show_doubt(struct cli *cli, const struct json *delivery) {
    struct str name = str_safe(cli->arena, show_member(cli, delivery, "destination"), true);
    int64_t kept_s = json_integer(json_get(delivery, STR("keys_kept_seconds")), -1);
    struct str span = span_str(cli->arena, kept_s * US_PER_S);
    struct str knows = kept_s < 0 ? str_fmt(cli->arena, "if %.*s does not know its key again", STR_ARG(name))
                       : kept_s   ? str_fmt(cli->arena, "if that was longer than %.*s ago, for which %.*s keeps keys",
                                            STR_ARG(span), STR_ARG(name))
                                  : str_fmt(cli->arena, "as %.*s takes no idempotency key", STR_ARG(name));
    struct str say = str_fmt(cli->arena, "that it arrived, say with drumbeat deliveries resolve %.*s --as delivered",
                             STR_ARG(show_member(cli, delivery, "id")));
    if (has_status(cli, delivery, "SKIPPED")) { /* it was cancelled: a new run is made */
        knows = STR("because its new run has a key of its own");
        say = STR("if it arrived, leave it cancelled");
    }
    cli_say(cli,
            "! nobody knows what became of an earlier try, and it may have arrived; then this makes it happen twice, "
            "%.*s. Look there first; %.*s",
            STR_ARG(knows), STR_ARG(say));
}

/* Says what sending it again may do, and asks. What is done is not sent again, and only a retry sends what was
 * cancelled: the server refuses the rest. */
static int warn_of_double(struct cli *cli, bool retry) {
    struct asked asked;
    cli->only_server = true; /* which alone can do what is asked next */
    int code = ask(cli, "GET", path_of(cli, "/v1/deliveries/", cli_argument(cli, 0), ""), STR_NONE, &asked);
    if (code) return code;
    bool refused = has_status(cli, asked.json, "COMPLETED") || (!retry && has_status(cli, asked.json, "SKIPPED"));
    bool in_doubt = !refused && json_true(json_get(asked.json, STR("in_doubt")));
    if (in_doubt) show_doubt(cli, asked.json);
    asked_free(&asked);
    return in_doubt && !cli->dry_run && !cli_confirm(cli, "Send it again?") ? EXIT_DECLINED : EXIT_DONE;
}

static int act(struct cli *cli, const char *verb, struct str body,
               void (*show)(struct cli *cli, const struct json *delivery)) {
    struct asked asked;
    int code = ask(cli, "POST", path_of(cli, "/v1/deliveries/", cli_argument(cli, 0), verb), body, &asked);
    return code ? code : show_one(cli, &asked, "id", show);
}

static int act_on_many(struct cli *cli, const char *verb, const char *statuses, struct str members, bool again) {
    const struct bulk bulk = {"deliveries", verb, statuses, "destination", members, again};
    return bulk_run(cli, &bulk);
}

int command_deliveries_retry(struct cli *cli) {
    const char *as_sent = cli_flag(cli, "as-sent") ? "true" : "false";
    struct str members = str_fmt(cli->arena, "\"act\":\"retry\",\"as_sent\":%s", as_sent);
    if (bulk_wanted(cli)) return act_on_many(cli, "retry", "PENDING HELD UNKNOWN FAILED", members, true);
    int code = warn_of_double(cli, true);
    return code ? code : act(cli, "/retry", str_fmt(cli->arena, "{\"as_sent\":%s}", as_sent), show_changed);
}

int command_deliveries_cancel(struct cli *cli) {
    /* What failed must be asked for: else a filter would take it with what waits. */
    bool failed = cli->argument_count || str_eq_nocase(cli_value(cli, "status"), STR("FAILED"));
    const char *statuses = failed ? "PENDING HELD UNKNOWN FAILED" : "PENDING HELD UNKNOWN";
    if (bulk_wanted(cli)) return act_on_many(cli, "cancel", statuses, STR("\"act\":\"cancel\""), false);
    return act(cli, "/cancel", STR("{}"), show_cancelled);
}

int command_deliveries_resolve(struct cli *cli) {
    struct buf members = {.arena = cli->arena};
    bool again = str_eq(cli_value(cli, "as"), STR("retry"));
    buf_add(&members, STR("\"as\":"));
    json_quote(&members, cli_value(cli, "as"));
    if (cli_flag(cli, "note")) {
        buf_add(&members, STR(",\"note\":"));
        json_quote(&members, cli_value(cli, "note"));
    }
    int code = again && !bulk_wanted(cli) ? warn_of_double(cli, false) : EXIT_DONE;
    if (code) return code;
    if (!bulk_wanted(cli))
        return act(cli, "/resolve", str_fmt(cli->arena, "{%.*s}", STR_ARG(buf_str(&members))), show_changed);
    buf_add(&members, STR(",\"act\":\"resolve\""));
    return act_on_many(cli, "resolve", "HELD UNKNOWN", buf_str(&members), again);
}
