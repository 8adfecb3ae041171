/* cli/sources_ask.c - see sources.h. */
#include "cli/sources.h"

#include "base/json.h"
#include "cli/locate.h"
#include "cli/show.h"
#include "config/config.h"
#include "config/keys.h"
#include "os/file.h"

/* The sources in the configuration here, whatever else is wrong with it; NULL where another machine's is meant. */
static const struct tree *sources_of_file(struct cli *cli) {
    struct findings findings = {.arena = cli->arena};
    struct str file = locate_config(cli), text, problem;
    if (!file.p || cli_value(cli, "server").p || file_read(file, CONFIG_TEXT_MAX, cli->arena, &text, &problem))
        return NULL;
    const struct tree *tree = config_parse(cli->arena, file, text, &findings);
    const struct tree *sources = tree ? tree_get(tree, STR("sources")) : NULL;
    return sources && sources->kind == TREE_MAP ? sources : NULL;
}

static int refuse_name(struct cli *cli, struct str name) {
    struct suggestion near = {.wrong = name};
    struct asked asked;
    const struct tree *file = sources_of_file(cli);
    if (file && tree_get(file, name))
        return cli_fail(cli, EXIT_NOT_FOUND,
                        "error: the source '%.*s' is in the configuration and not in force yet: drumbeat apply",
                        STR_ARG(name));
    int code = ask(cli, "GET", STR("/v1/sources"), STR_NONE, &asked);
    if (code) return code;
    const struct json *items = json_get(asked.json, STR("items"));
    for (size_t i = 0; i < json_size(items); i++)
        suggestion_consider(&near, show_member(cli, json_at(items, i), "name"));
    code = cli_fail(cli, EXIT_NOT_FOUND, "error: there is no source '%.*s'%.*s", STR_ARG(name),
                    STR_ARG(suggestion_text(cli->arena, &near)));
    asked_free(&asked);
    return code;
}

int source_ask(struct cli *cli, struct str name, struct asked *ret_asked) {
    struct asked asked;
    int code = ask_any(cli, "GET", path_of(cli, "/v1/sources/", name, ""), STR_NONE, &asked);
    if (code) return code;
    if (asked.status != 404) {
        *ret_asked = asked;
        return EXIT_DONE;
    }
    asked_free(&asked);
    return refuse_name(cli, name);
}
