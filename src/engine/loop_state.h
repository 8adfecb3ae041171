/* engine/loop_state.h - what lives from turn to turn. Private to the loop's own files. */
#ifndef ENGINE_LOOP_STATE_H
#define ENGINE_LOOP_STATE_H

#include "deliver/deliver.h"
#include "engine/backup.h"
#include "engine/certificates.h"
#include "engine/chore.h"
#include "engine/company.h"
#include "engine/errand.h"
#include "engine/expiries.h"
#include "engine/exports.h"
#include "engine/loop.h"
#include "engine/quota.h"
#include "engine/sift.h"
#include "engine/stuck.h"
#include "engine/token.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "observe/rates.h"
#include "route/route.h"
#include "store/store.h"

#define DESK_NONE SIZE_MAX

/* gauges.c: looks at the store for numbers, and gives all tables, those of the rooms outside too. Not in a transaction.
 */
#define LOOP_SETS_MAX (LOOP_GAUGE_SETS + 8)
size_t loop_look(struct loop *loop, struct gauge_set ret_sets[LOOP_SETS_MAX], struct arena *arena);

#define LOOP_CHANGED_MAX 64 /* of more desks that change in one turn the log tells of the first */

/* The last claim that the database refused. */
struct claim_refusal {
    size_t desk;
    int64_t until_us; /* it is over, unless it is refused again before; 0 = none was refused */
    char words[200];
};

struct loop {
    struct loop_options options;
    struct in_force in_force;
    struct deliver *deliver;
    struct errands *errands;
    struct metrics *metrics;
    struct rates rates;
    struct hasher *hasher;
    struct exports *exports; /* NULL = nothing goes to a collector */
    struct rng rng;
    struct uuid last_id;
    struct company company;
    struct quota quota;
    struct tokens tokens;
    struct certificates certificates;
    struct expiry_book expiries;
    struct sift sift;
    bool service_stale;          /* it reads the store anew before the next request */
    struct arena arena;          /* the turn's */
    struct completion *finished; /* TURN_COMPLETIONS_MAX; kept until a commit took them */
    size_t finished_count;
    struct completion *aside; /* likewise: answers that a foreign lock keeps out, not tried before aside_until_us */
    size_t aside_count;
    size_t parts_max; /* a turn that is divided begins with parts of so many; 0 = with a half */
    int64_t aside_until_us;
    size_t unread_desk;  /* desks from this one on must still be read from the store; DESK_NONE = all were */
    bool reread_sends;   /* limits count what memory does not have: all starts are read anew */
    bool reread_metered; /* the same of limits per value */
    struct claim_refusal claim_refused;
    struct desk_change changed[LOOP_CHANGED_MAX]; /* by the turn, to be told when it has committed */
    size_t changed_count;
    struct stuck stuck;
    int64_t next_scheduled_us; /* wall time of the earliest PENDING event, or WHEN_NEVER */
    int64_t scheduled_wait_us; /* the last wait after a search for due events that found none; 0 = it did not wait */
    bool backlog;              /* events that are due were left PENDING, and fresh ones must not overtake them */
    int64_t unmade_us;         /* when deliveries that their route has not made are looked at next */
    int64_t unmade_seq;        /* that look goes on behind this one */
    struct chores chores;
    struct backup backup;
    struct folders *folders;    /* what is known of their files (folders.c) */
    int64_t quiet_us;           /* when the store is put in order, if nothing comes before; WHEN_NEVER = it was */
    int64_t store_retry_us;     /* after a failed turn: nothing is claimed before this */
    uint64_t resumed, in_doubt; /* what became of the leases of the past: due again, or of unknown outcome */
    bool recovering;            /* leases of the past are still being settled: nothing is claimed */
    bool no_room;               /* the log says that this machine has no room for sends */
    bool stopping, config_ok;
    int64_t counted[DELIVERY_STATUS_COUNT], counted_us; /* open deliveries by status, for metrics, and when */
    int64_t due_deliveries;                             /* for metrics, as of their last count */
    int64_t oldest_due_us;                              /* for metrics, as of their last look; or WHEN_NEVER */
    int64_t oldest_doubt_us;                            /* likewise, as of their last count */
    struct arena waiting_arena;                         /* of the next two */
    struct destination_waiting *waiting;                /* for metrics, as of their last count */
    size_t waiting_count;
    bool more;        /* the last turn could not take all that waited */
    uint64_t turns;   /* that had something to do */
    enum err trouble; /* of the last turn; NONE = the store takes writes */
    int64_t started_us;
};

#endif
