#include "cli/locate.h"

#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "config/secret.h"
#include "file.h"

static const char no_config[] = "there is no drumbeat.yaml here and none in /etc/drumbeat: `drumbeat init` writes one, "
                                "-c FILE names another";

struct str locate_config(const struct cli *cli) {
    static const char *const places[] = {"drumbeat.yaml", "/etc/drumbeat/drumbeat.yaml"};
    struct str given = cli_value(cli, "config");
    if (given.p) return given;
    given = str_from(getenv("DRUMBEAT_CONFIG"));
    if (given.n) return given;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], F_OK) == 0) return str_from(places[i]);
    return STR_NONE;
}

int locate_config_text(struct cli *cli, struct str named, struct str *ret_file, struct str *ret_text) {
    struct str file = named.p ? named : locate_config(cli), problem;
    if (!file.p) return cli_fail(cli, EXIT_CONFIG, "error: %s", no_config);
    if (file_read(file, CONFIG_TEXT_MAX, cli->arena, ret_text, &problem))
        return cli_fail(cli, EXIT_CONFIG, "error: %.*s", STR_ARG(problem));
    *ret_file = file;
    return EXIT_DONE;
}

/* What else the configuration says does not matter to somebody who looks for the server. */
static int store_of_config(struct cli *cli, struct str *ret_store) {
    struct str file, text;
    struct findings syntax = {.arena = cli->arena}, rest = {.arena = cli->arena};
    int code = locate_config_text(cli, STR_NONE, &file, &text);
    if (code) return code;
    const struct tree *tree = config_parse(cli->arena, file, text, &syntax);
    if (!tree) return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(findings_text(cli->arena, &syntax)));
    const struct secret_source secrets = secret_source_real(cli->arena, file_folder(file, cli->arena));
    const struct catalog catalog = {0};
    *ret_store = server_store_path(config_check(cli->arena, tree, &catalog, &secrets, &rest));
    return EXIT_DONE;
}

int locate_store(struct cli *cli, struct str *ret_store) {
    const struct settings none = {0};
    struct str store = server_store_path(&none);
    if (!store.n) {
        int code = store_of_config(cli, &store);
        if (code) return code;
    }
    if (!store.n) return cli_fail(cli, EXIT_CONFIG, "error: the configuration names no store");
    *ret_store = store;
    return EXIT_DONE;
}
