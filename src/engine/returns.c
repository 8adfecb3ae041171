/* engine/returns.c - the way back: whoever owns an errand settles it, and what came of deliveries becomes settlements.
 *
 * WHAT. Every completion is given to the owner of its errand. The owner of a delivery and the owner of a lookup read
 * the answer, decide what the delivery comes to (settle_outcome), and leave a settlement and a note of what memory
 * learns.
 *
 * PROMISE. Every errand that left is settled by exactly one turn that committed, whatever its kind; memory learns only
 * what is durable; a claim whose process died is settled as unknown, never as not sent.
 *
 * WHY IT HOLDS.
 * 1. Completions stay in loop->finished until a turn committed (turn_release_finished). A turn that was dropped leaves
 *    them there, and the next one settles them again from the same answers.
 * 2. Settlements are written together, once the turn has them all, and each is fenced by its lease's epoch: a claim
 * that another process took over meanwhile is not touched, and its note is not applied.
 * 3. What desks learn is staged in deliver until deliver_commit. What the owner of another errand learns is its own to
 *    stage; it is told by `settled`, after the commit.
 * 4. A lease that ran out is only settled here when no flight of this process carries it: what still flies will answer.
 *
 * WHAT BREAKS IT. An owner whose settle fails for another reason than the store: the turn would be dropped for ever.
 * Such an error ends the process (an assertion) instead, and with it the errand.
 *
 * HOW TO SEE IT. The hops settle_outcome and store_settle in drumbeat_hops_total, drumbeat_attempts_total, the log's
 * delivery_failed and delivery_held.
 *
 * TESTED BY. test/unit/engine/test_returns.c, test/unit/engine/test_errand.c, the scenarios crash*, unknown*, lookup*.
 */
#include <assert.h>

#include "connect/connect.h"
#include "deliver/backlog.h"
#include "deliver/heir.h"
#include "deliver/settle.h"
#include "engine/exports.h"
#include "engine/flight.h"
#include "engine/sets.h"
#include "engine/turn.h"

#define PAST_STEP 100

static void grow(struct turn *turn) {
    if (turn->settlement_count < turn->settlement_room) return;
    size_t room = turn->settlement_room ? 2 * turn->settlement_room : 64;
    struct settlement *settlements = arena_array(turn->arena, struct settlement, room);
    struct settle_note *notes = arena_array(turn->arena, struct settle_note, room);
    for (size_t i = 0; i < turn->settlement_count; i++) {
        settlements[i] = turn->settlements[i];
        notes[i] = turn->notes[i];
    }
    turn->settlements = settlements;
    turn->notes = notes;
    turn->settlement_room = room;
}

/* A lookup is kept among the attempts, where who reads them must not take it for a send (attempt_is_lookup). */
static struct str lookup_words(struct turn *turn, const struct outcome *outcome) {
    return str_fmt(turn->arena, ATTEMPT_LOOKUP "%s%.*s", outcome->error.n ? ": " : "", STR_ARG(outcome->error));
}

