/* sim/swarm.h - configurations drawn by the seed: which destinations there are,
 * under which limits and orders, and what people do with them while the seed
 * runs. Every other seed plays the standing configuration, which is a swarm too.
 */
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include "base/arena.h"
#include "base/rng.h"
#include "sim/world.h"

/* What kind of receiver stands behind a destination. */
enum site_kind {
    SITE_HOOK,   /* a webhook that knows keys */
    SITE_BLIND,  /* knows no keys and cannot be asked: on_unknown hold */
    SITE_ASKED,  /* knows no keys and can be asked */
    SITE_LEDGER, /* a webhook that knows keys, without a breaker */
    SITE_BULK,   /* takes many in one call */
};

/* A destination and the receiver behind it. The receiver keeps its name, the destination may get others: the host, a
 * hyphen and the number of the renaming. */
struct site {
    char host[16], name[24];
    enum site_kind kind;
    bool gone;    /* out of the configuration */
    bool ordered; /* by .k */
    bool even;    /* events of an even .n go there twice */
    bool picky;   /* its content cannot be made of some events */
    bool twin;    /* one route sends events there twice: under a key of theirs, and under a constant one ... */
    bool swapped; /* ... which stands first */
    int limit, room_limit, rooms, account, concurrency, retry_max, base_ms;
    int timeout_s;             /* 0 = five */
    int join_max, join_wait_s; /* of calls for several */
    int renamed;
    size_t untold;      /* calls that its receiver had heard at the last change of its limits or its name ... */
    int64_t untold_us;  /* ... which was then */
    int64_t changed_us; /* its last renaming or return; what flew then still counts at the receiver */
};

struct swarm {
    struct site sites[RECEIVERS_MAX];
    size_t count;
    bool ahead;       /* the calendar was: ids do not follow the arrival, and what is due then is early for us */
    bool standing;    /* the standing configuration: nothing of it is drawn, nobody changes it */
    size_t rooms_max; /* so many rooms have limits of their own at a time; 0 = as many as there are */
    uint64_t act_chance, reload_chance, runaway_chance; /* per mille, at each step of the workload */
    int64_t reloaded_us;
    size_t owed[64][2]; /* by configurations that were in force: of an event with odd and with even n */
    size_t owed_count;
};

void swarm_draw(struct swarm *swarm, struct rng *rng, bool standing);
struct str swarm_connector(void);
struct str swarm_config(struct swarm *swarm, struct arena *arena);
/* Changes something that a person would change: limits, concurrency, retries, a name, or that it is there. */
void swarm_change(struct swarm *swarm, struct rng *rng, struct world *world);
/* How many deliveries an event owes the site, with an even .n or without. */
size_t swarm_owes(const struct site *site, bool even);
/* The room that a delivery of an event with such a payload names; "" = none. */
void swarm_room(const struct site *site, int32_t n, int32_t k, char ret_room[16]);
/* The site of a receiver or of a destination, also by an earlier name; NULL when it is none. */
struct site *swarm_site(struct swarm *swarm, struct str name);

#endif
