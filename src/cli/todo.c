/* cli/todo.c - what waits for a person: the cause, the command that helps, and what that would do. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/show.h"

/* "failed  crm  12  answer 422 (oldest 2026-11-28T10:00:00Z)", and below it what helps: a command in a line of its own,
 * which is never broken. */
static void show_item(struct cli *cli, const struct json *item) {
    struct str cause = show_member(cli, item, "cause"), name = show_member(cli, item, "name");
    struct str error = show_member(cli, item, "error"), oldest = show_time(cli, show_member(cli, item, "oldest_at"));
    int64_t count = json_integer(json_get(item, STR("count")), 0);
    struct buf head = {.arena = cli->arena};
    if (name.n) buf_fmt(&head, "  %.*s", STR_ARG(name));
    if (count) buf_fmt(&head, "  %lld", (long long)count);
    if (error.n) buf_fmt(&head, "  %.*s", STR_ARG(error));
    if (oldest.n) buf_fmt(&head, "  (since %.*s)", STR_ARG(oldest));
    if (cli->colour) writer_add(&cli->out, STR("\033[33m"));
    writer_fmt(&cli->out, "%.*s", STR_ARG(cause));
    if (cli->colour) writer_add(&cli->out, STR("\033[0m"));
    show_text(cli, buf_str(&head), text_columns(cause), 2);
    writer_fmt(&cli->out, "    %.*s\n      ", STR_ARG(str_safe(cli->arena, show_member(cli, item, "command"), true)));
    show_text(cli, show_member(cli, item, "does"), 6, 6);
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
