/* engine/turn.h - what one turn carries from hop to hop. A value made at hop n is only read after n. Private to the
 * loop's own files (loop arrivals departures returns company quota chore). */
#ifndef ENGINE_TURN_H
#define ENGINE_TURN_H

#include "base/when.h"
#include "engine/call.h"
#include "engine/flight.h"
#include "engine/loop_state.h"
#include "engine/parts.h"

struct settled;
/* One request's place in the turn. */
struct visit {
    struct request *request; /* the inlet's, until it was replied to */
    struct call call;
    size_t first_event; /* of what the call left, in turn.events */
};

struct turn {
    struct loop *loop;
    struct arena *arena;
    int64_t now_us, wall_us;
    struct visit *visits;
    size_t visit_count;
    struct standing standing; /* as the turn began, for its calls */
    unsigned wishes;          /* of all calls: enum wish */
    struct event *events;
    struct append_result *verdicts;
    size_t event_count, event_room;
    /* route and plan */
    struct event *due;
    size_t due_count;
    struct plan *plans;
    struct delivery *planned;
    struct delivery *made; /* written again: deliveries that their routes had not made, and what these made of them */
    size_t planned_count, made_count;
    /* shared limits: what was taken, by the limit's name; what Redis is told after the commit */
    struct quota_take *takes;
    struct quota_lesson *lessons;
    struct quota_spell *spells;
    size_t take_count, take_room, lesson_count, spell_count;
    struct departure *leaving;
    size_t leaving_count, leaving_room;
    struct settlement *settlements; /* in the order made */
    struct settle_note *notes;      /* what memory learns from each when it was applied */
    size_t settlement_count, settlement_written, settlement_room;
    struct stuck_turn stuck;
    struct routed *routed;
    struct route_stop *stops; /* routes that were stopped or healed */
    size_t routed_count, stop_count;
    const struct errand *settling; /* whose answer is read at this moment; NULL = of none */
    enum exchange_end settling_end;
    int64_t took_us, appended_us, planned_us; /* for spans: when calls were taken, events appended, plans stored */
    bool only_inputs;                         /* a part: neither routes nor claims */
    struct turn_place place;
    struct str refused;   /* the database refused what came back; its words are what is settled instead */
    struct chores chores; /* as they stand when the turn commits */
    struct str held_for;  /* the first of these destinations */
    bool recount;         /* what waits is counted anew: it changed in a way that is not counted along */
    bool recovered;       /* no lease of the past is left */
    int64_t held_back;    /* deliveries that this turn held because too many wait for their destination */
};

/* A send that this turn took from a desk's budget. errand is NULL when none could be built; the budget gets it back. */
struct departure {
    struct errand *errand;
    size_t desk;
    struct metered metered;
};

/* What memory learns from a settlement once it is applied and committed. */
struct settle_note {
    size_t desk;
    enum outcome_class class;
    bool attempted, applied, apart;  /* apart: its set goes again in two */
    bool resent;                     /* it was sent while nobody knew what had come of an earlier try */
    int64_t stored_us;               /* the event's created_us, 0 = not known: delivery latency when done */
    const struct delivery *delivery; /* as it was before */
    const struct errand *errand;     /* whose answer was read; NULL = none was */
    enum exchange_end end;
};

/* loop.c: runs one transaction, again where it was raced. Then the turn is applied, or undone as if never begun. */
MUST_USE enum err turn_try(struct turn *turn);
void turn_apply(struct turn *turn);
void turn_undo(struct turn *turn);
/* arrivals.c: take, append, reply */
MUST_USE enum err turn_take(struct turn *turn);
MUST_USE enum err turn_append(struct turn *turn);
struct call turn_call(struct turn *turn); /* the turn's own, without a request */
void turn_grant(struct turn *turn);       /* after the commit: wishes come true */
void turn_reply(struct turn *turn);
/* Replies to all visits that the turn did not happen. words are the database's, or "". */
void turn_refuse(struct turn *turn, enum err err, struct str words);
/* routing.c: route, plan */
MUST_USE enum err turn_route(struct turn *turn);
void turn_routed(struct turn *turn); /* after the commit: what routes learned of their programs becomes true */
int64_t turn_route_next(const struct loop *loop); /* when it has something to do besides events, by the loop's clock */
/* departures.c: budget, claim, request, start */
bool turn_routes(const struct loop *loop); /* by its role */
bool turn_delivers(const struct loop *loop);
MUST_USE enum err turn_claim(struct turn *turn);
MUST_USE enum err turn_leave(struct turn *turn, const struct delivery *const *deliveries, size_t count, size_t desk,
                             struct metered metered);
void turn_start(struct turn *turn);
void turn_drop_leaving(struct turn *turn);
/* Until when a claim of this destination is leased: longer than any call of its may take. */
int64_t turn_lease_until(const struct turn *turn, const struct destination_settings *settings);
/* returns.c: settles of errands, outcomes */
MUST_USE enum err turn_settle_finished(struct turn *turn);
MUST_USE enum err turn_settle_past(struct turn *turn, bool *ret_more); /* settles some of the leases that ran out */
MUST_USE enum err turn_give_up(struct turn *turn, bool *ret_more);     /* a part of what breakers held for too long */
void turn_settlement(struct turn *turn, const struct delivery *delivery, size_t desk, const struct outcome *outcome,
                     const struct settled *settled);
MUST_USE enum err turn_store_settlements(struct turn *turn); /* those made so far and not yet written */
void turn_release_finished(struct turn *turn);
void turn_free_slot(struct turn *turn, const struct completion *completion); /* before it is settled */

#endif
