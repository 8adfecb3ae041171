/* cli/reconcile.c - what nobody knows the end of is looked up now: the plan, a question, and page by page the act. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/show.h"

struct doubts {
    int64_t look_up, by_hand;
    struct str json;
};

static int ask_page(struct cli *cli, bool dry, struct str cursor, struct asked *ret_asked) {
    struct buf body = {.arena = cli->arena};
    buf_fmt(&body, "{\"dry\":%s", dry ? "true" : "false");
    if (cli_flag(cli, "destination")) {
        buf_add(&body, STR(",\"destination\":"));
        json_quote(&body, cli_value(cli, "destination"));
    }
    if (cursor.n) buf_fmt(&body, ",\"cursor\":\"%.*s\"", STR_ARG(cursor));
    buf_byte(&body, '}');
    bool dry_run = cli->dry_run;
    cli->dry_run = false; /* the server is asked what would come of it */
    int code = ask(cli, "POST", STR("/v1/reconcile"), buf_str(&body), ret_asked);
    cli->dry_run = dry_run;
    return code;
}

static void say_by_hand(struct cli *cli, struct str name, int64_t count, const char *status) {
    if (!count) return;
    cli_say(cli,
            "%.*s: %lld cannot be looked up; when the provider's own page shows that they did not arrive (or --as "
            "delivered, "
            "that they did; --as retry sends them again): drumbeat deliveries resolve --status %s --destination %.*s "
            "--as not-delivered",
            STR_ARG(name), (long long)count, status, STR_ARG(name));
}

static void say_place(struct cli *cli, const struct json *item) {
    struct str name = str_safe(cli->arena, show_member(cli, item, "destination"), true);
    int64_t held = json_integer(json_get(item, STR("held")), 0);
    int64_t waiting = json_integer(json_get(item, STR("waiting")), 0);
    int64_t by_hand = json_integer(json_get(item, STR("by_hand")), 0);
    int64_t stranded = json_integer(json_get(item, STR("stranded")), 0);
    if (held || waiting) cli_say(cli, "%.*s: %lld to be looked up", STR_ARG(name), (long long)(held + waiting));
    if (json_true(json_get(item, STR("gone"))))
        cli_say(
            cli,
            "%.*s: the configuration has no such destination any more; with it (or with `was: %.*s` in the one that "
            "took its place) they can be looked up",
            STR_ARG(name), STR_ARG(name));
    say_by_hand(cli, name, by_hand, "HELD");
    say_by_hand(cli, name, stranded, "UNKNOWN");
}

/* All pages; each is told when dry. */
static int go_through(struct cli *cli, bool dry, struct doubts *doubts) {
    struct str cursor = STR_NONE;
    *doubts = (struct doubts){0};
    do {
        struct asked asked;
        int code = ask_page(cli, dry, cursor, &asked);
        if (code) return code;
        const struct json *items = json_get(asked.json, STR("items"));
        for (size_t i = 0; i < json_size(items); i++) {
            const struct json *item = json_at(items, i);
            doubts->look_up +=
                json_integer(json_get(item, STR("held")), 0) + json_integer(json_get(item, STR("waiting")), 0);
            doubts->by_hand +=
                json_integer(json_get(item, STR("by_hand")), 0) + json_integer(json_get(item, STR("stranded")), 0);
            if (dry) say_place(cli, item);
        }
        cursor = str_dup(cli->arena, show_member(cli, asked.json, "next"));
        asked_free(&asked);
    } while (cursor.n && !cli_stopped(cli));
    doubts->json = str_fmt(cli->arena, "{\"looked_up\":%lld,\"by_hand\":%lld,\"dry\":%s}", (long long)doubts->look_up,
                           (long long)doubts->by_hand, dry ? "true" : "false");
    return EXIT_DONE;
}

/* A name that is no destination's and has no doubts is more likely misspelt; one that was removed may have some. */
static int check_name(struct cli *cli) {
    struct doubts doubts;
    bool was_mute = cli->mute;
    if (!cli_flag(cli, "destination")) return EXIT_DONE;
    cli->mute = true;
    int code = go_through(cli, true, &doubts);
    cli->mute = was_mute;
    return code == EXIT_NOT_FOUND ? pages_check_name(cli, "destination") : EXIT_DONE;
}

int command_reconcile(struct cli *cli) {
    struct doubts doubts;
    int code = check_name(cli), shown;
    if (!code) code = go_through(cli, true, &doubts);
    if (code) return code;
    if (doubts.look_up && !cli->dry_run) {
        if (!cli_confirm(cli, "Look them up now?")) return EXIT_DECLINED;
        code = go_through(cli, false, &doubts);
        if (code) return code;
    }
    if (show_machine(cli, doubts.json, "looked_up", &shown)) return shown;
    if (doubts.look_up)
        writer_fmt(&cli->out, "%s %.*s\n", cli->dry_run ? "would look up" : "looking up",
                   STR_ARG(show_count(cli, doubts.look_up, "delivery", "deliveries")));
    else
        writer_fmt(&cli->out, doubts.by_hand ? "nothing can be looked up\n" : "nothing is in doubt\n");
    return EXIT_DONE;
}
