/* cli/cli.h - the commands: one table, one file per command.
 *
 * Data goes to stdout, talk to stderr. Exit codes are contract.md 4's. A
 * command gets its arguments parsed by the table of its options; it asks the
 * running server over the unix socket (or --server), and opens the store itself
 * only when no server runs and it only reads. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "os/signals.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_NOT_FOUND = 4,
    EXIT_CONFLICT = 5,
    EXIT_NO_SERVER = 6,
    EXIT_NOT_ALLOWED = 7,
    EXIT_PARTLY = 8,
    EXIT_FINDINGS = 9,
    EXIT_TIMED_OUT = 10,
    EXIT_DECLINED = 11,
    EXIT_INTERRUPTED = 130,
};

int cli_main(int argc, char **argv, struct signals *signals);

#endif