void turn_settlement(struct turn *turn, const struct delivery *delivery, size_t desk, const struct outcome *outcome,
                     const struct settled *settled) {
    grow(turn);
    /* A delivery that is over makes way for the next one of its order key. */
    if (desk != SIZE_MAX && delivery->order_key.n && delivery_is_final(settled->status))
        deliver_due(turn->loop->deliver, desk, turn->now_us);
    turn->notes[turn->settlement_count] =
        (struct settle_note){.desk = desk,
                             .class = outcome->class,
                             .attempted = !outcome->unsent,
                             .apart = settled->apart,
                             .delivery = delivery,
                             .errand = turn->settling,
                             .end = turn->settling_end,
                             .resent = delivery->in_doubt && !delivery->looking_up && !outcome->unsent,
                             .stored_us = delivery->event ? delivery->event->created_us : 0};
    const struct uuid alone = {0};
    turn->settlements[turn->settlement_count++] = (struct settlement){
        .seq = delivery->seq,
        .event_id = delivery->event_id,
        .lease_epoch = delivery->lease_epoch,
        .destination = delivery->destination,
        .order_key = delivery->order_key,
        .status = settled->status,
        .due_us = settled->due_us,
        .retry_count = settled->retry_count,
        .first_sent_us = settled->first_sent_us,
        .last_status = outcome->http_status,
        .last_error = settled->last_error,
        .remote_id = outcome->remote_id,
        .in_doubt = settled->in_doubt,
        .batch = settled->keep_batch ? delivery->batch : alone,
        .has_attempt = !outcome->unsent,
        .attempt = {.started_us = outcome->started_us,
                    .finished_us = outcome->finished_us,
                    .outcome = str_from(outcome_text(outcome->class)),
                    .http_status = outcome->http_status,
                    .error = delivery->looking_up ? lookup_words(turn, outcome) : outcome->error,
                    .answer = str_sub(outcome->answer, 0, DELIVERY_ANSWER_MAX)},
    };
}

/* What the destination's desk learns from one call: breaker, pause and quiet spell, staged until the commit. Any item
 * of a batch may pause the account; for everything else the first item speaks for the call, or a batch would count
 * n-fold. */
static void learn(struct turn *turn, size_t desk, const struct outcome *outcome, const struct settled *settled,
                  bool speaks_for_the_call) {
    struct deliver *deliver = turn->loop->deliver;
    if (desk == SIZE_MAX) return;
    if (!deliver_settings(deliver, desk)) { /* what is in flight under an earlier name teaches the new one */
        desk = deliver_known(deliver, deliver_view(deliver, desk, turn->now_us).name);
        if (desk == SIZE_MAX) return;
    }
    if (outcome->pause && !outcome->renews) deliver_refuse(deliver, desk, turn->now_us, outcome->error);
    if (settled->counts_as_good) deliver_accept(deliver, desk);
    if (!speaks_for_the_call) return;
    if (settled->counts_as_trouble) deliver_blame(deliver, desk, outcome->error);
    if (settled->counts_as_trouble || settled->counts_as_good)
        deliver_record(deliver, desk, turn->now_us, settled->counts_as_good);
    if (outcome->quiet_until_us) deliver_quiet(deliver, desk, outcome->quiet_until_us, turn->now_us);
}

/* in_step says that all items of the call came to the same class. If they did not, each goes on alone and a frozen set
 * thaws, except where an item is in doubt: the provider may know the set's key. */
static void settle_one(struct turn *turn, const struct delivery *delivery, const struct destination_settings *settings,
                       size_t desk, const struct outcome *outcome, bool speaks_for_the_call, bool in_step) {
    struct loop *loop = turn->loop;
    struct settled settled = settle_outcome(delivery, outcome, settings, turn->now_us, &loop->rng, turn->arena);
    settled.keep_batch = settled.keep_batch && (in_step || outcome->class == OUTCOME_UNKNOWN);
    turn_settlement(turn, delivery, desk, outcome, &settled);
    learn(turn, desk, outcome, &settled, speaks_for_the_call);
    if (desk != SIZE_MAX && !delivery_is_final(settled.status)) deliver_due(loop->deliver, desk, settled.due_us);
}

/* What came back cannot be stored as it is. A person looks at it; no attempt is written, it may be what was refused. */
static enum err hold_refused(struct turn *turn, const struct flight *flight) {
    const struct outcome outcome = {.class = OUTCOME_UNKNOWN, .unsent = true};
    for (size_t i = 0; i < flight->count; i++) {
        struct settled held = settled_as(flight->deliveries[i], DELIVERY_HELD);
        held.in_doubt = true;
        held.due_us = turn->now_us;
        held.last_error = str_fmt(turn->arena, "an answer came, and the database refused what it came to: %.*s",
                                  STR_ARG(turn->refused));
        turn_settlement(turn, flight->deliveries[i], flight->desk, &outcome, &held);
    }
    return ERR_NONE;
}

