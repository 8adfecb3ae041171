/* cli/bulk.h - one act for many things: those that were named, or those that the
 * filters of a list find. First the plan is shown, and a person is asked; then
 * it is done a page at a time, and what was refused is said. Thread: one. */
#ifndef CLI_BULK_H
#define CLI_BULK_H

#include "cli/command.h"

struct bulk {
    const char *noun, *verb; /* "deliveries", "retry" */
    const char *statuses;    /* of what the act can take, as "HELD UNKNOWN"; others that a filter finds are left out */
    const char *group;       /* the member by which the plan counts */
    struct str members;      /* of the request's body beside the ids, as "\"act\":\"retry\"" */
    bool sends_again;        /* what may have arrived is counted before */
};
/* Whether this is about many, and not about one that is named. */
bool bulk_wanted(const struct cli *cli);
/* An exit code: PARTLY when some were refused, CONFLICT when all were. */
int bulk_run(struct cli *cli, const struct bulk *bulk);

#endif
