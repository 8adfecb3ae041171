/* cli/complete.h - completion scripts, from the table of commands. */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli/command.h"

/* For "bash" or "zsh"; STR_NONE for another shell. */
struct str complete_script(struct arena *arena, struct str shell);

#endif
