#include "cli/locate.h"

#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "config/secret.h"
#include "model/catalog.h"
#include "os/file.h"

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

/* ---- the store and the server ---- */

/* What is wrong with the key `store`, as the check said it. */
static struct str store_problem(struct cli *cli, const struct tree *tree, const struct findings *findings) {
    const struct tree *value = tree_get(tree, STR("store"));
    struct findings ours = {.arena = cli->arena};
    for (const struct finding *it = findings->first; value && it; it = it->next)
        if (!it->warning && it->mark.line == value->mark.line)
            finding_add(&ours, it->file, it->mark, it->code, "%.*s", STR_ARG(it->text));
    return ours.errors ? findings_text(cli->arena, &ours) : STR("error: the configuration names no store");
}

/* A file that is no YAML still says on one line where the store is: whoever pulls the emergency brake needs no other.
 */
static struct tree *line_of_store(struct cli *cli, struct str file, struct str text) {
    struct findings unread = {.arena = cli->arena};
    struct buf only = {.arena = cli->arena};
    struct str line;
    buf_add(&only, STR("version: 1\n"));
    while (str_next(&text, '\n', &line))
        if (str_starts(line, STR("store:"))) buf_fmt(&only, "%.*s\n", STR_ARG(line));
    return config_parse(cli->arena, file, buf_str(&only), &unread);
}

/* Reads only where the store is: nothing else in the configuration matters to somebody who looks for the server. A
 * store on PostgreSQL whose password only the server may know still tells where the server's socket is. */
static int place_of_config(struct cli *cli, struct place *ret_place, struct str *ret_problem) {
    struct str file, text;
    struct findings syntax = {.arena = cli->arena}, rest = {.arena = cli->arena};
    int code = locate_config_text(cli, STR_NONE, &file, &text);
    if (code) return code;
    const struct tree *tree = config_parse(cli->arena, file, text, &syntax);
    if (!tree) {
        tree = line_of_store(cli, file, text);
        if (!tree) return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(findings_text(cli->arena, &syntax)));
        cli_say(cli, "%.*sthe server that runs goes on with what it read before",
                STR_ARG(findings_text(cli->arena, &syntax)));
    }
    const struct secret_source secrets = secret_source_real(cli->arena, file_folder(file, cli->arena));
    const struct catalog catalog = {0};
    struct settings *settings = config_check(cli->arena, tree, &catalog, &secrets, &rest);
    struct place place = place_of(settings, file, cli->arena);
    *ret_problem = STR("");
    if (!place.store.n) {
        *ret_problem = store_problem(cli, tree, &rest);
        settings->store = tree_text(tree, STR("store"));
        place = place_of(settings, file, cli->arena);
        if (!place_is_shared(&place)) return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(*ret_problem));
    }
    *ret_place = place;
    return EXIT_DONE;
}

int locate_place(struct cli *cli, struct place *ret_place, struct str *ret_problem) {
    const struct settings none = {0};
    struct place place = place_of(&none, STR_NONE, cli->arena);
    if (place_check(&place, cli->arena, ret_problem))
        return cli_fail(cli, EXIT_CONFIG, "error: %.*s", STR_ARG(*ret_problem));
    bool needs_config = !place.store.n || (place_is_shared(&place) && locate_config(cli).p);
    if (needs_config) return place_of_config(cli, ret_place, ret_problem);
    *ret_place = place;
    *ret_problem = STR("");
    return EXIT_DONE;
}
