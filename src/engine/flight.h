/* engine/flight.h - a flight is an errand of the desks: it carries the deliveries of one
 * call, under their leases. */
#ifndef ENGINE_FLIGHT_H
#define ENGINE_FLIGHT_H

#include "base/jq.h"
#include "engine/errand.h"
#include "model/delivery.h"
#include "world.h"

/* What a send takes besides its place in its account: one of a value that has limits of its own. */
struct metered {
    struct meters *meters; /* NULL = it takes none */
    struct str value;
};

/* What a delivery's or a lookup's errand keeps. All of it is of the configuration it was made with, also when another
 * one is in force by the time the answer comes. */
struct flight {
    size_t desk;
    const struct delivery **deliveries; /* copies, each with its event */
    size_t count;
    const struct destination_settings *destination;
    struct evaluator evaluator;
    bool ended;              /* its slot is free already: its answer waits aside */
    bool starting;           /* the transport has it, and did not say yet when it began to leave */
    struct token_use *token; /* what it was sent with; NULL = its destination needs none */
    int64_t token_generation;
    int64_t taken; /* what its place in a shared limit is called (quota_left); 0 = it has none to move */
    struct metered metered;
    int64_t metered_taken; /* the same of its place in the value's limit */
};

void metered_started(const struct metered *metered, int64_t at_us);

/* A staged errand whose flight has copies of the deliveries; NULL when all slots of the desks are in use. */
struct errand *flight_take(struct errands *errands, enum errand_kind kind, const struct delivery *const *deliveries,
                           size_t count);
struct flight *flight_of(const struct errand *errand);
/* Those that began to leave since the last call: their desks' limits count them from there. */
void flights_begun(struct loop *loop);
/* The same of one that ended, if it was not told before. It counts also when it never left: its attempt is written. */
void flight_over(struct loop *loop, const struct completion *completion);
/* Whether this claim of a delivery is on its way. */
bool flights_carry(const struct errands *errands, int64_t delivery_seq, int64_t lease_epoch);

#endif
