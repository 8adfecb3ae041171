/* engine/departures.c - the way out: deliveries that may leave are claimed, their requests are built, and after the
 * commit they start.
 *
 * WHAT. For each desk that has something due: how many may leave, which they are, one request for each call, and, once
 * the turn has committed, the start of that call.
 *
 * PROMISE. Nothing leaves that is not leased to this process, durably and for longer than the call may take; a desk
 * never has more on its way than its limits, its breaker and its concurrency allow; deliveries of a frozen
 * set always leave together, in one order.
 *
 * WHY IT HOLDS.
 * 1. deliver_budget is asked before store_claim, and no more is claimed than the budget's calls can carry. What was
 *    claimed in vain is handed back in the same turn.
 * 2. A claim is a lease that ends LEASE_GRACE_US after the destination's timeout. A process that stood still between
 *    claim and start looks at the lease once more before it starts, and does not start what another may have claimed:
 *    the next turn gives it back as what it is, not sent.
 * 3. A request is built inside the transaction, so that one which cannot be built is settled in it. Its errand is only
 *    staged: turn_start hands it to the transport after the commit, and turn_drop_leaving takes it back.
 * 4. A set of several deliveries is frozen in the store (store_freeze_batch) before it leaves for the first
 *    time, and is sorted by age each time: under the key of a set a provider may refuse a request that is not the same.
 *    That key is no delivery's own, and what was sent before under its own joins no set: one key has one content.
 * 5. Each delivery that leaves takes a slot of the desks' lot (errand.h). The budget counts these slots, so there is
 *    always one; what else the server sends has slots of its own.
 *
 * WHAT BREAKS IT. A transport that goes on longer than the timeout it was given and the grace together.
 *
 * HOW TO SEE IT. The hops deliver_budget, store_claim, connect_request and transport.start in drumbeat_hops_total;
 * in_flight of GET /v1/destinations.
 *
 * TESTED BY. test/unit/engine/test_loop.c, the scenarios batch*, limit*, breaker*, order*, late*, and the invariants
 * I7, I10, I11 and I13 of every simulated seed (docs/simulation.md).
 */
#include <assert.h>
#include <stdlib.h>

#include "connect/connect.h"
#include "deliver/hold.h"
#include "deliver/settle.h"
#include "engine/lines.h"
#include "engine/metering.h"
#include "engine/sets.h"
#include "store/shared.h"

#define DESK_CLAIM_MAX 256 /* deliveries of one desk in one turn: bounds the turn's memory */
#define LEASE_GRACE_US (30 * US_PER_S)
#define PROBE_LOOK_US  US_PER_S
/* When an unknown end would need a person, a connection that rested for longer than this is not used: its receiver may
 * be closing it while the request is on its way. */
#define REST_MAX_US US_PER_S

bool turn_routes(const struct loop *loop) {
    return loop->options.role != LOOP_INGEST;
}

bool turn_delivers(const struct loop *loop) {
    return turn_routes(loop) && !loop->stopping && !deliver_is_held(loop->deliver);
}

int64_t turn_lease_until(const struct turn *turn, const struct destination_settings *settings) {
    return turn->now_us + settings->timeout_us + LEASE_GRACE_US;
}

/* Both outcomes of a send that was taken from the desk's budget are noted: turn_start tells the desk which it was. */
static void push(struct turn *turn, struct errand *errand, size_t desk, struct metered metered) {
    if (turn->leaving_count == turn->leaving_room) {
        size_t room = turn->leaving_room ? 2 * turn->leaving_room : 64;
        struct departure *leaving = arena_array(turn->arena, struct departure, room);
        for (size_t i = 0; i < turn->leaving_count; i++) leaving[i] = turn->leaving[i];
        turn->leaving = leaving;
        turn->leaving_room = room;
    }
    turn->leaving[turn->leaving_count++] = (struct departure){errand, desk, metered};
}

/* Settles deliveries whose request cannot be built. Nothing of them was sent, so there is no doubt about them. */
static void settle_unsent(struct turn *turn, const struct delivery *const *deliveries, size_t count, size_t desk,
                          struct str problem) {
    const struct destination_settings *settings = deliver_settings(turn->loop->deliver, desk);
    struct outcome outcome = {
        .class = OUTCOME_FAILED, .started_us = turn->now_us, .finished_us = turn->now_us, .error = problem};
    for (size_t i = 0; i < count; i++) {
        struct settled settled =
            settle_outcome(deliveries[i], &outcome, settings, turn->now_us, &turn->loop->rng, turn->arena);
        turn_settlement(turn, deliveries[i], desk, &outcome, &settled);
    }
}

