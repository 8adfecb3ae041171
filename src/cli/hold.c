/* cli/hold.c - hold, the emergency brake; release, which shows first what would leave. */
#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/show.h"

#define SOURCES_SHOWN 20

static void show_hold(struct cli *cli, const struct json *hold) {
    struct str reason = show_member(cli, hold, "reason");
    const struct json *earlier = json_get(hold, STR("earlier"));
    struct str before = str_safe(cli->arena, show_member(cli, earlier, "reason"), true);
    struct str since = show_time(cli, show_member(cli, earlier, "since"));
    if (earlier)
        writer_fmt(&cli->out, "it was held already%s%.*s: %.*s. One release ends it for every reason\n",
                   since.n ? " since " : "", STR_ARG(since), STR_ARG(before));
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

/* What may be sent twice because the store does not know all that was sent, and the provider not for ever what it took.
 * why has a destination under several reasons; those of an order key wait behind one that is named by another. */
static void show_doubles(struct cli *cli, const struct json *status) {
    const struct json *why = json_get(json_get(status, STR("waiting")), STR("why"));
    if (!json_true(json_get(status, STR("may_be_stale")))) return;
    for (size_t i = 0; i < json_size(why); i++) {
        const struct json *item = json_at(why, i);
        int64_t kept_s = json_integer(json_get(item, STR("keys_kept_seconds")), -1);
        if (kept_s < 0 || str_eq(show_member(cli, item, "reason"), STR("order"))) continue;
        struct str name = str_safe(cli->arena, show_member(cli, item, "destination"), true);
        struct str span = span_str(cli->arena, kept_s * US_PER_S);
        struct str knows =
            kept_s ? str_fmt(cli->arena, "knows a key again for %.*s only: what it took longer ago than that",
                             STR_ARG(span))
                   : STR("takes no idempotency key: what it took");
        cli_say(cli,
                "! %.*s %.*s, and this store does not know of, is sent twice. Look there, and cancel what it has: "
                "drumbeat deliveries list --status PENDING --destination %.*s",
                STR_ARG(name), STR_ARG(knows), STR_ARG(name));
    }
}

/* Schedules and folders make again what the store does not know of, under the same keys. */
static void show_made_again(struct cli *cli, const struct json *status) {
    const struct json *sources = json_get(status, STR("made_again"));
    for (size_t i = 0; i < json_size(sources) && i < SOURCES_SHOWN; i++) {
        struct str name = str_safe(cli->arena, json_text(json_at(sources, i)), true);
        cli_say(cli,
                "! %.*s makes again, and sends again, what it made since the backup. Look, and cancel what was sent: "
                "drumbeat events list --source %.*s; drumbeat events cancel ID",
                STR_ARG(name), STR_ARG(name));
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
    show_doubles(cli, status);
    show_made_again(cli, status);
    return true;
}

int command_release(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/status"), STR_NONE, &asked);
    if (code) return code;
    bool held = show_plan(cli, asked.json), alone = asked.offline;
    asked_free(&asked);
    if (!held && show_machine(cli, STR("{\"held\":false,\"reason\":\"\"}"), "reason", &code)) return code;
    if (!held)
        writer_fmt(&cli->out, "nothing is held: what is due is sent %s\n",
                   alone ? "as soon as a server runs" : "anyway");
    if (held && alone)
        return cli_fail(cli, EXIT_NO_SERVER,
                        "error: no server runs here, and only one knows what a release may send twice. Start it with "
                        "`drumbeat serve`: it sends nothing before `drumbeat release`");
    if (!held || cli->dry_run) return EXIT_DONE;
    if (!cli_confirm(cli, "Send what is due?")) return EXIT_DECLINED;
    code = ask(cli, "POST", STR("/v1/release"), STR("{}"), &asked);
    return code ? code : show_one(cli, &asked, "reason", show_hold);
}
