/* model/expiry.h - until when the certificates hold that the servers of one destination showed: of whom it is called,
 * who lends it a token, who is asked what became of a delivery. Pure: moments are parameters.
 *
 * A call sees what was shown when its connection was made, an hour ago at most (http/passage.h). What no call saw for a
 * day, while others of the destination were seen, is of a host that is no longer called: it is forgotten. And what was
 * seen more than a day ago says nothing, unless it was near its end already then: most certificates are renewed weeks
 * before, and who is called once a month would be said to be late.
 * Owned by whoever has the struct. Times: holds_until_us in calendar time, seen_us on the loop's clock.
 */
#ifndef MODEL_EXPIRY_H
#define MODEL_EXPIRY_H

#include "base/str.h"

#define EXPIRY_SOON_US   ((int64_t)7 * 86400 * 1000000) /* what ends sooner, a certificate or a login, is told */
#define EXPIRY_HOSTS_MAX 8                              /* of one destination: those seen last */
#define EXPIRY_HOST_ROOM 262                            /* 253 characters, and a port */

#define EXPIRY_COLLECTOR "(collector)" /* whose what the collector of traces showed is; no destination's name */
/* How the words about a certificate begin: those of its end, and those of its refusal. */
#define EXPIRY_WORDS "the certificate of "

struct expiry {
    char host[EXPIRY_HOST_ROOM];
    int64_t holds_until_us, seen_us;
    bool was_near; /* its end, when it was seen */
};
struct expiries {
    struct expiry hosts[EXPIRY_HOSTS_MAX];
    size_t count;
};

bool expiry_is_blamed(struct str words); /* they are about a certificate */
struct str expiry_host(struct str url);  /* with its port, if it has one */
/* A host showed it. True: it ends soon, which the host's last one did not. */
bool expiry_learn(struct expiries *expiries, struct str host, int64_t holds_until_us, int64_t now_us, int64_t wall_us);
/* The one that ends first of those that still say something; NULL = there is none. expiries may be NULL. */
const struct expiry *expiry_first(const struct expiries *expiries, int64_t now_us);
/* The same if it ends soon or has ended, else NULL. */
const struct expiry *expiry_soon(const struct expiries *expiries, int64_t now_us, int64_t wall_us);

#endif
