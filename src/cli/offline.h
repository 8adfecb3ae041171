/* cli/offline.h - the API's own handlers over a store that no server holds. */
#ifndef CLI_OFFLINE_H
#define CLI_OFFLINE_H

#include "cli/ask.h"
#include "server/place.h"

struct offline_question {
    struct str method, path, body; /* body .p NULL = none */
};

/* Whether this can be answered without a server: reads that need nothing but the store, and what must be done to API
 * keys before a server may start. */
bool offline_can(struct str method, struct str path);
/* An exit code; what is wrong was said. */
MUST_USE int offline_ask(struct cli *cli, const struct offline_question *question, const struct place *place,
                         struct asked *ret_asked);

#endif
