/* cli/sources.c - sources list, show and types. */
#include "cli/sources.h"

#include "base/json.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "model/scheme.h"

/* ---- list and show ---- */

static const struct column list_columns[] = {
    {"name", CELL_TEXT, {.title = "SOURCE", .whole = true}},
    {"type", CELL_TEXT, {.title = "TYPE", .whole = true}},
    {"accepted", CELL_TEXT, {.title = "ACCEPTED", .right = true, .whole = true}},
    {"duplicate", CELL_TEXT, {.title = "AGAIN", .right = true, .whole = true}},
    {"invalid", CELL_TEXT, {.title = "INVALID", .right = true, .whole = true}},
    {"refused", CELL_TEXT, {.title = "REFUSED", .right = true, .whole = true}},
    {"address", CELL_TEXT, {.title = "ADDRESS"}},
    {0},
};

int command_sources_list(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", STR("/v1/sources"), STR_NONE, &asked);
    if (code) return code;
    const struct json *first = json_at(json_get(asked.json, STR("items")), 0);
    struct str since = str_dup(cli->arena, show_time(cli, show_member(cli, first, "counted_since")));
    bool table = first && cli->output == OUTPUT_TABLE && !cli->jq.p;
    code = show_list(cli, &asked, list_columns, "name");
    if (!code && table) cli_say(cli, "counted since the start of this server's process, %.*s", STR_ARG(since));
    return code;
}

static const struct column show_columns[] = {
    {"name", CELL_TEXT, {.title = "source"}},
    {"type", CELL_TEXT, {.title = "type"}},
    {"sender", CELL_TEXT, {.title = "sender"}},
    {"address", CELL_TEXT, {.title = "address"}},
    {"schedule", CELL_TEXT, {.title = "schedule"}},
    {"zone", CELL_TEXT, {.title = "zone"}},
    {"next_at", CELL_TIME, {.title = "next"}},
    {"path", CELL_TEXT, {.title = "path"}},
    {"trouble", CELL_ERROR, {.title = "trouble"}},
    {"counted_since", CELL_TIME, {.title = "counted since"}},
    {"accepted", CELL_TEXT, {.title = "accepted"}},
    {"duplicate", CELL_TEXT, {.title = "again"}},
    {"invalid", CELL_TEXT, {.title = "invalid"}},
    {"refused", CELL_TEXT, {.title = "refused"}},
    {"spam", CELL_TEXT, {.title = "spam"}},
    {"key_missing", CELL_TEXT, {.title = "key missing"}},
    {"fields_unknown", CELL_TEXT, {.title = "fields lost"}},
    {"facts", CELL_TEXT, {.title = "facts from"}},
    {0},
};

static const struct column file_columns[] = {
    {"file", CELL_TEXT, {.title = "FILE", .whole = true}},
    {"state", CELL_TEXT, {.title = "STATE", .whole = true}},
    {"publish_at", CELL_TIME, {.title = "PUBLISH AT", .whole = true}},
    {"problem", CELL_ERROR, {.title = "PROBLEM"}},
    {0},
};

/* How many files a folder has of each state, and which of them wait or are wrong. */
static void show_files(struct cli *cli, const struct json *source) {
    static const char *const states[] = {"waiting", "draft", "settling", "broken", "published", "edited", "past"};
    const struct json *files = json_get(source, STR("files"));
    const char *before = "  files          ";
    if (json_type(files) != JSON_OBJECT) return;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        int64_t count = json_integer(json_get(files, str_from(states[i])), 0);
        if (!count) continue;
        writer_fmt(&cli->out, "%s%lld %s", before, (long long)count, states[i]);
        before = " · ";
    }
    if (*before == ' ' && before[1] == ' ') writer_fmt(&cli->out, "%snone that ends in .md", before);
    writer_add(&cli->out, STR("\n"));
    show_table(cli, json_get(source, STR("open")), file_columns);
}

static const struct column unkept_columns[] = {
    {"field", CELL_TEXT, {.title = "FIELD NOT KEPT", .whole = true}},
    {"count", CELL_TEXT, {.title = "EVENTS", .right = true, .whole = true}},
    {"first_at", CELL_TIME, {.title = "SINCE", .whole = true}},
    {"last_at", CELL_TIME, {.title = "LAST", .whole = true}},
    {0},
};

