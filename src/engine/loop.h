/* engine/loop.h - the line, turn after turn.
 *
 * One turn is one transaction: collect, settle, append, route, plan, claim,
 * commit, reply, start. The loop owns what a turn may change in memory (desks,
 * flights, metrics) and is given the world, the store and what the configuration in force came to. It holds no
 * rule: those are in the pure rooms. Thread: one.
 */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include "base/folder.h"
#include "engine/service.h"
#include "model/settings.h"
#include "observe/exposition.h"
#include "world.h"

#define TURN_REQUESTS_MAX    512
#define TURN_COMPLETIONS_MAX 512

/* What a process does on a store that it shares: all; take events in and store them; route and deliver. */
enum loop_role { LOOP_ALL, LOOP_INGEST, LOOP_WORKER };
struct findings;
struct gauge_set;
struct str loop_role_text(enum loop_role role);

struct log;
struct otel_options;
struct mappings;
struct routes;
struct schedules;
struct share;
struct store;
struct loop_options {
    struct clock clock;
    struct inlet inlet;
    struct transport transport;
    struct folder_seam folders;
    struct evaluator_maker evaluators; /* for what a person asks; .open NULL = none */
    /* Text to tree: the one that knows YAML (config/config.h). */
    struct tree *(*parse)(struct arena *arena, struct str file, struct str text, struct findings *findings);
    struct store *store; /* open; the caller's */
    const struct log *log;
    struct str instance; /* this process's token: the owner of its leases */
    uint64_t seed;
    size_t slots;      /* sends in flight in all */
    size_t meters_max; /* values of a parameter that an account's limits count at a time; 0 = METERS_MAX */
    enum loop_role role;
    struct shared_limits limits; /* in Redis; .take NULL = none */
    enum redis_failure redis_failure;
    bool exclusive;                  /* nobody else works on this store: leases of others are the past's */
    bool hold;                       /* accept and store, deliver nothing */
    struct service service;          /* answers requests */
    const struct reload *reload;     /* NULL where there is no file to read */
    struct str backups;              /* the folder for copies of the store; "" where it is not a file */
    struct str version, store_text;  /* for those who ask how this process stands */
    const struct otel_options *otel; /* what goes to a collector; NULL = nothing. The caller's */
    /* The numbers of rooms that the engine does not know, at most 8 sets; NULL = none. */
    size_t (*other_gauges)(void *self, struct gauge_set *ret_sets);
    void *other_self;
};

struct loop;

/* What a configuration comes to, for the loop. All of it stays the caller's, and must stay as it is until loop_apply
 * put another in force and loop_uses says that no send of it is still on its way. */
struct in_force {
    const struct settings *settings;
    struct routes *routes;
    const struct evaluator *evaluator;
    const struct schedules *schedules;
    struct mappings *mappings; /* what sources say by jq */
};

/* Reads the store's memory (pauses, breakers, recent sends, stopped routes). *ret_problem is a sentence. */
MUST_USE enum err loop_open(const struct loop_options *options, struct in_force in_force, struct loop **ret_loop,
                            struct str *ret_problem);
void loop_release(struct loop *loop); /* before the transport closes: what it gave and no commit took goes back to it */
void loop_close(struct loop *loop);

/* One turn. ERR_NONE also when the turn had to be dropped for a passing reason (callers got 503); a FATAL error ends
 * the process. */
MUST_USE enum err loop_turn(struct loop *loop);
uint64_t loop_turns(const struct loop *loop); /* turns that had something to do, since the start */
/* Sleeps until something is due or comes, but not beyond until_us. */
void loop_wait(struct loop *loop, int64_t until_us);

/* A new configuration is in force from the next turn on; desks keep their state by name. Sends under way still use
 * the old one: loop_uses says whether. */
MUST_USE enum err loop_apply(struct loop *loop, struct in_force in_force);
bool loop_uses(const struct loop *loop, const struct settings *settings);

/* From now on nothing is claimed and no event is taken in (503 STOPPING); what flies is settled. */
void loop_stop(struct loop *loop);
size_t loop_in_flight(const struct loop *loop);
/* Ends what still flies: the transport gives each back as cancelled, and the next turns settle them as unknown. */
void loop_cancel(struct loop *loop);

/* What the outside may look at between turns: its own values, and a metrics text. */
struct loop_view {
    bool ready; /* the store takes writes */
    enum err trouble;
    int64_t open_deliveries;
    bool tight; /* the disk was full: deliveries go on, new events are refused */
    bool recovering, stopping;
    uint64_t resumed, in_doubt; /* what the recovery found on its way: due again, and of unknown outcome */
    bool limits_up;             /* limits can be asked for where they are shared */
    uint64_t limits_lost;       /* times that Redis had forgotten */
};
struct loop_view loop_view(const struct loop *loop);
/* The engine's own numbers and those of the rooms it stands on. NULL instead of a loop gives the tables alone, to be
 * described and not to be read. */
#define LOOP_GAUGE_SETS 4
size_t loop_gauge_sets(struct loop *loop, struct gauge_set ret_sets[LOOP_GAUGE_SETS]);
/* The text of these and of other_gauges. */
struct exposition loop_metrics(struct loop *loop, struct arena *arena);
void loop_config_failed(struct loop *loop, bool failed); /* the last reload, for metrics */

#endif
