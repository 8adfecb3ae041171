/* cli/move.h - `migrate --to`: the embedded store, copied into a database. */
#ifndef CLI_MOVE_H
#define CLI_MOVE_H

#include "cli/command.h"

MUST_USE int move_store(struct cli *cli, struct str to);

#endif
