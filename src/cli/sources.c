/* cli/sources.c - sources list, show and types. */
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
    return code ? code : show_list(cli, &asked, list_columns, "name");
}

static const struct column show_columns[] = {
    {"name", CELL_TEXT, {.title = "source"}},       {"type", CELL_TEXT, {.title = "type"}},
    {"sender", CELL_TEXT, {.title = "sender"}},     {"address", CELL_TEXT, {.title = "address"}},
    {"accepted", CELL_TEXT, {.title = "accepted"}}, {"duplicate", CELL_TEXT, {.title = "again"}},
    {"invalid", CELL_TEXT, {.title = "invalid"}},   {"refused", CELL_TEXT, {.title = "refused"}},
    {"facts", CELL_TEXT, {.title = "facts from"}},  {0},
};

static void show_source(struct cli *cli, const struct json *source) {
    show_fields(cli, source, show_columns);
    if (!str_eq(show_member(cli, source, "refused"), STR("0")))
        cli_say(cli, "Requests were refused since the start: the log line source_refused says why.");
}

int command_sources_show(struct cli *cli) {
    struct asked asked;
    int code = ask(cli, "GET", path_of(cli, "/v1/sources/", cli_argument(cli, 0), ""), STR_NONE, &asked);
    return code ? code : show_one(cli, &asked, "name", show_source);
}

/* ---- types ---- */

static const struct column type_columns[] = {
    {"type", CELL_TEXT, {.title = "TYPE", .whole = true}},
    {"sender", CELL_TEXT, {.title = "SENDER"}},
    {"proof", CELL_TEXT, {.title = "PROOF"}},
    {0},
};

static struct str proof_text(struct cli *cli, const struct scheme *scheme) {
    static const char *const words[] = {
        [PROOF_BASIC] = "user and password", [PROOF_BEARER] = "token", [PROOF_PATH] = "secret in the path"};
    if (scheme->proof != PROOF_SIGNATURE) return str_from(words[scheme->proof]);
    return str_fmt(cli->arena, "signature in %s", scheme->signature[0] == '/' ? "the body" : scheme->signature);
}

int command_sources_types(struct cli *cli) {
    struct json *answer = json_object(), *items = json_array();
    for (size_t i = 0; i < scheme_count; i++) {
        struct json *item = json_object();
        json_set_str(item, "type", str_from(schemes[i].name));
        json_set_str(item, "sender", str_from(schemes[i].whose));
        json_set_str(item, "proof", proof_text(cli, &schemes[i]));
        json_set_str(item, "facts", str_from(schemes[i].source));
        json_push(items, item);
    }
    json_set(answer, STR("items"), items);
    struct asked asked = {.status = 200, .body = json_dump(cli->arena, answer), .json = answer};
    return show_list(cli, &asked, type_columns, "type");
}
