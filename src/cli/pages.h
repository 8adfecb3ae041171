/* cli/pages.h - a list that is asked for page by page. The server ends a page early when it has looked at enough, and
 * knows nothing of --where; a person wants as many as --limit says, or all there are. Thread: one. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "cli/ask.h"
#include "cli/where.h"

/* Asks for the list at a path with its filters, --limit and --cursor aside, which are read here. The answer has the
 * server's form, with the cursor that goes on behind its last item. Gives an exit code, as `ask` does. */
MUST_USE int pages_ask(struct cli *cli, struct str path, const struct where *where, struct asked *ret_asked);

#endif