/* What people wrote where the form declares no field. */
static void show_unkept(struct cli *cli, const struct json *fields) {
    if (!json_size(fields)) return;
    show_table(cli, fields, unkept_columns);
    cli_say(cli, "What came in these fields is not kept, because 'fields' of the source does not name them: write them "
                 "there and drumbeat apply, or take them out of the page.");
}

static void show_source(struct cli *cli, const struct json *source) {
    const struct json *last = json_get(source, STR("last_refused"));
    show_fields(cli, source, show_columns);
    if (json_type(last) == JSON_OBJECT) {
        struct str why = str_safe(cli->arena, show_member(cli, last, "why"), true);
        writer_fmt(&cli->out, "  last refused   %.*s  %.*s%s%.*s\n",
                   STR_ARG(show_time(cli, show_member(cli, last, "at"))), STR_ARG(show_member(cli, last, "code")),
                   why.n ? ": " : "", STR_ARG(why));
    }
    if (!str_eq(show_member(cli, source, "key_missing"), STR("0")))
        cli_say(cli, "Bodies lacked what 'map' says of the key: such events are kept under a digest, and a second try "
                     "that differs is another event. The log line key_missing names the places.");
    if (!str_eq(show_member(cli, source, "spam"), STR("0"))) {
        struct str name = show_member(cli, source, "name");
        cli_say(cli,
                "What was kept as spam: drumbeat events list --type spam.%.*s. One that is none is let through by "
                "drumbeat events release ID.",
                STR_ARG(name));
    }
    show_files(cli, source);
    show_unkept(cli, json_get(source, STR("unkept")));
    if (str_starts(show_member(cli, source, "address"), STR("/")))
        cli_say(cli, "The address is a path, because the configuration does not say where the world reaches this "
                     "server: server.url.");
}

int command_sources_show(struct cli *cli) {
    struct asked asked;
    if (cli_flag(cli, "html")) return source_page(cli, cli_argument(cli, 0));
    int code = source_ask(cli, cli_argument(cli, 0), &asked);
    if (code) return code;
    if (asked.status == 200 && asked.json) return show_one(cli, &asked, "name", show_source);
    code = asked_refused(cli, &asked);
    asked_free(&asked);
    return code;
}

/* ---- types ---- */

static const struct column type_columns[] = {
    {"type", CELL_TEXT, {.title = "TYPE", .whole = true}},
    {"sender", CELL_TEXT, {.title = "SENDER"}},
    {"proof", CELL_TEXT, {.title = "PROOF"}},
    {0},
};

static struct str proof_text(struct cli *cli, const struct scheme *scheme) {
    static const char *const words[] = {[PROOF_BASIC] = "user and password",
                                        [PROOF_BEARER] = "token",
                                        [PROOF_PATH] = "secret in the path",
                                        [PROOF_CERTIFICATE] = "certificate"};
    if (scheme->proof != PROOF_SIGNATURE) return str_from(words[scheme->proof]);
    return str_fmt(cli->arena, "signature in %s", scheme->signature[0] == '/' ? "the body" : scheme->signature);
}

static void add_type(struct json *items, struct str type, struct str sender, struct str proof, struct str facts) {
    struct json *item = json_object();
    json_set_str(item, "type", type);
    json_set_str(item, "sender", sender);
    json_set_str(item, "proof", proof);
    json_set_str(item, "facts", facts);
    json_push(items, item);
}

int command_sources_types(struct cli *cli) {
    struct json *answer = json_object(), *items = json_array();
    for (size_t i = 0; i < scheme_count; i++)
        add_type(items, str_from(schemes[i].name), str_from(schemes[i].whose), proof_text(cli, &schemes[i]),
                 str_from(schemes[i].source));
    add_type(items, STR("form"), STR("people"), STR("none: a form is open to everybody"),
             STR("the keys of the source"));
    add_type(items, STR("hmac"), STR("any other sender that signs"), STR("signature in the header that 'header' names"),
             STR("the keys of the source"));
    json_set(answer, STR("items"), items);
    struct asked asked = {.status = 200, .body = json_dump(cli->arena, answer), .json = answer};
    return show_list(cli, &asked, type_columns, "type");
}
