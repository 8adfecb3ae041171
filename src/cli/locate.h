/* cli/locate.h - where the configuration, the store and the server are. */
#ifndef CLI_LOCATE_H
#define CLI_LOCATE_H

#include "cli/command.h"
#include "server/place.h"

/* -c, $DRUMBEAT_CONFIG, ./drumbeat.yaml, /etc/drumbeat/drumbeat.yaml; STR_NONE when there is none. */
struct str locate_config(const struct cli *cli);
/* The same, or the one that is named, and its text. An exit code; what is wrong was said. */
MUST_USE int locate_config_text(struct cli *cli, struct str named, struct str *ret_file, struct str *ret_text);
/* The store in force: DB_DSN, else the configuration's, whose other keys may be wrong. *ret_problem is "", or why the
 * store's address is not known in full (a secret cannot be found here), which only matters to a caller that opens it.
 * Gives an exit code as above. */
MUST_USE int locate_place(struct cli *cli, struct place *ret_place, struct str *ret_problem);

#endif
