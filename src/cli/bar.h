/* cli/bar.h - one line on stderr that says how far a long chore is, where that
 * is a terminal and nobody asked for quiet; nothing elsewhere. */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include "cli/command.h"

struct asked;

/* Shows a share from 0 to 1, over the line before. */
void bar_show(struct cli *cli, const char *what, double share, int64_t found);
void bar_end(struct cli *cli); /* takes the line away */
/* Asks at path until `running` is false, with its `progress` on the line, and the number of `found` there ("" = none).
 * *asked is the first answer, then the last. An exit code; what is wrong was said. */
MUST_USE int bar_follow(struct cli *cli, const char *what, struct str path, const char *found, struct asked *asked);

#endif
