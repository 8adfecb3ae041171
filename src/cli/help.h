/* cli/help.h - help on everything, a noun or a command, from the table. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

/* The terminal's; 80 where there is none, since help that goes through a pager is read too. */
size_t help_width(void);
/* width: what no line passes that is no command to be copied; 0 = as long as they get. */
struct str help_overview(struct arena *arena, size_t width);
struct str help_noun(struct arena *arena, struct str noun, size_t width);
struct str help_command(struct arena *arena, const struct command *command, size_t width);
/* docs/cli.md */
struct str help_reference(struct arena *arena);
struct str help_manual(struct arena *arena); /* the source of drumbeat(1) */
struct str help_exit_codes(void);            /* "0 done", one a line */
/* docs/metrics.md (metrics_page.c) */
struct str metrics_reference(struct arena *arena);

#endif