/* The outcomes of a flight's deliveries, as `read` finds them in the answer, become settlements; they are written with
 * all others of the turn. */
static enum err settle_flight(struct turn *turn, const struct flight *flight, const struct answer *answer,
                              void (*read)(const struct call_context *, const struct answer *, const struct evaluator *,
                                           struct outcome *)) {
    const struct call_context context = {.destination = flight->destination,
                                         .deliveries = flight->deliveries,
                                         .count = flight->count,
                                         .now_us = turn->now_us,
                                         .hasher = turn->loop->hasher,
                                         .arena = turn->arena,
                                         .token = flight->token};
    struct outcome *outcomes = arena_array(turn->arena, struct outcome, flight->count);
    bool in_step = true;
    if (turn->refused.n) return hold_refused(turn, flight);
    read(&context, answer, &flight->evaluator, outcomes);
    for (size_t i = 1; i < flight->count; i++) in_step = in_step && outcomes[i].class == outcomes[0].class;
    int64_t other = 0;
    if (outcomes[0].refused &&
        !settle_goes_apart(flight->deliveries[0], &outcomes[0], flight->destination, turn->now_us) &&
        deliver_suspect(turn->loop->deliver, flight->desk, flight->deliveries[0]->seq, &other))
        for (size_t i = 0; i < flight->count; i++) outcomes[i].pause = outcomes[i].refused;
    bool renews = tokens_expired(turn, flight, &outcomes[0]);
    for (size_t i = 0; i < flight->count; i++) outcomes[i].renews = renews;
    if (outcomes[0].class == OUTCOME_DONE) tokens_accepted(turn, flight);
    if (other && outcomes[0].pause) /* what was held for itself alone is not the only one */
        TRY(store_reword(turn->loop->options.store, other, STR(SETTLE_LONE), STR(SETTLE_SHARED), turn->now_us));
    size_t first = turn->settlement_count;
    for (size_t i = 0; i < flight->count; i++)
        settle_one(turn, flight->deliveries[i], flight->destination, flight->desk, &outcomes[i], i == 0, in_step);
    if (flight->count > 1) set_settled(turn, first);
    return ERR_NONE;
}

static enum err settle_delivery(struct turn *turn, const struct errand *errand, const struct answer *answer) {
    return settle_flight(turn, flight_of(errand), answer, connect_answer);
}

static enum err settle_lookup(struct turn *turn, const struct errand *errand, const struct answer *answer) {
    return settle_flight(turn, flight_of(errand), answer, connect_lookup_answer);
}

static void flight_ended(struct turn *turn, const struct errand *errand) {
    struct flight *flight = flight_of(errand);
    if (!flight->ended) deliver_ended(turn->loop->deliver, flight->desk);
    flight->ended = true;
}

void turn_free_slot(struct turn *turn, const struct completion *completion) {
    const struct errand *errand = errand_find(turn->loop->errands, completion->tag);
    bool left = errand && errand->state != ERRAND_STAGED;
    if (left && errand->owner->settled == flight_ended) flight_ended(turn, errand);
}

const struct errand_owner errand_owners[ERRAND_KINDS] = {
    [ERRAND_DELIVERY] = {"delivery", ERRAND_OF_DESKS, 0, settle_delivery, flight_ended},
    [ERRAND_LOOKUP] = {"lookup", ERRAND_OF_DESKS, 0, settle_lookup, flight_ended},
    [ERRAND_TOKEN] = {"token", ERRAND_RESERVE, 8, token_settle, token_settled},
    [ERRAND_EXPORT] = {"export", ERRAND_RESERVE, OTEL_SIGNALS, exports_settle, exports_settled},
    [ERRAND_FETCH] = {"fetch", ERRAND_RESERVE, 3, certificates_settle, certificates_settled},
};

