/* cli/reference.c - the pages of docs that are made of the program's own tables. */
#include "cli/commands.h"
#include "cli/connectors.h"
#include "cli/help.h"
#include "config/config.h"
#include "model/scheme.h"
#include "server/setup.h"

/* connector/NAME and source/NAME */
static struct str named_page(struct cli *cli, struct str page, const struct catalog *catalog) {
    struct str kind = str_sub(page, 0, str_find(page, '/')), name = str_sub(page, kind.n + 1, page.n);
    const struct catalog_entry *entry = catalog_find(catalog, name);
    const struct scheme *scheme = scheme_find(name);
    if (str_eq(kind, STR("connector")) && entry && entry->action_count) return connector_page(cli->arena, entry);
    if (str_eq(kind, STR("source")) && scheme) return sender_page(cli->arena, scheme);
    return STR("");
}

int command_reference(struct cli *cli) {
    struct str page = cli_argument(cli, 0), named;
    struct findings findings = {.arena = cli->arena};
    const struct catalog *catalog = setup_catalog(cli->arena, STR_NONE, &findings);
    if (str_eq(page, STR("cli")))
        writer_add(&cli->out, help_reference(cli->arena));
    else if (str_eq(page, STR("config")))
        writer_add(&cli->out, config_reference(cli->arena));
    else if (str_eq(page, STR("connectors")))
        writer_add(&cli->out, connectors_reference(cli->arena, catalog));
    else if (str_eq(page, STR("metrics")))
        writer_add(&cli->out, metrics_reference(cli->arena));
    else if (str_eq(page, STR("drumbeat.1")))
        writer_add(&cli->out, help_manual(cli->arena));
    else if (str_eq(page, STR("drumbeat.yaml.5")))
        writer_add(&cli->out, config_manual(cli->arena));
    else if ((named = named_page(cli, page, catalog)).n)
        writer_add(&cli->out, named);
    else
        return cli_fail(cli, EXIT_USAGE,
                        "error: the pages are cli, config, connectors, metrics, connector/NAME, source/NAME, "
                        "drumbeat.1 and drumbeat.yaml.5");
    return EXIT_DONE;
}