/* Whether the starts of the desk's account count from the moment at which their requests begin to leave. */
static bool counts_beginnings(const struct loop *loop, size_t desk) {
    size_t rules;
    deliver_rules(loop->deliver, desk, &rules);
    return rules > 0 || deliver_meters(loop->deliver, desk);
}

/* What each kind of flight sends. */
static enum err (*const requests[ERRAND_KINDS])(const struct call_context *context, struct outgoing *ret_outgoing,
                                                struct str *ret_problem) = {
    [ERRAND_DELIVERY] = connect_request,
    [ERRAND_LOOKUP] = connect_lookup,
};

enum err turn_leave(struct turn *turn, const struct delivery *const *deliveries, size_t count, size_t desk,
                    struct metered metered) {
    struct loop *loop = turn->loop;
    enum errand_kind kind = deliveries[0]->looking_up ? ERRAND_LOOKUP : ERRAND_DELIVERY;
    struct errand *errand = flight_take(loop->errands, kind, deliveries, count);
    assert(errand); /* the budget counts slots */
    struct flight *flight = flight_of(errand);
    flight->desk = desk;
    flight->destination = deliver_settings(loop->deliver, desk);
    errand->whose = flight->destination->name;
    flight->evaluator = *loop->in_force.evaluator;
    flight->metered = (struct metered){metered.meters, str_dup(&errand->arena, metered.value)};
    errand->settings = loop->in_force.settings;
    tokens_lend(loop, flight, &errand->arena);
    const struct call_context context = {.destination = flight->destination,
                                         .deliveries = flight->deliveries,
                                         .count = count,
                                         .now_us = turn->now_us,
                                         .sampler = tracer_sampler(exports_tracer(loop->exports)),
                                         .hasher = loop->hasher,
                                         .arena = &errand->arena,
                                         .token = flight->token};
    struct str problem = STR("");
    enum err err = requests[kind](&context, &errand->outgoing, &problem);
    metrics_hop(loop->metrics, HOP_CONNECT_REQUEST, 1);
    bool holds = settle_policy(flight->destination, deliveries[0]->action) == ON_UNKNOWN_HOLD;
    if (holds) errand->outgoing.idle_max_us = REST_MAX_US;
    errand->outgoing.tell_start = loop->options.transport.begun && counts_beginnings(loop, desk);
    if (err) {
        settle_unsent(turn, deliveries, count, desk, str_dup(turn->arena, problem));
        errand_release(loop->errands, errand);
        errand = NULL;
    }
    push(turn, errand, desk, metered);
    return ERR_NONE;
}

/* A delivery that its route calls late is not sent any more: it is held until a person decides. */
static bool held_late(struct turn *turn, const struct delivery *delivery, size_t desk) {
    if (!delivery->late_us || delivery->looking_up || turn->now_us <= delivery->late_us) return false;
    struct outcome outcome = {.class = OUTCOME_RETRY, .unsent = true};
    struct settled held = settled_as(delivery, DELIVERY_HELD);
    held.last_error =
        str_fmt(turn->arena, "late: was to leave by %.*s", STR_ARG(when_str(turn->arena, delivery->late_us)));
    turn_settlement(turn, delivery, desk, &outcome, &held);
    return true;
}

static int by_age(const void *a, const void *b) {
    const struct delivery *const *left = a, *const *right = b;
    return ((*left)->seq > (*right)->seq) - ((*left)->seq < (*right)->seq);
}

/* A set is frozen before it leaves for the first time. One that was frozen leaves as it was, or not. */
static enum err leave_set(struct turn *turn, struct delivery **set, size_t count, size_t desk, struct metered metered) {
    const struct delivery *const *members = (const struct delivery *const *)set;
    bool frozen = !uuid_is_zero(set[0]->batch) && !set[0]->looking_up;
    qsort(set, count, sizeof *set, by_age);
    deliver_take(turn->loop->deliver, desk, 1, turn->now_us);
    if (frozen && !set_is_whole(turn, deliver_settings(turn->loop->deliver, desk), members, count)) {
        push(turn, NULL, desk, metered); /* its place is given back */
        return set_part(turn, members, count, desk);
    }
    if (count > 1 && uuid_is_zero(set[0]->batch)) {
        int64_t *seqs = arena_array(turn->arena, int64_t, count);
        const struct uuid batch = set_id(turn, members, count);
        for (size_t i = 0; i < count; i++) {
            seqs[i] = set[i]->seq;
            set[i]->batch = batch;
        }
        TRY(store_freeze_batch(turn->loop->options.store, seqs, count, batch));
    }
    return turn_leave(turn, members, count, desk, metered);
}

/* Gives back the lease of a delivery that was claimed while no call was left for it in this turn. It has spent neither
 * an attempt nor a place of its limit, and a frozen set stays frozen. */
