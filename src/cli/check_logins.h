/* cli/check_logins.h - part of `check`: destinations that send nothing before a person logged in. */
#ifndef CLI_CHECK_LOGINS_H
#define CLI_CHECK_LOGINS_H

#include "cli/command.h"
#include "server/setup.h"

/* Where the store is a file that no server holds, it says who has logged in: what lacks a login is a finding at its
 * destination. Where there is no such file yet, it is a word on stderr, because this may not be the machine on which
 * the server runs. A store that cannot be read says nothing, and no finding: `todo` and `status` of its server tell.
 * Makes no store. */
void check_logins(struct cli *cli, const struct setup *setup, struct str file, struct findings *findings);

#endif