/* Whoever owns the errand reads the answer. One that was ended because its deadline had come timed out. */
static enum err settle_errand(struct turn *turn, const struct completion *completion) {
    const struct errand *errand = errand_find(turn->loop->errands, completion->tag);
    const struct answer *answer = &completion->answer;
    if (!errand) return ERR_NONE;
    if (errand->state == ERRAND_OVERDUE && answer->end == EXCHANGE_CANCELLED) {
        struct answer *late = arena_copy(turn->arena, answer, sizeof *answer);
        late->end = EXCHANGE_TIMED_OUT;
        answer = late;
    }
    turn->settling = errand;
    turn->settling_end = answer->end;
    enum err err = errand->owner->settle(turn, errand, answer);
    turn->settling = NULL;
    assert(!err || err_http(err) == 503 || err == ERR_STORE_REFUSED); /* any other would drop every turn from now on */
    return err;
}

enum err turn_settle_finished(struct turn *turn) {
    struct loop *loop = turn->loop;
    for (size_t i = 0; i < loop->finished_count; i++) TRY(settle_errand(turn, &loop->finished[i]));
    metrics_hop(loop->metrics, HOP_SETTLE_OUTCOME, turn->settlement_count);
    return turn_store_settlements(turn);
}

/* Settles a claim whose process is gone. Bytes may have been sent, at the earliest when it was claimed, so its outcome
 * is unknown; where its destination is no longer configured, only a person can find out. Of the row, updated_us is the
 * moment of the claim, because nothing changes it under a lease: the provider may know the key since then. A limit
 * counts from when a request began to leave, which nobody knows any more: so the try begins and ends now, and no window
 * that is read back from the attempts is too early. Who looks for it at the provider needs the true moment, which the
 * error tells. */
static void settle_lost(struct turn *turn, struct delivery *delivery) {
    struct loop *loop = turn->loop;
    int64_t claimed_us = delivery->updated_us < turn->now_us ? delivery->updated_us : turn->now_us;
    if (!delivery->first_sent_us) delivery->first_sent_us = claimed_us;
    struct outcome outcome = {.class = OUTCOME_UNKNOWN,
                              .started_us = turn->now_us,
                              .finished_us = turn->now_us,
                              .error = str_fmt(turn->arena,
                                               "the process ended before an answer to its request of %.*s was read",
                                               STR_ARG(when_str(turn->arena, claimed_us - claimed_us % US_PER_S)))};
    size_t desk = deliver_known(loop->deliver, delivery->destination);
    const struct destination_settings *settings = desk == SIZE_MAX ? NULL : deliver_settings(loop->deliver, desk);
    if (settings) {
        settle_one(turn, delivery, settings, desk, &outcome, false, true);
        return;
    }
    struct settled held = settled_as(delivery, DELIVERY_HELD);
    held.due_us = turn->now_us;
    held.in_doubt = true;
    held.last_error = STR("unknown outcome, and the destination is no longer configured");
    turn_settlement(turn, delivery, SIZE_MAX, &outcome, &held);
}

/* What a start finds before anything is sent is told as its recovery (loop.c). */
static void count_lost(struct turn *turn, size_t first) {
    struct lost_leases *lost = &turn->chores.lost;
    for (size_t i = first; !turn->loop->recovering && i < turn->settlement_count; i++) {
        enum delivery_status status = turn->settlements[i].status;
        if (!turn->notes[i].applied) continue;
        *(status == DELIVERY_UNKNOWN || status == DELIVERY_HELD ? &lost->unknown : &lost->resumed) += 1;
        lost->at_us = turn->now_us;
    }
}

