/* cli/verify.c - the store's invariants: begins a round at the server, follows it, shows what it found. */
#include "base/json.h"
#include "cli/bar.h"
#include "cli/commands.h"
#include "cli/show.h"

static void show_verification(struct cli *cli, const struct json *found) {
    const struct json *violations = json_get(found, STR("violations"));
    for (size_t i = 0; i < json_size(violations); i++) {
        struct str rule = show_member(cli, json_at(violations, i), "rule");
        struct str text = show_member(cli, json_at(violations, i), "text");
        writer_fmt(&cli->out, "%.*s: ", STR_ARG(rule));
        writer_safe(&cli->out, text);
        writer_add(&cli->out, STR("\n"));
    }
    static const char *const words[][3] = {{"events", "event", "events"},
                                           {"deliveries", "delivery", "deliveries"},
                                           {"attempts", "attempt", "attempts"},
                                           {"violation_count", "violation", "violations"}};
    for (size_t i = 0; i < 4; i++) {
        int64_t count = json_integer(json_get(found, str_from(words[i][0])), 0);
        writer_add(&cli->out, i == 0 ? STR("") : i == 3 ? STR(": ") : STR(", "));
        writer_add(&cli->out, show_count(cli, count, words[i][1], words[i][2]));
    }
    writer_add(&cli->out, STR("\n"));
}

int command_verify(struct cli *cli) {
    struct asked asked;
    bool deep = cli_flag(cli, "deep");
    int code = ask(cli, "POST", deep ? STR("/v1/verify?deep=true") : STR("/v1/verify"), STR_NONE, &asked);
    if (!code) code = bar_follow(cli, "verify", STR("/v1/verify"), "violation_count", &asked);
    if (code) return code;
    if (deep && !asked.offline)
        cli_say(cli, "The pages of an embedded store's file are checked only while no server runs.");
    int64_t violations = json_integer(json_get(asked.json, STR("violation_count")), 0);
    code = show_one(cli, &asked, "violation_count", show_verification);
    return code ? code : violations ? EXIT_FINDINGS : EXIT_DONE;
}
