/* cli/apply.c - the changed configuration, put in force in the running server. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "os/file.h"

/* As `check` says them, which many never run. */
static void show_warnings(struct cli *cli, const struct json *warnings) {
    writer_flush(&cli->out);
    cli->err.weight = WEIGHT_WARNING;
    for (size_t i = 0; i < json_size(warnings); i++) {
        const struct json *one = json_at(warnings, i);
        writer_safe(&cli->err,
                    str_fmt(cli->arena, "%.*s:%lld:%lld: warning %.*s: %.*s\n", STR_ARG(show_member(cli, one, "file")),
                            (long long)json_integer(json_get(one, STR("line")), 0),
                            (long long)json_integer(json_get(one, STR("column")), 0),
                            STR_ARG(show_member(cli, one, "code")), STR_ARG(show_member(cli, one, "text"))));
    }
    cli->err.weight = WEIGHT_TALK;
    writer_flush(&cli->err);
}

static void show_changes(struct cli *cli, const struct json *answer) {
    const struct json *changes = json_get(answer, STR("changes"));
    bool applied = json_true(json_get(answer, STR("applied")));
    size_t waiting = 0;
    for (size_t i = 0; i < json_size(changes); i++) {
        const struct json *change = json_at(changes, i);
        bool restart = json_true(json_get(change, STR("needs_restart")));
        waiting += restart;
        writer_safe(&cli->out, show_member(cli, change, "text"));
        writer_add(&cli->out, restart ? STR("  (takes a restart)\n") : STR("\n"));
    }
    const struct json *stranded = json_get(answer, STR("stranded"));
    for (size_t i = 0; i < json_size(stranded); i++) {
        const struct json *one = json_at(stranded, i);
        int64_t count = json_integer(json_get(one, STR("count")), 0);
        writer_fmt(&cli->out, "! %.*s wait%s for %.*s, which is gone: %s will be held\n",
                   STR_ARG(show_count(cli, count, "delivery", "deliveries")), count == 1 ? "s" : "",
                   STR_ARG(show_member(cli, one, "destination")), count == 1 ? "it" : "they");
    }
    const struct json *adopted = json_get(answer, STR("adopted"));
    for (size_t i = 0; i < json_size(adopted); i++) {
        const struct json *one = json_at(adopted, i);
        struct str to = show_member(cli, one, "destination"), from = show_member(cli, one, "was");
        int64_t count = json_integer(json_get(one, STR("count")), 0);
        bool renamed = json_true(json_get(one, STR("renamed")));
        if (renamed)
            writer_fmt(&cli->out, "%.*s of %.*s %s over to %.*s, with what failed, its pause and its limits\n",
                       STR_ARG(show_count(cli, count, "open delivery", "open deliveries")), STR_ARG(from),
                       count == 1 ? "goes" : "go", STR_ARG(to));
        else if (!count)
            writer_fmt(&cli->out,
                       "nothing waits under %.*s; what was done under it is known as done by 'was' in %.*s\n",
                       STR_ARG(from), STR_ARG(to));
        else
            writer_fmt(&cli->out, "%.*s of %.*s %s over to %.*s\n",
                       STR_ARG(show_count(cli, count, "delivery", "deliveries")), STR_ARG(from),
                       count == 1 ? "goes" : "go", STR_ARG(to));
    }
    show_warnings(cli, json_get(answer, STR("warnings")));
    if (!json_size(changes))
        cli_say(cli, "nothing changed");
    else if (!applied)
        cli_say(cli, "%zu %s, not applied (--dry-run)", json_size(changes),
                json_size(changes) == 1 ? "change" : "changes");
    else if (!waiting)
        cli_say(cli, "%zu %s, in force", json_size(changes), json_size(changes) == 1 ? "change" : "changes");
    else
        cli_say(cli, "%zu in force, %zu wait for a restart of the server", json_size(changes) - waiting, waiting);
}

/* The server reads the file that it was started with, whichever is named here. */
static int check_named(struct cli *cli) {
    struct str named = file_whole(cli_value(cli, "config"), cli->arena);
    struct asked asked;
    if (!cli_flag(cli, "config")) return EXIT_DONE;
    int code = ask(cli, "GET", STR("/v1/status"), STR_NONE, &asked);
    if (code) return code;
    struct str own = str_dup(cli->arena, show_member(cli, asked.json, "config"));
    asked_free(&asked);
    if (file_is_same(own, named, cli->arena)) return EXIT_DONE;
    return cli_fail(cli, EXIT_USAGE,
                    "error: the server reads %.*s, and -c names another file, %.*s: nothing was compared or applied.\n"
                    "Put what shall be in force into the server's file, `drumbeat check` it, and apply without -c.",
                    STR_ARG(own), STR_ARG(named));
}

int command_apply(struct cli *cli) {
    struct asked asked;
    struct str body = cli->dry_run ? STR("{\"dry\":true}") : STR("{\"dry\":false}");
    int code = check_named(cli);
    if (code) return code;
    code = ask_any(cli, "POST", STR("/v1/config/apply"), body, &asked);
    if (code) return code;
    const struct json *valid = json_get(asked.json, STR("valid"));
    if (json_type(valid) == JSON_TRUE) return show_one(cli, &asked, "applied", show_changes);
    if (json_type(valid) != JSON_FALSE)
        code = asked_refused(cli, &asked);
    else if (!show_machine(cli, asked.body, "valid", &code) || !code)
        code = cli_fail(cli, EXIT_CONFIG, "%.*s\nnot applied: the configuration in force stays",
                        STR_ARG(str_trim(show_member(cli, asked.json, "problem"))));
    asked_free(&asked);
    return code;
}
