/* cli/bar.h - one line on stderr that says how far a long chore is, where that
 * is a terminal and nobody asked for quiet; nothing elsewhere. */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include "cli/command.h"

/* Shows a share from 0 to 1, over the line before. */
void bar_show(struct cli *cli, const char *what, double share, int64_t found);
void bar_end(struct cli *cli); /* takes the line away */

#endif