enum err turn_settle_past(struct turn *turn, bool *ret_more) {
    struct loop *loop = turn->loop;
    size_t first = turn->settlement_count;
    struct delivery *lost;
    size_t count;
    bool others_too = loop->recovering && loop->options.exclusive;
    TRY(store_expired(loop->options.store, turn->now_us, loop->options.instance, others_too, PAST_STEP, turn->arena,
                      &lost, &count));
    /* A process that was stopped for long finds leases of its own that ran out: what still flies will answer. */
    size_t settled = 0;
    for (size_t i = 0; i < count; i++) {
        if (flights_carry(loop->errands, lost[i].seq, lost[i].lease_epoch)) continue;
        settle_lost(turn, &lost[i]);
        settled++;
    }
    *ret_more = count == PAST_STEP && settled;
    TRY(turn_store_settlements(turn));
    count_lost(turn, first);
    return ERR_NONE;
}

/* Behind a breaker that is not closed one delivery is sent now and then, so nothing would ever come to the end of its
 * tries. What was due before a moment was due for the first time before it, too: the claim needs to know no more. */
static enum err give_up_desk(struct turn *turn, size_t desk, size_t most, size_t *ret_count) {
    struct loop *loop = turn->loop;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    *ret_count = 0;
    if (!settings || !settings->give_up_us) return ERR_NONE;
    const struct claim claim = {.destination = settings->name,
                                .limit = most,
                                .now_us = turn->now_us - settings->give_up_us,
                                .lease_until_us = turn_lease_until(turn, settings),
                                .owner = loop->options.instance};
    if (!deliver_is_due(loop->deliver, desk, claim.now_us) || !deliver_is_broken(loop->deliver, desk)) return ERR_NONE;
    const struct outcome nothing = {.class = OUTCOME_FAILED, .unsent = true};
    struct delivery *overdue;
    TRY(store_claim(loop->options.store, &claim, turn->arena, &overdue, ret_count));
    for (size_t i = 0; i < *ret_count; i++) {
        struct settled settled = settle_overdue(&overdue[i], settings, turn->arena);
        struct outcome outcome = nothing;
        outcome.http_status = overdue[i].last_status;
        turn_settlement(turn, &overdue[i], desk, &outcome, &settled);
    }
    return ERR_NONE;
}

enum err turn_give_up(struct turn *turn, bool *ret_more) {
    struct loop *loop = turn->loop;
    size_t left = PAST_STEP, count;
    for (size_t i = 0; i < deliver_desks(loop->deliver) && left && turn_delivers(loop); i++) {
        TRY(give_up_desk(turn, i, left, &count));
        left -= count < left ? count : left; /* a frozen set is claimed whole */
    }
    *ret_more = left == 0;
    return turn_store_settlements(turn);
}

enum err turn_store_settlements(struct turn *turn) {
    size_t from = turn->settlement_written, count = turn->settlement_count - from;
    if (count == 0) return ERR_NONE;
    bool *applied = arena_array(turn->arena, bool, count);
    TRY(store_settle(turn->loop->options.store, turn->settlements + from, count, turn->now_us, turn->arena, applied));
    for (size_t i = 0; i < count; i++) {
        turn->notes[from + i].applied = applied[i];
        const struct settlement *settlement = &turn->settlements[from + i];
        if (!applied[i] || delivery_waits(settlement->status)) continue;
        backlog_change(turn->loop->deliver, deliver_desk(turn->loop->deliver, settlement->destination), -1);
    }
    turn->settlement_written = turn->settlement_count;
    metrics_hop(turn->loop->metrics, HOP_STORE_SETTLE, count);
    return ERR_NONE;
}

void turn_release_finished(struct turn *turn) {
    struct loop *loop = turn->loop;
    for (size_t i = 0; i < loop->finished_count; i++) {
        struct errand *errand = errand_find(loop->errands, loop->finished[i].tag);
        bool left = !errand || errand->state != ERRAND_STAGED; /* what never left is not the transport's */
        if (left) loop->options.transport.release(loop->options.transport.self, &loop->finished[i]);
        if (!errand) continue;
        if (left && errand->owner->settled) errand->owner->settled(turn, errand);
        if (left) expiries_learn(turn, errand, &loop->finished[i].answer);
        errand_release(loop->errands, errand);
    }
    loop->finished_count = 0;
}
