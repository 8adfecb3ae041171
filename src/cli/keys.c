/* cli/keys.c - keys create, list, revoke. */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/show.h"

static const struct column list_columns[] = {
    {"id", CELL_TEXT, {.title = "ID", .whole = true}},
    {"role", CELL_TEXT, {.title = "ROLE", .whole = true}},
    {"name", CELL_TEXT, {.title = "NAME"}},
    {"created_at", CELL_TIME, {.title = "CREATED", .whole = true}},
    {"revoked_at", CELL_TIME, {.title = "REVOKED", .whole = true}},
    {0},
};

int command_keys_list(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/keys"), STR_NONE, &asked);
    return code ? code : show_list(cli, &asked, list_columns, "id");
}

static const struct {
    const char *role, *may;
} roles[] = {
    {"ingest", "may send events and nothing else: for a form, a page or a program"},
    {"read", "may look at everything and change nothing"},
    {"operate", "may look, send, retry, resolve, pause and resume"},
    {"owner", "may do everything, keys and configuration included"},
};

/* The key alone is data, so that it can be piped into a file. */
static void show_created(struct cli *cli, const struct json *key) {
    writer_fmt(&cli->out, "%.*s\n", STR_ARG(show_member(cli, key, "key")));
    cli_say(cli, "role %.*s, id %.*s. It is shown this once: only its hash is kept.",
            STR_ARG(show_member(cli, key, "role")), STR_ARG(show_member(cli, key, "id")));
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (str_eq(show_member(cli, key, "role"), str_from(roles[i].role))) cli_say(cli, "It %s.", roles[i].may);
}

int command_keys_create(struct cli *cli) {
    struct json *body = json_object();
    struct asked asked;
    json_set_str(body, "role", cli_value(cli, "role"));
    if (cli_flag(cli, "name")) json_set_str(body, "name", cli_value(cli, "name"));
    struct str text = json_dump(cli->arena, body);
    json_free(body);
    int code = ask(cli, "POST", STR("/v1/keys"), text, &asked);
    if (code) return code;
    code = show_one(cli, &asked, "id", show_created);
    cli_say(cli, "From now on every request over HTTP needs a key; this command goes on without one (unix socket).");
    return code;
}

static void show_revoked(struct cli *cli, const struct json *answer) {
    writer_fmt(&cli->out, "%.*s revoked\n", STR_ARG(show_member(cli, answer, "id")));
    if (json_true(json_get(answer, STR("open"))))
        cli_say(cli, "It was the last key: nobody on this machine needs one any more.");
}

int command_keys_revoke(struct cli *cli) {
    struct asked asked;
    if (!cli->dry_run && !cli_confirm(cli, "Whoever uses this key will be refused, at once and for good. Revoke it?"))
        return EXIT_DECLINED;
    int code = ask(cli, "POST", path_of(cli, "/v1/keys/", cli_argument(cli, 0), "/revoke"),
                   cli_flag(cli, "open") ? STR("{\"open\":true}") : STR("{}"), &asked);
    return code ? code : show_one(cli, &asked, "id", show_revoked);
}
