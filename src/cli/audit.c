/* cli/audit.c - audit list: who did what. What was done to one event or delivery, `events show` and `deliveries show`
 * say too. */
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/show.h"

static const struct column list_columns[] = {
    {"at", CELL_TIME, {.title = "AT", .whole = true}},
    {"actor", CELL_TEXT, {.title = "ACTOR"}},
    {"act", CELL_TEXT, {.title = "ACT"}},
    {"subject", CELL_DELIVERY_ID, {.title = "SUBJECT"}},
    {"detail", CELL_TEXT, {.title = "DETAIL"}},
    {0},
};

int command_audit_list(struct cli *cli) {
    struct asked asked;
    int code = pages_ask(cli, STR("/v1/audit"), NULL, &asked);
    return code ? code : show_list(cli, &asked, list_columns, "subject");
}