static void hand_back(struct turn *turn, const struct delivery *delivery, size_t desk) {
    struct outcome outcome = {.class = OUTCOME_RETRY, .unsent = true, .http_status = delivery->last_status};
    struct settled back = settled_as(delivery, delivery->looking_up ? DELIVERY_UNKNOWN : DELIVERY_PENDING);
    back.keep_batch = true;
    turn_settlement(turn, delivery, desk, &outcome, &back);
    deliver_due(turn->loop->deliver, desk, delivery->due_us);
}

/* Whether the provider may know it by a key already. Under another one it would be new to the provider, and what became
 * of the first try would not count. */
static bool was_sent(const struct delivery *delivery) {
    return delivery->first_sent_us != 0;
}

/* Finds the set that begins with ready[i] and takes its members out of ready. Deliveries of no frozen set are joined by
 * action, up to what the action takes in one call; a frozen set is taken whole, however large it is; a lookup is always
 * alone, and so is what was sent before. */
static size_t gather(const struct metering *metering, struct delivery **ready, size_t i, struct delivery **ret_set) {
    const struct destination_settings *settings = deliver_settings(metering->turn->loop->deliver, metering->desk);
    const struct action_traits *traits = destination_action(settings, ready[i]->action);
    const struct delivery *first = ready[i];
    size_t max = traits && traits->batch_joined > 1 ? (size_t)traits->batch_joined : 1, n = 1, count = metering->count;
    if (!uuid_is_zero(first->batch)) max = count;
    if (first->looking_up || (uuid_is_zero(first->batch) && was_sent(first))) max = 1;
    ret_set[0] = ready[i];
    for (size_t j = i + 1; j < count && n < max; j++) {
        if (!ready[j] || ready[j]->looking_up) continue;
        if (!uuid_eq(ready[j]->batch, first->batch) || !str_eq(ready[j]->action, first->action)) continue;
        if (uuid_is_zero(first->batch) && (was_sent(ready[j]) || !metering_joins(metering, i, j))) continue;
        ret_set[n++] = ready[j];
        ready[j] = NULL;
    }
    return n;
}

/* Lets what was claimed leave in at most `calls` calls, each of one delivery or one set. More may have been claimed,
 * because only the deliveries themselves say which of them join; what no call is left for is handed back. */
static enum err leave_claimed(struct turn *turn, struct delivery *claimed, size_t count, size_t desk, size_t calls) {
    struct delivery **set = arena_array(turn->arena, struct delivery *, count);
    struct delivery **ready = arena_array(turn->arena, struct delivery *, count);
    size_t ready_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!held_late(turn, &claimed[i], desk)) ready[ready_count++] = &claimed[i];
    struct metering metering;
    metering_begin(turn, desk, ready, ready_count, &metering);
    for (size_t i = 0; i < ready_count; i++) {
        bool admitted;
        if (!ready[i]) continue;
        if (calls == 0) {
            hand_back(turn, ready[i], desk);
            continue;
        }
        TRY(metering_admit(&metering, ready, i, &admitted));
        if (!admitted) continue;
        calls--;
        size_t n = gather(&metering, ready, i, set);
        TRY(leave_set(turn, set, n, desk, metering_place(&metering, i)));
    }
    return ERR_NONE;
}

/* How many deliveries so many calls can carry at most. */
static size_t calls_to_deliveries(const struct destination_settings *settings, size_t calls) {
    size_t most = 1;
    for (size_t i = 0; i < settings->action_count; i++)
        if ((size_t)settings->actions[i].batch_joined > most) most = (size_t)settings->actions[i].batch_joined;
    return calls * most;
}

/* Only one of the processes that share the store may send the first delivery after a breaker was open. The others look
 * again a little later, and learn from the store what came of the probe. */
static enum err ask_to_probe(struct turn *turn, size_t desk, const struct destination_settings *settings) {
    struct loop *loop = turn->loop;
    bool ours = true;
    if (!deliver_would_probe(loop->deliver, desk, turn->now_us)) return ERR_NONE;
    TRY(store_probe(loop->options.store, settings->name, turn->now_us, turn_lease_until(turn, settings), &ours));
    if (!ours) deliver_put_off(loop->deliver, desk, turn->now_us + PROBE_LOOK_US);
    return ERR_NONE;
}

