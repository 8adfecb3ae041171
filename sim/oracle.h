/* sim/oracle.h - what was promised to clients and what receivers saw, held
 * against each other. The first violation stands. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "sim/plant.h"
#include "sim/run.h"
#include "sim/swarm.h"

#define FACTS_MAX 512

/* One fact that a client has, and what it was told. */
struct fact {
    char key[40];
    int32_t n, k;     /* of its payload */
    bool conflicting; /* posts another payload under fact `of`'s key */
    size_t of;
    int64_t post_us, scheduled_us; /* scheduled 0 = at once */
    int64_t posted_us;             /* last try; 0 = not yet */
    bool acked;
    bool runaway;               /* a program that looks at it never ends */
    bool acted, cancelled;      /* a person had a word in it, or in the whole of it */
    bool deleted;               /* somebody deleted the event by SQL ... */
    int64_t deleted_us;         /* ... then */
    size_t replays;             /* items of plans that may send it again */
    size_t made[RECEIVERS_MAX]; /* runs that plans made, by the site; known at the end */
    char id[40];                /* as answered */
    int32_t posts;
};

struct oracle {
    struct plant *plant;
    struct swarm *swarm;
    struct verdict *verdict;
    struct fact facts[FACTS_MAX];
    size_t fact_count;
    uint64_t deaths_at_start[RECEIVERS_MAX][SENDS_MAX / 16]; /* plant deaths when the send began */
    bool unknown_replayed; /* a plan may send an event again whose client was not answered yet */
    char last_ordered[RECEIVERS_MAX][8][40];
};

/* The fact that was answered with this id; NULL when none was. */
struct fact *oracle_fact(struct oracle *oracle, struct uuid event_id);
struct str oracle_payload(const struct fact *fact, struct arena *arena); /* as it is posted */
void oracle_fail(struct oracle *oracle, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A receiver hears a call: I7 (one key), I10, I11, I12, I13, I14, I21. */
void oracle_hear(struct oracle *oracle, struct receiver *receiver, const struct send *send);
/* A client hears an answer: I1, I3. */
void oracle_answer(struct oracle *oracle, struct fact *fact, const struct reply *reply);
/* After the faults ended and everything had its time: I1, I2, I4, I5, I6, I7, I9, I19. */
void oracle_end(struct oracle *oracle);

#endif
