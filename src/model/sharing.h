/* model/sharing.h - what is asked of limits that several processes share, and
 * what is answered (the seam is struct shared_limits of world.h).
 */
#ifndef MODEL_SHARING_H
#define MODEL_SHARING_H

#include "base/str.h"

struct limit_rule;
#define LIMIT_ASKS_MAX 64 /* of one take */
struct limit_ask {
    struct str limit;               /* the account's name; any bytes */
    const struct limit_rule *rules; /* windows are whole milliseconds */
    size_t rule_count;              /* at most LIMIT_RULES_MAX; 0 = only quiet spells */
    size_t want;                    /* 0 = only see, and show to people, what is left */
    int64_t hold_us;                /* a send of this take starts within this time after the call, or never */
};
/* Names a grant in what is still said of it. The seam's own. */
struct limit_ticket {
    const void *limit;
    int64_t call, take;
};
struct limit_grant {
    struct limit_ticket ticket;
    size_t granted;
    size_t remaining; /* under the tightest rule, quiet or not; SIZE_MAX without rules */
    int64_t wait_us;  /* when to ask for more: never too late, perhaps too early; 0 when granted == want */
    int64_t quiet_us; /* how long the provider's quiet spell still lasts; 0 = none */
    bool lost;        /* what had been told of this limit was forgotten: nothing is granted this once */
};
struct limit_use {
    struct str limit;
    size_t started;
    bool starting; /* the request of one of them is still to begin to leave */
};

#endif
