/* cli/todo.c - what waits for a person: the cause, the command that helps, and what that would do. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/show.h"

/* "failed  crm  12 deliveries  answer 422 (oldest 2026-11-28T10:00:00Z)", and below it what helps. */
static void show_item(struct cli *cli, const struct json *item) {
    struct str name = show_member(cli, item, "name"), error = show_member(cli, item, "error");
    struct str oldest = show_time(cli, show_member(cli, item, "oldest_at"));
    int64_t count = json_integer(json_get(item, STR("count")), 0);
    if (cli->colour) writer_add(&cli->out, STR("\033[33m"));
    writer_fmt(&cli->out, "%.*s", STR_ARG(show_member(cli, item, "cause")));
    if (cli->colour) writer_add(&cli->out, STR("\033[0m"));
    if (name.n) writer_fmt(&cli->out, "  %.*s", STR_ARG(str_safe(cli->arena, name, true)));
    if (count) writer_fmt(&cli->out, "  %lld", (long long)count);
    if (error.n) writer_fmt(&cli->out, "  %.*s", STR_ARG(str_safe(cli->arena, error, true)));
    if (oldest.n) writer_fmt(&cli->out, "  (since %.*s)", STR_ARG(oldest));
    writer_fmt(&cli->out, "\n    %.*s\n      %.*s\n",
               STR_ARG(str_safe(cli->arena, show_member(cli, item, "command"), true)),
               STR_ARG(str_safe(cli->arena, show_member(cli, item, "does"), true)));
}

static void show_todo(struct cli *cli, const struct json *todo) {
    const struct json *items = json_get(todo, STR("items"));
    if (!json_size(items)) writer_add(&cli->out, STR("nothing waits for you\n"));
    for (size_t i = 0; i < json_size(items); i++) show_item(cli, json_at(items, i));
}

int command_todo(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/todo"), STR_NONE, &asked);
    if (code) return code;
    bool found = json_size(json_get(asked.json, STR("items"))) > 0;
    code = show_one(cli, &asked, "cause", show_todo);
    return !code && found && cli_flag(cli, "exit-code") ? EXIT_FINDINGS : code;
}
