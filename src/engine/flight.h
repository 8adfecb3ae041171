/* engine/flight.h - sends on their way: a fixed pool of slots, each with an arena that
 * holds the deliveries, the request and what the transport borrows from them.
 * A tag names a slot and its generation, so a late completion finds nothing. */
#ifndef ENGINE_FLIGHT_H
#define ENGINE_FLIGHT_H

#include "base/arena.h"
#include "connect/connect.h"

struct flight {
    uint64_t tag; /* 0 = free */
    size_t desk;
    bool lookup;
    struct arena arena;
    const struct delivery **deliveries; /* copies, each with its event */
    size_t count;
    struct outgoing outgoing;
    /* of the setup it was made with, also when another one is in force by the time the answer comes */
    const struct destination_settings *destination;
    struct evaluator evaluator;
};

struct flights;
struct flights *flights_new(size_t slots);
void flights_free(struct flights *flights);
size_t flights_in_use(const struct flights *flights);
/* A free slot with copies of the deliveries; NULL when all are in use. */
struct flight *flight_take(struct flights *flights, const struct delivery *const *deliveries, size_t count);
struct flight *flight_find(struct flights *flights, uint64_t tag); /* NULL when it is no more */
/* Whether this claim of a delivery is on its way. */
bool flights_carry(const struct flights *flights, int64_t delivery_seq, int64_t lease_epoch);
void flight_release(struct flights *flights, struct flight *flight);
/* Calls visit for every slot in use. */
void flights_each(struct flights *flights, void (*visit)(void *self, struct flight *flight), void *self);

#endif
