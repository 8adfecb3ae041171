/* cli/pages.h - a list that is asked for page by page. The server ends a page early when it has looked at enough, and
 * knows nothing of --where; a person wants as many as --limit says, or all there are. Thread: one. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "cli/ask.h"

/* `--where JQ`: which events a person means, by what is in them. As in a route, `.` is the payload and `$event` the
 * whole event. Asked here and not in the server, whose jq is for routes. */
struct where;
/* NULL in *ret_where when the option was not given. An exit code; what is wrong with the expression was said. */
MUST_USE int where_open(struct cli *cli, struct where **ret_where);
void where_close(struct where *where); /* NULL is fine */
/* Whether an event of an answer, as it was written, is meant. One on which the expression fails is not; neither is one
 * whose answer is false or null. NULL means all. */
bool where_holds(struct cli *cli, const struct where *where, struct str event);

/* Asks for the list at a path with its filters, --limit and --cursor aside, which are read here. The answer has the
 * server's form, with the cursor that goes on behind its last item. Gives an exit code, as `ask` does. */
MUST_USE int pages_ask(struct cli *cli, struct str path, const struct where *where, struct asked *ret_asked);
/* The same of those items that are meant; NULL means all. Page after page is asked for until there are as many as
 * --limit says, so that the server's turns stay short. */
struct narrowing {
    bool (*means)(const struct narrowing *narrowing, struct str item); /* as the server wrote it */
    void *own;
};
MUST_USE int pages_ask_narrowed(struct cli *cli, struct str path, const struct narrowing *narrowing,
                                struct asked *ret_asked);
/* Whether a member of an item is this text, in which nothing has to be escaped. */
bool narrowing_is(struct str item, const char *member, struct str text);
/* What is to be said of a filter by a name (the option's: destination, route) that the configuration in force does not
 * have: it is more likely misspelt than a wish that came true, and is NOT_FOUND, said with a near one of those there
 * are, or with all of them. DONE where it is known, was not given, or cannot be asked. */
MUST_USE int pages_check_name(struct cli *cli, const char *option);
/* Likewise of a name that is no option's. */
MUST_USE int pages_check(struct cli *cli, const char *option, struct str name);
/* Likewise of each filter by a name (--destination, --route, --source, --type), once nothing was found by them: a name
 * that only the store has is fine. Who posts events names types and sources of its own: a source is refused when it is
 * near to one in force; otherwise that nobody knows it is only said, and DONE. */
MUST_USE int pages_found_nothing(struct cli *cli);

#endif
