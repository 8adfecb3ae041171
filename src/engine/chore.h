/* engine/chore.h - what must be done now and then: one table of chores, each
 * done in steps of a few milliseconds inside a turn's transaction.
 *
 * A round of a chore is known to the store (store/chore.h), so that a crash or
 * another process goes on where it stood. Where several processes share the
 * store, the one that gets the chore's lock for the turn takes the next steps.
 * A chore that finds nothing to do writes nothing. Private to the loop's own
 * files.
 */
#ifndef ENGINE_CHORE_H
#define ENGINE_CHORE_H

#include "engine/chore_refused.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chore_round;
struct loop;
struct made;
struct posted;
struct turn;

/* How far the deliveries of earlier names are looked through: for each desk what is held, then for each what failed. */
struct adoption_round {
    enum { ADOPT_HELD, ADOPT_FAILED, ADOPT_OVER } part;
    size_t name; /* of all earlier names of all destinations, in a row */
    int64_t after_seq;
    bool flying;   /* something was being sent under an earlier name: the round begins again when that is over */
    int64_t moved; /* since the configuration came into force */
    bool finished; /* in this turn */
};

/* Plans to send again that this turn brought further, for the log. */
#define REPLAYS_TOLD 8
struct replay_told {
    int64_t seq;
    struct str status, reason;
};

/* A spell of leases that ran out: what became of their deliveries. It is told once, when no more are found. */
struct lost_leases {
    int64_t resumed, unknown; /* due again; of unknown outcome */
    int64_t at_us;            /* when the last was found */
    bool over;                /* this turn tells it */
};

/* What this process remembers of them, by the loop's clock. Staged in the turn until the commit. */
struct chores {
    int64_t due_us[CHORE_COUNT];    /* when each is looked at next */
    int64_t looked_us[CHORE_COUNT]; /* wall time; 0 = not yet */
    int64_t found[CHORE_COUNT];     /* of rounds that this turn ended */
    int64_t orphans_us;             /* no round of them before this ... */
    int64_t suspicion_us;           /* ... or, once something pointed at them, before this */
    bool orphans_suspected;
    int64_t strays_from_us;  /* from then on all that waits for no destination is held */
    int64_t strays_us;       /* when the next delivery without a destination is to be held */
    bool reconfigured;       /* destinations may have come back for what is stranded */
    int64_t overflow_us;     /* when to look for what is held because too many wait, though nothing points at it */
    int64_t overflow_seq;    /* that look goes on behind this one; 0 = there is none under way */
    bool overflow_told;      /* the log says that something is held so */
    int64_t stranded, freed; /* by this turn */
    struct replay_told replays_told[REPLAYS_TOLD];
    size_t replays_changed;
    int64_t replay_us; /* when a replay goes on, by the last step; WHEN_NEVER = there is none under way */
    bool alerts_soon;  /* the look waits for the sheet of yesterday */
    bool doubts;       /* the round under way met something in doubt */
    int64_t report_day, report_difference; /* of the last whole day whose sheet this process made */
    bool clock_judged;                     /* it was not ahead before the start, or what it wrote is moved */
    bool clock_waits;                      /* others who may still go by that clock must leave first */
    int64_t clock_ahead_us, clock_moved;
    struct adoption_round adoption;
    struct lost_leases lost;
    struct chores_refused refused;
    struct made *made;     /* what the turn made (made.h) ... */
    struct posted *posted; /* ... and the files of it (folders.c) */
    int64_t schedules_us;  /* when a schedule is due next, by the wall clock; NEVER = there is none */
    int64_t skew_us;       /* how far that clock was ahead of the loop's as this was found */
};

void chores_open(struct loop *loop, int64_t now_us);
int64_t chores_next(const struct loop *loop); /* when the loop must wake for them */
/* Runs what is due. Call it in the turn's transaction, behind all other work. */
MUST_USE enum err chores_run(struct turn *turn);
/* Call it after the commit: what the turn staged becomes true. */
void chores_apply(struct turn *turn);
/* At the start, before states are read: those that a clock that was ahead wrote are moved back (ahead.c). */
MUST_USE enum err chores_clock_states(struct loop *loop, int64_t now_us);
MUST_USE enum err clock_step(struct turn *turn, struct chore_round *round, bool *ret_more);
/* replay.c: plans to send again are made and carried out. */
MUST_USE enum err replay_step(struct turn *turn, struct chore_round *round, bool *ret_more);
/* doubt.c: looks up again what is held in doubt. */
MUST_USE enum err doubt_step(struct turn *turn, struct chore_round *round, bool *ret_more);
/* Another configuration is in force: destinations may be gone, or back. */
void chores_reconfigured(struct loop *loop);
/* adoption.c, a part of the chore of strays: destinations that were renamed take over what their old names owe. */
MUST_USE enum err adoption_step(struct turn *turn, bool *ret_more);
struct str adoption_names(struct turn *turn); /* who takes over from whom */
/* overflow.c, the chore of what is held because too many wait; and, after the commit, when it looks next. */
MUST_USE enum err overflow_step(struct turn *turn, struct chore_round *round, bool *ret_more);
void overflow_plan(const struct turn *turn);
/* A destination is about to be probed: what it did not take for too long is looked for. */
void chores_give_up(struct loop *loop);
/* A claim came back empty although the store says that something is due. */
void chores_suspect_orphans(struct loop *loop);

#endif
