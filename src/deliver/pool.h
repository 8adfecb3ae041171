/* deliver/pool.h - the common pool of sends in flight, of which each desk has a reserve. Pure.
 *
 * Half of the pool is reserved in even shares, the other half is for whoever comes. So a destination that answers
 * slowly may hold more than its share, and never the last places of another.
 */
#ifndef DELIVER_POOL_H
#define DELIVER_POOL_H

#include <stddef.h>

struct pool_count {
    size_t in_flight; /* of all desks */
    size_t unused;    /* of all reserves: what is not in flight */
};
struct pool {
    size_t slots;
    struct pool_count now, committed;
};

/* What each of so many desks may call its own. A desk that may have fewer in flight reserves no more than these. */
size_t pool_share(const struct pool *pool, size_t desks);
/* A desk with this reserve and so many in flight, counted in. Both are what pool_places and the rest want to hear. */
void pool_count_desk(struct pool_count *count, size_t reserve, size_t in_flight);
/* How many more the desk may have in flight. */
size_t pool_places(const struct pool *pool, size_t reserve, size_t in_flight);
void pool_take(struct pool *pool, size_t reserve, size_t in_flight, size_t sends); /* staged */
/* One of the desk's so many is over. */
void pool_free_one(struct pool_count *count, size_t reserve, size_t in_flight);

#endif
