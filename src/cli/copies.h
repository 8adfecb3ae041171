/* cli/copies.h - a copy of a store, looked at before anybody trusts it. */
#ifndef CLI_COPIES_H
#define CLI_COPIES_H

#include "cli/command.h"
#include "store/chore.h"

/* Reads the store in a file through, changing nothing: pages and invariants. An exit code; what is wrong was said. */
MUST_USE int copies_check(struct cli *cli, struct str file, struct verification *ret_found);

/* Whoever serves the store in this file, which nobody has open, is held from the start. */
MUST_USE enum err copies_hold(struct cli *cli, struct str file, struct str why, struct str *ret_problem);

#endif
