/* deliver/pool.c - see pool.h. What is unused of all reserves is kept as one sum, so that no budget looks at every
 * desk. A desk may have what is neither in flight nor unused of another's reserve; as every desk is held to that, the
 * two together never grow beyond the slots, and an unused reserve can always be had. */
#include "deliver/pool.h"

#include <assert.h>

/* What of a desk's reserve is not used while so many of its sends are in flight. */
static size_t unused_of(size_t reserve, size_t in_flight) {
    return reserve > in_flight ? reserve - in_flight : 0;
}

/* Where there are more than half as many desks as places each still has one; where there are more desks than places
 * nothing can be reserved. */
size_t pool_share(const struct pool *pool, size_t desks) {
    size_t share = desks ? pool->slots / (2 * desks) : 0;
    return share || desks > pool->slots ? share : 1;
}

void pool_count_desk(struct pool_count *count, size_t reserve, size_t in_flight) {
    count->unused += unused_of(reserve, in_flight);
}

/* A configuration may add reserves while others hold the places: then only what is a desk's own is to be had. */
size_t pool_places(const struct pool *pool, size_t reserve, size_t in_flight) {
    size_t taken = pool->now.in_flight + pool->now.unused - unused_of(reserve, in_flight);
    return taken < pool->slots ? pool->slots - taken : 0;
}

void pool_take(struct pool *pool, size_t reserve, size_t in_flight, size_t sends) {
    assert(sends <= pool_places(pool, reserve, in_flight));
    pool->now.in_flight += sends;
    pool->now.unused -= unused_of(reserve, in_flight) - unused_of(reserve, in_flight + sends);
}

void pool_free_one(struct pool_count *count, size_t reserve, size_t in_flight) {
    assert(count->in_flight && in_flight);
    count->in_flight--;
    count->unused += unused_of(reserve, in_flight - 1) - unused_of(reserve, in_flight);
}
