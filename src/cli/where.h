/* cli/where.h - `--where JQ`: which events a person means, by what is in them. As in a route, `.` is the payload and
 * `$event` the whole event. Asked here and not in the server, whose jq is for routes. Thread: one. */
#ifndef CLI_WHERE_H
#define CLI_WHERE_H

#include "cli/command.h"

struct where;
/* NULL in *ret_where when the option was not given. An exit code; what is wrong with the expression was said. */
MUST_USE int where_open(struct cli *cli, struct where **ret_where);
void where_close(struct where *where); /* NULL is fine */
/* Whether an event of an answer, as it was written, is meant. One on which the expression fails is not; neither is one
 * whose answer is false or null. NULL means all. */
bool where_holds(struct cli *cli, const struct where *where, struct str event);

#endif