static enum err claim_desk(struct turn *turn, size_t desk) {
    struct loop *loop = turn->loop;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    bool open = true;
    if (!settings || !deliver_is_due(loop->deliver, desk, turn->now_us)) return ERR_NONE;
    if (deliver_would_probe(loop->deliver, desk, turn->now_us)) chores_give_up(loop);
    TRY(ask_to_probe(turn, desk, settings));
    size_t budget = deliver_budget(loop->deliver, desk, turn->now_us, DESK_CLAIM_MAX);
    metrics_hop(loop->metrics, HOP_DELIVER_BUDGET, 1);
    if (budget) TRY(tokens_gate(turn, desk, settings, &open));
    if (!open) return ERR_NONE;
    TRY(quota_budget(turn, desk, &budget));
    if (budget == 0) return ERR_NONE;
    struct claim claim = {.destination = settings->name,
                          .limit = calls_to_deliveries(settings, budget),
                          .now_us = turn->now_us,
                          .lease_until_us = turn_lease_until(turn, settings),
                          .owner = loop->options.instance};
    struct delivery *claimed;
    size_t count;
    TRY(store_claim(loop->options.store, &claim, turn->arena, &claimed, &count));
    metrics_hop(loop->metrics, HOP_STORE_CLAIM, count);
    size_t left_before = turn->leaving_count;
    TRY(leave_claimed(turn, claimed, count, desk, budget));
    quota_claimed(turn, desk, turn->leaving_count - left_before);
    if (count >= claim.limit) return ERR_NONE; /* more may be due: asked again next turn */
    TRY(turn_store_settlements(turn));         /* what was handed back is due too */
    int64_t next_us;
    TRY(store_next_due(loop->options.store, settings->name, &next_us));
    if (deliver_asked(loop->deliver, desk, count, next_us, turn->now_us)) chores_suspect_orphans(loop);
    return ERR_NONE;
}

enum err turn_claim(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (!turn_delivers(loop) || loop->recovering) return ERR_NONE;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        size_t desk = deliver_order(loop->deliver, i);
        TRY(turn_enter(turn, PHASE_CLAIMS, desk));
        TRY(claim_desk(turn, desk));
    }
    return turn_store_settlements(turn);
}

/* Its lease ended between the claim and now. Nothing was sent, and that is its answer: the next turn gives the delivery
 * back, unless another process took it over meanwhile. Without room for the answer the lease is found as one that ran
 * out. */
static void answer_unsent(struct loop *loop, struct errand *errand, int64_t now_us) {
    if (loop->finished_count + loop->aside_count == TURN_COMPLETIONS_MAX) {
        errand_release(loop->errands, errand);
        return;
    }
    loop->finished[loop->finished_count++] =
        (struct completion){.tag = errand->tag,
                            .answer = {.end = EXCHANGE_NO_ROOM,
                                       .started_us = now_us,
                                       .finished_us = now_us,
                                       .trouble = "the lease ended before the request left: this machine stood still"}};
}

/* A process that stood still from its claim until now may have lost it to another one, so the lease is looked at once
 * more. Under a limit a send counts as now until the transport says when it began to leave (flights_begun): at the
 * receiver the first sends over new connections would else come together with those of the next window. Any other
 * counts from the moment after its start. */
void turn_start(struct turn *turn) {
    struct loop *loop = turn->loop;
    const struct clock *clock = &loop->options.clock;
    for (size_t i = 0; i < turn->leaving_count; i++) {
        struct departure *departure = &turn->leaving[i];
        struct errand *errand = departure->errand;
        int64_t now_us = clock->now_us(clock->self);
        if (errand && flight_of(errand)->deliveries[0]->lease_until_us <= now_us) {
            answer_unsent(loop, errand, now_us);
            errand = NULL;
        }
        if (!errand) {
            deliver_unsent(loop->deliver, departure->desk);
            if (departure->metered.meters) meters_unsent(departure->metered.meters, departure->metered.value);
            continue;
        }
        const struct metered *metered = &departure->metered;
        flight_of(errand)->starting = errand->outgoing.tell_start;
        flight_of(errand)->taken = quota_left(turn, departure->desk, errand->outgoing.tell_start);
        if (metered->meters)
            flight_of(errand)->metered_taken =
                quota_meter_left(turn, departure->desk, metered->value, errand->outgoing.tell_start);
        lines_sent(turn, flight_of(errand));
        errand_leave(loop, errand);
        if (errand->outgoing.tell_start) continue;
        now_us = clock->now_us(clock->self);
        deliver_started(loop->deliver, departure->desk, 1, now_us);
        metered_started(metered, now_us);
    }
    metrics_hop(loop->metrics, HOP_TRANSPORT_START, turn->leaving_count);
    errands_commit(turn);
}

void turn_drop_leaving(struct turn *turn) {
    for (size_t i = 0; i < turn->leaving_count; i++)
        if (turn->leaving[i].errand) errand_release(turn->loop->errands, turn->leaving[i].errand);
    turn->leaving_count = 0;
    errands_rollback(turn);
}
