/* cli/hold.c - hold, the emergency brake; release, which shows first what would leave. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/show.h"

static void show_hold(struct cli *cli, const struct json *hold) {
    struct str reason = show_member(cli, hold, "reason");
    if (json_true(json_get(hold, STR("held"))))
        writer_fmt(&cli->out, "held: events are taken in, nothing is sent (%.*s). Undo: drumbeat release\n",
                   STR_ARG(str_safe(cli->arena, reason, true)));
    else
        writer_add(&cli->out, STR("released: what is due is sent now. Undo: drumbeat hold\n"));
}

int command_hold(struct cli *cli) {
    struct json *body = json_object();
    struct asked asked;
    if (cli_argument(cli, 0).n) json_set_str(body, "reason", cli_argument(cli, 0));
    struct str text = json_dump(cli->arena, body);
    json_free(body);
    int code = ask(cli, "POST", STR("/v1/hold"), text, &asked);
    return code ? code : show_one(cli, &asked, "reason", show_hold);
}

/* Those whose turn comes after an earlier one of their order key. */
static int64_t count_behind(struct cli *cli, const struct json *status) {
    const struct json *why = json_get(json_get(status, STR("waiting")), STR("why"));
    int64_t total = 0;
    for (size_t i = 0; i < json_size(why); i++)
        if (str_eq(show_member(cli, json_at(why, i), "reason"), STR("order")))
            total += json_integer(json_get(json_at(why, i), STR("count")), 0);
    return total;
}

/* "12 to crm, 3 to mail": what waits and is held back by the hold alone. */
static int64_t add_plan(struct cli *cli, const struct json *status, struct buf *buf) {
    const struct json *why = json_get(json_get(status, STR("waiting")), STR("why"));
    int64_t total = 0;
    for (size_t i = 0; i < json_size(why); i++) {
        const struct json *item = json_at(why, i);
        int64_t count = json_integer(json_get(item, STR("count")), 0);
        if (!str_eq(show_member(cli, item, "reason"), STR("hold"))) continue;
        struct str name = str_safe(cli->arena, show_member(cli, item, "destination"), true);
        buf_fmt(buf, "%s%lld to %.*s", total ? ", " : "", (long long)count, STR_ARG(name));
        total += count;
    }
    return total;
}

static bool wants_login(struct cli *cli, const struct json *status, struct str destination) {
    const struct json *troubled = json_get(status, STR("troubled"));
    for (size_t i = 0; i < json_size(troubled); i++)
        if (str_eq(show_member(cli, json_at(troubled, i), "name"), destination) &&
            json_true(json_get(json_at(troubled, i), STR("wants_login"))))
            return true;
    return false;
}

/* What a release alone does not let go. */
static void show_rest(struct cli *cli, const struct json *status) {
    const struct json *why = json_get(json_get(status, STR("waiting")), STR("why"));
    for (size_t i = 0; i < json_size(why); i++) {
        const struct json *item = json_at(why, i);
        struct str reason = show_member(cli, item, "reason");
        bool paused = str_eq(reason, STR("pause"));
        if (!paused && !str_eq(reason, STR("breaker"))) continue;
        int64_t count = json_integer(json_get(item, STR("count")), 0);
        struct str name = str_safe(cli->arena, show_member(cli, item, "destination"), true);
        bool login = wants_login(cli, status, show_member(cli, item, "destination"));
        cli_say(cli, "%.*s for %.*s stays: %s; drumbeat destinations %s %.*s",
                STR_ARG(show_count(cli, count, "delivery", "deliveries")), STR_ARG(name),
                paused ? "it is paused" : "its breaker is open", login ? "login" : "resume", STR_ARG(name));
    }
}

/* Says what a release would let go. False: nothing is held. */
static bool show_plan(struct cli *cli, const struct json *status) {
    struct buf plan = {.arena = cli->arena};
    int64_t due = add_plan(cli, status, &plan), behind = count_behind(cli, status);
    int64_t later = json_integer(json_get(json_get(status, STR("waiting")), STR("later")), 0);
    struct str reason = str_safe(cli->arena, show_member(cli, status, "hold_reason"), true);
    if (!json_true(json_get(status, STR("hold")))) return false;
    cli_say(cli, "held: %.*s", STR_ARG(reason));
    cli_say(cli, "%.*s due now%s%.*s; %lld later", STR_ARG(show_count(cli, due, "delivery is", "deliveries are")),
            due ? ": " : "", STR_ARG(buf_str(&plan)), (long long)later);
    if (behind)
        cli_say(cli, "%lld %s for others of their order key", (long long)behind, behind == 1 ? "waits" : "wait");
    show_rest(cli, status);
    return true;
}

int command_release(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/status"), STR_NONE, &asked);
    if (code) return code;
    bool held = show_plan(cli, asked.json);
    json_free(asked.json);
    if (!held && show_machine(cli, STR("{\"held\":false,\"reason\":\"\"}"), "reason", &code)) return code;
    if (!held) writer_add(&cli->out, STR("nothing is held: what is due is sent anyway\n"));
    if (!held || cli->dry_run) return EXIT_DONE;
    if (!cli_confirm(cli, "Send what is due?")) return EXIT_DECLINED;
    code = ask(cli, "POST", STR("/v1/release"), STR("{}"), &asked);
    return code ? code : show_one(cli, &asked, "reason", show_hold);
}
