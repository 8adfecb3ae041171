/* sim/world.h - the simulated ends of the seams: a clock that jumps, an inlet
 * fed by hand, receivers that record effects and lie, and a process that can
 * die between any two calls.
 *
 * The receivers are the ground truth: what they hold is what happened. Every
 * call of a seam goes into one 64-bit trace hash; the same seed gives the same.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/when.h"
#include "engine/turn.h"
#include "sim/disk.h"
#include "sim/shelf.h"

#define WORLD_START_US   ((int64_t)1795500000 * US_PER_S)
#define RECEIVERS_MAX    8
#define SENDS_MAX        65536
#define BEHAVIOURS_MAX   64
#define REQUESTS_MAX     4096
#define WORLD_FLIGHT_MAX 2048
#define SEND_FACTS_MAX   8

/* What a receiver does with one call. */
enum behaviour_kind { ANSWER, TIMEOUT, CUT, NO_CONNECT, NO_TRUST };
struct behaviour {
    enum behaviour_kind kind;
    int32_t status; /* ANSWER */
    bool effect;    /* the call has its effect, whatever is answered */
    int64_t latency_us;
    struct str header_name, header_value; /* one extra header, "" = none */
    struct str body;                      /* "" = {} */
};

/* One call that reached a receiver. */
struct send {
    int64_t started_us, ended_us; /* ended 0 = under way */
    char key[40];                 /* Idempotency-Key: the delivery's id */
    char event[40];               /* X-Drumbeat-Event */
    int32_t attempt;
    bool lookup, effect;
    size_t number; /* among those of its receiver */
    struct behaviour behaviour;
    char room[16];                 /* X-Room; of a batch, its items' */
    bool mixed;                    /* they are of several rooms */
    int32_t facts[SEND_FACTS_MAX]; /* world_facts: of a batch several */
    size_t fact_count;
};

struct receiver {
    char name[40];            /* the host's first label: http://NAME.test/ */
    struct behaviour *script; /* scenarios: used in turn, the last one stays */
    size_t script_count, script_next;
    struct send *sends;
    size_t send_count, send_room, in_flight, in_flight_max;
    int64_t forget_us; /* effects are seen by lookups only this long after */
};

struct world;
typedef struct behaviour world_behave(void *self, struct receiver *receiver, const struct outgoing *outgoing,
                                      bool lookup);
typedef void world_hear(void *self, struct receiver *receiver, const struct send *send);
typedef void world_reply(void *self, uint64_t tag, const struct reply *reply);

struct world {
    struct rng rng; /* of the world alone: the server's draws do not shift it */
    struct disk *disk;
    struct shelf *shelf;        /* folders of files */
    int64_t now_us, horizon_us; /* waits end here at the latest */
    int64_t wall_offset_us;     /* the calendar, beside now_us */
    int64_t start_offset_us;    /* what it was when the process started: the process goes by that */
    uint64_t hash;
    int64_t full_until_us; /* the disk has room again from then on */
    bool dead;
    uint64_t slow_chance;   /* per mille: a call of the disk takes up to 2 s, and now and then up to 2 min */
    uint64_t calls, die_at; /* the process dies at this call of a seam; 0 = never */
    struct receiver receivers[RECEIVERS_MAX];
    size_t receiver_count;
    struct under_way *under_way;
    size_t under_way_count;
    struct request *waiting[REQUESTS_MAX]; /* posted, not yet collected */
    size_t waiting_count;
    struct request *open[REQUESTS_MAX]; /* collected, not yet replied to */
    size_t open_count;
    world_behave *behave; /* NULL: each receiver's script */
    world_hear *hear;
    world_reply *reply;
    void *self;
};

struct world *world_new(uint64_t seed);
void world_free(struct world *world);
struct receiver *world_receiver(struct world *world, struct str name); /* made when it is new */
struct clock world_clock(struct world *world);
struct inlet world_inlet(struct world *world);
struct transport world_transport(struct world *world);

/* A request arrives; its reply is heard with this tag, unless the process dies first. */
void world_post(struct world *world, uint64_t tag, struct str method, struct str path, struct str body);
/* The process is gone: what was under way and not answered is forgotten, and the disk loses what was not synced. */
void world_crash(struct world *world);
/* The earliest moment at which the world has something for the server, or WHEN_NEVER. */
int64_t world_next(const struct world *world);
void world_trace(struct world *world, const char *what, uint64_t value);
/* What a call's effect is known by: its Idempotency-Key, or what a mail's Message-ID has before its '@'. */
struct str world_key(const struct outgoing *outgoing);
/* The numbers that a body names by texts "n 17". */
size_t world_facts(struct str body, int32_t ret_facts[SEND_FACTS_MAX]);
bool world_effect(const struct receiver *receiver, struct str key); /* such an effect exists */
size_t world_effects(const struct receiver *receiver, const char *event);

#endif
