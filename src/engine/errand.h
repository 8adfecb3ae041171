/* engine/errand.h - what goes out is an errand with an owner.
 *
 * A pool of slots, each with an arena, what is sent, and what the owner keeps
 * until the answer. Deliveries and lookups are errands of one lot, as many as
 * the desks may have on their way; everything else (a token, an export, an
 * alert) is of the reserve, which is small and takes no slot from a delivery.
 *
 * An errand of the reserve is started in a turn by errand_start: it is staged,
 * leaves after the commit, and is dropped with the turn. Each one that left is
 * settled once, in the transaction of the turn that collects its answer: what
 * its owner writes then is durable with that turn, and a dropped turn offers the
 * same answer again. A crash ends every errand without a word; whether to start
 * it again is read by its owner from what is durable.
 *
 * The owners that the server has stand in one table, errand_owners (returns.c).
 * Owned by the loop. Times are the loop's clock, in microseconds. Thread: the
 * loop's.
 */
#ifndef ENGINE_ERRAND_H
#define ENGINE_ERRAND_H

#include "base/arena.h"
#include "model/exchange.h"

#define ERRAND_RESERVE_SLOTS 16
/* No errand of the reserve holds its slot for longer than this, whatever deadline it is given. */
#define ERRAND_LONGEST_US ((int64_t)600000000)

struct errand;
struct errands;
struct loop;
struct settings;
struct turn;

enum errand_lot { ERRAND_OF_DESKS, ERRAND_RESERVE, ERRAND_LOTS };

struct errand_owner {
    const char *name; /* for the log */
    enum errand_lot lot;
    size_t at_once; /* of the reserve: no more of this owner at a time, so that no owner starves another */
    /* In the turn's transaction. An error must be the store's: it drops the turn, and the answer is offered again.
     * What memory is to learn is kept aside until `settled`. */
    enum err (*settle)(struct turn *turn, const struct errand *errand, const struct answer *answer);
    /* After the commit, once, before the slot is free. NULL = memory has nothing to learn. */
    void (*settled)(struct turn *turn, const struct errand *errand);
};

enum errand_kind { ERRAND_DELIVERY, ERRAND_LOOKUP, ERRAND_TOKEN, ERRAND_EXPORT, ERRAND_FETCH, ERRAND_KINDS };
extern const struct errand_owner errand_owners[ERRAND_KINDS];

/* OVERDUE and CANCELLED: the transport was asked to end it, and its answer will still come. */
enum errand_state { ERRAND_FREE, ERRAND_STAGED, ERRAND_UNDER_WAY, ERRAND_CANCELLED, ERRAND_OVERDUE, ERRAND_STATES };

struct errand {
    uint64_t tag; /* names the slot and its generation, so that a late answer finds nothing */
    enum errand_state state;
    const struct errand_owner *owner;
    const struct settings *settings; /* in force when it was made; they stay as they are until it is over */
    struct str whose;                /* what its server shows is told of: a destination, EXPIRY_COLLECTOR; "" = none */
    struct arena arena;              /* until it is over */
    struct outgoing outgoing;
    int64_t deadline_us; /* of the reserve; a delivery is bounded by its timeout and its lease */
    bool unwanted;       /* cancelled by this turn, if it commits */
    void *keeps;         /* the owner's, in the errand's arena or elsewhere */
};

/* An errand of the reserve, staged: the caller fills `outgoing` and `keeps` before the turn ends. The timeout of
 * `outgoing` becomes what is left until the deadline. NULL when the reserve is full, the owner has at_once errands
 * already, the deadline is over or the server stops (an export still leaves then): the owner asks again in a later
 * turn. */
struct errand *errand_start(struct turn *turn, const struct errand_owner *owner, int64_t deadline_us);
/* Cancels an errand, if this turn commits. A staged one never leaves and is not settled; one under way is ended and
 * settled, mostly as CANCELLED. It has no effect when there is no such errand any more. */
void errand_cancel(struct turn *turn, uint64_t tag);

/* ---- for the loop and its flights ---- */
struct errands *errands_new(size_t desk_slots);
void errands_free(struct errands *errands);
size_t errands_in_use(const struct errands *errands, enum errand_lot lot);
/* A staged errand; NULL when all slots of the owner's lot are in use. */
struct errand *errand_take(struct errands *errands, const struct errand_owner *owner);
struct errand *errand_find(const struct errands *errands, uint64_t tag); /* NULL when it is no more */
/* Goes through the errands in use of this lot: the one behind `last` (NULL = the first); NULL when there is none. */
struct errand *errand_next(const struct errands *errands, enum errand_lot lot, const struct errand *last);
void errand_leave(struct loop *loop, struct errand *errand); /* the transport has it from here on */
void errand_release(struct errands *errands, struct errand *errand);
/* Whether an errand that is not over was made with these settings. */
bool errands_use(const struct errands *errands, const struct settings *settings);

/* What the turn staged in the reserve becomes true, or never was. */
void errands_commit(struct turn *turn);
void errands_rollback(struct turn *turn);
/* Call it before the transaction: ends the errands of the reserve whose deadline has come. They are settled as
 * TIMED_OUT. */
void errands_end_overdue(const struct turn *turn);
int64_t errands_next_deadline(const struct errands *errands); /* WHEN_NEVER = none */
void errands_end_all(struct loop *loop);

#endif
